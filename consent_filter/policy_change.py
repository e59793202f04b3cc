"""What changes when one policy pack follows another, and whose agreement has to be asked for again.

A change is significant where the new pack may do to somebody what the old one did not: a new purpose, a new
recipient, a longer time, a laxer regime for a country, a basis that is no agreement any more, a default, an
exemption from agreement, a signal that denies less or permits more. All else is minor (M123). Packs are
compared country by country, so that a regime may be renamed or divided without hiding anything. A key that
this module does not know is significant: nobody has said yet that it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from consent_filter.policy import CONFLICTS, KINDS, Age, Meaning, Pack, Regime, Use
from consent_filter.retention import DEGREES, Class

#: Stand for countries: all that neither pack names; whoever's signals say that the law of agreement holds.
ELSEWHERE, REGULATED = "elsewhere", "regulated"
_SILENT = Meaning(denies=())
#: Keys that change words, or what a refusal is called, but nothing that is done.
_MINOR = {"name", "version", "policy", "in_force", "aliases", "warnings", "rules", "refusal", "leaves"}
_COMPARED = {"otherwise", "regulated", "order", "conflict", "facts_days", "recipients", "groups", "regimes"}
_COMPARED |= {"age", "identifier_days", "withdrawal", "retention"}
_COMPARED |= {"kind", "countries", "purposes", "signals", "basis", "default", "cookieless"}
_COMPARED |= {"balancing", "transfers", "denies", "ends", "grants"}


class Change(NamedTuple):
    """One difference.

    what: a stable code. where: the key of the new pack (of the old, where it went). regime: of the new pack,
    "" where all are meant; countries: those of it that are concerned. purposes: whose consents are affected,
    none where all are.
    """

    what: str
    where: str
    before: str
    after: str
    significant: bool
    regime: str = ""
    countries: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()


def changes(old: Pack, new: Pack) -> list[Change]:
    """Every difference that matters to anybody, the significant ones first."""
    found = [*_of_the_whole(old, new)]
    for (before, after), countries in _pairs(old, new).items():
        said = [*_of_a_regime(old.regimes[before], new.regimes[after], f"regimes.{after}")]
        said += _of_keeping(old, new, before, after)
        if before != after:
            said.append(Change("moved", f"regimes.{after}.countries", before, after, False))
        found += [change._replace(regime=after, countries=countries) for change in said]
    return sorted(found, key=lambda change: not change.significant)


def reset(old: Pack, new: Pack) -> dict[str, tuple[str, ...]]:
    """Regime of the new pack → the purposes whose consents no longer hold there, in the pack's order."""
    affected: dict[str, set[str]] = {}
    for change in changes(old, new):
        if change.significant:
            for regime in [change.regime] if change.regime else new.regimes:
                affected.setdefault(regime, set()).update(change.purposes or new.regimes[regime].purposes)
    return {
        name: tuple(purpose for purpose in regime.purposes if purpose in affected[name])
        for name, regime in new.regimes.items()
        if affected.get(name)
    }


def _of_the_whole(old: Pack, new: Pack) -> Iterator[Change]:
    for who in sorted({*new.recipients} - {*old.recipients}):
        yield Change("recipient_added", "recipients", "", who, True)
    for who in sorted({*old.recipients} - {*new.recipients}):
        yield Change("recipient_removed", "recipients", who, "", False)
    if old.facts_days != new.facts_days:
        longer = new.facts_days > old.facts_days
        what = "kept_longer" if longer else "kept_shorter"
        yield Change(what, "facts_days", f"{old.facts_days}", f"{new.facts_days}", longer)
    if old.identifier_days != new.identifier_days:
        longer = new.identifier_days > old.identifier_days
        what = "known_longer" if longer else "known_shorter"
        yield Change(what, "identifier_days", f"{old.identifier_days}", f"{new.identifier_days}", longer)
    if old.age != new.age:
        laxer = old.age is not None and _younger(old.age, new.age)
        yield Change("age_laxer" if laxer else "age_stricter", "age", _age(old), _age(new), laxer)
    for where in sorted({one.to for one in new.transfers} - {one.to for one in old.transfers}):
        yield Change("region_added", "transfers", "", where, True)
    for where in sorted({one.to for one in old.transfers} - {one.to for one in new.transfers}):
        yield Change("region_removed", "transfers", where, "", False)
    if old.withdrawal != new.withdrawal:
        stays = new.withdrawal == "stop"
        yield Change(
            "past_stays" if stays else "past_removed", "withdrawal", old.withdrawal, new.withdrawal, stays
        )
    for name in sorted({*old.retention.closed, *new.retention.closed}):
        held, holds = (pack.retention.closed.get(name, Class(days=3, fields=())) for pack in (old, new))
        if held != holds:
            longer = holds.days > held.days or not {*holds.fields} <= {*held.fields}
            what = "kept_longer" if longer else "kept_shorter"
            yield Change(what, f"retention.closed.{name}", f"{held.days}", f"{holds.days}", longer)
    if bool(old.regulated) != bool(new.regulated):
        laxer = not new.regulated or _laxer_where_regulated(old, new)
        yield Change("regulated", "regulated", old.regulated, new.regulated, laxer)
    if old.conflict != new.conflict:
        laxer = CONFLICTS.index(new.conflict) > CONFLICTS.index(old.conflict)
        yield Change("conflict", "conflict", old.conflict, new.conflict, laxer)
    if old.order != new.order:  # who is heard first matters only where an earlier grant is not taken back
        binding = new.conflict == "restrictive"
        yield Change("order", "order", ", ".join(old.order), ", ".join(new.order), not binding)
    yield from _others(old, new, "")


def _laxer_where_regulated(old: Pack, new: Pack) -> bool:
    """Whether the regime that signals lead to now may do more than any that people come from."""
    after = new.regimes[new.regulated]
    return after.kind != "opt_in" or any(
        change.significant
        for before in {*old.by_country().values(), old.otherwise}
        for change in (
            *_of_a_regime(old.regimes[before], after, ""),
            *_of_keeping(old, new, before, new.regulated),
        )
    )


def _younger(old: Age, new: Age | None) -> bool:
    """Whether less is kept from the young, or from those of unknown age."""
    return new is None or new.minimum < old.minimum or not {*old.unknown_denies} <= {*new.unknown_denies}


def _age(pack: Pack) -> str:
    return "" if pack.age is None else f"{pack.age.minimum}: {', '.join(pack.age.unknown_denies)}"


def _of_a_regime(old: Regime, new: Regime, where: str) -> Iterator[Change]:
    if old.kind != new.kind:
        laxer = KINDS.index(new.kind) > KINDS.index(old.kind)
        yield Change("kind_laxer" if laxer else "kind_stricter", f"{where}.kind", old.kind, new.kind, laxer)
    for purpose in dict.fromkeys([*old.purposes, *new.purposes]):
        before, after = old.purposes.get(purpose), new.purposes.get(purpose)
        key = f"{where}.purposes.{purpose}"
        if before is None and after is not None:
            yield Change("purpose_added", key, "", after.basis, True, purposes=(purpose,))
        elif after is None and before is not None:
            yield Change("purpose_removed", key, before.basis, "", False, purposes=(purpose,))
        elif before is not None and after is not None:
            for change in _of_a_use(before, after, key):
                yield change._replace(purposes=(purpose,))
    both = [purpose for purpose in new.purposes if purpose in old.purposes]
    for signal in dict.fromkeys([*old.signals, *new.signals]):
        heard, hears = (regime.signals.get(signal, _SILENT) for regime in (old, new))
        yield from _of_a_signal(heard, hears, f"{where}.signals.{signal}", both)
    yield from _others(old, new, f"{where}.")


def _of_keeping(old: Pack, new: Pack, before: str, after: str) -> Iterator[Change]:
    """Purposes of both regimes, a part of which is kept for longer, or finer; `facts_days` is apart."""
    for name in new.regimes[after].purposes:
        was, now = (_terms(*one, name) for one in ((old, before), (new, after)))
        if name in old.regimes[before].purposes and was != now:
            longer = any(now.get(key, now["days"]) > was.get(key, was["days"]) for key in was | now)
            what = "kept_longer" if longer else "kept_shorter"
            where = f"retention.purposes.{name}"
            yield Change(what, where, f"{was['days']}", f"{now['days']}", longer, purposes=(name,))


def _terms(pack: Pack, regime: str, purpose: str) -> dict[str, int]:
    """What ends when for a purpose in a regime; what is not named lasts as long as the purpose."""
    term = pack.retention.term(regime, purpose, 760)
    found = {"days": term.days} | {name: min(days, term.days) for name, days in term.fields.items()}
    for name, order in DEGREES.items():
        for degree in order:
            found[f"{name} {degree}"] = min(term.after(name, degree) or term.days, term.days)
    return found


def _of_a_use(old: Use, new: Use, where: str) -> Iterator[Change]:
    if old.basis != new.basis:
        left = old.basis == "consent"
        yield Change("basis_not_consent" if left else "basis", f"{where}.basis", old.basis, new.basis, left)
    if old.default != new.default:
        what = "default_on" if new.default else "default_off"
        yield Change(what, f"{where}.default", _short(old.default), _short(new.default), new.default)
    if old.cookieless != new.cookieless:
        begun = not old.cookieless
        what = "exempt_now" if begun else "cookieless"
        yield Change(what, f"{where}.cookieless", old.cookieless, new.cookieless, begun)
    lost = bool(old.balancing) and not new.balanced
    if lost or (old.balancing != new.balancing and old.basis == new.basis):
        what = "balancing_removed" if lost else "balancing"
        yield Change(what, f"{where}.balancing", old.balancing, new.balancing, lost)
    yield from _others(old, new, f"{where}.")


def _of_a_signal(old: Meaning, new: Meaning, where: str, both: list[str]) -> Iterator[Change]:
    """Of the purposes that both regimes name: of any other, that it came or went says enough."""
    for key, heard, hears, laxer_if in (
        ("denies", {*old.denies}, {*new.denies}, "less"),
        ("ends", {*old.denies} if old.ends else set(), {*new.denies} if new.ends else set(), "less"),
        ("grants", {*old.grants}, {*new.grants}, "more"),
    ):
        gone = [purpose for purpose in both if purpose in heard - hears]
        come = [purpose for purpose in both if purpose in hears - heard]
        for how, which in (("less", gone), ("more", come)):
            if which:
                before, after = (", ".join(which), "") if how == "less" else ("", ", ".join(which))
                what = f"signal_{key}_{how}"
                yield Change(what, f"{where}.{key}", before, after, how == laxer_if, purposes=tuple(which))
    yield from _others(old, new, f"{where}.")


def _others(old: Struct, new: Struct, where: str) -> Iterator[Change]:
    """The keys that nothing else compares."""
    for key in new.__struct_fields__:
        before, after = getattr(old, key), getattr(new, key)
        if key not in _COMPARED and before != after:
            yield Change(key, where + key, _short(before), _short(after), key not in _MINOR)


def _pairs(old: Pack, new: Pack) -> dict[tuple[str, str], tuple[str, ...]]:
    """(old regime, new regime) → the countries that had the one and have the other."""
    pairs: dict[tuple[str, str], list[str]] = {}
    was, now = old.by_country(), new.by_country()
    for country in sorted({*was, *now}):
        pair = was.get(country, old.otherwise), now.get(country, new.otherwise)
        pairs.setdefault(pair, []).append(country)
    pairs.setdefault((old.otherwise, new.otherwise), []).append(ELSEWHERE)
    if old.regulated and new.regulated:
        pairs.setdefault((old.regulated, new.regulated), []).append(REGULATED)
    return {pair: tuple(countries) for pair, countries in sorted(pairs.items())}


def _short(value: object) -> str:
    """A value on one line; of a list, how many."""
    if isinstance(value, tuple):
        return f"{len(value)}"
    return str(value).lower() if isinstance(value, bool) else str(value)
