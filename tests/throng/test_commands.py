"""Each command as its user runs it: what it prints, where, and its exit code."""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ingest.log.segment import SegmentLog
from tests.throng.conftest import Throng
from tests.warehouse.sample import Event, record
from tests.warehouse.tables import fill
from throng.main import _WHERE, MANUAL, parser
from warehouse.released import Store
from warehouse.settings import Warehouse
from warehouse.snapshot import publish

#: Those that people type; `part` is a process of `up`.
COMMANDS = sorted(set(_WHERE) - {"part"})
REQUEST = {"site": "shop", "type": "page_view", "country": "DE"}


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A small publication in the folder that `throng` looks at."""
    data = tmp_path / "data"
    fill(data, days=2)
    store = Store.open(data)
    publish(data, Warehouse(), store)
    store.close()
    return data


# Help.


def test_help_names_every_command(throng: Throng) -> None:
    said = throng("--help")
    assert said.code == 0
    assert MANUAL.strip() in said.out
    for command in COMMANDS:
        assert re.search(rf"\n    {command}\s", said.out), command
        assert re.search(rf"throng {command}\s", MANUAL), f"{command} stands in the list alone"
    assert not re.search(r"\n    part\s", said.out)
    assert throng("--version").out.startswith("throng 0.")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str, throng: Throng) -> None:
    said = throng(command, "--help")
    assert said.code == 0
    assert said.out.startswith(f"usage: throng {command} ")
    assert "--data DIR" in said.out
    assert max(map(len, said.out.splitlines())) <= 110


def _all(one: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """A command and what stands below it, but for the processes of `up`."""
    yield name, one
    for action in one._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below, parser_ in action.choices.items():
                if below != "part":
                    yield from _all(parser_, f"{name} {below}")


@pytest.mark.parametrize(("name", "one"), list(_all(parser(), "throng")))
def test_everything_that_can_be_said_is_explained(name: str, one: argparse.ArgumentParser) -> None:
    assert one.description, name
    for action in one._actions:
        if not isinstance(action, argparse._SubParsersAction):
            assert action.help, f"{name}: {action.option_strings or action.dest}"
            shown = action.metavar or action.choices or action.nargs == 0 or action.option_strings
            assert shown, f"{name}: {action.dest} looks as if it were to be typed"


@pytest.mark.parametrize("asked", [[], ["frobnicate"], ["query"], ["balance", "--format", "xml"], ["import"]])
def test_asked_wrongly_is_2(asked: list[str], throng: Throng) -> None:
    said = throng(*asked)
    assert said.code == 2
    assert said.err.startswith("usage: throng")
    assert said.out == ""
    assert not re.search(r"\bpart\b", said.err.replace("'part'", "")) or asked == ["frobnicate"]


# A folder where nothing is yet.


def test_nothing_yet_is_no_error_and_makes_nothing(tmp_path: Path, throng: Throng) -> None:
    said = throng("status")
    assert said.code == 0
    assert "running    no" in said.out
    assert "published  nothing yet" in said.out
    assert throng("balance", "--format", "json").out == '{"received": 0, "stored": 0, "refused": {}}\n'
    said = throng("query", "FROM pages")
    assert said.code == 1
    assert "nothing is published yet: run throng up" in said.err
    assert throng("explain").code == 0
    assert list(tmp_path.iterdir()) == []


# Settings.


@pytest.mark.parametrize(
    "command", [["facts"], ["reports"], ["publish"], ["query", "SELECT 1"], ["explain"], ["up"]]
)
def test_a_wrong_setting_stops_a_command_before_it_begins(
    command: list[str], tmp_path: Path, throng: Throng
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "throng.toml").write_text("[warehouse]\nmin_grup = 1\n")
    said = throng(*command)
    assert said.code == 2
    assert said.err.startswith(f"throng: {data / 'throng.toml'} = ")
    assert "unknown field `min_grup`" in said.err
    assert "docs/settings.md" in said.err
    assert {file.name for file in data.iterdir()} <= {"throng.toml", "pipeline.lock"}


# Balance and status.


def test_balance_is_this_object_and_no_other(tmp_path: Path, throng: Throng) -> None:
    log = SegmentLog(tmp_path / "data" / "log", "collector")
    log.append(record([Event(1, 1), Event(1, 1), Event(2, 2)], refused=3))
    log.close()
    shape = '{"received": 6, "stored": 2, "refused": {"consent": 3, "duplicate": 1}}\n'
    assert throng("balance", "--format", "json").out in (shape, shape.replace(
        '{"consent": 3, "duplicate": 1}', '{"duplicate": 1, "consent": 3}'
    ))  # fmt: skip
    said = throng("balance").out.splitlines()
    assert said[:3] == ["received            6", "stored              2", "refused             4"]
    assert said[3].startswith("  consent           3  ")
    assert said[4].startswith("  duplicate         1  ")


def test_status_of_a_folder_at_work(tmp_path: Path, market: Path, throng: Throng) -> None:
    log = SegmentLog(market / "log", "collector")
    log.append(record([Event(1, 1)]))
    log.close()
    said = throng("status")
    assert said.code == 0
    assert "published  generation 1, " in said.out
    found = json.loads(throng("status", "--format", "json").out)
    assert set(found) == {
        "running", "lag", "last_pass", "published", "held", "attack", "age_seconds", "balance", "rights",
        "purged", "versions", "keys_due", "unusual", "children",
    }  # fmt: skip
    assert found["lag"]["bytes"] > 0
    assert found["balance"] == {"received": 1, "stored": 1, "refused": {}}
    assert found["held"] is None


def test_status_says_what_fails(market: Path, throng: Throng) -> None:
    (market / "status.json").write_text(json.dumps({"at": 1, "failure": "OSError: No space left on device"}))
    said = throng("status")
    assert said.code == 1
    assert "FAILING    OSError: No space left on device; what is published stays" in said.out


# Explain.


def test_explain_answers_each_line_also_those_that_it_can_not_read(throng: Throng) -> None:
    gpc = {**REQUEST, "headers": {"Sec-GPC": "1"}}
    refused = {**REQUEST, "user_id": "7", "consent": {"measurement": False}}
    agreed = {**REQUEST, "user_id": "7", "consent": {"measurement": True}}
    lines = [json.dumps(one).encode() for one in (gpc, refused, agreed)]
    bad = [b"{", b"[1]", b"\xff", b'{"site": 7}', b"[" * 100_000, b'{"type": "page_view"}']
    said = throng("explain", given=b"\n".join([lines[0], b"", *bad, *lines[1:], b""]))
    assert said.code == 1, "some could not be read"
    answers = [json.loads(line) for line in said.out.splitlines()]
    assert len(answers) == 3 + len(bad)
    for one in answers[1 : 1 + len(bad)]:
        assert set(one) == {"error"}
        assert set(one["error"]) == {"code", "message"}
    first, *_, second, third = answers
    assert first["signal"] == "gpc"
    assert second["decision"] in ("count", "drop")
    assert second["reason"] == "consent"
    assert third["decision"] == "identified"
    assert third["purposes"] == ["measurement"]
    for one in (first, second, third):
        assert set(one) == {
            "decision", "purposes", "because", "signal", "basis", "reason", "policy", "country"
        }  # fmt: skip
        assert one["because"].startswith("workallies-2024.")
    assert said.err == ""
    assert throng("explain", given=lines[0]).code == 0


def test_the_manuals_line_to_explain_is_one(throng: Throng) -> None:
    line = next(line for line in MANUAL.splitlines() if "| throng explain" in line)
    said = throng("explain", given=line.split("'")[1].encode())
    assert said.code == 0
    assert json.loads(said.out)["signal"] == "gpc"


# Query.


def test_the_four_formats_say_the_same(market: Path, throng: Throng) -> None:
    sql = "SELECT day, people, views FROM traffic_day ORDER BY day"
    rows = json.loads(throng("query", sql, "--format", "json").out)
    assert [row["day"] for row in rows] == ["2026-11-21", "2026-11-22"]
    as_csv = csv.DictReader(io.StringIO(throng("query", sql, "--format", "csv").out))
    assert [{k: v if k == "day" else int(v) for k, v in row.items()} for row in as_csv] == rows
    as_parquet = pq.read_table(io.BytesIO(throng("query", sql, "--format", "parquet").raw)).to_pylist()
    assert [row | {"day": row["day"].isoformat()} for row in as_parquet] == rows
    table = throng("query", sql).out
    for row in rows:
        line = next(line for line in table.splitlines() if row["day"] in line)
        assert str(row["people"]) in line.replace(",", "")
        assert str(row["views"]) in line.replace(",", "")


def test_an_answer_without_rows_is_an_answer(market: Path, throng: Throng) -> None:
    sql = "SELECT day FROM traffic_day WHERE false"
    assert throng("query", sql, "--format", "json").out == "[]\n"
    assert throng("query", sql, "--format", "csv").out.strip() in ("day", '"day"')
    assert throng("query", sql).code == 0


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("DELETE FROM pages", "can only be read"),
        ("FROM 'throng.toml'", "FROM reports lists them"),
        ("SELECT 1; SELECT 2", "one statement at a time; there are 2"),
        ("FROM page", "pages"),
        ("SELEC 1", "syntax error"),
        ("SELECT vews FROM pages", "views"),
        ("COPY pages TO 'x.csv'", "can only be read"),
        ("SELECT getenv('HOME')", "getenv"),
    ],
)
def test_a_refusal_teaches(sql: str, says: str, market: Path, throng: Throng) -> None:
    said = throng("query", sql)
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("throng: ")
    assert says in said.err
    assert "Traceback" not in said.err
