"""The rule, one event at a time, as a lawyer reads it: the oracle that `decide` is held to.

Plain sets of names, no bitmasks, no batches, nothing shared with `decide` but the words that come out. Slow
on purpose; nothing but tests and `explain` runs it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from consent_filter.policy import Pack
from consent_filter.policy_change import reset
from consent_filter.purpose import BY_NAME


class Heard(NamedTuple):
    """What a consent platform's string says of purposes, by name; what a string means is proved by cases."""

    granted: frozenset[str]
    denied: frozenset[str]
    unreadable: bool = False
    regulated: bool = False
    child: bool = False


class Event(NamedTuple):
    """What matters of one event. `consent` is the JSON that came with it; the headers are as received.

    `age`: "ok", "under" or a band such as "16-17", None where nobody has said it. `platforms`: what each of
    the consent platforms' signals says, by the signal's name.
    """

    country: str
    type: str
    has_id: bool
    consent: bytes | None = None
    gpc: str | None = None
    dnt: str | None = None
    age: str | None = None
    platforms: Mapping[str, Heard] = {}


class Ledger(NamedTuple):
    """What the ledger has on record of the person. `lapsed`: agreed to under an older policy, and no more."""

    granted: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    erased: bool = False
    lapsed: frozenset[str] = frozenset()


class Ruling(NamedTuple):
    """As `decide.Verdict`, with the purposes by name."""

    purposes: frozenset[str]
    treatment: str
    because: str
    signal: str
    basis: str
    policy: str
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
        if purpose in ("gdpr", "tcf", "gpp", "gpp_sid", "usp", "gcs", "gcd"):
            continue  # other signals
        if word is True or word == "granted":
            granted.add(purpose)
        elif word is False or word == "denied":
            denied.add(purpose)
        else:
            return unreadable
    return EVERYTHING & granted, EVERYTHING & denied, False


def judged(
    policies: Sequence[tuple[date, Pack]], day: date, event: Event, ledger: Ledger, agreed: Mapping[str, date]
) -> Ruling:
    """What may be done with an event of that day, under the policy then in force.

    policies: since which day each is, the oldest first; it also holds before. agreed: when each purpose that
    the ledger has was agreed to last. What was agreed to before a significant change is to be asked again.
    """
    in_force = [one for one in policies if one[0] <= day] or list(policies[:1])
    lapsed = set()
    for (_, older), (since, newer) in pairwise(in_force):
        again = reset(older, newer).get(_regime(newer, event), ())
        lapsed |= {purpose for purpose in again if purpose in agreed and agreed[purpose] < since}
    return rule(in_force[-1][1], event, ledger._replace(lapsed=frozenset(lapsed)))


def _regime(pack: Pack, event: Event) -> str:
    """Whoever's signals say that the law of agreement holds for them has it, wherever they are."""
    if pack.regulated and any(heard.regulated for heard in event.platforms.values()):
        return pack.regulated
    return pack.regime(event.country)


def rule(pack: Pack, event: Event, ledger: Ledger) -> Ruling:
    """What may be done with this event, and why."""
    # 0. The law is that of the country, or the one that the visitor's signals say.
    name = _regime(pack, event)
    regime, policy = pack.regimes[name], f"{pack.name}/{pack.version}"

    def refuse(rule: str, signal: str, reason: str, leaves: str = "") -> Ruling:
        left = leaves or regime.refusal
        return Ruling(frozenset(), left, f"{pack.name}.{name}.{rule}", signal, "", policy, reason)

    def keep(purposes: set[str], treatment: str, rule: str, signal: str, basis: str) -> Ruling:
        if advert:  # what is known of an advert's viewer is not for reports on visits
            purposes = purposes - {"measurement", "research"}
        return Ruling(frozenset(purposes), treatment, f"{pack.name}.{name}.{rule}", signal, basis, policy, "")

    # 1. Whoever was erased stays erased.
    if ledger.erased:
        return refuse("erased", "choice", "erased")

    # 1a. Whoever says to be too young leaves a number. While nobody has said how old they are, what the
    #     policy keeps from those of unknown age is as if it had never been named.
    named = dict(regime.purposes)
    if pack.age is not None:
        young = _years(event.age, -1) < pack.age.minimum
        if event.age is not None and _years(event.age, 1) < pack.age.minimum:
            return refuse("minor", "choice", "consent")
        if event.age is None or young:
            named = {purpose: use for purpose, use in named.items() if purpose not in pack.age.unknown_denies}

    advert = event.type.startswith("ad_")
    needed = "ad_measurement" if advert else "measurement"
    granted, denied, unreadable = choice(event.consent)
    # What has lapsed counts no more, also where the browser remembers it: until they are asked again.
    granted, on_record = granted - ledger.lapsed, ledger.granted - ledger.lapsed
    agreed = (granted | on_record) & set(named)
    browser = Heard(frozenset(), EVERYTHING)
    signals = {who: browser for who, header in (("gpc", event.gpc), ("dnt", event.dnt)) if _one(header)}
    signals |= event.platforms

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

    # 3. Signals in the pack's order: each permits what the regime lets it permit, and takes back what the
    #    regime says it does. Where the pack lets the more specific stand, nothing is taken back that somebody
    #    heard before has permitted; where it lets the latest stand, nothing that somebody heard before has
    #    permitted at this moment, for what is on record is older. A known child takes back everything.
    permitted: dict[str, str] = {}
    objected: dict[str, str] = {}
    ended: set[str] = set()
    at_this_moment: set[str] = set()
    for who in pack.order:
        if who in ("ledger", "choice"):
            for purpose in on_record if who == "ledger" else granted:
                permitted.setdefault(purpose, who)
            at_this_moment |= granted if who == "choice" else set()
        elif who in signals:
            heard, means = signals[who], regime.signals[who]
            before = {"specific": set(permitted), "latest": at_this_moment}.get(pack.conflict, set())
            takes = EVERYTHING if heard.child else (heard.denied & set(means.denies)) - before
            for purpose in takes:
                objected.setdefault(purpose, who)
            if means.ends or heard.child:
                ended |= takes
            for purpose in heard.granted & set(means.grants):
                permitted.setdefault(purpose, who)
                at_this_moment.add(purpose)
    permitted = {purpose: who for purpose, who in permitted.items() if purpose in named}
    refusing_to_be_measured = "measurement" in denied | ledger.denied
    if refusing_to_be_measured:  # then only what they have agreed to by name
        first_own = [who for who in pack.order if who in ("ledger", "choice")]
        said = {"ledger": on_record, "choice": granted}
        permitted = {purpose: next(w for w in first_own if purpose in said[w]) for purpose in agreed}

    # 4. What stands: what was permitted, and what the regime grants while nobody has spoken.
    standing = set(permitted)
    if not refusing_to_be_measured:
        standing |= {purpose for purpose, use in named.items() if use.default}
    standing -= denied | ledger.denied

    # 5. What stands and nobody objected to is done, under a lasting pseudonym if measurement is part of it.
    left = standing - set(objected)
    if needed in left:
        treatment = "identified" if event.has_id and "measurement" in left else "cookieless"
        if needed not in permitted:
            return keep(left, treatment, "default", "none", named[needed].basis)
        who = permitted[needed]
        how = "on_record" if who == "ledger" else "agreed"
        return keep(left, treatment, how, "choice" if who == "ledger" else who, "consent")

    # 6. What needs no identifier may go on without one where the regime exempts it.
    exempt = {purpose for purpose, use in named.items() if use.cookieless}
    exempt -= denied | ledger.denied | ended
    objector = objected.get(needed, "none")
    if needed in exempt:
        return keep(exempt, "cookieless", "cookieless", objector, named[needed].cookieless)

    # 7. Refused: by the objection, if the event would otherwise have been kept; else by silence.
    use = named.get(needed)
    if objector != "none" and (needed in standing or (use is not None and use.cookieless)):
        heard = signals[objector]
        rule = objector + ("_unreadable" if heard.unreadable else "_child" if heard.child else "")
        return refuse(rule, objector, "signal", regime.signals[objector].leaves)
    return refuse("silence", "none", "consent")


def _years(age: str | None, end: int) -> int:
    """The youngest (-1) or the oldest (1) that somebody may be who says this of their age."""
    if age in ("ok", "under", None):
        return {"ok": 1000, "under": -1, None: -1 if end < 0 else 1000}[age]
    assert age is not None
    if age == "under_13":
        return 0 if end < 0 else 12
    if age == "65+":
        return 65 if end < 0 else 1000
    first, last = age.split("-")
    return int(first if end < 0 else last)


def _one(header: str | None) -> bool:
    return header is not None and header.strip() == "1"
