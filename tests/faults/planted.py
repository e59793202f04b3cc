"""Faults of the kind that the harness is for, put into a running Throng, so that it can be seen to notice.

Each is applied in a process of its own that is about to run a command (`apart.py`), and changes what is there
as a wrong line in it would. Nothing of the product knows of this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from consent_filter.counts import RECEIVED, REFUSED, Counts
from ingest.log.record import Record


class Plant(NamedTuple):
    """steps: kinds of faults that bring it to light; says: what the harness must say of it."""

    does: Callable[[], None]
    steps: tuple[str, ...]
    says: str


def plant(name: str) -> None:
    """In this process, from now on."""
    PLANTS[name].does()


def _dropped() -> None:
    """A record is acknowledged while it waits for the next one to be written with it."""
    from ingest.log.segment import SegmentLog

    append, waiting = SegmentLog.append, list[Record]()

    def late(self: SegmentLog, record: Record) -> Any:
        for one in waiting:
            append(self, one)
        waiting[:] = [record]

    SegmentLog.append = late  # type: ignore[assignment, method-assign]


def _folded_twice() -> None:
    """A job that begins knows neither how far the last one came nor what it has stored."""
    from pipelines import facts
    from warehouse.lake import Lake
    from warehouse.recent import Recent

    Lake.offsets = lambda self: {}  # type: ignore[method-assign]
    facts._Memory.at = lambda self, lake, now: _knowing(self, lake, Recent())  # type: ignore[method-assign]


def _knowing(memory: Any, lake: Any, recent: Any) -> Any:
    memory.key = (lake.folder, lake.made(), lake.number())
    return recent


def _kept() -> None:
    """A refusal is answered, and kept as the agreement before it."""
    from consent_filter.ledger import Ledger

    record = Ledger.record

    def deaf(self: Ledger, site: str, kind: str, id: str, choice: Any, *rest: Any, **more: Any) -> Any:
        return record(self, site, kind, id, dict.fromkeys(choice, True), *rest, **more)

    Ledger.record = deaf  # type: ignore[assignment, method-assign]


def _counting(outcomes: tuple[str, ...]) -> None:
    """Of what is refused for want of consent these outcomes are not counted."""
    from ingest.log.segment import SegmentLog

    append = SegmentLog.append

    def silent(self: SegmentLog, record: Record) -> Any:
        counts = Counts(record.counts)
        for key, n in record.counts.items():
            if key.outcome == REFUSED and key.reason == "consent":
                if REFUSED in outcomes:
                    del counts[key]
                if RECEIVED in outcomes:
                    counts[key._replace(outcome=RECEIVED, reason="", detail="")] -= n
        return append(self, Record(record.events, Counts({key: n for key, n in counts.items() if n})))

    SegmentLog.append = silent  # type: ignore[assignment, method-assign]


def _bucket() -> None:
    """A report leaves the last of several buckets of people out."""
    from pipelines import element

    build = element.build

    def most(con: Any, relations: Any, chosen: Any, settings: Any, buckets: Any, *rest: Any) -> Any:
        return build(con, relations, chosen, settings, buckets[:-1] or buckets, *rest)

    element.build = most  # type: ignore[assignment]
    element._buckets = lambda rows, most: 4  # type: ignore[assignment]


def _logged() -> None:
    """Whoever sends an event is written down with it."""
    import sys

    from ingest.path import Path

    run = Path.run

    def telling(self: Path, requests: Any) -> Any:
        print(requests[0].body[:400], file=sys.stderr, flush=True)
        return run(self, requests)

    Path.run = telling  # type: ignore[method-assign]


PLANTS: dict[str, Plant] = {
    "an acknowledged record is dropped before it is synced": Plant(
        _dropped, ("kill", "kill", "kill"), "was acknowledged, and is not stored"
    ),
    "a record is folded twice after a restart": Plant(
        _folded_twice, ("fold", "fold"), "is stored more than once"
    ),
    "an event is kept after a refusal": Plant(
        _kept, ("pause", "pause"), "was refused before it was sent, and is stored"
    ),
    "a reason is not counted": Plant(
        lambda: _counting((REFUSED,)), ("pause", "pause"), "received is not stored and refused"
    ),
    "what has a reason is not counted at all": Plant(
        lambda: _counting((REFUSED, RECEIVED)), ("pause", "pause"), "refused by consent, and at least"
    ),
    "a report leaves a bucket out": Plant(_bucket, ("fold",), "the report says"),
    "a visitor is written into a log": Plant(_logged, ("pause",), "a visitor is named in"),
}
