"""The lists of pages: which report each reads, how they share cards, and what a click on a row filters by."""

from __future__ import annotations

from msgspec import Struct


class Rate(Struct, frozen=True):
    """A number that a row has for each of another: `times` the sum of `of` by the sum of `per`."""

    title: str
    of: str
    per: str
    unit: str
    times: float = 1

    @property
    def name(self) -> str:
        """What it is called in an address."""
        return self.title.replace(" ", "_")


class Panel(Struct, frozen=True):
    """A list: what it is called, which report and rows it reads, its keys and its numbers.

    The first of the numbers orders it. People may be added up over days (a page says so), never over keys
    that a list leaves out: somebody with two browsers would count twice.

    dims: key → the dimension of questions (`warehouse/askable.py`) that is the same; a click on a row filters
    by it, and under a filter the list is asked by them. asked: number → the measure that is the same.
    unless: rows of a question that the report does not have, by key. unasked: why there is no such question.
    rates: numbers beside, where there is room.
    """

    title: str
    report: str
    keys: tuple[str, ...]
    sums: tuple[str, ...] = ("people", "views")
    note: str = ""
    where: str = "true"
    dims: dict[str, str] = {}
    asked: dict[str, str] = {}
    unless: dict[str, tuple[str, ...]] = {}
    unasked: str = ""
    rates: tuple[Rate, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in an address."""
        return self.title.lower().replace(" ", "-")


_VISITS = {"people": "people", "views": "visit_views", "visits": "visits"}
_VIEWS = {"people": "people", "views": "views", "events": "events"}
_DEPTH = (Rate("views a visit", "views", "visits", "x"),)
_READ = (Rate("read", "duration_ms", "views", "s", 0.001), Rate("scroll", "scrolled", "scrolls", "%"))
_KNOWN = "who is new is known from many days at once, and questions are of single days"
SOURCES = Panel(
    "Sources", "sources", ("referrer_group", "referrer_host"), asked=_VISITS,
    dims={"referrer_group": "referrer_group", "referrer_host": "referrer_host"}, rates=_DEPTH,
)  # fmt: skip
CAMPAIGNS = Panel(
    "Campaigns", "campaigns", ("utm_campaign", "utm_source", "utm_medium"), asked=_VISITS,
    dims={"utm_campaign": "utm_campaign", "utm_source": "utm_source", "utm_medium": "utm_medium"},
)  # fmt: skip
PAGES = Panel("Pages", "pages", ("path",), asked=_VIEWS, dims={"path": "path"}, rates=_READ)
ENTRY = Panel(
    "Entry pages", "entry_pages", ("path",), ("people", "visits"), "where visits begin",
    asked=_VISITS, dims={"path": "entry"}, rates=(Rate("bounce", "bounces", "visits", "%", 100),),
)  # fmt: skip
EXIT = Panel(
    "Exit pages", "exit_pages", ("path",), ("people", "visits"), "where visits end",
    asked=_VISITS, dims={"path": "leave"},
)  # fmt: skip
COUNTRIES = Panel(
    "Countries", "countries", ("country",),
    note="approximate: by the address, which is forgotten at once",
    asked=_VIEWS, dims={"country": "country"},
)  # fmt: skip
DEVICES = Panel("Devices", "devices", ("device",), asked=_VIEWS, dims={"device": "device"})
BROWSERS = Panel(
    "Browsers", "browsers", ("browser", "os"), asked=_VIEWS, dims={"browser": "browser", "os": "os"}
)
SYSTEMS = Panel("Systems", "browsers", ("os",), ("views",), asked=_VIEWS, dims={"os": "os"})
#: What pages report by themselves: nobody did it, and each has a page of its own.
_SELF = ("engagement", "vital", "error")
EVENTS = Panel(
    "Events", "custom_events", ("name", "type"), ("people", "events"),
    "time, speed and errors, which pages report by themselves, have lists of their own",
    where=f"type NOT IN {_SELF}",
    asked=_VIEWS, dims={"name": "name", "type": "type"}, unless={"type": ("page_view", *_SELF)},
)  # fmt: skip
RETURNING = Panel(
    "New and returning", "new_returning", ("kind",), unasked=_KNOWN,
    note="known only of those who allowed an identifier",
)  # fmt: skip
#: Beside the balance.
CONSENT = Panel(
    "Kept on which basis", "consent_mix", ("basis", "signal"), ("events",),
    unasked="the balance is of all that was received, and can't be told apart by more than is in it",
)  # fmt: skip
ROBOTS = Panel(
    "Robots", "refused", ("detail",), ("n",), "as the list or the header said", "reason = 'robot'",
    unasked=CONSENT.unasked,
)  # fmt: skip
_ORDERS = "orders are counted for advert measurement, under another pseudonym"
GOALS = Panel(
    "Goals", "conversions", ("ad_goal",), ("conversions", "value", "refunds"), unasked=_ORDERS,
    note="orders and what they were worth, of those who allowed advert measurement",
    rates=(Rate("worth each", "value", "conversions", ""),),
)  # fmt: skip
ORDERED = Panel(
    "By campaign", "conversions", ("ad_campaign",), ("conversions", "value"), unasked=_ORDERS,
    note="the campaign that the order itself names",
)  # fmt: skip
_TWO = "a deal is of two people, and questions are of one"
TASKS = Panel("Tasks posted", "tasks", ("category",), ("tasks", "people"), unasked=_TWO)
DEALS = Panel(
    "Deals", "marketplace", ("deal", "category"), ("deals", "people", "others"), unasked=_TWO,
    note="visitors are whose deal it is, others are on its other side",
)  # fmt: skip
REFUSED = Panel(
    "Refused", "refused", ("reason", "detail"), ("n",), unasked=CONSENT.unasked,
    note="requests, not people",
)  # fmt: skip
COUNTRY_CONSENT = Panel(
    "By country", "consent_mix", ("country", "basis"), ("events",), unasked=CONSENT.unasked
)  # fmt: skip
INVALID = Panel(
    "Invalid traffic", "invalid_traffic", ("ground", "reason"), ("events", "identified"),
    unasked=_ORDERS, note="events of adverts, by the first rule that holds them for no valid traffic",
)  # fmt: skip

#: Cards of the overview in their order; the panels of a card are its tabs.
CARDS = (
    (SOURCES, CAMPAIGNS), (PAGES, ENTRY, EXIT), (COUNTRIES,), (DEVICES, BROWSERS, SYSTEMS),
    (EVENTS, RETURNING),
)  # fmt: skip
_MORE = (GOALS, ORDERED, TASKS, DEALS, REFUSED, CONSENT, COUNTRY_CONSENT, ROBOTS, INVALID)
BY_NAME = {one.name: one for one in (*(one for card in CARDS for one in card), *_MORE)}
