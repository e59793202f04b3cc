"""What a pack decides, as text: a line for each regime and situation, with what becomes of each purpose."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import combinations
from typing import Any, NamedTuple

import msgspec

from consent_filter.decide import NO_WORD, Law, Word, judge
from consent_filter.member import ADULT, MINOR, UNKNOWN
from consent_filter.policy import LEDGER, Pack
from consent_filter.purpose import ALL, BY_NAME, names
from consent_filter.signals import OWN, SIGNALS
from consent_filter.signals.said import CHILD, OBJECTION, SILENCE, UNREADABLE, Said
from tests.consent_filter import strings

EVERYTHING = int(ALL)
GRANTS = Said(EVERYTHING, 0)


class Situation(NamedTuple):
    """Who says what of one event."""

    name: str
    word: Word = NO_WORD
    said: tuple[tuple[str, Said], ...] = ()
    has_id: bool = True
    age: str = ADULT


def situations() -> list[Situation]:
    """Each speaker alone, each two of them agreeing or disagreeing, and what else can tell packs apart."""
    found = [Situation("nobody says anything"), Situation("the same, without an id", has_id=False)]
    found += [Situation(f"the same, of {age} age", age=age) for age in (UNKNOWN, MINOR)]
    found.append(Situation("erased", Word(0, 0, True)))
    found.append(Situation("ledger refuses measurement", Word(EVERYTHING & ~1, 1)))
    speakers = [LEDGER, *SIGNALS]
    words = [("grants", GRANTS, Word(EVERYTHING, 0)), ("denies", OBJECTION, Word(0, EVERYTHING))]
    for name in speakers:
        found += [_spoken(f"{name} {how}", (name, said, word)) for how, said, word in words]
    for name in SIGNALS:
        found.append(Situation(f"{name} unreadable", said=((name, UNREADABLE),)))
    found.append(Situation("gpp of a child", said=(("gpp", CHILD),)))
    found.append(Situation("tcf regulated", said=(("tcf", Said(0, 0, regulated=True)),)))
    consent = b'{"tcf": "%s", "gdpr": 1}' % strings.VISITS.encode()
    found.append(Situation("a TC string", said=(("tcf", SIGNALS["tcf"].read(consent)),)))
    for one, other in combinations(speakers, 2):
        for first, second in ((words[0], words[0]), (words[1], words[1]), (words[0], words[1])):
            both = (one, *first[1:]), (other, *second[1:])
            found.append(_spoken(f"{one} {first[0]}, {other} {second[0]}", *both))
    return found


def _spoken(name: str, *spoken: tuple[str, Said, Word]) -> Situation:
    word = next((word for who, _, word in spoken if who == LEDGER), NO_WORD)
    return Situation(name, word, tuple((who, said) for who, said, _ in spoken if who != LEDGER))


SITUATIONS = situations()


#: Keys of a pack that no verdict shows, and that others act on.
_BESIDES = ("name", "version", "in_force", "otherwise", "regulated", "order", "conflict", "tcf_vendor",
            "facts_days", "withdrawal", "recipients", "age")  # fmt: skip


def lines(pack: Pack, only: str = "") -> Iterator[str]:
    """The table of a pack, line by line: its other keys, then where each regime holds and what it decides.

    `only`: of that regime alone.
    """
    for key in _BESIDES if not only else ():
        yield f"{key} = {_text(getattr(pack, key))}"
    places: dict[str, list[str]] = {}
    for country, regime in sorted(pack.by_country().items()):
        places.setdefault(regime, []).append(country)
    for name, regime in pack.regimes.items():
        if only not in ("", name):
            continue
        keys = {key: getattr(regime, key) for key in regime.__struct_fields__}
        rest = {key: keys[key] for key in keys if key not in ("purposes", "signals", "countries")}
        yield f"{name}: {_text(rest)} in {' '.join(places.get(name, []))}"
        for purpose, use in regime.purposes.items():
            yield f"{name}.{purpose}: {_text(use)}"
        laws = {age: Law.of(pack, name, age) for age in (ADULT, UNKNOWN, MINOR)}
        asked = [*regime.purposes, next(other for other in BY_NAME if other not in regime.purposes)]
        for one in SITUATIONS:
            yield f"{name} · {one.name}: {_decided(laws[one.age], one, asked)}"


def _decided(law: Law, one: Situation, asked: list[str]) -> str:
    """verdict → purposes; and all that is granted with the two that events are for."""
    heard = tuple(dict(one.said).get(name, SILENCE) for name in SIGNALS)
    found: dict[str, list[str]] = {}
    for name in asked:
        verdict = judge(law, one.word, int(BY_NAME[name]), one.has_id, *heard)
        rule = verdict.because.partition(".")[2]
        says = f"{verdict.treatment} {rule} {verdict.signal} {verdict.basis or verdict.reason}"
        if name in ("measurement", "ad_measurement"):
            says += f" [{' '.join(names(verdict.granted))}]"
        found.setdefault(says, []).append(name)
    return "; ".join(f"{says} → {' '.join(some)}" for says, some in found.items())


def _text(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    return msgspec.json.encode(value, order="deterministic").decode()


SIGNALS_OF_A_PACK = [name for name in SIGNALS if name not in OWN]
