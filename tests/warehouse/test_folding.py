"""Small rows put together before they are counted: the same is released, and the same follows from it."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from tests.warehouse.crowd import Crowd, Row
from tests.warehouse.test_explore_attacks import _no_second
from tests.warehouse.test_remembered import some
from warehouse import folding, release
from warehouse.askable import report
from warehouse.crossing import Crossing
from warehouse.recordkeys import RecordKeys
from warehouse.report import OTHER
from warehouse.settings import Warehouse

_CROSSINGS = (("path",), ("country", "browser"), ("country", "path", "name"), ("browser", "path", "name"))


def drawn(seed: int) -> list[Row]:
    """Some of them with names that look like folding."""
    chance = random.Random(seed)
    named = {"country": "LI", "device": "mobile", "browser": "B1", "path": "/1", "name": "name 1"}
    rows = some(chance, 60, 600)
    for at in range(0, len(rows), 40):
        rows[at] = {**named, **rows[at], chance.choice(("country", "browser", "name")): OTHER}
    return rows


def told(crowd: Crowd, many: int, patch: pytest.MonkeyPatch) -> tuple[dict[str, pa.Table], list[pa.Table]]:
    """What is released of every crossing, and what the audit says of it."""
    patch.setattr(folding, "MANY", many)
    asked = [report("events", keys) for keys in _CROSSINGS]
    how, seen = Warehouse(min_group=4, max_cells=3), list[pa.Table]()
    tables = crowd.release(how, chosen=asked, keys=RecordKeys(1, 2), guard=Crossing(how), seen=seen)
    order = [(name, "ascending") for name in ("report", "node")]
    return tables, [table.sort_by(order) for table in seen]


@pytest.mark.requirement("M98")
@pytest.mark.parametrize("seed", range(2))
def test_the_same_is_released(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: some of who is in small rows left out; rows counted as one by the audit; parts folded that are
    no small ones."""
    crowd = Crowd(drawn(seed))
    tables, seen = told(crowd, 0, monkeypatch)
    assert (tables, seen) == told(crowd, 1 << 40, monkeypatch)
    assert sum(table.num_rows for table in tables.values()) > 40
    assert sum(seen[0]["hidden"].to_pylist()) > 300
    crowd.close()


def test_the_audit_knows_how_many_rows_were_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that shows "(other)" of a few is found out: one row that is in it alone follows. Planted: all
    that is called "(other)" taken for rows that were called so, or for shown where their "(other)" is."""
    crowd = Crowd(drawn(9))
    _no_second(monkeypatch)
    other = release._other
    monkeypatch.setattr(release, "_other", lambda report, k: other(report, 1))
    _, seen = told(crowd, 0, monkeypatch)
    assert sum(seen[0]["told"].to_pylist()) > 0
    assert seen == told(crowd, 1 << 40, monkeypatch)[1]
    crowd.close()
