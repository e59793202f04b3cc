"""Pages of their own, each about one thing that is asked of a crowd: which lists they have, and what else."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from dashboards import charts, panels, words, world
from dashboards.language import gettext, say
from dashboards.numbers import Numbers
from dashboards.panels import Panel
from dashboards.period import Period
from dashboards.view import View
from warehouse.report import OTHER

#: Rows of a list that has a page to itself.
MOST = 25


class Topic(Struct, frozen=True):
    """cards: panels, as tabs of one card each. head: whether the page begins with the curve. template: where
    it has more than lists."""

    path: str
    title: str
    lead: str
    cards: tuple[tuple[Panel, ...], ...]
    head: bool = True
    template: str = "topic.html"


TOPICS = (
    Topic(
        "/sources", "Sources and campaigns",
        "Where visits come from, and by which tagged link: each has the source of its first page.",
        ((panels.SOURCES,), (panels.CAMPAIGNS,)),
    ),
    Topic(
        "/pages", "Pages",
        "What is read, for how long it is in view and how far down; where visits begin, and where they end.",
        ((panels.PAGES,), (panels.ENTRY,), (panels.EXIT,)),
    ),
    Topic(
        "/audience", "Audience",
        "Where people are, and by what they read. Languages and networks are not kept, so there are none.",
        ((panels.COUNTRIES,), (panels.DEVICES, panels.BROWSERS, panels.SYSTEMS), (panels.RETURNING,)),
        template="audience.html",
    ),
    Topic(
        "/events", "Events and goals",
        "What people did besides reading, and what it was worth.",
        ((panels.EVENTS,), (panels.GOALS, panels.ORDERED)),
    ),
    Topic(
        "/deals", "Marketplace",
        "Tasks, bids, hires and what follows, and how long it takes. A row is about a group on both sides.",
        ((panels.TASKS,), (panels.DEALS,)), head=False, template="market.html",
    ),
    Topic(
        "/consent", "Consent, robots and what was refused",
        "Everything that was received, and what became of it. Requests are counted here, and not people.",
        ((panels.CONSENT, panels.COUNTRY_CONSENT), (panels.REFUSED,), (panels.ROBOTS,), (panels.INVALID,)),
        head=False, template="consent.html",
    ),
)  # fmt: skip
BY_PATH = {one.path: one for one in TOPICS}
#: What is measured of a marketplace, in the order of a deal.
MEASURES = ("hours to the first bid", "bids a hire had", "hours to an answer", "stars", "amount")


def more(topic: Topic, ask: Numbers, view: View, spans: tuple[Period, Period] | None) -> dict[str, Any]:
    """What a topic shows besides its lists."""
    if topic.path == "/audience":
        return {"map": world.drawn(_by_country(ask))}
    if topic.path == "/deals":
        return {"measures": [one for one in (_bands(ask, name) for name in MEASURES) if one]}
    if topic.path == "/consent":
        days = ask.ask("balance", "day, received, stored, refused", group="ORDER BY day")
        labels = [words.day(row["day"], "day") for row in days]
        shares = [100 * row["refused"] / row["received"] if row["received"] else None for row in days]
        chart = charts.curve(labels, shares, [None] * len(shares), say("Share refused"), "%")
        return {"balance": ask.balance(), "everyone": ask.everyone(), "stack": charts.stack, "chart": chart,
                "days": days}  # fmt: skip
    return {}


def _by_country(ask: Numbers) -> dict[str, int]:
    rows = ask.ask("countries", "country, sum(people)::BIGINT AS n", group="GROUP BY country")
    return {row["country"]: row["n"] for row in rows}


def _bands(ask: Numbers, measure: str) -> dict[str, Any] | None:
    """How often a number of deals was in which band, from the least; None where nothing is told."""
    rows = ask.ask(
        "liquidity", "measure, band, sum(deals)::BIGINT AS deals, sum(people)::BIGINT AS people",
        group="GROUP BY measure, band",
    )  # fmt: skip
    found = [row for row in rows if row["measure"] == measure and row["band"] != OTHER]
    if not found:
        return None
    found.sort(key=lambda row: float(row["band"].removeprefix("from ") or 0))
    chart = charts.columns(
        [words.band(row["band"]) for row in found], [row["deals"] for row in found], gettext(measure)
    )
    return {"title": measure, "rows": found, "chart": chart}
