"""The pipeline's own numbers, and that whatever is drawn or alerted on is told and explained."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ingest.metrics import PIPELINE, Metrics
from tests.warehouse.crowd import lay
from throng import gauges, loop
from throng.gauges import Gauges

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
_LINE = re.compile(r'([a-z_]+)(\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? (-?[0-9.e+-]+)')
_OWN = re.compile(r"\bthrong_[a-z_]+")


def read(text: str) -> dict[str, list[tuple[str, float]]]:
    """Name → labels and value; every line is one or says a type, and a name's lines stand together."""
    found, last = dict[str, list[tuple[str, float]]](), ""
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            continue
        match = _LINE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        assert name == last or name not in found, f"{name} stands in two places"
        found.setdefault(name, []).append((labels or "", float(value)))
        last = name
    return found


@pytest.fixture
def passed(tmp_path: Path) -> dict[str, Any]:
    lay(tmp_path, [{"person": n} for n in range(12)] + [{"person": 1, "reason": "robot"}])
    return loop.whole_pass(tmp_path)


def test_a_pass_tells_what_it_did_and_how_things_stand(tmp_path: Path, passed: dict[str, Any]) -> None:
    Gauges(tmp_path).write({"at": 12.5, "seconds": 3.25, "failure": None, **passed})
    told = read(Metrics(tmp_path / PIPELINE).text())
    assert told["throng_pass_timestamp_seconds"] == [("", 12.5)]
    assert {labels for labels, _ in told["throng_stage_seconds"]} == {
        f'{{stage="{name}"}}' for name in ("rights", "facts", "reports", "publish", "releases")
    }
    assert told["throng_folded_events"] == [
        ('{outcome="received"}', 13), ('{outcome="stored"}', 12), ('{outcome="refused",reason="robot"}', 1),
    ]  # fmt: skip
    assert told["throng_balance_difference"] == [("", 0)]
    assert told["throng_lag_bytes"] == told["throng_lag_records"] == [("", 0)]
    assert told["throng_left_out_records"] == [("", 0)]
    assert told["throng_published_generation"] == [("", 1)]


def test_a_pass_that_failed_says_so_and_of_the_rest_what_was_known(tmp_path: Path) -> None:
    lay(tmp_path, [{"person": 1}])
    (tmp_path / "lake" / "catalog.sqlite").write_bytes(b"no database")
    Gauges(tmp_path).write({"at": 1.0, "seconds": 0.5, "failure": "OSError", "failed_passes": 4})
    told = read((tmp_path / PIPELINE).read_text())
    assert told["throng_pass_failures"] == [("", 4)]
    assert "throng_balance_difference" not in told


def test_facts_are_looked_at_when_something_came_or_it_is_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    monkeypatch.setattr(gauges, "_looked", lambda data: looked.append(data) or [])
    one = Gauges(tmp_path)
    for commit in (0, 0, 3, 3):
        one.samples({"facts": {"commit": commit}})
    assert len(looked) == 2
    monkeypatch.setattr(gauges, "EVERY", 0.0)
    one.samples({"facts": {"commit": 3}})
    assert len(looked) == 3


def alerts() -> Iterator[dict[str, Any]]:
    for group in YAML(typ="safe").load(DEPLOY / "prometheus" / "alerts.yml")["groups"]:
        yield from group["rules"]


def test_what_is_drawn_and_alerted_on_is_told_and_every_number_is_explained(
    tmp_path: Path, passed: dict[str, Any]
) -> None:
    Gauges(tmp_path).write(passed)
    metrics = Metrics(tmp_path / PIPELINE)
    page = metrics.text()
    told = set(re.findall(r"^# TYPE (throng_\w+)", page, re.M))
    explained = set(re.findall(r"^\| `(throng_\w+)`", (ROOT / "docs" / "operations.md").read_text(), re.M))
    assert explained == told
    drawn = json.loads((DEPLOY / "grafana" / "throng.json").read_text())
    asked = [target["expr"] for panel in drawn["panels"] for target in panel["targets"]]
    asked += [one["expr"] for one in alerts()]
    named = {name.removesuffix("_bucket") for text in asked for name in _OWN.findall(text)}
    assert named <= told
    assert all({"summary", "do"} == set(one["annotations"]) for one in alerts())
    assert {one["labels"]["severity"] for one in alerts()} == {"page", "ticket"}


@pytest.mark.needs("systemd")
def test_the_unit_is_one_and_shuts_itself_in(tmp_path: Path) -> None:
    unit = tmp_path / "throng.service"
    text = (DEPLOY / "systemd" / "throng.service").read_text()
    unit.write_text(text.replace("/opt/throng/.venv/bin/throng", "/bin/true"))
    said = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert said.stderr == ""
    look = ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit]
    assert subprocess.run(look, capture_output=True, check=False).returncode == 0
