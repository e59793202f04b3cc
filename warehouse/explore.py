"""Questions answered from facts, as released rows: the one place where a question meets a fact.

It is made to run in a process of its own (`enquiry.py`), with rights of its own: to read the lake, the ledger
and the published tables, and to write DATA/explore.sqlite. What leaves it is rows that went the way of every
report (`build.py`) and words about them.

Only of days that are over and published, because whoever asks again and again while people come sees each of
them come; and of days that nobody has left since they were first asked about (`opened.py`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec
import pyarrow as pa
from msgspec import Struct

from consent_filter.errors import Misconfigured
from warehouse import answerable, askable
from warehouse.ahead import Ahead
from warehouse.answered import Answer, shape
from warehouse.build import build
from warehouse.crossing import Crossing
from warehouse.days import named
from warehouse.finest import standing
from warehouse.footprint import RECEIVED
from warehouse.funnel import Funnel
from warehouse.invalid.judged import judged
from warehouse.opened import Opened
from warehouse.purges import Mark, coarse
from warehouse.question import Question, spanned
from warehouse.reader import Reader
from warehouse.recall import Held, Recall
from warehouse.recordkeys import RecordKeys
from warehouse.relations import Days, Relations
from warehouse.remembered import Facts
from warehouse.report import Report
from warehouse.settings import Warehouse

if TYPE_CHECKING:
    from warehouse.follower import Follower


class _Seen(Struct, frozen=True):
    """Marks of days as counted while the watched files were so."""

    at: tuple[object, ...]
    marks: dict[date, str]
    coarse: frozenset[date]


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
        self._recall = Recall(data, settings, self._keys)
        self._seen: dict[tuple[str, str, date, date], _Seen] = {}
        self._ahead = Ahead(
            self._recall, self._opened, self._usual, self._answer, settings.explore_ahead
        )  # fmt: skip

    def ask(self, question: Question) -> Answer:
        """The answer. Raises Refused."""
        with self._reader.reading() as reading:
            site, span = answerable.over(reading, question.site, self._clock())
            anew = answerable.anew(reading, site)
        asked = spanned(msgspec.structs.replace(question, site=site), span[0], span[-1])
        assert asked.first is not None
        assert asked.last is not None
        wanted = [asked.first + timedelta(days=n) for n in range((asked.last - asked.first).days + 1)]
        days = [day for day in wanted if day in set(span)]
        of = askable.subject(asked.measures, asked.keys, asked.purpose)
        report = askable.report(of.name, asked.keys)
        left = {"running": [day for day in wanted if day not in set(days) and day >= span[0]]}
        tables = self._tables(report, site, days, anew, left)
        return shape(asked, report, tables, {why: some for why, some in left.items() if some})

    def follow(self, funnel: Funnel, *, spend: bool) -> tuple[pa.Table, dict[str, Any]]:
        """A funnel of one's own: what was told of it, or, where `spend`, what it is (`follower.py`). Raises
        Refused."""
        with self._reader.reading() as reading:
            site, span = answerable.over(reading, funnel.site, self._clock())
            return self._follower().follow(reading, funnel, site, span, spend=spend)

    def _follower(self) -> Follower:
        from warehouse.follower import Follower  # what draws noise takes 0.2 s to load

        return Follower(self._data, self._settings, self._recall, self._clock)

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
        of = askable.subject_of(report.name)
        marks, rough = self._marks(report, site, days, self._recall.held(of, site, days, marks=True))
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
        said = self._opened.held(report.name, site, days)
        missing = [day for day in days if day not in said]
        left["moved"] = [day for day in missing if day in moved]
        left["coarse"] = [day for day in missing if day in rough and day not in moved]
        new = [day for day in missing if day not in moved and day not in rough]
        refused = self._opened.refused(report.name, site) if new else {}
        left["audit"] = [day for day in new if refused.get(day) == marks[day]]
        if new := [day for day in new if day not in left["audit"]]:
            made, told, counted = self._build(report, site, new, self._recall.held(of, site, new))
            left["audit"] = sorted([*left["audit"], *told])
            self._opened.refuse(report.name, site, {day: counted[day] for day in told})
            good = {day: table for day, table in made.items() if day not in told}
            kept = self._opened.keep(report, site, good, counted, self._clock())
            left["moved"] += [day for day in good if day not in kept]
            said |= kept
        return [said[day] for day in days if day in said]

    def _build(
        self, report: Report, site: str, days: Sequence[date], held: Held | None
    ) -> tuple[dict[date, pa.Table], list[date], dict[date, str]]:
        """Made as every report is; the days of which the audit says that something follows; and the marks of
        the same facts."""
        seen: list[pa.Table] = []
        with self._ready(report, site, days, held) as (con, relations, read, marks):
            ((_, released),) = build(
                con,
                relations,
                [read],
                self._settings,
                keys=self._keys,
                guard=Crossing(self._settings),
                seen=seen,
            )
        told = {
            date.fromisoformat(row["node"].split("\x1f")[1])
            for table in seen for row in table.to_pylist() if row["told"]
        }  # fmt: skip
        table = released.table
        of_day = table["day"].to_pylist()
        made = {day: table.filter(pa.array([one == day for one in of_day], pa.bool_())) for day in days}
        return made, sorted(told), marks

    @contextmanager
    def _ready(
        self, report: Report, site: str, days: Sequence[date], held: Held | None
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, Relations, Report, dict[date, str]]]:
        """A connection with what the report reads, the report as it reads it there, and the marks."""
        many = self._settings.max_cells
        if held is not None:
            con = held.kept.connection()
            try:
                read = held.kept.asked(report, site, days)
                yield con, held.kept.relations(con, days, many), read, held.kept.marks(days)
            finally:
                con.close()
            return
        with self._recall.facts(site, days) as (facts, _):
            marks = self._mark(facts, report, days)
            relations = Days(
                facts.con, facts.those, RECEIVED, days, rows=facts.rows, many=many, everyone=facts.everyone,
                judged=judged(facts.con) if report.mentions("advert_views") else None,
            )  # fmt: skip
            yield facts.con, relations, report, marks

    def _marks(
        self, report: Report, site: str, days: Sequence[date], held: Held | None
    ) -> tuple[dict[date, str], set[date]]:
        """The marks of days as facts are now, and the days of which they are too coarse for the report."""
        if held is not None:
            return held.kept.marks(days), _standing(report, site, held.coarse)
        at, key = self._recall.at(), (report.name, site, days[0], days[-1])
        found = self._seen.get(key)
        if found is None or found.at != at:
            with self._recall.facts(site, days) as (facts, _):
                marks, rough = self._mark(facts, report, days), _standing(report, site, coarse(facts.con))
            if len(self._seen) > 500:
                self._seen.clear()
            found = _Seen(at, marks, frozenset(rough))
            self._seen[key] = found
        return found.marks, set(found.coarse)

    def _mark(self, facts: Facts, report: Report, days: Sequence[date]) -> dict[date, str]:
        """Of each day of which people it is counted: how many rows, and a sum of keyed hashes."""
        person = f"hash(xor(person, {self._keys.two:d}::UBIGINT))"
        rows = facts.con.execute(
            f"SELECT day, count(*), sum(({person} >> 32)::BIGINT)::VARCHAR FROM {facts.those} AS facts"
            " ANTI JOIN withdrawn USING (person) WHERE person IS NOT NULL"
            f" AND purposes & {report.bit:d} <> 0 AND {named(days)} GROUP BY ALL"
        ).fetchall()
        return dict.fromkeys(days, "0") | {day: f"{n}:{sums}" for day, n, sums in rows}

    def _clock(self) -> float:
        return time.time() if self._now is None else self._now

    def prepare(self) -> bool:
        """Do a little of what can be done before anybody asks; whether there is more."""
        return self._ahead.step()

    def _usual(self) -> dict[str, list[date]]:
        """Of each site, the largest first, the days that a question is of which names none."""
        now = self._clock()
        with self._reader.reading() as reading:
            sites = answerable.sites(reading)
            return {site: answerable.usual(answerable.over(reading, site, now)[1]) for site in sites}

    def _answer(self, report: Report, site: str, days: list[date]) -> None:
        """Keep the rows of days for whoever asks for them, where they may be told."""
        with self._reader.reading() as reading:
            anew = answerable.anew(reading, site)
        self._tables(report, site, days, anew, {})

    def rest(self) -> None:
        """Let go of facts that are held for the next question: none has come for a while."""
        self._recall.clear()

    def close(self) -> None:
        self._recall.clear()
        self._opened.close()
        self._reader.close()


def _standing(report: Report, site: str, marks: Iterable[Mark]) -> set[date]:
    """The days of a site of which facts are coarser than the report reads them."""
    table = standing(report, marks)
    stands = zip(table["site"].to_pylist(), table["day"].to_pylist(), strict=True)
    return {day for where, day in stands if where == site}


def _rule(settings: Warehouse, keys: RecordKeys) -> str:
    """What every row depends on besides facts: how they are released, what may be asked, the record keys."""
    names = ("min_group", "max_cells", "max_sum", "max_hours", "dominance")
    how = ([getattr(settings, name) for name in names], keys.fingerprint, askable.SUBJECTS)
    return hashlib.blake2b(repr(how).encode(), digest_size=16).hexdigest()
