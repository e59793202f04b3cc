"""What holds of one person now, purpose by purpose, why, and how it came about: for a page that they see.

The same rules as for an event: of what pages are for, `judge` says what holds; of what is sent to people,
`may`. Nothing is weighed anew here, so that a page cannot say otherwise than what is done (M68, M120).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from consent_filter.decide import COOKIELESS, KEPT, Law, Word, judge
from consent_filter.fields import stored
from consent_filter.ledger import Subject
from consent_filter.marketing import CHANNELS, may
from consent_filter.policy import Pack, Regime
from consent_filter.purpose import BY_NAME
from consent_filter.signals import SIGNALS
from consent_filter.signals.said import OBJECTION, SILENCE

Record = Mapping[str, Any]
#: The newest records that a page shows.
MOST = 200
#: Purposes that are ways of writing to people: their channel, by name.
_WRITTEN = {
    name: channel
    for channel, bits in CHANNELS.items()
    for name, bit in BY_NAME.items()
    if channel != "adverts" and bits & bit
}
#: What `may` calls a rule, in the words of `judge`.
_RULES = {"agreed": "on_record", "refused": "withdrawn", "silent": "silence"}
#: What of a record somebody is shown, by the names of `PUT /consent`.
_SHOWN = ("at", "granted", "denied", "source", "surface", "locale", "wording", "policy", "jurisdiction")
#: And of one that a policy was taken note of.
_NOTED = ("at", "acknowledged", "surface", "locale", "wording", "jurisdiction")
_PLACE = itemgetter(0)


class Who(NamedTuple):
    """Whom it is about. known: they have an id; records: the places in the chain, and what stands there."""

    known: bool
    word: Word
    since: int | None
    restricted: bool
    records: Sequence[tuple[int, Record]]


NOBODY = Who(False, Word(0, 0), None, False, ())


def together(subjects: Sequence[Subject]) -> Who:
    """One person by an account, a browser, or both: as for an event, what either refuses is refused."""
    if not subjects:
        return NOBODY
    word = Word(0, 0)
    for one in subjects:
        deny = word.deny | one.word.deny
        word = Word((word.grant | one.word.grant) & ~deny, deny, word.erased or one.word.erased)
    records = sorted((record for one in subjects for record in one.records), key=_PLACE)
    since = max((one.since for one in subjects if one.since is not None), default=None)
    return Who(True, word, since, any(one.restricted for one in subjects), records)


def said(pack: Pack, regime: str, who: Who, objecting: Collection[str] = ()) -> list[dict[str, Any]]:
    """Each purpose that the regime names, in the order of their bits. objecting: the signals that object.

    basis, balancing, default, cookieless: as the pack has them. chosen: their own word, None where
    they said nothing; since: when they said it (UTC milliseconds). holds: whether it is done now;
    without_id: only so that nobody can be known again. why: on_record, withdrawn, erased, default,
    cookieless, silence, or the signal.
    days: how long facts are kept for it, None where none are stored.
    """
    law, rules, last = Law.of(pack, regime), pack.regimes[regime], _last(who.records)
    signals = tuple(OBJECTION if name in objecting else SILENCE for name in SIGNALS)
    found = []
    for name, bit in BY_NAME.items():
        use = rules.purposes.get(name)
        if use is None:
            continue
        chosen = None
        if (who.word.grant | who.word.deny) & bit and not who.word.erased:
            chosen = bool(who.word.grant & bit)
        holds, without, why = _stands(name, int(bit), law, rules, who, signals)
        found.append(
            {
                "purpose": name,
                "channel": _WRITTEN.get(name),
                "basis": use.basis,
                "balancing": use.balancing or None,
                "default": use.default,
                "cookieless": use.cookieless or None,
                "chosen": chosen,
                "since": last.get(name, who.since) if chosen is not None else None,
                "holds": holds,
                "without_id": without,
                "why": why,
                "days": pack.days(regime, name) if stored(bit) else None,
            }
        )
    return found


def _stands(
    name: str, bit: int, law: Law, rules: Regime, who: Who, signals: tuple[Any, ...]
) -> tuple[bool, bool, str]:
    if name in _WRITTEN:
        holds, why = may(who.word, rules, _WRITTEN[name])
        return holds, False, _RULES.get(why, why)
    verdict = judge(law, who.word, bit, who.known, *signals)
    kept = verdict.treatment in KEPT and bool(verdict.granted & bit)
    return kept, kept and verdict.treatment == COOKIELESS, verdict.because.rpartition(".")[2]


def history(
    who: Who, receipt: Callable[[int, Record], object] | None = None, most: int = MOST
) -> list[dict[str, Any]]:
    """What they have said, the newest first, at most so many. receipt: makes one of a record."""
    shown = []
    chosen = [one for one in who.records if "granted" in one[1]]  # that they were erased is no choice
    for position, record in reversed(chosen[-most:]):
        one = {name: record.get(name) for name in _SHOWN} | {"position": position}
        if receipt is not None:
            one["receipt"] = receipt(position, record)
        shown.append(one)
    return shown


def acknowledged(who: Who, most: int = MOST) -> list[dict[str, Any]]:
    """Which policies they have taken note of, the newest first, at most so many (M2)."""
    noted = [one for one in who.records if "acknowledged" in one[1]]
    return [
        {name: record.get(name) for name in _NOTED} | {"position": position}
        for position, record in reversed(noted[-most:])
    ]


def _last(records: Sequence[tuple[int, Record]]) -> dict[str, int]:
    """When each purpose was last spoken of."""
    return {
        name: record["at"]
        for _, record in records
        for name in (*record.get("granted", ()), *record.get("denied", ()))
    }
