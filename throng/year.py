"""A year of a marketplace that nobody lived: what a rehearsal runs where no requests are given.

Made by a program from a seed: the same seed, the same year. Nothing of it is anybody's.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

#: The year begins then; a leap second or day is of no matter.
BEGINS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
_DAY = 86_400_000
SITE = "market"
_COUNTRIES = ("DE", "DE", "DE", "FR", "GB", "US", "US", "US", "CA", "NG", "PH", "IN", "ZZ")
_PAGES = ("/", "/projects", "/project/{n}", "/freelancers", "/post")
_CAME = (None, None, "https://www.google.com/", "https://www.bing.com/", "https://blog.example.org/tools")
#: What people do when they are asked; None never answer.
_ANSWERS: tuple[dict[str, bool] | None, ...] = (
    None,
    None,
    None,
    {"measurement": True},
    {"measurement": True, "research": True, "personalisation": True},
    {"measurement": True, "ad_measurement": True, "ad_personalisation": True, "remarketing": True},
    {"measurement": False, "ad_measurement": False, "remarketing": False},
    {"remarketing": False, "marketing_email": False},
    {"marketing_email": True, "marketing_sms": False},
)


class _Person:
    """Where somebody is, what their browser says, and what they answered."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.country = chance.choice(_COUNTRIES)
        self.device = f"device-{number}"
        self.user = f"user-{number}" if chance.random() < 0.3 else None
        self.answer = chance.choice(_ANSWERS)
        self.changes_mind = chance.random() < 0.1
        self.headers = {"Sec-GPC": "1"} if chance.random() < 0.12 else {}
        if chance.random() < 0.15:
            self.headers["DNT"] = "1"
        self.platform: dict[str, Any] = {}
        if chance.random() < 0.2:
            self.platform = chance.choice([{"gcs": "G111"}, {"gcs": "G100"}, {"usp": "1YYN"}])
        self.address = f"192.0.2.{number % 250}"

    def who(self) -> dict[str, str]:
        return {"device_id": self.device} | ({"user_id": self.user} if self.user else {})


def stream(seed: int, people: int, visits: int = 12) -> list[dict[str, Any]]:
    """Requests as `throng explain` takes them, and choices (`choice`), in the order of their time."""
    chance = random.Random(seed)
    steps = [step for n in range(people) for step in _life(_Person(n, chance), chance, visits)]
    return sorted(steps, key=lambda step: int(step["time"]))


def _life(person: _Person, chance: random.Random, visits: int) -> Iterator[dict[str, Any]]:
    moments = sorted(BEGINS + chance.randrange(365 * _DAY) for _ in range(chance.randint(1, 2 * visits)))
    for number, time in enumerate(moments):
        if number == 1 and person.answer is not None:
            yield {"time": time - 1000, "site": SITE, **person.who(), "choice": person.answer}
        if number == len(moments) - 1 and number > 2 and person.changes_mind:
            yield {"time": time - 500, "site": SITE, **person.who(), "choice": {"measurement": False}}
        yield from _visit(person, chance, time)


def _visit(person: _Person, chance: random.Random, time: int) -> Iterator[dict[str, Any]]:
    page = chance.choice(_PAGES).format(n=chance.randrange(40))
    url = f"https://market.example{page}"
    base: dict[str, Any] = {
        "site": SITE, "country": person.country, "address": person.address, "headers": person.headers,
        "url": url, **person.who(),
    }  # fmt: skip
    if person.platform:
        base["consent"] = person.platform
    came = chance.choice(_CAME)
    tags = "?utm_source=letter&utm_medium=email&utm_campaign=autumn" if chance.random() < 0.1 else ""
    view = base | {"type": "page_view", "time": time, "url": url + tags}
    yield view | ({"referrer": came} if came else {})
    if chance.random() < 0.4:
        yield base | {
            "type": "ad_impression",
            "time": time + 2000,
            "ad": {"slot": "top", "campaign": "autumn"},
        }
    if chance.random() < 0.3:
        yield base | {"type": "event", "time": time + 9000, "name": "bid_placed", "props": {"plan": "pro"}}
    if chance.random() < 0.5:
        seen = {"duration": chance.randrange(60_000), "scroll": chance.randrange(101)}
        yield base | {"type": "engagement", "time": time + 60_000} | seen
