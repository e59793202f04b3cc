"""Where somebody is counted, as found by hand; and nothing of anybody else (S24)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines import reports as job
from pipelines.element import make
from tests.pipelines.restated import crowd
from tests.warehouse import plain
from tests.warehouse.crowd import Row, lay, person, whole, withdraw
from warehouse import report as reports
from warehouse import snapshot
from warehouse.counted import COUNTED, counted
from warehouse.released import Store
from warehouse.settings import Warehouse

HOW = Warehouse(min_group=5, perturb=False, dominance=100)
#: Added to what a person adds: shows in every row that they are counted in, and in no other.
MARK = 10**6


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return crowd(3)


@pytest.fixture(scope="module")
def data(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("counted")
    lay(folder, rows)
    publish(folder)
    return folder


def publish(data: Path, now: float | None = None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "_map", lambda works, whole, where: float(len([*map(make, [*works, *whole])])))
        job.run(data, HOW, now=now)
    store = Store.open(data)
    snapshot.publish(data, HOW, store)
    store.close()


def by_hand(rows: list[Row], who: int) -> Iterator[tuple[Any, ...]]:
    """(report, keys, own sums): the tables made once more, with this person's numbers marked."""
    facts = [whole(row) for row in rows]
    for fact in facts:
        fact["day"] = date(1970, 1, 1) + timedelta(days=fact["day"])
    plainly = plain.release(facts, facts, HOW)
    published = {row[:2] for row in plainly["traffic_day"]}
    new = {row[:2] for row in plainly["new_returning"] if row[2] == "new"}
    for name, one in reports.load().items():
        if not one.people:
            continue
        cells = plain.daily(one, facts, facts)
        if one.grain == "all":
            cells = plain.overall(one, facts, published, new, HOW.min_group)
        mine, zeroed = _as(cells, who, 1, MARK), _as(cells, who, 0, 0)
        wide = len(one.keys)
        for before, after in zip(plain.hidden(one, cells, HOW), plain.hidden(one, mine, HOW), strict=True):
            times = (after[wide + 1] - before[wide + 1]) // MARK
            if times:
                without = next(row for row in plain.hidden(one, zeroed, HOW) if row[:wide] == before[:wide])
                own = tuple(a - b for a, b in zip(before[wide + 1 :], without[wide + 1 :], strict=True))
                yield name, before[:wide], before[wide:], own


def _as(cells: plain.Cells, who: int, times: int, more: int) -> plain.Cells:
    """Cells in which one person adds another number; `growth` knows a person by the day, too."""

    def is_them(one: Any) -> bool:
        return who == (one[0] if isinstance(one, tuple) else one)

    return {
        keys: {p: [n * times + more for n in sums] if is_them(p) else sums for p, sums in people.items()}
        for keys, people in cells.items()
    }


def listed(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The same of what `counted` found."""
    for row in table.to_pylist():
        one = reports.load()[row["report"]]
        named = dict(row["keys"]) | {"site": row["site"], "day": row["day"]}
        keys = tuple(named[key] for key in one.keys)
        yield row["report"], keys, tuple(dict(row["published"]).values()), tuple(dict(row["own"]).values())


def text(found: Iterator[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted((name, tuple(map(str, keys)), *rest) for name, keys, *rest in found)


@pytest.mark.requirement("S24", "M108")
def test_a_member_is_counted_where_a_recount_by_hand_finds_them(rows: list[Row], data: Path) -> None:
    chance = random.Random(24)
    for number in chance.sample(range(1, 121), 4):
        found = counted(data, [person(number)])
        assert found.schema == COUNTED
        assert text(listed(found)) == text(by_hand(rows, person(number)))
        assert found.num_rows
        said = {row["person"]: row["basis"] for row in map(dict, rows)}
        assert set(found["basis"].to_pylist()) == {said[number]}
        assert set(found["purpose"].to_pylist()) == {"measurement"}
        assert {row["version"] for row in found.to_pylist() if row["day"]} == {1}


def test_nobody_is_counted_nowhere_and_no_pseudonym_is_told(data: Path) -> None:
    assert counted(data, []).num_rows == 0
    assert counted(data, [1]).num_rows == 0
    assert not any(str(person(n)) in str(counted(data, [person(n)]).to_pylist()) for n in (1, 2))


def test_who_has_left_is_counted_only_where_a_day_still_stands(rows: list[Row], tmp_path: Path) -> None:
    lay(tmp_path, rows)
    publish(tmp_path, now=0)
    before = counted(tmp_path, [person(7)])
    withdraw(tmp_path, [7])
    publish(tmp_path, now=60)
    by_day = [row for row in before.to_pylist() if row["day"]]
    assert [row for row in counted(tmp_path, [person(7)]).to_pylist() if row["day"]] == by_day != []
    publish(tmp_path, now=29 * 86_400)
    assert counted(tmp_path, [person(7)]).num_rows == 0
