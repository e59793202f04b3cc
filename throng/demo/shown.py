"""What becomes of the adverts on a page of the demo before one of its made-up people, as the tag tells it."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from throng.demo.market import ADVERTS, Advert


class Told(NamedTuple):
    """One event of an advert, `after` milliseconds after the page was opened."""

    after: int
    type: str
    ad: dict[str, Any]
    duration: int | None = None


def told(dice: random.Random, path: str, stay: int, counted: dict[str, int] | None) -> list[Told]:
    """The events of a page view of `stay` milliseconds. `counted`: how often which campaign was shown to
    them, which their browser keeps if they allow it; it counts on."""
    events: list[Told] = []
    for advert in ADVERTS:
        if advert.slot == "foot" or (path.partition("?")[0] == "/") == (advert.slot == "top"):
            events += _view(dice, advert, stay, counted)
    return sorted(events, key=lambda one: one.after)


def _view(dice: random.Random, advert: Advert, stay: int, counted: dict[str, int] | None) -> list[Told]:
    ad: dict[str, Any] = {
        "id": f"{dice.getrandbits(128):x}", "slot": advert.slot, "placement": advert.slot,
        "campaign": advert.campaign, "creative": advert.creative,
    }  # fmt: skip
    begun = 80 + dice.randrange(400)
    events = [Told(40, "ad_request", ad), Told(40, "ad_served", ad)]
    if begun > stay or dice.random() < 0.02:
        return events
    ad = ad | ({"width": 728, "height": 90} if advert.wide else {"width": 300, "height": 250})
    if counted is not None:
        times = counted[advert.campaign] = counted.get(advert.campaign, 0) + 1
        ad["frequency"] = "7+" if times > 6 else "4-6" if times > 3 else str(times)
    events.append(Told(begun, "ad_impression", ad))
    measured = dice.random() < 0.96
    looks = measured and dice.random() < (0.45 if advert.slot == "foot" else 0.72)
    seen = min(int(dice.lognormvariate(8.3, 0.8)), stay - begun) if looks else 0
    most = 100 if seen > 1000 else dice.choice((0, 0, 10, 35, 60, 100))
    step = None
    if seen >= 1200:
        events.append(Told(begun + 1120, "ad_viewable", ad | {"share": 100}))
        if dice.random() < 0.02:
            step = "click"
            events.append(Told(begun + dice.randrange(1200, seen + 1), "ad_click", ad))
        elif dice.random() < 0.08:
            step = "hover"
    over = ad | ({"share": most} if measured else {}) | ({"step": step} if step else {})
    events.append(Told(stay, "ad_engagement", over, seen))
    return events
