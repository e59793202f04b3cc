"""The page on adverts: delivery and pacing, what became of views, time in view, reach and pressure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from msgspec import structs

from consent_filter.errors import Misconfigured, Refused
from dashboards import charts, headline, missing, numbers
from dashboards.advert_numbers import METRICS, AdvertNumbers, Told
from dashboards.language import say
from dashboards.numbers import Numbers
from dashboards.pages import Pages, presets
from dashboards.who import present
from warehouse import catalogue
from warehouse.advert_settings import Adverts
from warehouse.pacing import Listed, Paced, listed, pace
from warehouse.reader import Reading

#: What the catalogue lists now.
Campaigns = Callable[[], Sequence[Listed]]


class AdvertsPage:
    """`/adverts`. `campaigns`: what the catalogue lists now. `adverts`: how many impressions one person
    should have in a week at most, and how many people may have more before it is said (M74)."""

    def __init__(
        self,
        pages: Pages,
        campaigns: Campaigns = tuple,
        adverts: Adverts = Adverts(),  # noqa: B008
    ) -> None:
        self._pages, self._campaigns, self._adverts = pages, campaigns, adverts
        self._last: Sequence[Listed] = ()

    def page(self, query: Mapping[str, str]) -> str:
        """The page of a site, a period, and one campaign or all. Raises Refused."""
        with self._pages.reader.reading() as reading:
            if not numbers.sites(reading):
                return self._pages.nothing()
            seen = self._pages.view(reading, query)
            site, span = seen.site, seen.period
            ask = Numbers(reading, site, span)
            names, campaign = AdvertNumbers(ask).campaigns(), query.get("campaign", "")
            if campaign and campaign not in names:
                raise Refused(404, "no_such_campaign", "nothing is published of that campaign in these days")
            of = AdvertNumbers(ask, campaign)
            # Nothing else narrows adverts: a filter that came with the address must not look as if it did.
            seen = structs.replace(seen, where=(), more={"campaign": campaign} if campaign else {})
            spans, why = headline.fair(seen, ask.oldest())
            pacing, slip = self._pacing(reading, seen.newest, campaign)
            ends = {measure: of.ends(measure) for measure in ("seconds", "share")}
            said = {
                "site": site, "presets": presets(seen), "view": seen,
                "said": why,
                "head": headline.headed(of.daily, None, seen, spans, METRICS),
                "lacks": missing.of_list(self._pages.warehouse.min_group, span),
                "campaign": campaign, "campaigns": names,
                "at": lambda **change: seen.at("/adverts", **change),
                "csv": lambda report: seen.at(f"/csv/{report}.csv"),
                "more": lambda report: seen.at(f"/report/{report}"),
                "funnel": of.funnel(), "traffic": of.traffic(), "creatives": of.parts(),
                "places": of.places(),
                "pacing": pacing, "slip": slip, "newest": seen.newest,
                "seconds": ends["seconds"], "shares": ends["share"],
                "sizes": of.sizes(),
                "chart": _chart(ends["seconds"], say("Views by seconds in view")),
                "reach": _reach(of) if campaign else [], "bias": of.bias() if campaign else None,
                "devices": of.devices() if campaign else None,
                "pressure": of.pressure(self._adverts.ceiling, self._adverts.ceiling_share),
                "messages": of.pressure(
                    self._adverts.message_ceiling, self._adverts.ceiling_share, "messages"
                ),
            }  # fmt: skip
            return self._pages.page(
                "adverts.html", "adverts", title=say("Adverts of {site}", site=site), **said
            )

    def _pacing(self, reading: Reading, newest: date, campaign: str) -> tuple[list[Paced], str]:
        """Of all sites, for who may see all: a goal is one wherever it is met. And what is wrong with the
        catalogue, whose last good list is used then."""
        slip = ""
        if present().sites is not None:
            return [], slip
        try:
            self._last = self._campaigns()
        except Misconfigured as error:
            slip = str(error)
        rows = reading.rows(
            "SELECT ad_campaign, day, sum(net_impressions)::BIGINT AS net_impressions,"
            " sum(net_clicks)::BIGINT AS net_clicks FROM delivery GROUP BY ALL"
        ) if "delivery" in reading.tables else []  # fmt: skip
        found = pace(self._last, rows, newest)
        return [one for one in found if not campaign or one.listed.campaign == campaign], slip


def catalogued(file: Path) -> list[Listed]:
    """What the catalogue in that file lists. Raises Misconfigured."""
    return listed(catalogue.read(file).tables()["catalogue_campaigns"])


def _reach(of: AdvertNumbers) -> list[dict[str, Any]]:
    """The newest week and the flight: the people who are known, and the word of the others' devices."""
    found = []
    for period, says in (("week", say("Week from")), ("flight", say("Whole flight, from"))):
        known, told = of.reach(period, "known"), of.reach(period, "told")
        found.append(
            {
                "says": says, "begins": of.begun(period), "known": known, "told": told,
                "gross": of.gross(period),
                "chart": _chart(known, say("People by impressions"), "people"),
                "first": next((row["impressions"] for row in told.rows if row["band"] == "1"), None),
            }
        )  # fmt: skip
    return found


def _chart(told: Told, title: str, number: str = "impressions") -> Any:
    rows = [row for row in told.rows if row["band"] != "(other)"]
    return charts.columns([row["band"] for row in rows], [row[number] for row in rows], title) if rows else ""
