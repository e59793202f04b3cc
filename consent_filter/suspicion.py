"""What speaks against a person without being certain: bits that an advert's event is stored with.

What is certain (a robot that says so) is refused and counted. The rest is kept with its bits, so that a rule
may filter it later, and another rule may take it back: MRC asks to filter after recording, with the reason
(Invalid Traffic Detection and Filtration Guidelines Addendum, 2015). A bit is never used for anything else
again.
"""

from __future__ import annotations

from enum import IntFlag

from consent_filter.raw import Agent, Place


class Suspicion(IntFlag):
    """Bits of `ad_flags`; 0 is nothing."""

    HOSTING = 1 << 0
    NO_BROWSER = 1 << 1
    CONTRADICTION = 1 << 2
    FUTURE = 1 << 3
    AUTOMATION = 1 << 4


#: What each bit means, by its name in small letters.
BITS: dict[str, str] = {
    "hosting": "came from a network of data centres, where few people sit",
    "no_browser": "an agent that no list knows as a program, and that names no browser either",
    "contradiction": "the agent says one thing and the client hints another, or says what no browser does",
    "future": "a browser of a version that is not out yet by far",
    "automation": "the page's own browser says that it is driven by a program (navigator.webdriver)",
}
#: How a tag says `automation`: the member `step` of an advert that is asked for, served or begins to render.
DRIVEN = "webdriver"


#: What is not kept of a sender of adverts' events who has bits and no identifier: together they would tell a
#: few people apart from all others (M30, `entropy.py`).
VAGUE = ("browser", "os", "device")
#: Below this class (`ad_rate`) every network is alike on a row without an identifier.
SPIKE = 11


def of(agent: Agent, place: Place) -> int:
    """What speaks against a sender."""
    return agent.odd | (int(Suspicion.HOSTING) if place.network == "hosting" else 0)


def named(flags: int) -> tuple[str, ...]:
    """The names of the bits that are set."""
    return tuple(one.name.lower() for one in Suspicion if flags & one and one.name)
