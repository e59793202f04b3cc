"""Outside, a total less what can be seen is nobody, or fifty people and more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter.errors import Refused
from warehouse import outward
from warehouse.outward import LEAST, TOLD
from warehouse.reader import Reading
from warehouse.report import load
from warehouse.shelf import Shelf
from warehouse.watch import Watch

DAY = date(2026, 11, 2)
PUBLISHED = (DAY - date(1970, 1, 1) + timedelta(days=30)).total_seconds()


#: One for all examples: to open another takes longer than they do.
CONNECTION = duckdb.connect()
WATCH = Watch(30)


def reading(**tables: list[dict[str, Any]]) -> Reading:
    for name, rows in tables.items():
        held = pa.Table.from_pylist(rows)
        CONNECTION.register("held", held)
        CONNECTION.execute(f"CREATE OR REPLACE TABLE {name} AS FROM held")
    made = {"tables": {name: {} for name in tables}, "time": PUBLISHED, "generation": 1}
    return Reading(made, CONNECTION, WATCH, Shelf(0), Shelf(0), 30)


def row(people: int, /, **keys: Any) -> dict[str, Any]:
    numbers = {"people": people, "views": 3 * people, "visits": 2 * people}
    return {"site": "shop", "day": DAY, **keys, **numbers}


def shown(name: str, rows: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    found = outward.rows(reading(**{name: rows}), name, "shop", DAY, DAY, **more)
    found_rows: list[dict[str, Any]] = found.to_pylist()
    return found_rows


def test_a_small_row_takes_the_next_smallest_with_it() -> None:
    crowd = (("desktop", 400), ("mobile", 300), ("tablet", 60), ("tv", 20))
    rows = [row(n, device=name) for name, n in crowd]
    assert [one["device"] for one in shown("devices", rows)] == ["desktop", "mobile"]
    assert [one["device"] for one in shown("devices", rows[:3])] == ["desktop", "mobile", "tablet"]
    assert shown("devices", [row(400, device="desktop"), row(20, device="tv")]) == []
    assert shown("devices", rows[:3])[0] == {"day": DAY, "device": "desktop", "people": 400, "views": 1200}


def test_what_is_too_little_in_a_part_takes_something_of_the_whole_day_with_it() -> None:
    """A network of one small host: within it there is nothing else to hide it among."""
    crowd = (("search", "a", 500), ("search", "b", 90), ("social", "c", 15), ("mail", "d", 70))
    rows = [row(n, referrer_group=group, referrer_host=host) for group, host, n in crowd]
    assert [one["referrer_host"] for one in shown("sources", rows)] == ["a", "b"]
    only = {"referrer_group": "search"}
    assert [one["referrer_host"] for one in shown("sources", rows, where=only)] == ["a", "b"]
    assert shown("sources", rows, where={"referrer_group": "mail"}) == []


def test_a_row_is_told_when_it_is_over_and_of_that_site_alone() -> None:
    made = reading(traffic_day=[{**row(200), "day": DAY + timedelta(days=n)} for n in range(31)])
    found = outward.rows(made, "traffic_day", "shop", DAY, DAY + timedelta(days=99))
    assert found["day"].to_pylist()[-1] == DAY + timedelta(days=28), "two days late"
    assert outward.rows(made, "traffic_day", "blog", DAY, DAY).num_rows == 0


def test_only_what_is_listed_is_told_and_all_of_it_may_be() -> None:
    for name in TOLD:
        assert TOLD[name] in outward.told(name).sums
    for name in set(load()) - set(TOLD):
        with pytest.raises(Refused, match="outside are told"):
            outward.told(name)
    with pytest.raises(Refused, match="has no device"):
        shown("pages", [row(99, path="/")], where={"device": "x"})


def parts(keys: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for n in range(len(keys)):
        yield keys[:n]


@pytest.mark.requirement("M98")
@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["devices", "sources", "campaigns"]))
def test_whatever_is_missing_from_a_total_is_nobody_or_fifty(data: st.DataObject, name: str) -> None:
    """For each part whose total may be known: the fewest people that the hidden rows can be of are their
    largest row's, as all of them may be the same people."""
    fold = load()[name].fold
    cells = data.draw(
        st.dictionaries(st.tuples(*[st.sampled_from("abc")] * len(fold)), st.integers(10, 140), max_size=12)
    )
    rows = [row(n, **dict(zip(fold, key, strict=True))) for key, n in cells.items()]
    if not rows:
        return
    seen = {tuple(one[key] for key in fold) for one in shown(name, rows)}
    assert all(cells[key] >= LEAST for key in seen)
    assert seen or min(cells.values()) < LEAST
    for part in parts(fold):
        hidden = defaultdict[Any, list[int]](list)
        for key, n in cells.items():
            if key not in seen:
                hidden[key[: len(part)]].append(n)
        for place, sizes in hidden.items():
            some = [key for key in seen if key[: len(part)] == place]
            assert max(sizes) >= LEAST or not some, (place, sizes)
    # Nothing is hidden for nothing.
    if min(cells.values()) >= LEAST:
        assert seen == set(cells)
