"""Whether a declared country, a declared time zone and an address agree: all that is kept of them (M29)."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

MATCH, MISMATCH, UNKNOWN = "match", "mismatch", "unknown"
#: The country of an address that nobody knows.
_NOWHERE = "ZZ"


class Declared(NamedTuple):
    """What a site says of a member: a country (ISO 3166), and the name of a time zone. Memory only."""

    country: str | None
    zone: str | None


@lru_cache(maxsize=65_536)
def agreement(declared: Declared | None, country: str) -> str | None:
    """One of MATCH, MISMATCH and UNKNOWN: fewer than two of the three say anything. None where nothing was
    declared. `country`: the address's, "ZZ" where it is not known."""
    if declared is None:
        return None
    said = [frozenset((one,)) for one in (declared.country, country) if one is not None and one != _NOWHERE]
    zone = countries(declared.zone)
    said += [zone] if zone else []
    if len(said) < 2:
        return UNKNOWN
    return MATCH if frozenset.intersection(*said) else MISMATCH


def countries(zone: str | None) -> frozenset[str]:
    """The countries whose clocks are said to keep that zone; none for one that is not known, or is no place's
    ("UTC"). Of a zone that stands for several countries since 1970, all of them: Oslo's clock is Berlin's."""
    return _countries().get(zone, frozenset()) if zone else frozenset()


@cache
def _countries() -> dict[str, frozenset[str]]:
    """From the time zone database: its two tables, and the names that it keeps for what was renamed."""
    folder = files("tzdata") / "zoneinfo"
    found: dict[str, set[str]] = {}
    for table in ("zone.tab", "zone1970.tab"):
        for line in (folder / table).read_text().splitlines():
            if line and not line.startswith("#"):
                codes, _, zone = line.split("\t")[:3]
                found.setdefault(zone, set()).update(codes.split(","))
    links = [
        line.split() for line in (folder / "tzdata.zi").read_text().splitlines() if line.startswith("L ")
    ]
    for _, zone, name in links:
        found.setdefault(name, set()).update(found.get(zone, ()))
    return {zone: frozenset(codes) for zone, codes in found.items() if codes}
