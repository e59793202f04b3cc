"""RAW + decision → EVENT, the only thing that may be written; everything else ends here.

Columns outside the granted purposes are null. A row that is not kept leaves a number by reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter.columns import events
from consent_filter.counts import REFUSED, Counts, Key
from consent_filter.decide import (
    AD_MEASUREMENT,
    DROP,
    IDENTIFIED,
    KEPT,
    MEASUREMENT,
    Decision,
    Verdict,
)
from consent_filter.ledger import Id, Ledger
from consent_filter.policy import Pack
from consent_filter.pseudonym import Keyring, hashes
from consent_filter.raw import Column, Raw, pair
from consent_filter.site import Site, local

Mask = NDArray[np.bool_]


class Filtered(NamedTuple):
    """What may be written, and the counts of what may not."""

    batch: pa.RecordBatch
    refused: Counts


def apply(
    raw: Raw,
    decision: Decision,
    keys: Keyring,
    ledger: Ledger,
    sites: Mapping[str, Site],
    packs: Mapping[str, Pack],
) -> Filtered:
    """The events of the batch that may be stored, as EVENT; the others as counts by reason.

    What carries a new pseudonym may be stored only after `ledger.flush()`.
    """
    verdicts = decision.verdict
    days, offsets = _local(raw, sites)
    kept = _which(verdicts, [v.treatment in KEPT for v in verdicts.values])
    person, late = np.zeros(raw.n, np.uint64), np.zeros(raw.n, np.bool_)
    for purpose, who in ((MEASUREMENT, "measurement"), (AD_MEASUREMENT, "advertising")):
        here = [_purpose(v) == purpose and v.treatment in KEPT for v in verdicts.values]
        if not any(here):
            continue
        lasting = [v.treatment == IDENTIFIED and h for v, h in zip(verdicts.values, here, strict=True)]
        rows = np.flatnonzero(_which(verdicts, lasting))
        if len(rows):
            person[rows] = _lasting(raw, rows, purpose, ledger)
        passing = [h and not lasts for h, lasts in zip(here, lasting, strict=True)]
        rows = np.flatnonzero(_which(verdicts, passing))
        if len(rows):
            _passing(raw, rows, days, who, keys, person, late)
    refused = ~kept | late
    return Filtered(
        events(
            raw,
            np.flatnonzero(~refused) if refused.any() else None,
            verdicts,
            person,
            days,
            offsets,
            keys,
            packs,
        ),
        _refused(raw, verdicts, np.flatnonzero(refused), late, days),
    )


def _purpose(verdict: Verdict) -> int:
    """Which pseudonym an event gets: an advert's own, unless reports on visits may read it."""
    return MEASUREMENT if verdict.granted & MEASUREMENT else AD_MEASUREMENT


def _which(verdicts: Column[Verdict], chosen: list[bool]) -> Mask:
    if len(chosen) == 1:
        return np.full(len(verdicts.codes), chosen[0])
    return np.array(chosen)[verdicts.codes]


def _local(raw: Raw, sites: Mapping[str, Site]) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
    """Day and offset of each row in its site's own zone."""
    zones = raw.site.few(lambda site: sites[site].timezone)
    if len(zones.values) == 1:
        return local(zones.values[0], raw.time)
    days, offsets = np.zeros(raw.n, np.int32), np.zeros(raw.n, np.int16)
    for code, zone in enumerate(zones.values):
        rows = zones.codes == code
        days[rows], offsets[rows] = local(zone, raw.time[rows])
    return days, offsets


def _lasting(raw: Raw, rows: NDArray[np.intp], purpose: int, ledger: Ledger) -> NDArray[np.uint64]:
    """The pseudonym of an id; the account's where there is one, else the browser's."""
    ids = _used(pair(raw.site, pair(raw.user_id, raw.device_id)).take(rows))
    return ledger.persons(purpose, [_id(*value) for value in ids.values])[ids.codes]


def _id(site: str, ids: tuple[str | None, str | None]) -> Id:
    user, device = ids
    if user is not None:
        return site, "user", user
    assert device is not None  # decided: only a row with an id is identified
    return site, "device", device


def _passing(
    raw: Raw,
    rows: NDArray[np.intp],
    days: NDArray[np.int32],
    who: str,
    keys: Keyring,
    person: NDArray[np.uint64],
    late: Mask,
) -> None:
    """The pseudonym of (site, address, agent) under the site's own day; `late` where its key is gone."""
    senders = pair(raw.site, pair(raw.address, raw.agent.few(lambda agent: agent[0])))
    first, last = int(days[rows].min()), int(days[rows].max())
    for day in range(first, last + 1) if last - first < 8 else np.unique(days[rows]).tolist():
        here = rows if first == last else rows[days[rows] == day]
        if not len(here):
            continue
        state = keys.day(day, who)
        if state is None:
            late[here] = True
            continue
        few = _used(senders.take(here))
        texts = [
            f"{site}\0{address}\0{agent}".encode("utf-8", "surrogatepass")
            for site, (address, agent) in few.values
        ]
        person[here] = hashes(state, texts)[few.codes]


def _used(whole: Column[Any]) -> Column[Any]:
    """The same rows, without the values that none of them has."""
    if len(whole.values) == 1:
        return whole
    used, codes = np.unique(whole.codes, return_inverse=True)
    return Column(codes.astype(np.int32), [whole.values[code] for code in used.tolist()])


def _refused(
    raw: Raw, verdicts: Column[Verdict], rows: NDArray[np.intp], late: Mask, days: NDArray[np.int32]
) -> Counts:
    """How many, by site, day, protocol, country and reason; of a refusal nothing finer is left."""
    counts = Counts()
    if not len(rows):
        return counts
    places = raw.place.few(lambda place: place.country)
    parts = (raw.site.codes, days, raw.protocol.codes, places.codes, verdicts.codes, late)
    found = Counter(zip(*(part[rows].tolist() for part in parts), strict=True))
    for (site, day, protocol, country, code, too_late), n in found.items():
        verdict = verdicts.values[code]
        if too_late:
            reason, detail = "late", "day_closed"
        else:
            reason, detail = verdict.reason, "" if verdict.treatment == DROP else verdict.because
        where = raw.site.values[site], day, raw.protocol.values[protocol], places.values[country]
        counts[Key(*where, REFUSED, reason, detail)] += n
    return counts
