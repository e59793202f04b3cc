"""The counts of one batch, made so that received = stored + refused can be told, and checked (S15)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from consent_filter.counts import RECEIVED, REFUSED, STORED, Counts, Key
from consent_filter.errors import Broken
from consent_filter.raw import Raw
from consent_filter.site import local
from ingest.protocols.columns import column
from ingest.settings import Sites


class Tally:
    """Where each row of a batch counts: its site, that site's day, its protocol and its country."""

    def __init__(self, raw: Raw, sites: Sites) -> None:
        days = _days(raw, sites)
        self._first = int(days.min()) if raw.n else 0
        countries = column([place.country for place in raw.place.values])
        self._countries = countries.values
        self._protocols = raw.protocol.values
        self._sites = raw.site.values
        code = (days - self._first).astype(np.int64)
        code = code * len(self._sites) + raw.site.codes
        code = code * len(self._protocols) + raw.protocol.codes
        self._code = code * len(self._countries) + countries.codes[raw.place.codes]

    def count(
        self, rows: NDArray[np.bool_] | None, outcome: str, reason: str = "", detail: str = ""
    ) -> Counts:
        """How many of these rows (None: all) there are by key."""
        code = self._code if rows is None else self._code[rows]
        counts = Counts()
        for one, n in Counter(code.tolist()).items():
            rest, country = divmod(one, len(self._countries))
            rest, protocol = divmod(rest, len(self._protocols))
            day, site = divmod(rest, len(self._sites))
            key = Key(
                self._sites[site],
                self._first + day,
                self._protocols[protocol],
                self._countries[country],
                outcome,
                reason,
                detail,
            )
            counts[key] = n
        return counts


def balance(received: Counts, refused: Iterable[Counts], stored: int) -> Counts:
    """All counts of a batch. Raises Broken unless each event received is either stored or refused, once."""
    counts, left = Counts(received), Counts(received)
    for part in refused:
        for key, n in part.items():
            counts[key] += n
            left[key._replace(outcome=RECEIVED, reason="", detail="")] -= n
    if any(n < 0 for n in left.values()) or sum(left.values()) != stored:
        raise Broken(
            f"received {sum(received.values())}, stored {stored}, and refused by reason "
            f"{ {key.reason: n for key, n in counts.items() if key.outcome == REFUSED} }"
        )
    for key, n in left.items():
        if n:
            counts[key._replace(outcome=STORED)] = n
    return counts


def as_received(rejects: Counts) -> Counts:
    """The same events as they were received."""
    counts = Counts()
    for key, n in rejects.items():
        counts[key._replace(outcome=RECEIVED, reason="", detail="")] += n
    return counts


def _days(raw: Raw, sites: Sites) -> NDArray[np.int32]:
    """The site's own day of each row."""
    zones = column([sites[id].timezone for id in raw.site.values])
    if len(zones.values) == 1:
        return local(zones.values[0], raw.time)[0]
    days = np.zeros(raw.n, np.int32)
    for code, zone in enumerate(zones.values):
        rows = zones.codes[raw.site.codes] == code
        days[rows] = local(zone, raw.time[rows])[0]
    return days
