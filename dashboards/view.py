"""What somebody looks at, as it stands in the address: site, days, grain, comparison, filters.

Every page of numbers reads the same view, and its links keep it, so an address is all there is to keep or to
share (docs/dashboards.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote_plus
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from consent_filter.errors import Refused
from dashboards import period
from dashboards.period import Period
from warehouse.askable import DIMENSIONS
from warehouse.report import OTHER

#: Filters at once: a question names three dimensions, and one of them is what a list shows.
MOST_FILTERS = 2
_LONGEST = 300
#: Pages that a list stands on, and that its rows lead to.
PLACES = ("/", "/sources", "/pages", "/audience", "/events", "/deals", "/consent")
#: What is of everybody, and refuses an address with a filter, so that nobody takes all for some.
OF_EVERYBODY = ("/report/", "/csv/", "/files/")
#: Parts of an address, in its order. What else a page takes (`campaign`, `steps`) is its own.
PARTS = ("site", "period", "first", "last", "grain", "compare", "show", "where", "imported", "live")

_ORDER = {name: at for at, name in enumerate(PARTS)}
_quoted = lru_cache(4096)(quote_plus)


class Filter(NamedTuple):
    """Only rows of that value of a dimension (`warehouse/askable.py`); in an address `country:DE`."""

    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}:{self.value}"


class View(Struct, frozen=True, kw_only=True):
    """site: one that whoever asks may see; sites: all of those, with their `oldest` and `newest` day.
    against: the days that the period is compared with. whole: the last day that is over on the site's clock,
    as only whole days are compared. zone: that clock. more: parts of the address that are the page's own."""

    site: str
    sites: list[dict[str, Any]]
    oldest: date
    newest: date
    period: Period
    grain: str
    compare: str
    against: Period | None
    show: str = "people"
    where: tuple[Filter, ...] = ()
    imported: bool = True
    live: bool = False
    zone: str = "UTC"
    whole: date = date.max
    more: dict[str, str] = {}

    def query(self, **change: str | None) -> list[tuple[str, str]]:
        """The parts of its address, in their order; those that are as they are without being said are not
        in it. change: parts that become another, or (None) go. A new period ends the dates, and a site's
        filters are of it alone."""
        parts: dict[str, str | None] = {
            "site": self.site,
            **self.period.query,
            "grain": self.grain if self.grain != period.grain_of({}, self.period) else None,
            "compare": self.compare if self.compare != "before" else None,
            "show": self.show if self.show != "people" else None,
            "imported": None if self.imported else "no",
            "live": "" if self.live else None,
            **self.more,
            **change,
        }
        if "period" in change:
            parts |= {"first": None, "last": None}
        if "first" in change:
            parts["period"] = None
        said = [(name, value) for name, value in parts.items() if value is not None and name != "where"]
        gone = "where" in change or change.get("site", self.site) != self.site
        where = [] if gone else [str(one) for one in self.where]
        said += [("where", one) for one in where]
        return sorted(said, key=lambda one: _ORDER.get(one[0], len(PARTS)))

    def at(self, path: str, **change: str | None) -> str:
        """The address of a page with this view; a report, and its files, are of everybody."""
        if path.startswith(OF_EVERYBODY):
            change = {**change, "where": None}
        # As `urlencode`; a page has 150 links of the same few words.
        said = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in self.query(**change))
        return f"{path}?{said}"

    def with_filter(self, key: str, value: str) -> View | None:
        """The same, narrowed to a value too; None where nothing can be narrowed to it."""
        if key not in DIMENSIONS or value == OTHER or len(value) > _LONGEST:
            return None
        kept = tuple(one for one in self.where if one.key != key)
        if len(kept) >= MOST_FILTERS or Filter(key, value) in self.where:
            return None
        return structs.replace(self, where=(*kept, Filter(key, value)))

    def without(self, one: Filter) -> View:
        """The same without that filter."""
        return structs.replace(self, where=tuple(other for other in self.where if other != one))


def read(
    query: Mapping[str, str], sites: list[dict[str, Any]], zones: Mapping[str, str] | None = None
) -> View:
    """The view of an address. sites: those that whoever asks may see, at least one. zones: the sites' time
    zones, by name. Raises Refused."""
    wanted = query.get("site")
    site = sites[0] if wanted is None else next((one for one in sites if one["site"] == wanted), None)
    if site is None:
        raise Refused(404, "no_such_site", "nothing is published of that site")
    span = period.read(query, site["oldest"], site["newest"])
    grain = period.grain_of(query, span)
    zone = (zones or {}).get(site["site"], "UTC")
    return View(
        site=site["site"], sites=sites, oldest=site["oldest"], newest=site["newest"], period=span,
        grain=grain,
        compare=query.get("compare", "before"), against=period.compared(query, span, grain),
        show=query.get("show", "people"), where=_filters(query), imported=query.get("imported") != "no",
        live="live" in query, zone=zone, whole=datetime.now(ZoneInfo(zone)).date() - timedelta(days=1),
    )  # fmt: skip


def of_everybody(query: Mapping[str, str]) -> None:
    """Refuses an address of everybody that has a filter. Raises Refused."""
    if "where" in query:
        raise Refused(400, "where", "reports and files are of everybody: take the filter away first")


def _filters(query: Mapping[str, str]) -> tuple[Filter, ...]:
    """`where=country:DE`, as often as there are filters. Raises Refused."""
    found: dict[str, Filter] = {}
    several = (
        query.getlist("where") if hasattr(query, "getlist") else [query["where"]] if "where" in query else []
    )
    for text in several:
        key, mark, value = text.partition(":")
        if key not in DIMENSIONS or not mark or len(value) > _LONGEST:
            raise Refused(
                400, "where", "where is dimension:value, of {dimensions}", dimensions=", ".join(DIMENSIONS)
            )
        found[key] = Filter(key, value)
    if len(found) > MOST_FILTERS:
        raise Refused(400, "where", "at most {most_filters} filters at once", most_filters=MOST_FILTERS)
    return tuple(found.values())
