"""The jobs do what the settings say: how long a site's pack keeps facts, and where jobs run."""

from __future__ import annotations

import time
from importlib.resources import files
from pathlib import Path

import pyarrow as pa
import pytest

from consent_filter.events import Events
from consent_filter.fields import EVENT
from ingest.log.segment import SegmentLog
from tests.warehouse.sample import NOON, Event, found, record
from throng import jobs


def append(data: Path, policy: str, days_ago: int) -> None:
    """One event in the log, received so many days ago by the machine's own clock."""
    one = record([Event(None, 1, round(time.time() - NOON) - days_ago * 86_400)])
    place = EVENT.get_field_index("policy")
    log = SegmentLog(data / "log", "collector")
    rows = one.batch.set_column(place, "policy", pa.array([policy]))
    log.append(one._replace(events=Events.of(rows)))
    log.close()


def test_facts_are_kept_for_as_long_as_the_sites_pack_says(tmp_path: Path) -> None:
    text = (files("consent_filter") / "packs" / "workallies-2024.toml").read_text()
    own = tmp_path / "own.toml"
    own.write_text(text.replace('"workallies-2024"', '"own"').replace("facts_days = 760", "facts_days = 9"))
    (tmp_path / "throng.toml").write_text(f'[[site]]\nid = "market"\npack = "{own}"\n')
    append(tmp_path, "own/1", 30)
    append(tmp_path, "workallies-2024/1", 30)
    assert jobs.facts(tmp_path)["stored"] == 2
    assert found(tmp_path).rows.total() == 1


@pytest.mark.parametrize("job", [jobs.facts, jobs.reports])
def test_jobs_run_where_the_settings_say(tmp_path: Path, job: object) -> None:
    append(tmp_path, "workallies-2024/1", 0)
    if job is jobs.reports:
        jobs.facts(tmp_path)
    (tmp_path / "throng.toml").write_text('[pipelines]\nrunner = "NoSuchRunner"\n')
    with pytest.raises(ValueError, match="NoSuchRunner"):
        job(tmp_path)  # type: ignore[operator]
