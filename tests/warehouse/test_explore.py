"""The gate over a real lake: what it answers, of which days, and what becomes of that when people leave."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from msgspec.structs import replace

from consent_filter.errors import Misconfigured, Refused
from tests.warehouse.crowd import Row, lay, withdraw
from tests.warehouse.tables import put
from warehouse import ahead, askable, audit, remembered
from warehouse import report as reports
from warehouse.enquiry import LEFT, Enquiry
from warehouse.explore import Gate
from warehouse.question import read
from warehouse.released import Store
from warehouse.settings import Warehouse
from warehouse.snapshot import publish

#: Answering ahead takes a process half a minute of processor; what it does has tests of its own.
HOW = Warehouse(min_group=5, query_seconds=60, explore_ahead=0)
DAYS = [date(2026, 9, day) for day in (1, 2, 3)]
NOW = datetime(2026, 9, 10, tzinfo=UTC).timestamp()


def crowd() -> list[Row]:
    """Each day 40 people on telephones and 20 at desks, from two countries; one alone from a third."""
    rows: list[Row] = []
    for day in DAYS:
        for number in range(60):
            who: dict[str, Any] = {
                "site": "shop", "person": number, "country": "DE" if number % 3 else "US",
                "device": "mobile" if number < 40 else "desktop", "browser": "Chrome", "os": "Windows",
            }  # fmt: skip
            at = f"{day} 10:{number:02d}"
            rows += [who | {"time": at, "path": "/"}, who | {"time": at, "path": f"/{number % 2}"}]
            if number < 30:
                rows.append(who | {"time": at, "type": "event", "name": "sign_up"})
        lone = {"site": "shop", "person": 99, "country": "LI", "device": "tablet", "name": "secret"}
        rows.append(lone | {"time": f"{day} 11:00", "type": "event"})
    return rows


def say(data: Path, people: int, reason: str = "") -> None:
    """Publish that each day has so many people; `reason`: and that it was made anew."""
    store, one = Store.open(data), reports.load()["traffic_day"]
    import pyarrow as pa

    rows = {"site": ["shop"] * 3, "day": DAYS, "people": [people] * 3, "views": [120] * 3}
    table = pa.table({**rows, "visits": [people] * 3, "events": [150] * 3})
    put(store, one, table.select([*one.keys, *one.groups, *one.sums]))
    if reason:
        store.say(reason, {("shop", day): (None, False) for day in DAYS})
    publish(data, HOW, store)
    store.close()


def filled(data: Path) -> Path:
    lay(data, crowd())
    withdraw(data, [])
    say(data, 60)
    return data


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    gate = Gate(filled(tmp_path_factory.mktemp("shop")), HOW, NOW)
    yield gate
    gate.close()


def ask(gate: Gate, text: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = gate.ask(read(text)).table.to_pylist()
    return rows


def near(found: int, people: int) -> bool:
    """Within what noise moves people of three days by, with groups of five."""
    return abs(found - people) <= 3 * 2


def test_measures_by_dimensions_where(shop: Gate) -> None:
    rows = {row["device"]: row for row in ask(shop, "people, views by device")}
    assert rows.keys() == {"mobile", "(other)"}, "the desks are hidden with the one tablet"
    assert near(rows["mobile"]["people"], 120)
    only = ask(shop, "people by device where path = '/1'")
    assert near({row["device"]: row["people"] for row in only}["mobile"], 60)
    assert [row["day"] for row in ask(shop, "people by day where device = 'mobile'")] == DAYS
    (week,) = ask(shop, "people by week where device = 'mobile'")
    assert (week["week"], week["days"]) == (date(2026, 8, 31), 3)
    both = ask(shop, "people by country where device in ('mobile', 'desktop')")
    assert {"country", "device"} <= both[0].keys(), "people of two rows are never added up"
    assert ask(shop, "visits by country where device = 'mobile' order by visits desc")[0]["country"] == "DE"


@pytest.mark.requirement("M98")
def test_one_person_is_in_no_answer(shop: Gate) -> None:
    for question in (
        "people where country = 'LI'",
        "people, events where name = 'secret'",
        "people by path where country = 'LI' and device = 'tablet'",
        "people by hour where name in ('secret')",
        "views by name where device = 'tablet'",
    ):
        assert ask(shop, question) in ([], [{"device": "tablet"}]), question
    everyone = {row["country"] for row in ask(shop, "people by country")}
    assert "LI" not in everyone
    whole = ask(shop, "people by country where country != 'LI'")
    assert whole == ask(shop, "people by country"), "a complement is the rows that are shown anyway"


def test_days_put_together_are_the_days_added_up(shop: Gate) -> None:
    """Whoever shifts a period by a day gets that day's own rows, which may be had anyway."""

    def views(first: int, last: int) -> dict[str, int]:
        rows = ask(shop, f"views by device from 2026-09-0{first} to 2026-09-0{last}")
        return {row["device"]: row["views"] for row in rows}

    three, two, third = views(1, 3), views(1, 2), views(3, 3)
    assert {name: n - two.get(name, 0) for name, n in three.items() if n != two.get(name)} == third


def test_the_same_question_has_one_form_and_one_answer(shop: Gate) -> None:
    one = shop.ask(read("views, people by device, country where path in ('/1')"))
    two = shop.ask(read("PEOPLE, views  BY device, country WHERE path = '/1'"))
    assert one.question == two.question == str(read(one.question))
    assert one.table == two.table
    assert "site = 'shop' and path = '/1' from 2026-09-01 to 2026-09-03" in one.question


def test_an_answer_says_what_is_not_in_it(shop: Gate) -> None:
    found = shop.ask(read("people, events where device = 'tablet' from 2026-09-01 to 2026-09-20"))
    assert found.hidden["events"] > 0
    assert len(found.left["running"]) == 17
    assert found.said()["left_out"]["running"][0] == "2026-09-04"
    assert found.left.keys() <= LEFT.keys()
    with pytest.raises(Refused, match="no day of this site"):
        Gate(shop._data, HOW, datetime(2026, 9, 1, 13, tzinfo=UTC).timestamp()).ask(read("people"))
    for site in ("other", "x' OR 1=1 --"):
        with pytest.raises(Refused) as caught:
            shop.ask(read(f"people where site = '{site.replace(chr(39), chr(39) * 2)}'"))
        assert caught.value.code == "no_such_site"


def test_without_noise_nothing_is_asked(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="perturb"):
        Gate(tmp_path, Warehouse(perturb=False))


@pytest.mark.requirement("M98")
def test_who_leaves_or_comes_late_does_not_show_in_a_difference(tmp_path: Path) -> None:
    gate = Gate(filled(tmp_path), HOW, NOW)
    before = gate.ask(read("people, views by device"))
    withdraw(tmp_path, [3])
    stands = gate.ask(read("people, views by device"))
    assert stands.table == before.table, "what was answered stands, as the published day does"
    new = gate.ask(read("people, views by device, country"))
    assert (new.table.num_rows, new.left["moved"]) == (0, DAYS), "and nothing new is told of another crowd"
    gate.close()
    gate = Gate(tmp_path, HOW, NOW)  # a process that begins anew knows it, too
    assert gate.ask(read("people, views by device")).table == before.table
    withdraw(tmp_path, [])
    assert gate.ask(read("people by device, country")).table.num_rows > 0, "who has come back was never away"
    withdraw(tmp_path, [3])
    assert gate.ask(read("people, views by device")).table == before.table
    gate._now = NOW + 60 * 86_400
    assert gate.ask(read("people, views by device")).told == 0, "no longer than a published day may stand"
    withdraw(tmp_path, [])
    assert gate.ask(read("people, views by device")).table == before.table
    withdraw(tmp_path, [3])
    say(tmp_path, 59, "restated")
    after = gate.ask(read("people, views by device"))
    assert (after.table.num_rows, after.left["moved"]) == (0, DAYS), "published anew, it is told no more"
    withdraw(tmp_path, [])
    lay(tmp_path, [crowd()[0] | {"person": 1234}])
    assert gate.ask(read("people by country")).left["moved"] == DAYS[:1]
    gate.close()


class _Noting(Enquiry):
    """What its process is asked."""

    def __init__(self, data: Path, settings: Warehouse) -> None:
        super().__init__(data, settings)
        self.asked = list[str]()

    def put(self, said: Mapping[str, Any]) -> tuple[pa.Table, dict[str, Any]]:
        self.asked.append(said["question"])
        return super().put(said)


def test_facts_are_read_before_anybody_asks(shop: Gate) -> None:
    gate = _Noting(shop._data, HOW)
    try:
        gate.ready()
        gate.wait()
        # Opening the lake for the first time makes files beside it, by which it seems to be another.
        assert gate.asked in ([""] * 3, [""] * 4), "three days are read at once, then their visits"
        assert gate._put("")[1] == {"more": True}, "they are looked at again, for what is new"
    finally:
        gate.close()


def test_a_first_question_reads_no_file(shop: Gate) -> None:
    gate = Gate(shop._data, HOW, NOW)
    while gate.prepare():
        pass
    gate._recall.facts = None  # type: ignore[assignment,method-assign]
    for text in ("people, views by browser, device", "visits, bounces by entry, browser"):
        assert ask(gate, text), text
    gate.close()


@pytest.mark.requirement("M98")
@pytest.mark.parametrize("memory", [1024, 1])
def test_what_may_be_asked_is_answered_before(
    memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is told of the day's people as they were, also when somebody has left them. Where memory is
    scarce each day's facts are read by themselves. Planted: days or subjects left out; what is held never
    let go."""
    gate = Gate(filled(tmp_path / "data"), replace(HOW, explore_ahead=1, explore_memory=memory), NOW)
    shutil.copytree(tmp_path / "data", tmp_path / "same")
    monkeypatch.setattr(ahead, "_STEP", 1)
    monkeypatch.setattr(remembered, "BYTES", (1 << 20) // 200)  # a day's events, or its visits
    while gate.prepare():
        pass
    fresh, more = Gate(tmp_path / "same", HOW, NOW), read("views by country, browser on 2026-09-03")
    assert gate.ask(more).table == fresh.ask(more).table
    withdraw(tmp_path / "data", [3])
    for of in askable.SUBJECTS[:2]:
        for key in ("", *of.dimensions):
            text = f"people, {next(iter(of.measures))}{f' by {key}' if key else ''}"
            found = gate.ask(read(text))
            assert (found.table, found.told) == (fresh.ask(read(text)).table, 3), text
    while gate.prepare():
        pass
    assert gate.ask(read("people by country, device")).left["moved"] == DAYS, "this was not, nor will it be"
    gate._now = NOW + 60 * 86_400
    while gate.prepare():
        pass
    assert not gate._opened.known("shop", DAYS), "what may stand no longer goes, though nobody asks"
    gate.close()
    fresh.close()


def test_who_asks_goes_before_what_is_answered_ahead(shop: Gate) -> None:
    gate = Enquiry(shop._data, replace(HOW, explore_ahead=3))
    try:
        gate.ready()
        assert gate.ask(read("people by device"))[1]["days"] == 3
        assert gate._reading.is_alive(), "hundreds of steps are left"
    finally:
        gate.close()


def test_what_the_audit_refuses_is_not_counted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor by the next process: the mark of the day says that it would be the same."""
    data, question, built = filled(tmp_path), read("people by device"), list[int]()
    monkeypatch.setattr(audit, "_told", lambda *_: 1)
    build = Gate._build
    monkeypatch.setattr(Gate, "_build", lambda *how: (built.append(1), build(*how))[1])
    for _ in range(2):
        gate = Gate(data, HOW, NOW)
        assert gate.ask(question).left["audit"] == DAYS
        gate.close()
    assert built == [1]
    withdraw(data, [3])
    gate = Gate(data, HOW, NOW)
    assert gate.ask(question).left["audit"] == DAYS
    assert built == [1, 1], "other people"
    gate.close()


def test_a_fact_is_met_in_a_process_of_its_own(shop: Gate) -> None:
    gate = Enquiry(shop._data, HOW)
    try:
        table, said = gate.ask(read("people by device"))
        assert table == shop.ask(read("people by device")).table
        assert said["days"] == 3
        with pytest.raises(Refused, match="site"):
            gate.ask(read("people where site = 'none'"))
    finally:
        gate.close()
