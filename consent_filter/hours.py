"""Refusals of adverts' events by the hour, beside the balance: what two parties compare totals by (S18).

Counts alone: no country, no protocol and nothing finer than an hour. An event counts in an hour of its own
day, so that a day of a campaign has at most 25 of each kind, whatever anybody sends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from consent_filter.counts import COMPARED, DEEDS, REFUSED, Counts, Key
from consent_filter.raw import Raw

HOUR_MS = 3_600_000


def hourly(
    raw: Raw,
    days: NDArray[np.int32],
    rows: NDArray[np.bool_],
    reasons: Sequence[str],
    codes: NDArray[np.int32] | None = None,
) -> Counts:
    """Of these rows, which are refused: those of DEEDS, for a reason of COMPARED. `codes`: which of `reasons`
    each row of the batch has; None where all have the first. `days`: the site's own, days since 1970."""
    counts = Counts()
    if raw.counted is None:
        return counts
    shown, why = raw.counted, np.zeros(raw.n, np.int32) if codes is None else codes
    deeds = np.array([type in DEEDS for type, _ in shown.values])[shown.codes]
    compared = np.array([reason in COMPARED for reason in reasons])[why]
    chosen = np.flatnonzero(rows & deeds & compared)
    hours = raw.time[chosen] // HOUR_MS
    parts = (raw.site.codes[chosen], days[chosen], hours, why[chosen], shown.codes[chosen])
    for (site, day, hour, code, one), n in Counter(
        zip(*(part.tolist() for part in parts), strict=True)
    ).items():
        where = raw.site.values[site], day, "", "ZZ"
        counts[Key(*where, REFUSED, reasons[code], "", *shown.values[one]).hourly(hour)] += n
    return counts
