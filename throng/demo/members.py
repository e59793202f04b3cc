"""Members of the demo marketplace who deal with each other: tasks, bids, hires, payments, ratings, messages.

Made up like the crowd. The site's server says each event, and to whom it was done by the id of their account;
where they are is known to it. Some of them have agreed to be measured, some have refused, most have not been
asked: where the law needs no asking they are counted.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from throng.demo.market import PROJECTS, SKILLS
from throng.demo.site import SITE

#: (country, the first two bytes of an address there, share of buyers, share of sellers)
_FROM = (
    ("US", "73.40", 46, 22), ("DE", "91.64", 22, 14), ("PH", "112.198", 2, 28), ("NG", "105.112", 2, 14),
    ("AU", "139.130", 8, 4), ("FR", "90.10", 10, 8), ("GB", "81.130", 10, 10),
)  # fmt: skip
#: How many tasks there are in each skill, the most wanted first.
_WANTED = [1 / (place + 1.2) for place in range(len(SKILLS))]
#: Where the law lets the site count members until they object.
_UNASKED = ("US", "PH", "NG", "AU")
_HOUR = 3_600_000


class Member(Struct, frozen=True):
    """`choice`: what they have said of being measured; None where they were never asked."""

    id: str
    country: str
    address: str
    choice: bool | None
    skills: tuple[str, ...]


class Members:
    """Buyers and sellers, some of whom are busier than others."""

    def __init__(self, dice: random.Random, buyers: int = 260, sellers: int = 220) -> None:
        self._dice, self._asked = dice, set[str]()
        self.buyers = [self._member("b", number, [row[2] for row in _FROM]) for number in range(buyers)]
        self.sellers = [self._member("s", number, [row[3] for row in _FROM]) for number in range(sellers)]

    def _member(self, kind: str, number: int, shares: list[int]) -> Member:
        dice = self._dice
        place = dice.choices(_FROM, shares)[0]
        said = dice.random()
        choice = None if place[0] in _UNASKED else True if said < 0.6 else False if said < 0.8 else None
        address = f"{place[1]}.{dice.randrange(256)}.{dice.randrange(1, 255)}"
        skills = tuple(dict.fromkeys(dice.choices(SKILLS, _WANTED, k=3)))
        return Member(f"{kind}-{number}-{dice.getrandbits(40):x}", place[0], address, choice, skills)

    def choice(self, who: Member) -> dict[str, Any] | None:
        """What somebody who is asked says, as `PUT /consent` takes it; None where they were before, or are
        not."""
        if who.choice is None or who.id in self._asked:
            return None
        self._asked.add(who.id)
        return {
            "site": SITE,
            "user_id": who.id,
            "consent": {"measurement": who.choice},
            "surface": "account",
        }

    def story(self, posted: int, until: int) -> Iterator[tuple[Member, dict[str, Any]]]:
        """What becomes of one task, and who does each of it, up to a moment (UTC milliseconds)."""
        dice = self._dice
        buyer = dice.choice(self.buyers)
        skill = dice.choices(SKILLS, _WANTED)[0]
        number = dice.choice([project.number for project in PROJECTS if project.skill == skill])
        able = [one for one in self.sellers if skill in one.skills] or self.sellers
        bidders = dice.sample(able, min(len(able), int(dice.expovariate(1 / 5))))

        def said(
            at: float, name: str, who: Member, to: Member | None = None, value: float | None = None
        ) -> Any:
            one: dict[str, Any] = {
                "site": SITE, "type": "event", "name": name, "url": f"/project/{number}",
                "id": f"{dice.getrandbits(96):x}", "time": int(at), "user_id": who.id,
                "props": {"category": skill},
            }  # fmt: skip
            if to is not None:
                one["counterpart"] = {"user_id": to.id, "country": to.country}
            if value is not None:
                one["value"] = value
            return who, one

        yield said(posted, "task_posted", buyer)
        at = posted + dice.lognormvariate(0.6, 1.4) * _HOUR
        for place, seller in enumerate(bidders):
            if at > until:
                return
            if place == 0:
                yield said(at, "first_bid", buyer, seller, (at - posted) / _HOUR)
            yield said(at, "bid_placed", seller, buyer)
            if dice.random() < 0.4:
                wait = dice.expovariate(1 / 3)
                yield said(min(at + wait * _HOUR, until), "message_sent", buyer, seller, wait)
            at += dice.expovariate(1 / 2) * _HOUR
        if not bidders or dice.random() < 0.35 or at > until:
            return
        hired = dice.choice(bidders)
        yield said(at, "bid_accepted", buyer, hired, len(bidders))
        if dice.random() < 0.7:
            yield said(at, "transaction_completed", buyer, hired, dice.lognormvariate(5.5, 1))
            stars = dice.choices([5, 4, 3, 2, 1], [60, 24, 8, 4, 4])
            yield said(at, "feedback_left", buyer, hired, stars[0])
