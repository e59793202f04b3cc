"""What the pipeline says of itself, as Prometheus reads it: DATA/metrics.prom, written after each pass.

The collector's `/metrics` ends with it, so that one address tells of a whole machine; where the pipeline
runs apart, node_exporter reads the file (`--collector.textfile.directory`). Numbers of requests, bytes and
seconds, and nothing about a person: docs/operations.md says what each is.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ingest.metrics import PIPELINE
from pipelines.balance import lag
from warehouse import snapshot
from warehouse.lake import Lake

Sample = tuple[str, Mapping[str, str], float]
#: Seconds after which the facts are looked at though nothing came.
EVERY = 30.0


class Gauges:
    """The file of one data folder. What has to open the facts is looked at when something came, or when it is
    time: that costs 0.3 s, and passes come every two."""

    def __init__(self, data: Path) -> None:
        self._data, self._looked, self._commit = data, 0.0, -1
        self._facts: list[Sample] = []

    def write(self, status: Mapping[str, Any]) -> None:
        """Replace the file in one step. `status`: what status.json says of the last pass."""
        draft = self._data / f"{PIPELINE}.new"
        draft.write_text(text(self.samples(status)))
        os.replace(draft, self._data / PIPELINE)

    def samples(self, status: Mapping[str, Any]) -> list[Sample]:
        """Name, labels, value; those of one name behind one another."""
        commit, now = int((status.get("facts") or {}).get("commit", 0)), time.monotonic()
        if commit != self._commit or now - self._looked > EVERY:
            self._facts, self._commit, self._looked = _looked(self._data), commit, now
        return [*_said(self._data, status), *self._facts]


def text(samples: Iterable[Sample]) -> str:
    """The whole page, in the text format 0.0.4."""
    lines, before = [], ""
    for name, labels, value in samples:
        if name != before:
            lines.append(f"# TYPE {name} gauge")
        said = ",".join(f'{key}="{word}"' for key, word in labels.items())
        lines.append(f"{name}{{{said}}} {value:.15g}" if said else f"{name} {value:.15g}")
        before = name
    return "\n".join(lines) + "\n"


def _said(data: Path, status: Mapping[str, Any]) -> Iterator[Sample]:
    yield "throng_pass_timestamp_seconds", {}, float(status.get("at", time.time()))
    yield "throng_pass_seconds", {}, float(status.get("seconds", 0))
    yield "throng_pass_failures", {}, float(status.get("failed_passes", 0))
    for stage, seconds in (status.get("stages") or {}).items():
        yield "throng_stage_seconds", {"stage": stage}, seconds
    if "facts" in status:
        yield "throng_left_out_records", {}, float(status["facts"].get("left_out", 0))
    if "publish" in status:
        yield "throng_publish_stopped", {}, float(len(status["publish"].get("failures", ())))
        yield "throng_publish_warnings", {}, float(len(status["publish"].get("warnings", ())))
    if "rights" in status:
        yield "throng_removals_open", {}, float(status["rights"].get("open", 0))
        yield "throng_backups_unreached", {}, float(len(status["rights"].get("unreached", ())))
    if "releases" in status:
        yield "throng_releases_frozen", {}, float(status["releases"].get("frozen", 0))
    yield "throng_disk_free_bytes", {}, float(shutil.disk_usage(data).free)


def _looked(data: Path) -> list[Sample]:
    """Whatever can't be read is left out: a pass must not fail for its own numbers."""
    found: list[Sample] = []
    for more in (_lag, _published, _balance):
        with suppress(Exception):
            found += list(more(data))
    return found


def _lag(data: Path) -> Iterator[Sample]:
    found = lag(data)
    yield "throng_lag_bytes", {}, float(found["bytes"])
    yield "throng_lag_records", {}, float(found.get("records", 0))


def _published(data: Path) -> Iterator[Sample]:
    published = snapshot.manifest(data)
    if published is not None:
        yield "throng_published_timestamp_seconds", {}, float(published["time"])
        yield "throng_published_generation", {}, float(published["generation"])


def _balance(data: Path) -> Iterator[Sample]:
    lake = Lake.open(data)
    if lake is None:
        return
    try:
        found = lake.balance()
    finally:
        lake.close()
    name = "throng_folded_events"
    yield name, {"outcome": "received"}, found["received"]
    yield name, {"outcome": "stored"}, found["stored"]
    for reason, n in sorted(found["refused"].items()):
        yield name, {"outcome": "refused", "reason": reason}, n
    apart = found["received"] - found["stored"] - sum(found["refused"].values())
    yield "throng_balance_difference", {}, apart
