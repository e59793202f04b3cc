"""The jobs do what the settings say: how long a site's pack keeps facts, and where jobs run."""

from __future__ import annotations

import json
import time
from importlib.resources import files
from pathlib import Path

import pyarrow as pa
import pytest

from consent_filter.events import Events
from consent_filter.fields import EVENT
from ingest.log.segment import SegmentLog
from tests.throng.conftest import Throng
from tests.warehouse.sample import NOON, Event, found, record
from throng import jobs
from throng.loop import whole_pass
from warehouse import query
from warehouse.settings import Warehouse


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


def test_in_the_loop_reports_over_all_days_rest_in_between(tmp_path: Path) -> None:
    """Those by day never do; and a job that is asked for once makes all of them."""
    (tmp_path / "throng.toml").write_text("[warehouse]\nmin_group = 1\nidle_share = 1000.0\n")

    def views(table: str) -> int:
        asked = query.run(tmp_path, f"SELECT sum(views)::INT AS n FROM {table}", "json", Warehouse())
        return int(json.loads(asked)[0]["n"])

    for views_by_day, views_by_week in ((1, 1), (2, 1)):
        append(tmp_path, "workallies-2024/1", 3)
        status = whole_pass(tmp_path)
        assert (views("traffic_day"), views("growth")) == (views_by_day, 2 * views_by_week), status
    jobs.reports(tmp_path)
    jobs.publish(tmp_path)
    assert (views("traffic_day"), views("growth")) == (2, 4), "by week and by month"


def test_a_damaged_record_is_one_line_and_no_library_says_more(
    tmp_path: Path, throng: Throng, caplog: pytest.LogCaptureFixture
) -> None:
    """Planted: Beam's own lines, which hold the message of any exception; and what it adds to ours."""
    data = tmp_path / "data"
    data.mkdir()
    append(data, "workallies-2024/1", 1)
    (segment,) = (data / "log" / "collector").glob("*.log")
    held = bytearray(segment.read_bytes())
    held[500] ^= 0xFF
    segment.write_bytes(held)
    said = throng("facts")
    assert said.code == 1
    (line,) = said.err.splitlines()
    assert f"log segment {segment.name} is damaged at position 0" in line
    assert "while running" not in line
    assert [one for one in caplog.records if one.name.startswith("apache_beam")] == []
