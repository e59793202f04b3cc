"""RAW + decision → EVENT, the only thing that may be written; everything else ends here.

Columns outside the granted purposes are null. A row that is not kept leaves a number by reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter.campaigns import NONE
from consent_filter.columns import events
from consent_filter.counterpart import Beside, put
from consent_filter.counts import REFUSED, REMOVED, Counts, Key
from consent_filter.decide import (
    AD_MEASUREMENT,
    DROP,
    IDENTIFIED,
    KEPT,
    MEASUREMENT,
    Decision,
    Verdict,
)
from consent_filter.events import Events
from consent_filter.hours import hourly
from consent_filter.ledger import Ledger
from consent_filter.member import removed
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Column, Raw, column, combine
from consent_filter.site import Site, local

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]
#: Kinds of pseudonym: the purpose for one that lasts, minus the purpose for one of a day; or none at all.
NOT = 0
#: Which of a day's keys makes which: they do not join.
_KEYS = {-MEASUREMENT: "measurement", -AD_MEASUREMENT: "advertising"}
_NOBODY = b"\0" * 8


class Filtered(NamedTuple):
    """What may be written, and the counts of what may not. `narrow`: how many of the rows are the other side
    of an event, and no events themselves (`counterpart.py`)."""

    events: Events
    refused: Counts
    narrow: int = 0

    @property
    def batch(self) -> pa.RecordBatch:
        """The events as Arrow columns, of the EVENT schema."""
        return self.events.batch()


def apply(
    raw: Raw,
    decision: Decision,
    keys: Keyring,
    ledger: Ledger,
    sites: Mapping[str, Site],
    beside: Beside | None = None,
) -> Filtered:
    """The events of the batch that may be stored, as EVENT; the others as counts by reason. `beside`: what
    becomes of their other sides.

    What carries a new pseudonym may be stored only after `ledger.flush()`.
    """
    verdicts = decision.verdict
    days, offsets = _local(raw, sites)
    kinds = Column(verdicts.codes, [kind(verdict) for verdict in verdicts.values])
    kept = np.array(kinds.values)[kinds.codes] != NOT
    person, late = _persons(raw, np.flatnonzero(kept), kinds, days, keys, ledger)
    refused = ~kept if late is None else ~kept | late
    if refused.any():
        rows = np.flatnonzero(~refused)
        counts = _refused(raw, verdicts, np.flatnonzero(refused), late, days)
    else:
        rows, counts = None, Counts()
    if beside is not None or any(said.values != [None] for said in (raw.member, raw.referral, raw.geo)):
        counts.update(_removed(raw, verdicts, ~refused, days, beside))
    homes = _homes(sites)
    own = events(raw, rows, verdicts, person, days, offsets, keys, homes)
    if beside is None:
        return Filtered(own, counts)
    whole = put(own, raw, np.arange(raw.n) if rows is None else rows, beside, days, ledger, homes)
    return Filtered(whole, counts, whole.n - own.n)


def _homes(sites: Mapping[str, Site]) -> Callable[[str], str]:
    """A site's region. A row that is refused may name no site at all."""

    def home(id: str) -> str:
        site = sites.get(id)
        return site.region if site else ""

    return home


def _removed(
    raw: Raw, verdicts: Column[Verdict], kept: Mask, days: NDArray[np.int32], beside: Beside | None
) -> Counts:
    """Fields of events that are stored without them, by kind (M28)."""
    counts, placed = Counts(), raw.geo.few(bool)
    lost = beside.lost if beside else Column(np.zeros(raw.n, np.int32), [()])
    cases = combine([verdicts, raw.member, raw.referral, placed, lost])
    gone = [removed(verdict.granted, *case) for verdict, *case in cases.values]
    rows = np.flatnonzero(kept & np.array([bool(kinds) for kinds in gone])[cases.codes])
    parts = (raw.site.codes, days, raw.protocol.codes, raw.place.codes, cases.codes)
    found = Counter(zip(*(part[rows].tolist() for part in parts), strict=True))
    for (site, day, protocol, place, code), n in found.items():
        where = raw.site.values[site], day, raw.protocol.values[protocol], raw.place.values[place].country
        for field in gone[code]:
            counts[Key(*where, REMOVED, "field", field)] += n
    return counts


def kind(verdict: Verdict) -> int:
    """Which pseudonym: an advert's events get another, unless reports on visits may read them."""
    if verdict.treatment not in KEPT:
        return NOT
    purpose = MEASUREMENT if verdict.granted & MEASUREMENT else AD_MEASUREMENT
    return purpose if verdict.treatment == IDENTIFIED else -purpose


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


def _persons(
    raw: Raw, rows: Rows, kinds: Column[int], days: NDArray[np.int32], keys: Keyring, ledger: Ledger
) -> tuple[NDArray[np.uint64], Mask | None]:
    """The pseudonym of each of these rows, 0 elsewhere; and which came when the key of their day was gone."""
    person = np.zeros(raw.n, np.uint64)
    if not len(rows):
        return person, None
    agents = raw.agent.few(itemgetter(0))
    columns: list[Column[Any]] = [kinds, raw.site, raw.user_id, raw.device_id, raw.address, agents]
    if len(rows) < raw.n:
        columns = [column.take(rows) for column in columns]
    senders = combine([column(days[rows].tolist()), *columns])
    # Of each of them the first event: when it is that an account and a browser are met together.
    first = raw.time[rows[np.unique(senders.codes, return_index=True)[1]]].tolist()
    made = [
        pseudonym(why, site, user, device, address, agent, day, time, keys, ledger)
        for (day, why, site, user, device, address, agent), time in zip(senders.values, first, strict=True)
    ]
    digests = [_NOBODY if digest is None else digest for digest in made]
    person[rows] = np.frombuffer(b"".join(digests), "<u8")[senders.codes]
    if None not in made:
        return person, None
    late = np.zeros(raw.n, np.bool_)
    late[rows] = np.array([digest is None for digest in made])[senders.codes]
    return person, late


def pseudonym(
    kind: int,
    site: str,
    user: str | None,
    device: str | None,
    address: str,
    agent: str,
    day: int,
    time: int,
    keys: Keyring,
    ledger: Ledger,
) -> bytes | None:
    """Eight bytes that stand for a person; None where the key of their day is gone.

    One that lasts is made of the account's id where there is one, else of the browser's. One that does not
    is made of (site, address, agent) under the site's own day. Where both ids come with an event that may be
    measured, at `time`, the ledger notes that they have met (M42); adverts never join anything.
    """
    if kind > 0:
        if kind == MEASUREMENT and user is not None and device is not None:
            ledger.link(site, user, device, time)
        who = ("device", device) if user is None else ("user", user)
        return ledger.persons([(kind, site, *who)])[0]  # type: ignore[list-item]
    state = keys.day(day, _KEYS[kind])
    if state is None:
        return None
    one = state.copy()
    one.update(f"{site}\0{address}\0{agent}".encode("utf-8", "surrogatepass"))
    return bytes(one.digest())


def _refused(
    raw: Raw, verdicts: Column[Verdict], rows: Rows, late: Mask | None, days: NDArray[np.int32]
) -> Counts:
    """How many, by site, day, protocol, country and reason; of a refusal nothing finer is left."""
    counts = Counts()
    gone = np.zeros(raw.n, np.bool_) if late is None else late
    shown = raw.counted or Column(np.zeros(raw.n, np.int32), [NONE])
    parts = (raw.site.codes, days, raw.protocol.codes, raw.place.codes, verdicts.codes, gone, shown.codes)
    found = Counter(zip(*(part[rows].tolist() for part in parts), strict=True))
    for (site, day, protocol, place, code, too_late, one), n in found.items():
        verdict = verdicts.values[code]
        if too_late:
            reason, detail = "late", "day_closed"
        else:
            reason, detail = verdict.reason, "" if verdict.treatment == DROP else verdict.because
        country = raw.place.values[place].country
        where = raw.site.values[site], day, raw.protocol.values[protocol], country
        counts[Key(*where, REFUSED, reason, detail, *shown.values[one])] += n
    reasons = [verdict.reason for verdict in verdicts.values]
    chosen = np.zeros(raw.n, np.bool_)
    chosen[rows] = True
    counts.update(hourly(raw, days, chosen & ~gone, reasons, verdicts.codes))
    return counts
