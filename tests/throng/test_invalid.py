"""Gross, filtered and net meet what was received, to the event; and the past can be judged anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from consent_filter.counts import STORED
from pipelines import reports as job
from tests.warehouse.crowd import lay
from throng.main import main
from warehouse.invalid import rules
from warehouse.lake import Lake
from warehouse.settings import Warehouse

SEEN = {"type": "ad_impression", "ad_campaign": "autumn", "ad_flags": 0}
ROWS: list[dict[str, Any]] = [
    *[SEEN | {"person": n, "ad_view": n} for n in range(12)],
    SEEN | {"person": 1, "ad_view": 1, "time": "2026-09-01 12:00:07"},
    *[SEEN | {"person": n, "ad_flags": 1} for n in range(20, 24)],
    *[SEEN | {"person": n, "ad_rate": 12} for n in range(30, 32)],
    *[SEEN | {"person": 40, "reason": "robot", "detail": "is-bot"} for _ in range(5)],
    *[SEEN | {"person": 41, "reason": "consent"} for _ in range(3)],
    SEEN | {"person": 5, "type": "ad_click", "ad_view": 5, "time": "2026-09-01 12:00:20"},
    {"person": 1},
]


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("laid")
    lay(data, ROWS)
    return data


@pytest.fixture
def data(laid: Path, tmp_path: Path) -> Path:
    shutil.copytree(laid, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A version 2 of the rules, of the far future: without data centres."""
    first = rules.FOLDER / "rules-1.toml"
    folder = tmp_path / "rules"
    folder.mkdir()
    shutil.copy(first, folder)
    text = first.read_text().replace("version = 1", "version = 2").replace("2020-01-01", "2099-01-01")
    (folder / "rules-2.toml").write_text(text.replace("ad_flags & 1 <> 0", "false"))
    monkeypatch.setattr(rules, "FOLDER", folder)
    rules.load.cache_clear()
    yield
    rules.load.cache_clear()


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = main(["adverts", *words, "--format", "json"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else None


@pytest.mark.requirement("M44", "S15")
def test_what_was_received_of_adverts_is_net_filtered_and_refused(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = asked(capsys, "invalid", "--data", str(data))
    assert code == 0
    click, shown = said["lines"]
    assert (click["event"], click["received"], click["net"]) == ("ad_click", 1, 1)
    assert shown["received"] == 12 + 1 + 4 + 2 + 5 + 3
    assert shown["filtered"] == {"duplicate": 1, "data_centre": 4, "rate_spike": 2}
    assert (shown["net"], shown["general"], shown["sophisticated"], shown["ended"]) == (12, 5, 2, 0)
    assert shown["refused"] == {"robot": 5, "consent": 3}
    assert [one["version"] for one in said["rules"]] == [1]
    assert {one["name"] for one in said["lists"]} == {"is-bot", "crawler-user-agents", "ua-parser"}
    assert all(one["version"] for one in said["lists"])
    assert main(["adverts", "invalid", "--data", str(data)]) == 0
    text = capsys.readouterr().out
    assert "gross                    19" in text
    assert "newest entry 20" in text


@pytest.mark.parametrize(
    "fault",
    [
        f"DELETE FROM lake.received WHERE event = 'ad_impression' AND outcome = '{STORED}'",
        "UPDATE lake.received SET n = n - 1 WHERE event = 'ad_impression' AND reason = 'robot'",
        "INSERT INTO lake.received BY NAME SELECT * REPLACE ('received' AS outcome, 1 AS n)"
        " FROM lake.received WHERE event = 'ad_click' LIMIT 1",
    ],
)
def test_where_an_event_is_missing_or_one_too_many_nothing_is_said(
    fault: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = Lake.open(data, write=True)
    assert lake is not None
    lake.connection.execute(fault)
    lake.close()
    assert main(["adverts", "invalid", "--data", str(data)]) == 1
    assert "does not hold" in capsys.readouterr().err


def invalid(data: Path) -> dict[str, int]:
    with duckdb.connect(str(data / "released" / "work.duckdb"), read_only=True) as store:
        rows = store.execute("SELECT reason, sum(events)::BIGINT FROM invalid_traffic GROUP BY ALL")
        return dict(rows.fetchall())


@pytest.mark.requirement("M44")
@pytest.mark.usefixtures("second")
def test_the_past_is_judged_anew_as_a_new_version_with_the_reason(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = Warehouse(min_group=1, perturb=False)
    job.run(data, how)
    before = invalid(data)
    assert before["data_centre"] == 4
    words = ["rejudge", "--data", str(data), "--rules", "2", "--from", "2026-09-01", "--reason", "a list"]
    assert asked(capsys, *words, "--dry-run") == (0, {
        "days": ["2026-09-01"], "rules": 2, "text": "1 of 1 days would be judged by rules 2"
    })  # fmt: skip
    assert asked(capsys, *words)[1]["days"] == ["2026-09-01"]
    assert asked(capsys, *words)[1]["days"] == [], "the same again changes nothing"
    job.run(data, how)
    assert invalid(data) == {"valid": before["valid"] + 4} | {
        reason: n for reason, n in before.items() if reason not in ("valid", "data_centre")
    }
    with duckdb.connect(str(data / "released" / "work.duckdb"), read_only=True) as store:
        told = store.execute("SELECT reason FROM restatements ORDER BY version").fetchall()
    assert told == [("first",), ("verdicts",)]
    code, said = asked(capsys, "invalid", "--data", str(data))
    assert code == 0
    assert said["rules"] == [{"version": 2, "since": "2099-01-01"}]
    assert main(["adverts", *words[:3], "--rules", "9", "--reason", "x"]) == 1
    assert "no_such_rules" in capsys.readouterr().err
