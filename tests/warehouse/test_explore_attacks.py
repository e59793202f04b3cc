"""Whoever may ask any question has every crossing, and subtracts: no difference may be of a few people.

The attack knows more than an asker: who is in each row of each crossing, and every total, shown or not. It
must find nothing in what is released, and something wherever the gate is bypassed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import Any

import pyarrow as pa
import pytest

from tests.warehouse.crowd import Crowd, Row, whole
from tests.warehouse.test_release_attacks import LEAST, market, only_small
from warehouse import build as building
from warehouse.askable import BY_NAME, MOST_KEYS, report
from warehouse.crossing import Crossing
from warehouse.recordkeys import RecordKeys
from warehouse.report import OTHER, Report
from warehouse.settings import Warehouse

SETTINGS = Warehouse(min_group=LEAST)
#: Dimensions of which the market has some variety.
NAMES = ("country", "device", "browser", "path", "name")
_ABSENT = {"country": "ZZ", "device": "other", "os": "(unknown)", "browser": "(unknown)"}
Keys = tuple[Any, ...]


def crossings(names: tuple[str, ...] = NAMES) -> list[Report]:
    """Every crossing of so many dimensions as a question may name."""
    some = [keys for n in range(MOST_KEYS + 1) for keys in combinations(names, n)]
    return [report("events", keys) for keys in some]


class Asked:
    """Every crossing as released, and who is in each row."""

    def __init__(self, rows: list[Row], names: tuple[str, ...] = NAMES) -> None:
        self.reports = {one.name: one for one in crossings(names)}
        crowd = Crowd(rows)
        tables = crowd.release(SETTINGS, chosen=self.reports.values(), guard=Crossing(SETTINGS))
        crowd.close()
        self.shown = {
            name: {tuple(map(str, row)) for row in zip(*table.select(self.reports[name].keys), strict=True)}
            for name, table in tables.items()
        }  # fmt: skip
        self.facts = [
            {**fact, "day": _day(fact["day"])}
            for fact in map(whole, rows)
            if "reason" not in fact and not fact["type"].startswith("ad_") and fact["purposes"] & 1
        ]

    def cells(self, one: Report) -> dict[Keys, set[int]]:
        """Who is in each row that a crossing would have."""
        found: dict[Keys, set[int]] = defaultdict(set)
        for fact in self.facts:
            keys = (fact.get(k) or _ABSENT.get(k, "(none)") for k in one.keys)
            found[tuple(map(str, keys))].add(fact["person"])
        return found


def _day(days: int) -> str:
    return pa.scalar(days, pa.int32()).cast(pa.date32()).as_py().isoformat()  # type: ignore[no-any-return]


Found = tuple[str, Keys, int]


def small(of: Asked) -> Iterator[Found]:
    """A row of a few."""
    for name, one in of.reports.items():
        cells = of.cells(one)
        for keys in of.shown[name]:
            people = cells.get(keys, set())
            if OTHER not in keys and len(people) < LEAST:
                yield f"{name}: a row", keys, len(people)


def lines(of: Asked) -> Iterator[Found]:
    """A total that another crossing shows, less the rows of this one that are shown."""
    for name, one in of.reports.items():
        cells = of.cells(one)
        for n in range(len(one.fold)):
            for line in combinations(range(2, 2 + len(one.fold)), n):
                hidden: dict[Keys, set[int]] = defaultdict(set)
                totals = of.shown[report("events", tuple(one.keys[place] for place in line)).name]
                for keys, people in cells.items():
                    at = (*keys[:2], *(keys[place] for place in line))
                    if at in totals and OTHER not in at and (keys not in of.shown[name] or OTHER in keys):
                        hidden[at] |= people
                for at, people in hidden.items():
                    if 0 < len(people) < LEAST:
                        yield f"{name}: a total less its rows", at, len(people)


def folded(of: Asked) -> Iterator[Found]:
    """A row "(other)" of a few."""
    for name, one in of.reports.items():
        cells = of.cells(one)
        for keys in of.shown[name]:
            if OTHER in keys:
                stem = keys[: keys.index(OTHER)]
                people = set[int]().union(
                    *(who for at, who in cells.items()
                      if at[: len(stem)] == stem and (at not in of.shown[name] or OTHER in at))
                )  # fmt: skip
                if len(people) < LEAST:
                    yield f"{name}: {OTHER}", keys, len(people)


ATTACKS = (small, lines, folded)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    some = {"corner", *(f"site-{n}" for n in range(5))}
    return [row for row in market(1) if row["site"] in some]


@pytest.mark.requirement("M98")
def test_no_difference_of_any_crossing_is_of_a_few(rows: list[Row]) -> None:
    of = Asked(rows)
    assert sum(map(len, of.shown.values())) > 1000, "nothing to attack"
    assert any(OTHER in keys for keys in of.shown["asked_events_country_device"])
    assert [found for one in ATTACKS for found in one(of)] == []


def _raw(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate let everything pass: a group is one person."""
    monkeypatch.setattr(Report, "least", lambda self, min_group: 1)


def _no_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is small is hidden, and nothing with it."""
    monkeypatch.setattr(building, "mark", only_small(building.mark))


def _own_totals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the totals are minded that a report has by itself."""
    none = Crossing(SETTINGS).hidden.select(["level", "node"])
    monkeypatch.setattr(Crossing, "hide", lambda *_: none)


@pytest.mark.parametrize(("plant", "one"), [(_raw, small), (_no_second, lines), (_own_totals_only, lines)])
def test_a_gate_that_is_bypassed_is_found_out(
    plant: Callable[[pytest.MonkeyPatch], None],
    one: Callable[[Asked], Iterator[Found]],
    rows: list[Row],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(monkeypatch)
    assert list(one(Asked(rows, ("country", "device", "browser"))))


def test_the_same_people_are_the_same_number_as_in_reports_and_however_often_they_are_asked(
    rows: list[Row],
) -> None:
    """So that there is nothing to average: one draw for one set of people."""
    from warehouse.report import load

    keys = RecordKeys(1, 2)
    chosen = [
        load()["countries"],
        load()["traffic_day"],
        report("events", ()),
        report("events", ("country",)),
    ]
    crowd = Crowd(rows)
    one, two = (crowd.release(SETTINGS, chosen=chosen, keys=keys, guard=Crossing(SETTINGS)) for _ in range(2))
    crowd.close()
    assert one == two
    people = ["site", "day", "country", "people"]
    assert one["countries"].select(people) == one["asked_events_country"].select(people)
    assert one["traffic_day"]["people"] == one["asked_events"]["people"]


def test_every_question_is_a_report_that_caps_what_one_person_is() -> None:
    for of in BY_NAME.values():
        for n in range(MOST_KEYS + 1):
            for keys in combinations(of.dimensions, n):
                one = report(of.name, keys)
                assert one.people
                assert {*one.sums} <= one.caps.keys()
                assert one.grain == "day", "so that days put together are released rows added up"


@pytest.mark.requirement("M98")
def test_whose_rows_are_hidden_in_a_line_is_counted_by_person() -> None:
    """A few who are in two small rows each are no group, though the places in these rows are as many as one.
    Planted: places taken for people."""
    few: list[Row] = [
        {"site": "shop", "person": number, "path": "/x", "device": device}
        for number in range(LEAST - 1) for device in ("mobile", "desktop")
    ]  # fmt: skip
    many: list[Row] = [
        {"site": "shop", "person": 100 + number, "path": path, "device": device}
        for number, (path, device) in enumerate(
            [("/x", "tablet"), *product(("/y", "/z", "/zz"), ("tablet", "mobile", "desktop"))] * 20
        )
    ]  # fmt: skip
    one, crowd = report("events", ("device", "path")), Crowd([*few, *many])
    table = crowd.release(SETTINGS, chosen=[one], guard=Crossing(SETTINGS))[one.name]
    crowd.close()
    assert "/z" in table["path"].to_pylist()
    assert "/x" not in table["path"].to_pylist(), "tablets less all would be the few"


def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is hidden for the sake of others may be alone in "(other)"."""
    mark = building.mark

    def bypassed(con: Any, *how: Any) -> pa.Table:
        found = mark(con, *how)
        con.execute("UPDATE marks SET small = few WHERE device <> 'tablet'")
        return found

    monkeypatch.setattr(building, "mark", bypassed)


def told(many: dict[tuple[str, str], int]) -> tuple[set[tuple[str, str]], int]:
    """Of people of a country and a device: which rows are shown, and how many hidden ones follow."""
    people = [who for who, n in many.items() for _ in range(n)]
    rows: list[Row] = [
        {"site": "shop", "person": number, "country": country, "device": device}
        for number, (country, device) in enumerate(people)
    ]
    one, crowd, seen = report("events", ("country", "device")), Crowd(rows), list[pa.Table]()
    table = crowd.release(SETTINGS, chosen=[one], guard=Crossing(SETTINGS), seen=seen)[one.name]
    crowd.close()
    shown = zip(table["country"].to_pylist(), table["device"].to_pylist(), strict=True)
    return {*shown}, sum(seen[0]["told"].to_pylist())


_MANY = {("DE", "tablet"): 2, ("DE", "mobile"): 30, ("US", "tablet"): 12, ("FR", "tablet"): 30,
         ("FR", "mobile"): 60, ("FR", "desktop"): 70}  # fmt: skip


@pytest.mark.requirement("M98")
def test_a_row_that_is_hidden_for_others_is_not_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tablets of the US are hidden so that the few German ones don't follow from all tablets. "(other)" of
    the US would be them; so another row is hidden with them, and the day need not be left out."""
    many = _MANY | {("US", "mobile"): 40, ("US", "desktop"): 50}
    of_us = {("US", "desktop"), ("US", OTHER)}
    shown, follow = told(many)
    assert ({row for row in shown if row[0] == "US"}, follow) == (of_us, 0)
    _alone(monkeypatch)
    shown, follow = told(many)
    assert ({row for row in shown if row[0] == "US"}, follow) == (of_us | {("US", "mobile")}, 1)


@pytest.mark.requirement("M98")
def test_a_row_that_is_a_part_by_itself_is_not_the_one_to_be_hidden() -> None:
    """All of the US are on tablets, and how many are of the US is known: French tablets are hidden, though
    they are more. Planted: the smallest row whatever it is."""
    shown, follow = told(_MANY)
    assert {("US", "tablet"), ("FR", "desktop"), ("FR", OTHER)} <= shown
    assert ("FR", "tablet") not in shown
    assert not follow
