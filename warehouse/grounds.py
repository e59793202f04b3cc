"""On what released figures may be read in another region, and which have lost that ground (M101, S20).

A figure of a site stands on the policies that judged the site's events in the release's period: each of them
must have a mechanism, in force on the day, for the way from the region of the site's rows to that of the
recipient. When the last one of a policy lapses, what was delivered on it is frozen, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from typing import NamedTuple

from consent_filter import regions
from consent_filter.errors import Refused
from consent_filter.in_force import History
from consent_filter.policy import Pack
from warehouse.deliveries import Delivery
from warehouse.pack import Ground
from warehouse.period import Period

_EPOCH = date(1970, 1, 1)
#: Site → its packs; site → the regions that its rows are of, "" where nobody said.
Histories = Callable[[str], History]
Homes = Mapping[str, Sequence[str]]


class Affected(NamedTuple):
    """Figures that have lost their ground: all of one site in one table that was delivered."""

    release: str
    delivery: str
    recipient: str
    site: str
    table: str
    why: str


def policies(histories: Histories, site: str, period: Period) -> tuple[Pack, ...]:
    """The packs that judged a site's events in that period, each once."""
    history = histories(site)
    first, last = ((day - _EPOCH).days for day in (period.first, period.last))
    return tuple(era.pack for era in history.eras[history.at(first) : history.at(last) + 1])


def of(
    histories: Histories, homes: Homes, sites: Iterable[str], period: Period, to: str, day: date
) -> tuple[Ground, ...]:
    """What a delivery to a region stands on that day; nothing where all rows lie there. Raises Refused (403,
    `region`) where a policy names no mechanism that is in force."""
    found = []
    for site in sorted(sites):
        for source, pack in product(homes.get(site, ("",)), policies(histories, site, period)):
            held = regions.require([pack], source, to, day, "a delivery")
            if held is not None:
                name, until = f"{pack.name} {pack.version}", str(held.until or "")
                found.append(Ground(site, name, source, to, held.mechanism, until))
    return tuple(found)


def lapsed(
    histories: Histories, homes: Homes, delivery: Delivery, sites: Sequence[str], period: Period, day: date
) -> dict[str, str]:
    """Site → why what was delivered of it has no ground on that day; empty where all of it has one."""
    found = {}
    for site in sites:
        try:
            of(histories, homes, [site], period, delivery.region, day)
        except Refused as error:
            found[site] = error.message
    return found


def affected(
    delivery: Delivery, tables: Iterable[str], sites: Iterable[str], why: dict[str, str]
) -> Iterator[Affected]:
    """The list of figures that is printed."""
    for site in sites:
        if site in why:
            for table in tables:
                yield Affected(delivery.release, delivery.id, delivery.recipient, site, table, why[site])
