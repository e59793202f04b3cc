"""Held between questions or read for each: the same rows, of the same people, whatever happens in between."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from consent_filter.counterpart import TYPE
from tests.warehouse.crowd import Row, lay, login, person, withdraw
from warehouse import askable
from warehouse.build import build
from warehouse.crossing import Crossing
from warehouse.explore import Gate
from warehouse.lake import Lake
from warehouse.remembered import Remembered
from warehouse.settings import Warehouse

DAYS = [date(2026, 9, day) for day in (1, 2, 3)]
HOW = {"min_group": 2, "max_cells": 3, "perturb": True}
_DIMENSIONS = {
    "events": ("country", "device", "os", "browser", "type", "hour", "path", "name"),
    "visits": ("country", "browser", "referrer_group", "utm_source", "entry", "leave"),
}


def some(chance: random.Random, people: int = 25, n: int = 120) -> list[Row]:
    """Events of a few people who change their browser, come late, and see each other."""
    rows: list[Row] = []
    for _ in range(n):
        kind = chance.choice(["page_view", "page_view", "page_view", "engagement", "event", TYPE])
        row: dict[str, Any] = {
            "site": chance.choice(["shop", "shop", "help"]), "person": chance.randrange(people),
            "time": f"2026-09-0{chance.randint(1, 4)} {chance.randint(0, 23):02d}:{chance.randint(10, 59)}",
            "type": kind, "path": f"/{chance.randint(0, 5)}", "country": chance.choice(["DE", "US", "LI"]),
            "device": chance.choice(["mobile", "desktop"]), "browser": f"B{chance.randint(0, 9)}",
            "referrer_group": chance.choice(["search", "mail"]), "utm_source": chance.choice(["a", "b"]),
            "signal": chance.choice(["none", "choice"]),
        }  # fmt: skip
        if kind == "engagement":
            row["duration_ms"] = chance.randint(0, 90_000_000)
        if kind in ("event", TYPE):
            row["name"] = f"name {chance.randint(0, 99)}"
        rows.append({name: value for name, value in row.items() if chance.random() < 0.95 or name in (
            "site", "person", "time", "type")})  # fmt: skip
    return rows


def erased(data: Path, number: int) -> None:
    """Take the rows of a person out of the files, as a removal does."""
    lake = Lake.open(data, write=True)
    assert lake is not None
    lake.connection.execute(f"DELETE FROM lake.events WHERE person = {person(number)}::UBIGINT")
    lake.close()


@contextmanager
def both(data: Path) -> Iterator[tuple[Gate, Gate]]:
    holds, reads = Gate(data, Warehouse(**HOW)), Gate(data, Warehouse(**HOW, explore_memory=0))
    try:
        yield holds, reads
    finally:
        holds.close()
        reads.close()


def answers(gate: Gate, name: str, keys: tuple[str, ...], site: str, days: list[date]) -> Any:
    """What everyone adds, before anything is hidden, so that hiding covers no difference; what is released of
    it; and the marks."""
    report = askable.report(name, keys)
    held = gate._recall.held(askable.BY_NAME[name], site, days)
    assert (held is not None) == bool(gate._settings.explore_memory)
    with gate._ready(report, site, days, held) as (con, relations, read, marks):
        how = {"keys": gate._keys, "guard": Crossing(gate._settings)}
        ((_, out),) = build(con, relations, [read], gate._settings, **how)  # type: ignore[arg-type]
        columns = ", ".join(f"{one}::VARCHAR" for one in (*report.keys, "person", *report.sums))
        rows = con.sql(f"SELECT {columns} FROM contributions ORDER BY ALL").fetchall()
    return rows, out.table.to_pylist(), marks


@pytest.mark.requirement("M98")
def test_what_is_held_answers_as_what_is_read(tmp_path: Path) -> None:
    chance = random.Random(7)
    lay(tmp_path, some(chance))
    withdraw(tmp_path, [1])
    seen = 0
    with both(tmp_path) as (holds, reads):
        for step in range(8):
            act = ("nothing", "lay", "withdraw", "return", "login", "erase", "logout", "lay")[step % 8]
            if act == "lay":
                lay(tmp_path, some(chance, n=20))
            elif act == "withdraw":
                withdraw(tmp_path, [1, 2, 3])
            elif act == "return":
                withdraw(tmp_path, [3])
            elif act in ("login", "logout"):
                at = [(device, 10 + device, f"2026-09-0{day} 12:00") for device in (4, 5) for day in (1, 2)]
                login(tmp_path, at if act == "login" else at[:1])
            elif act == "erase":
                erased(tmp_path, 6 + step)
            name = ("events", "visits")[step % 3 > 1]
            keys = tuple(chance.sample(_DIMENSIONS[name], chance.randint(0, 3)))
            asked = (name, keys, chance.choice(["shop", "shop", "help"]), DAYS[: chance.randint(1, 3)])
            found = answers(holds, *asked)
            assert found == answers(reads, *asked), (step, act, asked)
            seen += len(found[0])
    assert seen > 50


def _persons(kept: Remembered) -> set[int]:
    tables = ("rows", "daily", "stays", "present")
    return {p for one in tables for (p,) in kept._run(f"SELECT DISTINCT person FROM {one}").fetchall()}


@pytest.mark.requirement("M98")
def test_who_has_left_is_held_no_more(tmp_path: Path) -> None:
    lay(tmp_path, some(random.Random(1)))
    withdraw(tmp_path, [1])
    of, gate = askable.BY_NAME["visits"], Gate(tmp_path, Warehouse(**HOW))

    def held() -> set[int]:
        found = gate._recall.held(of, "shop", DAYS)
        assert found is not None
        return _persons(found.kept)

    assert person(1) not in held()
    assert {person(2), person(3)} <= held()
    withdraw(tmp_path, [1, 2])
    assert not held() & {person(1), person(2)}, "planted: each table left out, while no day is read anew"
    erased(tmp_path, 3)
    assert not held() & {person(1), person(2), person(3)}
    withdraw(tmp_path, [])
    assert {person(1), person(2)} <= held(), "who has come back is read anew"
    gate.rest()
    assert not gate._recall._sites
    gate.close()


def test_more_than_may_be_held_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, some(random.Random(1), n=200))
    withdraw(tmp_path, [])
    of, gate = askable.BY_NAME["events"], Gate(tmp_path, Warehouse(**HOW, explore_memory=1))
    for bytes_each, sites in ((9_000, {"help"}), (1 << 20, set())):
        monkeypatch.setattr("warehouse.remembered.BYTES", bytes_each)
        gate.rest()
        for site in ("shop", "help"):
            gate._recall.held(of, site, DAYS)
        assert {site for site, _ in gate._recall._sites} == sites
    gate.close()


def test_events_stay_held_where_visits_do_not_fit_beside_them(tmp_path: Path) -> None:
    lay(tmp_path, some(random.Random(1)))
    withdraw(tmp_path, [])
    gate = Gate(tmp_path, Warehouse(**HOW, explore_memory=1))
    recall, asked = gate._recall, ("shop", DAYS)
    held = recall.held(askable.BY_NAME["events"], *asked)
    assert held is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warehouse.remembered.BYTES", (1 << 20) // (held.kept.rows + 1))
        assert recall.held(askable.BY_NAME["visits"], *asked) is None
        assert recall._sites["shop", "measurement"].kept is held.kept
        withdraw(tmp_path, [2])
        assert recall.held(askable.BY_NAME["visits"], *asked) is None
        found = recall.held(askable.BY_NAME["events"], *asked)
        assert found is not None
        assert person(2) not in _persons(found.kept)
    assert recall.held(askable.BY_NAME["visits"], *asked) is not None
    gate.close()


def test_no_question_reads_much_more_than_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, some(random.Random(1)))
    withdraw(tmp_path, [])
    of, gate = askable.BY_NAME["events"], Gate(tmp_path, Warehouse(**HOW))
    monkeypatch.setattr("warehouse.recall.AT_ONCE", 1)
    found = [gate._recall.held(of, "shop", DAYS) is not None for _ in range(3)]
    assert found == [False, False, True], "a day at a time"
    gate.close()


def test_a_name_that_looks_like_folding_is_folded(tmp_path: Path) -> None:
    """A visitor may call a page so; and words that the types of columns have not seen."""
    named = {"site": "shop", "time": "2026-09-01 10:00", "path": "/(other)", "browser": "(other)"}
    rows: list[Row] = [{**named, "person": n} for n in range(9)]
    lay(tmp_path, [*rows, *some(random.Random(3))])
    withdraw(tmp_path, [])
    with both(tmp_path) as (holds, reads):
        asked = ("events", ("browser", "path", "name"), "shop", DAYS)
        assert answers(holds, *asked) == answers(reads, *asked)
