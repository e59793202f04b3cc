"""The lists of the overview: which report each reads, and how they share the cards."""

from __future__ import annotations

from msgspec import Struct


class Panel(Struct, frozen=True):
    """A list: what it is called, which report and rows it reads, its keys and its numbers.

    The first of the numbers orders it. People may be added up over days (a page says so), never over keys
    that a list leaves out: somebody with two browsers would count twice.
    """

    title: str
    report: str
    keys: tuple[str, ...]
    sums: tuple[str, ...] = ("people", "views")
    note: str = ""
    where: str = "true"


#: Cards in the order of the page; the panels of a card are its tabs.
CARDS = (
    (
        Panel("Sources", "sources", ("referrer_group", "referrer_host")),
        Panel("Campaigns", "campaigns", ("utm_campaign", "utm_source", "utm_medium")),
    ),
    (
        Panel("Pages", "pages", ("path",)),
        Panel("Entry pages", "entry_pages", ("path",), ("people", "visits"), "where visits begin"),
        Panel("Exit pages", "exit_pages", ("path",), ("people", "visits"), "where visits end"),
    ),
    (
        Panel(
            "Countries",
            "countries",
            ("country",),
            note="approximate: by the address, which is forgotten at once",
        ),
    ),
    (
        Panel("Devices", "devices", ("device",)),
        Panel("Browsers", "browsers", ("browser", "os")),
        Panel("Systems", "browsers", ("os",), ("views",)),
    ),
    (
        Panel("Events", "custom_events", ("name", "type"), ("people", "events")),
        Panel(
            "New and returning",
            "new_returning",
            ("kind",),
            note="known only of those who allowed an identifier",
        ),
    ),
)
#: Beside the balance.
CONSENT = Panel("Kept on which basis", "consent_mix", ("basis", "signal"), ("events",))
ROBOTS = Panel("Robots", "refused", ("detail",), ("n",), "as the list or the header said", "reason = 'robot'")
