"""Answers made before anybody asks: every crossing of the last days, while nobody has left them.

A day that is asked about for the first time is opened, and once somebody has left it nothing new is told of
it (`opened.py`). So whatever may be asked of a day is answered together, when the page is opened; and whoever
asks then reads rows that are kept. A step is one report of some days, so that a question waits for no more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from itertools import combinations

from warehouse import askable
from warehouse.opened import Opened
from warehouse.recall import HELD, Held, Recall
from warehouse.report import Report

#: Facts that one step counts, about; a day at least.
_STEP = 600_000
#: Days that are read at once.
_FEW = 4
#: All that is held is for one purpose.
_OF = askable.BY_NAME[HELD[0]]


class Ahead:
    """What is yet to be done. days: those that are asked about of each site, the most important site first.
    answer: keep a report's rows of days of a site. keys: of how many dimensions questions are answered; the
    facts of the others are held."""

    def __init__(
        self,
        recall: Recall,
        opened: Opened,
        days: Callable[[], Mapping[str, Sequence[date]]],
        answer: Callable[[Report, str, list[date]], None],
        keys: int,
    ) -> None:
        self._recall, self._opened, self._keys = recall, opened, keys
        self._days, self._answer = days, answer
        self._steps: Iterator[None] | None = None

    def step(self) -> bool:
        """Do one step; whether there may be others."""
        steps, self._steps = self._steps or self._all(), None
        for _ in steps:
            self._steps = steps
            return True
        return False

    def _all(self) -> Iterator[None]:
        days = self._days()
        for site in days if self._keys else ():
            opened = self._opened.marks(site, _OF.purpose)
            seen = [day for day in days[site] if day in opened]
            self._answer(crossings(_OF.name, 0)[0], site, seen)  # what may stand no longer goes
            known = self._opened.known(site, days[site])
            lacking = [
                day for day in self._open(site, days[site], opened)
                if any((one.name, day) not in known for name in HELD for one in crossings(name, self._keys))
            ]  # fmt: skip
            for name in HELD:
                yield from self._hold(name, site, lacking)
            for some in self._parts(site, lacking):
                for name in HELD:
                    yield from self._answers(name, site, some, known)
        for site in [*days][:1] if self._keys < askable.MOST_KEYS else ():
            for name in HELD:
                yield from self._hold(name, site, days[site])

    def _open(self, site: str, days: Sequence[date], opened: Mapping[date, tuple[str, float]]) -> list[date]:
        """The days that nobody has left since they were first asked about, the newest first. opened: the
        marks of those that were."""
        held = self._present(site, days)
        if held is None:
            return []
        marks = held.kept.marks(days)
        return [day for day in reversed(days) if day not in opened or opened[day][0] == marks[day]]

    def _present(self, site: str, days: Sequence[date]) -> Held | None:
        """Who came on which of these days."""
        return self._recall.held(_OF, site, days, marks=True) if days else None

    def _hold(self, name: str, site: str, days: Sequence[date]) -> Iterator[None]:
        """Read facts, as far as there is memory for them."""
        if days:
            from scipy import optimize  # noqa: F401 - the audit's: a second that no question need wait
        for at in range(_FEW, len(days) + _FEW, _FEW):
            if self._recall.held(askable.BY_NAME[name], site, days[:at]) is None:
                return
            yield

    def _answers(
        self, name: str, site: str, days: Sequence[date], known: Collection[tuple[str, date]]
    ) -> Iterator[None]:
        """All that may be asked of a few days; `known`: which reports are answered of which days."""
        of = askable.BY_NAME[name]
        for report in crossings(name, self._keys):
            lacking = [day for day in days if (report.name, day) not in known]
            if lacking and self._recall.held(of, site, lacking) is None:
                self._recall.shed()  # what was answered need not be held
                if self._recall.held(of, site, lacking) is None:
                    return
            if lacking:
                self._answer(report, site, lacking)
                yield

    def _parts(self, site: str, days: Sequence[date]) -> Iterator[list[date]]:
        """Days put together, so that a step is of about so many facts."""
        held, some, n = self._present(site, days), list[date](), 0
        for day, size in zip(days, held.kept.sizes(days), strict=True) if held else ():
            if some and n + size > _STEP:
                yield some
                some, n = [], 0
            some, n = [*some, day], n + size
        if some:
            yield some


@cache
def crossings(name: str, most: int) -> tuple[Report, ...]:
    """The reports of every set of up to so many dimensions of a subject, the smallest sets first."""
    of = askable.BY_NAME[name].dimensions
    return tuple(askable.report(name, keys) for n in range(most + 1) for keys in combinations(of, n))
