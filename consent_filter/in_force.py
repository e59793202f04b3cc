"""Which policy was in force at a site, and on which days (M124).

A policy says "effective from" a date, and a date begins when the site's own day does: so each day of a report
has one policy, and whoever reads the date where the site is reads it right. The oldest one that is named also
holds for every day before it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from consent_filter.errors import Misconfigured
from consent_filter.site import Site, day

if TYPE_CHECKING:  # a pack is loaded by a module that needs this one
    from consent_filter.policy import Pack

_DAY = 86_400_000
_QUARTER = 900_000
_EPOCH = date(1970, 1, 1)
#: The furthest that a zone is from UTC, and an hour.
_FURTHEST = 15 * 3_600_000


class Era(NamedTuple):
    """A pack, and the first day that it is in force: days since 1970 in the site's zone."""

    first: int
    pack: Pack


class History:
    """The packs of one site, the oldest first.

    turns: when each but the first came into force, UTC milliseconds.
    """

    def __init__(self, eras: Sequence[Era], timezone: str = "UTC") -> None:
        self.eras, self.timezone = tuple(eras), timezone
        self._firsts = [era.first for era in self.eras[1:]]
        self.turns = tuple(begins(timezone, first) for first in self._firsts)

    def at(self, day: int) -> int:
        """Which of the eras a day of the site is in."""
        return bisect_right(self._firsts, day)

    def each(self, days: NDArray[np.int32]) -> NDArray[np.int32]:
        """`at` for many days."""
        return np.searchsorted(self._firsts, days, side="right").astype(np.int32)

    def on(self, day: int) -> Pack:
        """The pack in force on a day of the site."""
        return self.eras[self.at(day)].pack

    def then(self, time: int) -> Pack:
        """The pack in force at a moment, UTC milliseconds."""
        return self.eras[bisect_right(self.turns, time)].pack


def history(site: Site, packs: Sequence[tuple[date | None, Pack]]) -> History:
    """From the site's own pack and, behind it, its earlier ones, each with its date. Raises Misconfigured."""
    (newest, _), *earlier = packs
    undated = [pack for since, pack in packs if since is None]
    if earlier and newest is None:
        raise Misconfigured("site.since", None, "the date from which the pack is in force, as it has earlier")
    if earlier and len(undated) > 1:
        raise Misconfigured("site.earlier", undated[0].name, "each with its date, but for the oldest")
    eras = sorted(((_number(since), pack) for since, pack in packs), key=lambda era: era[0])
    if len({first for first, _ in eras}) < len(eras) or eras[-1][1] is not packs[0][1]:
        raise Misconfigured(
            "site.earlier", str(newest), "other and earlier dates than that of the site's pack"
        )
    named: dict[tuple[str, str], Pack] = {}
    for _, pack in eras:
        if named.setdefault((pack.name, pack.version), pack) != pack:
            raise Misconfigured("site.earlier", pack.name, "a version of its own for each text")
    return History([Era(*era) for era in eras], site.timezone)


def begins(timezone: str, first: int) -> int:
    """When a day of a zone begins, UTC milliseconds: midnight, or when the clock has jumped over it."""
    time = first * _DAY - _FURTHEST
    while day(timezone, time)[0] < first:
        time += _QUARTER
    return time


def _number(since: date | None) -> int:
    """Days since 1970; nothing is before a pack without a date."""
    return -_EPOCH.toordinal() if since is None else (since - _EPOCH).days
