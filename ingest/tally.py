"""The counts of one batch, made so that received = stored + refused can be told, and checked (S15)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from consent_filter.campaigns import NONE
from consent_filter.counts import BESIDE, RECEIVED, REFUSED, STORED, Counts, Key
from consent_filter.errors import Broken
from consent_filter.hours import hourly
from consent_filter.raw import Column, Raw, column
from consent_filter.site import local
from ingest.settings import Sites

#: Site, that site's day, protocol, country, and of an advert type and campaign: where an event counts,
#: whatever becomes of it.
Where = tuple[str, int, str, str, str, str]
_NOTHING = Column(np.zeros(0, np.int32), [NONE])


class Tally:
    """Where each row of a batch counts."""

    def __init__(self, raw: Raw, sites: Sites) -> None:
        self._raw, self._days = raw, _days(raw, sites)
        days = self._days
        self._first = int(days.min())
        countries = column([place.country for place in raw.place.values])
        self._countries, self._protocols, self._sites = countries.values, raw.protocol.values, raw.site.values
        code = countries.codes[raw.place.codes].astype(np.int64)
        if len(self._protocols) > 1:
            code += raw.protocol.codes * len(self._countries)
        width = len(self._countries) * len(self._protocols)
        if len(self._sites) > 1:
            code += raw.site.codes * width
        width *= len(self._sites)
        shown = raw.counted or _NOTHING
        self._shown = shown.values
        if shown is not _NOTHING:
            code += shown.codes * width
        self._width = width * len(self._shown)
        self._code = code + (days - self._first).astype(np.int64) * self._width

    def where(self, rows: NDArray[np.bool_] | None = None) -> dict[Where, int]:
        """How many of these rows (None: all) there are at each place."""
        found: dict[Where, int] = {}
        for code, n in Counter((self._code if rows is None else self._code[rows]).tolist()).items():
            day, rest = divmod(code, self._width)
            rest, country = divmod(rest, len(self._countries))
            rest, protocol = divmod(rest, len(self._protocols))
            shown, site = divmod(rest, len(self._sites))
            at = self._sites[site], self._first + day, self._protocols[protocol], self._countries[country]
            found[*at, *self._shown[shown]] = n
        return found

    def refused(self, rows: NDArray[np.bool_], reason: str, detail: str) -> Counts:
        """These rows, refused for that."""
        counts = Counts({Key.at(place, REFUSED, reason, detail): n for place, n in self.where(rows).items()})
        counts.update(hourly(self._raw, self._days, rows, [reason]))
        return counts


def balance(received: dict[Where, int], rejects: Counts, refused: Iterable[Counts], stored: int) -> Counts:
    """All counts of a batch: rows that were stored or refused, and rejects that never were rows.

    Raises Broken unless each row is either stored or refused, once.
    """
    counts = Counts(rejects)
    for key, n in rejects.items():
        counts[Key.at(key.where, RECEIVED)] += n
    left = dict(received)
    for part in refused:
        for key, n in part.items():
            counts[key] += n
            if key.outcome in BESIDE:
                continue
            left[key.where] = left.get(key.where, 0) - n
    if sum(left.values()) != stored or min(left.values(), default=0) < 0:
        parts = ", ".join(f"{n} {key.reason}" for part in refused for key, n in part.items())
        raise Broken(f"received {sum(received.values())}, stored {stored}, refused {parts or 'none'}")
    for place, n in received.items():
        counts[Key.at(place, RECEIVED)] += n
    for place, n in left.items():
        if n:
            counts[Key.at(place, STORED)] = n
    return counts


def _days(raw: Raw, sites: Sites) -> NDArray[np.int32]:
    """The site's own day of each row."""
    zones = column([sites[id].timezone for id in raw.site.values])
    if len(zones.values) == 1:
        return local(zones.values[0], raw.time)[0]
    days = np.zeros(raw.n, np.int32)
    for code, zone in enumerate(zones.values):
        rows = zones.codes[raw.site.codes] == code
        if rows.any():
            days[rows] = local(zone, raw.time[rows])[0]
    return days
