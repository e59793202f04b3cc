"""A site whose people walk through steps, published, for tests of funnels of one's own; and who came how far,
in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.warehouse.crowd import Row, lay, withdraw
from tests.warehouse.tables import put
from warehouse import report as reports
from warehouse.funnel import Funnel
from warehouse.released import Store
from warehouse.settings import Warehouse
from warehouse.snapshot import publish

HOW = Warehouse(query_seconds=60, explore_ahead=0)
DAYS = [date(2026, 9, day) for day in (1, 2, 3)]
NOW = datetime(2026, 9, 10, tzinfo=UTC).timestamp()
PAGES, EVENTS = ("/", "/projects"), ("sign_up", "post", "hired")
#: Steps as a walk names them.
STEPS = (*PAGES, *EVENTS)


def row(person: int, step: str, day: date = DAYS[0], minute: int = 0, **more: Any) -> Row:
    """That person takes that step at that minute after noon."""
    at = {"site": "shop", "person": person, "time": f"{day} {12 + minute // 60}:{minute % 60:02d}"}
    kind = {"path": step} if step.startswith("/") else {"type": "event", "name": step}
    return at | kind | more


def walk(person: int, steps: Sequence[str], day: date = DAYS[0]) -> list[Row]:
    """These steps in that order, a minute apart."""
    return [row(person, step, day, minute) for minute, step in enumerate(steps)]


def crowd(people: int = 400) -> list[Row]:
    """All see the first page; of these all but a quarter sign up, then half of them post."""
    rows = []
    for person in range(people):
        steps = ["/", "sign_up", "post"][: 1 if person % 4 == 0 else 2 if person % 2 else 3]
        rows += walk(person, steps, DAYS[person % 3])
    return rows


def filled(
    data: Path, rows: Sequence[Row], days: Iterable[date] = DAYS, withdrawn: Iterable[int] = ()
) -> Path:
    """A data folder with these facts, whose days and steps are published."""
    lay(data, rows)
    withdraw(data, withdrawn)
    say(data, days)
    return data


def say(data: Path, days: Iterable[date] = DAYS) -> None:
    """Publish of each of these days that there were people, and all steps."""
    store = Store.open(data)
    for name, words in {
        "traffic_day": [{}],
        "balance": [{}], "pages": [{"path": one} for one in PAGES],
        "custom_events": [{"type": "event", "name": one} for one in EVENTS],
    }.items():  # fmt: skip
        one = reports.load()[name]
        columns = [*one.keys, *one.groups, *one.sums]
        rows = [{"site": "shop", "day": day} | said for day in days for said in words]
        full = [{column: told.get(column, 50) for column in columns} for told in rows]
        put(store, one, pa.Table.from_pylist(full).select(columns).cast(_schema(one, columns)))
    publish(data, HOW, store)
    store.close()


def _schema(one: reports.Report, columns: Sequence[str]) -> pa.Schema:
    kinds = {"site": pa.string(), "day": pa.date32()}
    texts = {key: pa.string() for key in one.keys} | kinds
    return pa.schema([(name, texts.get(name, pa.int64())) for name in columns])


def plain(rows: Iterable[Row], funnel: Funnel) -> list[int]:
    """How many people came exactly so far: every way of choosing an event for each step is tried."""
    taken: dict[tuple[Any, ...], list[tuple[str, str, str]]] = {}
    for one in rows:
        day = one["time"][:10]
        kind = (
            ("page", one["path"]) if one.get("type", "page_view") == "page_view" else ("event", one["name"])
        )
        window = (one["person"], day if funnel.within == "day" else "")
        taken.setdefault(window, []).append((one["time"], *kind))
    best: dict[int, int] = {}
    for (person, _), events in taken.items():
        best[person] = max(best.get(person, 0), _far(events, funnel, 0, ""))
    return [sum(far == step for far in best.values()) for step in range(1, len(funnel.steps) + 1)]


def _far(events: Sequence[tuple[str, str, str]], funnel: Funnel, at: int, after: str) -> int:
    if at == len(funnel.steps):
        return at
    ways = [_far(events, funnel, at + 1, when) for when, *what in events
            if tuple(what) == tuple(funnel.steps[at]) and when >= after]  # fmt: skip
    return max(ways, default=at)
