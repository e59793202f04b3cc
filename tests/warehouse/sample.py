"""Small events for the tests of facts: rows as a person would list them, and what should become of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from consent_filter.counterpart import TYPE
from consent_filter.counts import RECEIVED, REFUSED, STORED, Counts, Key
from consent_filter.events import Events
from consent_filter.fields import EVENT
from ingest.log.record import Record
from warehouse import compact
from warehouse.lake import Lake

#: 2026-09-01 00:00 UTC, in days and in seconds.
DAY = (date(2026, 9, 1) - date(1970, 1, 1)).days
NOON = (DAY + 0.5) * 86_400


class Event(NamedTuple):
    """`at`: seconds after noon of 2026-09-01, of happening and of receipt alike. `id` None: none was sent.
    `other`: the person on the other side, where it is a bid; each has a row of their own."""

    id: int | None
    person: int
    at: int = 0
    site: str = "market"
    path: str = "/"
    other: int | None = None


def _rows(event: Event) -> list[Event]:
    own = [event]
    return own if event.other is None else [*own, Event(None, event.other, event.at, event.site, TYPE)]


def batch(sent: Sequence[Event]) -> pa.RecordBatch:
    """The events as EVENT, each narrow row right behind its own (`consent_filter/counterpart.py`)."""
    events = [row for e in sent for row in _rows(e)]  # fmt: skip
    beside = [e.path == TYPE for e in events]
    exact = [round((NOON + e.at) * 1000) for e in events]
    time = [t - t % 86_400_000 if narrow else t for t, narrow in zip(exact, beside, strict=True)]
    bids = {id(e) for e in sent if e.other is not None}
    known: dict[str, list[Any]] = {
        "site": [e.site for e in events],
        "time": time,
        "received": time,
        "type": [
            TYPE if n else "event" if id(e) in bids else "page_view"
            for e, n in zip(events, beside, strict=True)
        ],
        "name": ["bid_placed" if n or id(e) in bids else None for e, n in zip(events, beside, strict=True)],
        "protocol": ["beacon"] * len(events),
        "day": [t // 86_400_000 for t in time],
        "offset_min": [0] * len(events),
        "event_id": [e.id for e in events],
        "person": [e.person for e in events],
        "treatment": ["identified"] * len(events),
        "purposes": [1] * len(events),
        "policy": ["workallies-2024/1"] * len(events),
        "path": [None if n else e.path for e, n in zip(events, beside, strict=True)],
        "country": [None if n else "DE" for n in beside],
    }
    return pa.record_batch(
        [pa.array(known.get(f.name, [None] * len(events)), f.type) for f in EVENT], schema=EVENT
    )


def record(events: Sequence[Event], refused: int = 0) -> Record:
    """What the collector would append: the events, and `refused` that were not allowed."""
    counts = Counts()
    rows = batch(events)
    for event in events:
        day = int((NOON + event.at) // 86_400)
        counts[Key(event.site, day, "beacon", "DE", RECEIVED, "", "")] += 1
        counts[Key(event.site, day, "beacon", "DE", STORED, "", "")] += 1
    if refused:
        counts[Key("market", DAY, "beacon", "DE", RECEIVED, "", "")] += refused
        counts[Key("market", DAY, "beacon", "DE", REFUSED, "consent", "")] += refused
    return Record(Events.of(rows), counts)


class Expected(NamedTuple):
    """The facts and the balance that should come of it."""

    rows: Counter[tuple[Any, ...]]
    balance: dict[str, Any]


def expected(records: Iterable[tuple[Sequence[Event], int]]) -> Expected:
    """What any way of folding must give: of two events with one id the first stays."""
    rows, seen, received, turned = Counter[tuple[Any, ...]](), set[int](), 0, Counter[str]()
    for events, refused in records:
        received += len(events) + refused
        if refused:
            turned["consent"] += refused
        for event in events:
            if event.id is not None and event.id in seen:
                turned["duplicate"] += 1
                continue
            if event.id is not None:
                seen.add(event.id)
            rows[event.site, event.id, event.person, event.at, event.path] += 1
    balance = {"received": received, "stored": rows.total(), "refused": dict(turned)}
    return Expected(rows, balance)


def found(data: Path) -> Expected:
    """What the lake holds."""
    lake = Lake.open(data)
    assert lake is not None
    rows = lake.connection.execute("SELECT site, event_id, person, epoch_ms(time), path FROM lake.events")
    held = Counter((s, i, p, t // 1000 - round(NOON), path) for s, i, p, t, path in rows.fetchall())
    balance = lake.balance()
    lake.close()
    return Expected(held, balance)


def left_over(data: Path) -> set[str]:
    """Files that the last snapshot does not name, and the other way about, once no reader needs others."""
    lake = Lake.open(data, write=True)
    assert lake is not None
    compact.forget(lake, time.time() + 1)
    known = set()
    for table in ("events", "received", "offsets", "commits"):
        rows = lake.connection.execute(f"FROM ducklake_list_files('lake', '{table}')").fetchall()
        known |= {path for row in rows for path in (row[0], row[4]) if path}
    folder = lake.folder
    lake.close()
    there = {str(p) for p in (folder / "files").rglob("*") if p.is_file()}
    there |= {str(p) for p in (folder / "work").glob("*")}
    return known ^ there
