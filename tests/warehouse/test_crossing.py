"""What is hidden in the lines of a crossing, beside the plain way: every line counted by itself, in turn."""

from __future__ import annotations

import random
from collections import defaultdict
from itertools import combinations
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from warehouse.askable import report
from warehouse.cells import partial
from warehouse.crossing import Crossing
from warehouse.relations import hold
from warehouse.report import OTHER, Report
from warehouse.settings import Warehouse

LEAST = 5
Cell = tuple[Any, ...]


def drawn(chance: random.Random, cells: int) -> dict[Cell, set[int]]:
    """Who is in which cell of one day: nobody in more than so many, and in "(other)"."""
    found: dict[Cell, set[int]] = defaultdict(set)
    words = ([*"abc", OTHER], ["x", OTHER, "z"], [*"12", OTHER, *"3456789"])
    for person in range(chance.randrange(10, 120)):
        for _ in range(chance.randint(1, cells)):
            found[tuple(word[min(int(chance.expovariate(0.7)), len(word) - 1)] for word in words)].add(person)
        if chance.random() < 0.2:
            found[OTHER, OTHER, OTHER].add(person)
    return found


def plainly(one: Report, cells: dict[Cell, set[int]]) -> set[Cell]:
    """Cells to be hidden besides small ones and those that are called "(other)"."""
    own = [one.fold[:n] for n in range(len(one.fold) + 1)]
    small = {cell for cell, who in cells.items() if len(who) < LEAST or OTHER in cell}
    hidden = set(small)
    for n in range(1, len(one.fold)):
        for line in combinations(range(len(one.fold)), n):
            if tuple(one.fold[place] for place in line) in own:
                continue
            parts = defaultdict(list)
            for cell in cells:
                parts[tuple(cell[place] for place in line)].append(cell)
            for part in parts.values():
                who = set().union(*(cells[cell] for cell in part if cell in hidden))
                seen = [cell for cell in part if cell not in hidden]
                if 0 < len(who) < LEAST and seen:
                    hidden.add(min(seen, key=lambda cell: (len(cells[cell]), cell)))
    return hidden - small


@pytest.mark.requirement("M98")
@pytest.mark.parametrize("cells", [1, 3, 200])
def test_what_is_hidden_is_what_counting_every_line_hides(cells: int) -> None:
    """Planted: every line a group by its places alone, the largest row instead of the smallest."""
    one, chance, more = report("events", ("country", "device", "path")), random.Random(cells), 0
    for _ in range(30):
        found = drawn(chance, min(cells, 4))
        rows = [(*cell, person) for cell, who in found.items() for person in who]
        country, device, path, person = zip(*rows, strict=True)
        texts = {"country": country, "device": device, "path": path}
        con = duckdb.connect(config={"threads": 1})
        hold(con, "said", pa.table({**texts, "person": pa.array(person, pa.uint64())}))
        con.execute(
            "CREATE TEMP TABLE contributions AS SELECT 'shop' AS site, DATE '2026-09-01' AS day, *,"
            " 1::BIGINT AS views, 1::BIGINT AS events, 0::BIGINT AS duration_ms FROM said"
        )
        guard = Crossing(Warehouse(max_cells=cells))
        guard.fold(con, one, LEAST)
        hidden = guard.hide(con, one, partial(con, one), LEAST)
        con.close()
        assert one.fold == tuple(texts), "keys in another order are other lines"
        places = [one.keys.index(key) for key in texts]
        nodes = {tuple(node.split("\x1f")[place] for place in places) for node in hidden["node"].to_pylist()}
        assert nodes == {tuple(cell) for cell in plainly(one, found)}
        more += len(nodes)
    assert more > 20, "hardly anything was hidden"
