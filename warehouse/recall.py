"""Facts for questions: of the lake as it stands, or held in memory since the last question (`remembered.py`).

Before every question it is looked whether the catalog, the ledger or the holds are others; if so, what is
held is made the same as they are, so that a refusal binds the next answer as it would without.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from consent_filter import holds, read
from consent_filter.errors import Refused
from consent_filter.purpose import BY_NAME as PURPOSES
from warehouse import links, remembered
from warehouse.askable import Subject
from warehouse.catalog import FILE, Catalog
from warehouse.days import named
from warehouse.extensions import quote
from warehouse.footprint import EVENTS
from warehouse.lake import Lake
from warehouse.purges import Mark, coarse
from warehouse.recordkeys import RecordKeys
from warehouse.relations import offer_withdrawn
from warehouse.remembered import Facts, Remembered, State
from warehouse.settings import Warehouse

#: Files by which is known that nothing has changed.
_WATCHED = (f"lake/{FILE}", "ledger.sqlite", "holds.sqlite")
#: Subjects whose facts are held, in the order of how often they are asked about: an advert's view needs
#: everybody's, to be judged.
HELD = ("events", "visits")
#: About how many rows one question reads to be held; it is answered from the lake where more are lacking, so
#: that no question takes much longer than it did (3 µs of processor a row).
AT_ONCE = 2_000_000


class Held(NamedTuple):
    """What is held of a site, the same as facts stood `at`; and where they are coarser than they were."""

    kept: Remembered
    at: tuple[object, ...]
    coarse: tuple[Mark, ...]


class Recall:
    """Facts of one data folder."""

    def __init__(self, data: Path, settings: Warehouse, keys: RecordKeys) -> None:
        self._data, self._settings, self._keys = data, settings, keys
        #: (site, purpose) → what is held, the one asked last at the end.
        self._sites: OrderedDict[tuple[str, str], Held] = OrderedDict()
        #: So many rows were more than there was memory for, whatever the settings say: not tried again.
        self._over = 1 << 62

    def held(self, of: Subject, site: str, days: Sequence[date], *, marks: bool = False) -> Held | None:
        """Those days of a site in memory, as facts stand; None where they are not (yet): read the lake.
        marks: only the marks of days are asked for."""
        most, subject = self._settings.explore_memory << 20, "" if marks else of.name
        if subject not in ("", *HELD) or not most:
            return None
        at, key, rows = self.at(), (site, of.purpose), 0
        found = self._sites.get(key)
        if found is not None and found.at == at and not found.kept.lacking(subject, days):
            self._sites.move_to_end(key)
            return found
        try:
            with self.facts(site, days) as (facts, state):
                rows = facts.rows
                several = AT_ONCE * remembered.BYTES // _each(subject) * len(days) // max(rows, 1) or 1
                found = self._room(key, subject, rows, days, several, most) if rows < self._over else None
                if found is None:
                    return None
                lacking = found.kept.lacking(subject, days)
                found.kept.sync(facts, state, subject, days if len(lacking) <= several else lacking[:several])
                found = found._replace(at=at, coarse=tuple(coarse(facts.con)))
        except BaseException as error:
            # Half of what was to be read would be counted for the whole.
            self._drop(key)
            if isinstance(error, (MemoryError, pa.ArrowMemoryError, duckdb.OutOfMemoryException)):
                self._over = rows
                return None
            raise
        self._sites[key] = found
        self._sites.move_to_end(key)
        return None if found.kept.lacking(subject, days) else found

    def _room(
        self, key: tuple[str, str], subject: str, rows: int, days: Sequence[date], several: int, most: int
    ) -> Held | None:
        """Where so many rows of those days may be held, letting go of what was asked about longest ago.
        several: how many days are read now."""
        each = _each(subject)
        if rows * each > most:
            return None
        found = self._sites.get(key)
        lacks = len(days if found is None else found.kept.lacking(subject, days))
        more = each * rows * min(lacks, several) // max(len(days), 1)  # a visit has an event at least
        for other in [one for one in self._sites if one != key]:
            if sum(one.kept.bytes for one in self._sites.values()) + more <= most:
                break
            self._drop(other)
        if found is not None and found.kept.bytes + more > most:
            if subject == "visits" and not found.kept.lacking("events", days):
                return None  # visits beside them are too much: these are read each time
            found.kept.shed()
        if found is None:
            found = Held(Remembered(self._settings.threads, int(PURPOSES[key[1]]), self._keys), (), ())
            self._sites[key] = found
        return found

    def shed(self) -> None:
        """Let go of facts that are held, and keep who came on which day."""
        for one in self._sites.values():
            one.kept.shed()

    def _drop(self, key: tuple[str, str]) -> None:
        found = self._sites.pop(key, None)
        if found is not None:
            found.kept.close()

    def clear(self) -> None:
        """Let go of everything that is held."""
        for key in [*self._sites]:
            self._drop(key)

    @contextmanager
    def facts(self, site: str, days: Sequence[date]) -> Iterator[tuple[Facts, State]]:
        """The facts of a site on some days, as reports read them, and what else answers depend on."""
        lake = Lake.open(self._data, threads=self._settings.threads)
        if lake is None:
            raise Refused(404, "nothing_published", "there are no facts yet")
        con = lake.connection.cursor()
        try:
            state = self._state()
            offer_withdrawn(con, state.gone)
            everyone = links.offer(con, EVENTS, state.logins, days)
            ((rows,),) = con.execute(
                f"SELECT coalesce(sum(rows), 0)::BIGINT FROM lake.commits WHERE site = ? AND {named(days)}",
                [site],
            ).fetchall()
            those = f"(SELECT * FROM {everyone} WHERE site = '{quote(site)}')"
            yield Facts(con, those, everyone, rows), state
        finally:
            con.close()
            lake.close()

    def _state(self) -> State:
        """Whom no report counts (withdrawn, being removed, restricted or held), and the logins."""
        file = self._data / "ledger.sqlite"
        gone = np.union1d(read.withdrawn(file), holds.persons(self._data, None)).astype(np.uint64)
        return State(gone, read.linked(file))

    def at(self) -> tuple[object, ...]:
        """Is another where facts, the ledger or the holds are."""
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


def _each(subject: str) -> int:
    """How many bytes a fact takes that is held for a subject's questions, or for marks."""
    return remembered.BYTES if subject else remembered.PRESENT
