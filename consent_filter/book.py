"""The rule, one event at a time, as a lawyer reads it: the oracle that `decide` is held to.

Plain sets of names, no bitmasks, no batches, nothing shared with `decide` but the words that come out. Slow
on purpose; nothing but tests and `explain` runs it.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from consent_filter.policy import Pack
from consent_filter.purpose import BY_NAME


class Event(NamedTuple):
    """What matters of one event. `consent` is the JSON that came with it; the headers are as received."""

    country: str
    type: str
    has_id: bool
    consent: bytes | None = None
    gpc: str | None = None
    dnt: str | None = None


class Ledger(NamedTuple):
    """What the ledger has on record of the person."""

    granted: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    erased: bool = False


class Ruling(NamedTuple):
    """As `decide.Verdict`, with the purposes by name."""

    purposes: frozenset[str]
    treatment: str
    because: str
    signal: str
    basis: str
    reason: str


EVERYTHING = frozenset(BY_NAME)


def choice(consent: bytes | None) -> tuple[frozenset[str], frozenset[str], bool]:
    """Purposes granted and denied, and whether the choice could not be read (which denies everything)."""
    if consent is None:
        return frozenset(), frozenset(), False
    unreadable: tuple[frozenset[str], frozenset[str], bool] = frozenset(), EVERYTHING, True
    try:
        said = json.loads(consent.decode())
    except (ValueError, RecursionError):
        return unreadable
    if said is None:
        said = {}
    if not isinstance(said, dict):
        return unreadable
    granted, denied = set(), set()
    for purpose, word in said.items():
        if word is True or word == "granted":
            granted.add(purpose)
        elif word is False or word == "denied":
            denied.add(purpose)
        else:
            return unreadable
    return EVERYTHING & granted, EVERYTHING & denied, False


def rule(pack: Pack, event: Event, ledger: Ledger) -> Ruling:
    """What may be done with this event, and why."""
    name = pack.regime(event.country)
    regime = pack.regimes[name]

    def refuse(rule: str, signal: str, reason: str) -> Ruling:
        return Ruling(frozenset(), regime.refusal, f"{pack.name}.{name}.{rule}", signal, "", reason)

    def keep(purposes: set[str], treatment: str, rule: str, signal: str, basis: str) -> Ruling:
        if advert:  # what is known of an advert's viewer is not for reports on visits
            purposes = purposes - {"measurement", "research"}
        return Ruling(frozenset(purposes), treatment, f"{pack.name}.{name}.{rule}", signal, basis, "")

    # 1. Whoever was erased stays erased.
    if ledger.erased:
        return refuse("erased", "choice", "erased")

    advert = event.type.startswith("ad_")
    needed = "ad_measurement" if advert else "measurement"
    granted, denied, unreadable = choice(event.consent)
    agreed = (granted | ledger.granted) & set(regime.purposes)

    # 2. The visitor's own refusal, sent with the event or on record, ends what it speaks of. Refusing to be
    #    measured also refuses everything that was not agreed to by name.
    about = None
    if needed in denied | ledger.denied:
        about = needed
    elif "measurement" in denied | ledger.denied and needed not in agreed:
        about = "measurement"
    if about is not None:
        refusing = {"ledger": ledger.denied, "choice": denied}
        first = next(who for who in pack.order if about in refusing.get(who, ()))
        if first == "ledger":
            return refuse("withdrawn", "choice", "consent")
        return refuse("unreadable" if unreadable else "refused", "choice", "consent")

    # 3. What stands: what was agreed to, and what the regime grants while nobody has spoken, unless the
    #    visitor has refused to be measured.
    standing = set(agreed)
    if "measurement" not in denied | ledger.denied:
        standing |= {purpose for purpose, use in regime.purposes.items() if use.default}
    standing -= denied | ledger.denied

    # 4. The browser's objections take back what the regime says they do.
    objecting = [
        signal
        for signal, header in (("gpc", event.gpc), ("dnt", event.dnt))
        if header is not None and header.strip() == "1"
    ]
    objected = {purpose for signal in objecting for purpose in regime.signals[signal].denies}
    ended = {
        purpose
        for signal in objecting
        if regime.signals[signal].ends
        for purpose in regime.signals[signal].denies
    }
    objector = "none"
    for who in pack.order:
        if objector == "none" and who in objecting and needed in regime.signals[who].denies:
            objector = who

    # 5. What stands and nobody objected to is done, under a lasting pseudonym if measurement is part of it.
    if needed in standing - objected:
        treatment = "identified" if event.has_id and "measurement" in standing - objected else "cookieless"
        if needed not in agreed:
            return keep(standing - objected, treatment, "default", "none", regime.purposes[needed].basis)
        granting = {"ledger": ledger.granted, "choice": granted}
        first = next(who for who in pack.order if needed in granting.get(who, ()))
        how = "on_record" if first == "ledger" else "agreed"
        return keep(standing - objected, treatment, how, "choice", "consent")

    # 6. What needs no identifier may go on without one where the regime exempts it.
    exempt = {purpose for purpose, use in regime.purposes.items() if use.cookieless}
    exempt -= denied | ledger.denied | ended
    if needed in exempt:
        return keep(exempt, "cookieless", "cookieless", objector, regime.purposes[needed].cookieless)

    # 7. Refused: by the objection, if the event would otherwise have been kept; else by silence.
    use = regime.purposes.get(needed)
    if objector != "none" and (needed in standing or (use is not None and use.cookieless)):
        return refuse(objector, objector, "signal")
    return refuse("silence", "none", "consent")
