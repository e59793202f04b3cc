"""What is left of a row at an age, one at a time, as a lawyer reads the policy: the oracle of the tests."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from consent_filter.fields import BY_NAME as FIELDS
from consent_filter.fields import stored
from consent_filter.policy import Pack
from consent_filter.purpose import BY_NAME
from consent_filter.retention import NULLED, Term

_COARSER = {"second": 1, "minute": 60, "hour": 3600}


def left(row: dict[str, Any], pack: Pack, today: date) -> dict[str, Any] | None:
    """The row as it may stand; None where it may not. `time`, `received`: UTC milliseconds; `day`: a date.

    `person` is "cut" where it may only be of its day. A row received on Monday and kept for three days is
    gone when Wednesday ends, so that nobody who looks once a day is late.
    """
    received = date(1970, 1, 1) + timedelta(days=row["received"] // 86_400_000)
    days = (today - received).days + 1
    because = (row["because"] or "").split(".")
    where = because[-2] if len(because) > 2 else None
    terms = {name: _term(pack, where, name) for name, bit in BY_NAME.items() if row["purposes"] & bit}
    terms = {name: term for name, term in terms.items() if days < min(term.days, pack.facts_days)}
    kept = {name: term for name, term in terms.items() if stored(BY_NAME[name])}
    if not kept:
        return None
    found = row | {"purposes": sum(BY_NAME[name] for name in terms)}
    for name in NULLED:
        may = [term for purpose, term in kept.items() if FIELDS[name].purposes & BY_NAME[purpose]]
        if not any(days < term.fields.get(name, 1000) for term in may):
            found[name] = None
    if all(_coarse(term, "time", days, ("day",)) for term in kept.values()):
        midnight = (row["day"] - date(1970, 1, 1)).days * 86_400_000
        found |= {"time": midnight, "offset_min": 0, "received": row["received"] // 86_400_000 * 86_400_000}
    else:
        for degree, coarser in (("hour", ()), ("minute", ("hour",)), ("second", ("minute", "hour"))):
            if all(_coarse(term, "time", days, (degree, *coarser, "day")) for term in kept.values()):
                step, offset = _COARSER[degree] * 1000, row["offset_min"] * 60_000
                found["time"] = (row["time"] + offset) // step * step - offset
                found["received"] = row["received"] // step * step
                break
    paths = [t for name, t in kept.items() if FIELDS["path"].purposes & BY_NAME[name]]
    if found["path"] is not None and all(_coarse(term, "path", days, ("section",)) for term in paths):
        rest = found["path"].removeprefix("/")
        found["path"] = "/" + rest.split("/")[0].split("?")[0]
    apart = all(_coarse(term, "person", days, ("day", "none")) for term in kept.values())
    if row["treatment"] == "identified" and apart:
        found |= {"person": "cut", "treatment": "cookieless"}
    if all(_coarse(term, "person", days, ("none",)) for term in kept.values()):
        found |= {"person": None, "treatment": "cookieless"}
    return found


def _coarse(term: Term, name: str, days: int, degrees: tuple[str, ...]) -> bool:
    said = term.degrees.get(name, {})
    return any(days >= said[degree] for degree in degrees if degree in said)


def _term(pack: Pack, where: str | None, purpose: str) -> Term:
    said = pack.retention
    usual = said.purposes.get(purpose, Term(days=pack.facts_days))
    if where is not None:
        return said.regimes.get(where, {}).get(purpose, usual)
    found = usual
    for some in said.regimes.values():
        if purpose in some:
            found = _both(found, some[purpose])
    return found


def _both(one: Term, other: Term) -> Term:
    """Whichever is shorter, in everything."""
    least = lambda a, b: {k: min(v for v in (a.get(k), b.get(k)) if v is not None) for k in a | b}  # noqa: E731
    degrees = {
        name: least(one.degrees.get(name, {}), other.degrees.get(name, {}))
        for name in one.degrees | other.degrees
    }
    return Term(days=min(one.days, other.days), fields=least(one.fields, other.fields), degrees=degrees)
