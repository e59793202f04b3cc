"""Questions answered from facts, as released rows: the one place where a question meets a fact.

It is made to run in a process of its own (`enquiry.py`), with rights of its own: to read the lake, the ledger
and the published tables, and to write DATA/explore.sqlite. What leaves it is rows that went the way of every
report (`build.py`) and words about them.

Only of days that are over and published, because whoever asks again and again while people come sees each of
them come; and of days that nobody has left since they were first asked about (`opened.py`).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from consent_filter import holds, ledger
from consent_filter.errors import Misconfigured, Refused
from warehouse import askable, links
from warehouse.answered import Answer, shape
from warehouse.build import build
from warehouse.catalog import FILE, Catalog
from warehouse.crossing import Crossing
from warehouse.days import named
from warehouse.extensions import quote
from warehouse.finest import standing
from warehouse.footprint import EVENTS, RECEIVED
from warehouse.invalid.judged import judged
from warehouse.lake import Lake
from warehouse.opened import Opened
from warehouse.purges import coarse
from warehouse.question import Question, spanned
from warehouse.reader import Reader, Reading
from warehouse.recordkeys import RecordKeys
from warehouse.relations import Days, offer_withdrawn
from warehouse.report import Report
from warehouse.settings import Warehouse

#: A day is over in every time zone when it is over twelve hours west of Greenwich.
_WEST = timedelta(hours=12)
#: Files by which is known that nothing has changed.
_WATCHED = (f"lake/{FILE}", "ledger.sqlite", "holds.sqlite")


class _Seen(Struct, frozen=True):
    """Marks of days as counted while the watched files were so."""

    at: tuple[object, ...]
    marks: dict[date, str]
    coarse: frozenset[date]


class _Facts(NamedTuple):
    """Relations of one snapshot: facts that are asked about, those of every site; how many the former are."""

    con: duckdb.DuckDBPyConnection
    those: str
    everyone: str
    rows: int


class Gate:
    """Questions about one data folder. `now`: seconds since 1970, where it is not the clock's."""

    def __init__(self, data: Path, settings: Warehouse, now: float | None = None) -> None:
        if not settings.perturb:
            raise Misconfigured(
                "warehouse.perturb", False, "true, where questions may be asked: without noise they could be"
                " subtracted from each other"
            )  # fmt: skip
        self._data, self._settings, self._now = data, settings, now
        self._keys = RecordKeys.open(data)
        self._opened = Opened(data, _rule(settings, self._keys))
        self._reader = Reader(data, settings)
        self._seen: dict[tuple[str, str, date, date], _Seen] = {}

    def ask(self, question: Question) -> Answer:
        """The answer. Raises Refused."""
        with self._reader.reading() as reading:
            site, span = _published(reading, question.site, self._today())
            if not span:
                raise Refused(404, "nothing_over", "no day of this site is over and published yet")
            asked = spanned(msgspec.structs.replace(question, site=site), span[0], span[-1])
            assert asked.first is not None
            assert asked.last is not None
            wanted = [asked.first + timedelta(days=n) for n in range((asked.last - asked.first).days + 1)]
            days = [day for day in wanted if day in set(span)]
            anew = _restated(reading, site)
        of = askable.subject(asked.measures, asked.keys)
        report = askable.report(of.name, asked.keys)
        left = {"running": [day for day in wanted if day not in set(days) and day >= span[0]]}
        tables = self._tables(report, site, days, anew, left)
        return shape(asked, report, tables, {why: some for why, some in left.items() if some})

    def _tables(
        self,
        report: Report,
        site: str,
        days: list[date],
        anew: dict[date, float],
        left: dict[str, list[date]],
    ) -> list[pa.Table]:
        """The released rows of each day that may be asked about."""
        if not days:
            return []
        marks, rough = self._marks(report, site, days)
        opened = self._opened.marks(site, report.purpose)
        moved = {day for day in days if day in opened and opened[day][0] != marks[day]}
        since = self._opened.move(site, report.purpose, moved, set(days) - moved, self._clock())
        longest = self._settings.restate_days * 86_400
        closed = {
            day for day in moved
            if anew.get(day, 0) > opened[day][1] or since[day] + longest < self._clock()
        }  # fmt: skip
        if closed:
            self._opened.drop(report.purpose, site, closed)
        held = self._opened.held(report.name, site, days)
        missing = [day for day in days if day not in held]
        left["moved"] = [day for day in missing if day in moved]
        left["coarse"] = [day for day in missing if day in rough and day not in moved]
        new = [day for day in missing if day not in moved and day not in rough]
        left["audit"] = []
        if new:
            made, told, counted = self._build(report, site, new)
            left["audit"] = told
            good = {day: table for day, table in made.items() if day not in told}
            kept = self._opened.keep(report, site, good, counted, self._clock())
            left["moved"] += [day for day in good if day not in kept]
            held |= kept
        return [held[day] for day in days if day in held]

    def _build(
        self, report: Report, site: str, days: Sequence[date]
    ) -> tuple[dict[date, pa.Table], list[date], dict[date, str]]:
        """Made as every report is; the days of which the audit says that something follows; and the marks of
        the same facts."""
        seen: list[pa.Table] = []
        with self._facts(site, days) as (con, facts, everyone, rows):
            marks = self._mark(con, facts, report, days)
            relations = Days(
                con, facts, RECEIVED, days, rows=rows, many=self._settings.max_cells, everyone=everyone,
                judged=judged(con) if report.mentions("advert_views") else None,
            )  # fmt: skip
            ((_, released),) = build(
                con, relations, [report], self._settings, keys=self._keys, guard=Crossing(), seen=seen
            )
        told = {
            date.fromisoformat(row["node"].split("\x1f")[1])
            for table in seen for row in table.to_pylist() if row["told"]
        }  # fmt: skip
        table = released.table
        of_day = table["day"].to_pylist()
        made = {day: table.filter(pa.array([one == day for one in of_day], pa.bool_())) for day in days}
        return made, sorted(told), marks

    def _marks(self, report: Report, site: str, days: Sequence[date]) -> tuple[dict[date, str], set[date]]:
        """The marks of days as facts are now, and the days of which they are too coarse for the report."""
        at, key = self._at(), (report.name, site, days[0], days[-1])
        found = self._seen.get(key)
        if found is None or found.at != at:
            with self._facts(site, days) as (con, facts, _, _):
                marks, table = self._mark(con, facts, report, days), standing(report, coarse(con))
            stands = zip(table["site"].to_pylist(), table["day"].to_pylist(), strict=True)
            if len(self._seen) > 500:
                self._seen.clear()
            found = _Seen(at, marks, frozenset(day for where, day in stands if where == site))
            self._seen[key] = found
        return found.marks, set(found.coarse)

    def _mark(
        self, con: duckdb.DuckDBPyConnection, facts: str, report: Report, days: Sequence[date]
    ) -> dict[date, str]:
        """Of each day of which people it is counted: how many rows, and a sum of keyed hashes."""
        person = f"hash(xor(person, {self._keys.two:d}::UBIGINT))"
        rows = con.execute(
            f"SELECT day, count(*), sum(({person} >> 32)::BIGINT)::VARCHAR FROM {facts} AS facts"
            " ANTI JOIN withdrawn USING (person) WHERE person IS NOT NULL"
            f" AND purposes & {report.bit:d} <> 0 AND {named(days)} GROUP BY ALL"
        ).fetchall()
        return dict.fromkeys(days, "0") | {day: f"{n}:{sums}" for day, n, sums in rows}

    @contextmanager
    def _facts(self, site: str, days: Sequence[date]) -> Iterator[_Facts]:
        """The facts of a site on some days, as reports read them."""
        lake = Lake.open(self._data, threads=self._settings.threads)
        if lake is None:
            raise Refused(404, "nothing_published", "there are no facts yet")
        con = lake.connection.cursor()
        try:
            offer_withdrawn(con, self._gone())
            logins = ledger.linked(self._data / "ledger.sqlite")
            everyone = links.offer(con, EVENTS, logins, days)
            ((rows,),) = con.execute(
                f"SELECT coalesce(sum(rows), 0)::BIGINT FROM lake.commits WHERE site = ? AND {named(days)}",
                [site],
            ).fetchall()
            yield _Facts(con, f"(SELECT * FROM {everyone} WHERE site = '{quote(site)}')", everyone, rows)
        finally:
            con.close()
            lake.close()

    def _gone(self) -> NDArray[np.uint64]:
        """Everyone whom no report counts: withdrawn, being removed, restricted or held."""
        gone = np.union1d(ledger.withdrawn(self._data / "ledger.sqlite"), holds.persons(self._data, None))
        return gone.astype(np.uint64)

    def _at(self) -> tuple[object, ...]:
        stats = []
        for name in _WATCHED:
            for file in (self._data / name, self._data / f"{name}-wal"):
                try:
                    said = os.stat(file)
                    stats.append((said.st_mtime_ns, said.st_size, said.st_ino))
                except FileNotFoundError:
                    stats.append((0, 0, 0))
        if Catalog.of(self._data).shared and (lake := Lake.open(self._data)) is not None:
            stats.append((lake.snapshot(), 0, 0))
            lake.close()
        return tuple(stats)

    def _clock(self) -> float:
        return time.time() if self._now is None else self._now

    def _today(self) -> date:
        return (datetime.fromtimestamp(self._clock(), UTC) - _WEST).date()

    def close(self) -> None:
        self._opened.close()
        self._reader.close()


def _published(reading: Reading, site: str, today: date) -> tuple[str, list[date]]:
    """The site asked about (the largest, where none is named), and its days that are published and over."""
    sites = reading.rows(
        "SELECT site, sum(views) AS views FROM traffic_day GROUP BY site ORDER BY views DESC, site"
    )
    if not sites:
        raise Refused(404, "nothing_published", "nothing is published yet")
    if site and site not in {one["site"] for one in sites}:
        raise Refused(404, "no_such_site", "nothing is published of that site")
    chosen = site or sites[0]["site"]
    rows = reading.rows(
        "SELECT DISTINCT day FROM traffic_day WHERE site = ? AND day < ? ORDER BY day", [chosen, today]
    )
    return chosen, [row["day"] for row in rows]


def _restated(reading: Reading, site: str) -> dict[date, float]:
    """When each day was published last as it is now (seconds since 1970)."""
    rows = reading.rows(
        "SELECT day, max(epoch(made_at)) AS at FROM restatements WHERE site = ? GROUP BY day", [site]
    )
    return {row["day"]: row["at"] for row in rows}


def _rule(settings: Warehouse, keys: RecordKeys) -> str:
    """What every row depends on besides facts: how they are released, what may be asked, the record keys."""
    names = ("min_group", "max_cells", "max_sum", "max_hours", "dominance")
    how = ([getattr(settings, name) for name in names], keys.fingerprint, askable.SUBJECTS)
    return hashlib.blake2b(repr(how).encode(), digest_size=16).hexdigest()
