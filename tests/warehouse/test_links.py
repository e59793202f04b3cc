"""Logins: reports count one person once, and as before where a login is undone (M42)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import reports as job
from tests.warehouse import plain
from tests.warehouse.crowd import Row, lay, login, milliseconds, person, whole
from tests.warehouse.test_properties import (
    _BEGIN,
    BUCKETS,
    CROWDS,
    TIMES,
    Said,
    Tables,
    _rows,
    bytes_of,
    crowd,
    few,
    released,
    tuples,
)
from warehouse import report as reports
from warehouse.released import Store
from warehouse.settings import Warehouse

ONE = Warehouse(min_group=1)
#: Devices are 0 to 9, accounts 10 to 20; moments are near what is done at TIMES.
LOGINS = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.integers(10, 20),
        st.builds(
            lambda time, later: _BEGIN + (time + later) * 60_000,
            st.sampled_from(TIMES),
            st.sampled_from([0, 1, 2, 29, 30, 31, 60]),
        ),
    ),
    min_size=1,
    max_size=12,
)
Logins = list[tuple[int, int, Any]]


def by_hand(
    rows: Iterable[Row], settings: Warehouse, logins: Logins, withdrawn: Iterable[int] = ()
) -> Tables:
    received = [whole(row) for row in rows]
    for fact in received:
        fact["day"] = date(1970, 1, 1) + timedelta(days=fact["day"])
    gone = {person(number) for number in withdrawn}
    stored = [fact for fact in received if "reason" not in fact and fact["person"] not in gone]
    met = [(person(device), person(account), milliseconds(at)) for device, account, at in logins]
    facts = [fact for fact in plain.rejoined(stored, met) if fact["person"] not in gone]
    return plain.release(facts, received, settings)


@pytest.mark.requirement("M42")
@few(2)
@given(CROWDS, LOGINS, st.integers(1, 6), st.sampled_from([1, 200]), st.sets(st.integers(0, 20), max_size=3))
def test_what_was_done_before_a_login_is_counted_as_by_hand(
    said: Said, logins: Logins, k: int, cells: int, gone: set[int]
) -> None:
    rows, how = _rows(said), Warehouse(min_group=k, max_cells=cells)
    assert tuples(released(rows, how, logins=logins, withdrawn=gone)) == by_hand(rows, how, logins, gone)


@pytest.mark.requirement("M42")
@few(1)
@given(CROWDS, LOGINS, st.integers(1, 6), BUCKETS)
def test_the_number_of_buckets_never_shows_and_an_undone_login_leaves_no_trace(
    said: Said, logins: Logins, k: int, of: tuple[int, int]
) -> None:
    rows, how = _rows(said), Warehouse(min_group=k, max_cells=2)
    with crowd(rows) as one:
        before = bytes_of(one.release(how))
        joined = bytes_of(one.release(how, logins=logins))
        for held, parts in zip((True, False), of, strict=True):
            assert bytes_of(one.release(how, of=parts, held=held, logins=logins)) == joined
        assert bytes_of(one.release(how, logins=list(reversed(logins)))) == joined
        assert bytes_of(one.release(how, of=of[0])) == before


def made(rows: list[Row], names: Sequence[str], logins: Logins, **how: Any) -> dict[str, pa.Table]:
    """These reports of the rows, and no others: all of them take seconds."""
    with crowd(rows) as one:
        return one.release(ONE, logins=logins, chosen=[reports.load()[name] for name in names], **how)


def people(rows: list[Row], *logins: tuple[int, int, str], **how: Any) -> list[int]:
    """People of each day, as `traffic_day` has them."""
    return made(rows, ["traffic_day"], [*logins], **how)["traffic_day"]["people"].to_pylist()


def view(number: int, time: str, **more: Any) -> Row:
    return {"person": number, "time": f"2026-09-01 {time}"} | more


DEVICE, OTHER, ANN, BOB = 1, 2, 11, 12


@pytest.mark.requirement("M42")
def test_one_person_before_and_after_a_login() -> None:
    rows = [view(DEVICE, "09:00"), view(DEVICE, "09:20"), view(ANN, "09:41")]
    assert people(rows) == [2]
    assert people(rows, (DEVICE, ANN, "2026-09-01 09:40")) == [1]
    assert people(rows, (DEVICE, ANN, "2026-09-01 09:51")) == [2], "a pause of more than half an hour"
    assert people(rows, (DEVICE, ANN, "2026-09-02 09:40")) == [2], "another day"


@pytest.mark.requirement("M42")
def test_a_visit_that_begins_before_a_login_is_one_visit() -> None:
    rows = [
        view(DEVICE, "09:00", path="/"),
        view(DEVICE, "09:20", path="/in"),
        view(ANN, "09:41", path="/me"),
    ]
    found = made(rows, ["sessions", "entry_pages"], [(DEVICE, ANN, "2026-09-01 09:40")])
    assert found["sessions"].select(["people", "visits", "bounces", "views"]).to_pylist() == [
        {"people": 1, "visits": 1, "bounces": 0, "views": 3}
    ]
    assert found["entry_pages"][
        "entry" if "entry" in found["entry_pages"].column_names else "path"
    ].to_pylist() == ["/"]


@pytest.mark.requirement("M42", "M23")
def test_two_accounts_on_a_shared_browser_and_one_account_on_two() -> None:
    rows = [
        view(DEVICE, "09:00"),  # Ann, not yet known
        view(ANN, "09:05"),
        view(DEVICE, "10:00"),  # whoever: nobody logs in
        view(DEVICE, "11:00"),  # Bob, not yet known
        view(BOB, "11:05"),
        view(OTHER, "12:00"),  # Ann again, elsewhere
        view(ANN, "12:05"),
    ]
    logins = [
        (DEVICE, ANN, "2026-09-01 09:05"),
        (DEVICE, BOB, "2026-09-01 11:05"),
        (OTHER, ANN, "2026-09-01 12:05"),
    ]
    assert people(rows) == [4]
    assert people(rows, *logins) == [3], "Ann, Bob, and whoever came at ten"
    assert people(rows, *logins[1:]) == [3], "without Ann's on the shared one, its rows at nine stay its own"
    assert people(rows, *logins, withdrawn=[ANN]) == [2]
    assert people(rows, *logins, withdrawn=[DEVICE]) == [2]


@pytest.mark.requirement("M42")
def test_a_login_never_reaches_over_another_account() -> None:
    """Bob logs in twenty minutes after Ann on the same browser: what came before Ann is Ann's."""
    rows = [view(DEVICE, "09:00", path="/ann"), view(ANN, "09:10"), view(DEVICE, "09:15"), view(BOB, "09:21")]
    logins = [(DEVICE, ANN, "2026-09-01 09:10"), (DEVICE, BOB, "2026-09-01 09:20")]
    assert people(rows, *logins) == [2]
    assert people(rows, *logins, withdrawn=[BOB]) == [1]
    found = made(rows, ["pages"], logins, withdrawn=[BOB])["pages"]
    assert "/ann" in found["path"].to_pylist()


@pytest.mark.requirement("M42", "M36")
def test_what_may_not_be_measured_and_adverts_are_never_joined() -> None:
    advert = {"type": "ad_impression", "ad_slot": "top"}
    rows = [
        view(DEVICE, "09:00", purposes=2),
        view(DEVICE, "09:01", **advert),
        view(ANN, "09:05", **advert),
        view(ANN, "09:05"),
    ]
    found = made(rows, ["adverts", "traffic_day"], [(DEVICE, ANN, "2026-09-01 09:05")])
    assert found["adverts"]["people"].to_pylist() == [2]
    assert found["traffic_day"]["people"].to_pylist() == [1]


def _people(data: Path) -> list[tuple[str, int]]:
    store = Store.open(data)
    try:
        return [(str(day), n) for day, n in store.connection.execute(
            "SELECT day, people FROM traffic_day ORDER BY day"
        ).fetchall()]  # fmt: skip
    finally:
        store.close()


@pytest.mark.requirement("M42")
def test_the_job_makes_anew_the_days_of_a_login_and_of_one_that_is_undone(tmp_path: Path) -> None:
    rows = [view(DEVICE, "09:00"), view(ANN, "09:41"), {"person": DEVICE, "time": "2026-09-05 09:00"}]
    lay(tmp_path, rows)
    assert job.run(tmp_path, ONE).days == 2
    before = _people(tmp_path)
    assert before == [("2026-09-01", 2), ("2026-09-05", 1)]
    login(tmp_path, [(DEVICE, ANN, "2026-09-01 09:20")])
    made = job.run(tmp_path, ONE)
    assert made.days == 1
    assert _people(tmp_path) == [("2026-09-01", 1), ("2026-09-05", 1)]
    assert job.run(tmp_path, ONE).days == 0
    login(tmp_path, [])
    assert job.run(tmp_path, ONE).days == 1
    assert _people(tmp_path) == before
