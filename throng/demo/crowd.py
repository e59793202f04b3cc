"""A generated crowd that browses the demo marketplace: it drives the real collector over HTTP, as beacons do.

Everything here is made up by a program and is labelled so on every page. A person has a country, a browser, a
choice and a habit; a visit is sent as one batch with the times at which things would have happened.
"""

from __future__ import annotations

import http.client
import json
import math
import random
import time
import uuid
from collections.abc import Iterator
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from throng.demo.market import FREELANCERS, PROJECTS, SKILLS
from throng.demo.members import Member, Members
from throng.demo.shown import told
from throng.demo.site import SITE

#: (country's first two bytes of an address, share). Addresses are made up inside networks of that country.
_PLACES = (
    ("91.64", 30), ("84.128", 16), ("90.10", 9), ("81.130", 9), ("73.40", 12), ("117.200", 8), ("83.10", 5),
    ("84.30", 4), ("88.10", 4), ("177.40", 3),
)  # fmt: skip
_MOZILLA, _KHTML = "Mozilla/5.0", "AppleWebKit/537.36 (KHTML, like Gecko)"
_WINDOWS, _WEBKIT = "(Windows NT 10.0; Win64; x64)", "AppleWebKit/605.1.15 (KHTML, like Gecko)"
#: (agent, share)
_AGENTS = (
    (f"{_MOZILLA} {_WINDOWS} {_KHTML} Chrome/141.0.0.0 Safari/537.36", 30),
    (
        f"{_MOZILLA} (iPhone; CPU iPhone OS 18_6 like Mac OS X) {_WEBKIT} "
        "Version/18.6 Mobile/15E148 Safari/604.1",
        22,
    ),
    (f"{_MOZILLA} (Linux; Android 10; K) {_KHTML} Chrome/141.0.0.0 Mobile Safari/537.36", 20),
    (f"{_MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Version/18.6 Safari/605.1.15", 10),
    (f"{_MOZILLA} (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0", 10),
    (f"{_MOZILLA} {_WINDOWS} {_KHTML} Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0", 8),
)
_ROBOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "python-requests/2.32.3",
)
#: (referrer, query of the address landed on, share)
_CAME = (
    ("https://www.google.com/", "", 34),
    ("", "", 28),
    ("https://www.bing.com/", "", 6),
    ("https://www.reddit.com/r/freelance", "", 7),
    ("https://mail.google.com/", "utm_source=newsletter&utm_medium=email&utm_campaign=november", 9),
    ("https://www.linkedin.com/feed/", "utm_source=linkedin&utm_medium=social&utm_campaign=hiring", 9),
    ("https://blog.example.org/tools", "", 7),
)
_HOUR = 3_600_000
#: Share of a day's visits by hour, local time: asleep at four, busy at eleven and again in the evening.
_CURVE = [
    max(0.06, math.exp(-(((h - 11) / 3.5) ** 2)) + 0.8 * math.exp(-(((h - 20) / 2.6) ** 2)))
    for h in range(24)
]
#: Hours that the first burst reaches back: within what a client may send late.
_BACK = 40
_JSON = {"Content-Type": "application/json"}
_AGREED = {"measurement": True, "research": True, "ad_measurement": True}
_SOME = {"measurement": True, "ad_measurement": False}
_REFUSED = {"measurement": False, "research": False, "ad_measurement": False}


class Person(Struct):
    """One member of the crowd."""

    address: str
    agent: str
    choice: dict[str, bool] | None
    device: str | None
    headers: dict[str, str]
    #: How often their browser was shown which campaign.
    counted: dict[str, int] = {}


def person(dice: random.Random) -> Person:
    """Somebody who was not here before: about half agree, a quarter refuse, the rest say nothing."""
    (place,) = dice.choices([p for p, _ in _PLACES], [w for _, w in _PLACES])
    address = f"{place}.{dice.randrange(256)}.{dice.randrange(1, 255)}"
    (agent,) = dice.choices([a for a, _ in _AGENTS], [w for _, w in _AGENTS])
    said = dice.random()
    choice = _AGREED if said < 0.44 else _SOME if said < 0.54 else _REFUSED if said < 0.78 else None
    device = uuid.UUID(int=dice.getrandbits(128)).hex if choice in (_AGREED, _SOME) else None
    headers = {"Sec-GPC": "1"} if "Firefox" in agent and dice.random() < 0.3 else {}
    if dice.random() < 0.03:
        headers["DNT"] = "1"
    return Person(address, agent, choice, device, headers)


def visit(dice: random.Random, who: Person, ends: int, origin: str) -> list[dict[str, Any]]:
    """What one visit sends, the last event at `ends` (UTC milliseconds)."""
    events: list[dict[str, Any]] = []
    at = 0

    def send(kind: str, path: str, **more: Any) -> None:
        one = {
            "site": SITE,
            "type": kind,
            "url": origin + path,
            "id": f"{dice.getrandbits(96):x}",
            "time": at,
            **more,
        }
        if who.choice:
            one["consent"] = who.choice
        if who.device:
            one["device_id"] = who.device
        events.append(one)

    def look(path: str, referrer: str | None = None) -> None:
        nonlocal at
        send("page_view", path, **({"referrer": referrer} if referrer else {}))
        stay, opened = min(int(dice.lognormvariate(9.6, 0.9)), 600_000), at
        allowed = who.choice is not None and who.choice.get("ad_measurement")
        for one in told(dice, path, stay, who.counted if allowed else None):
            at = opened + one.after
            send(one.type, path, ad=one.ad, **({} if one.duration is None else {"duration": one.duration}))
        at = opened + stay
        send("engagement", path, duration=stay, scroll=dice.randrange(20, 101))

    referrer, tags, _ = dice.choices(_CAME, [w for *_, w in _CAME])[0]
    path = dice.choices(["/", "/projects", f"/project/{_favourite(dice).number}"], [5, 2, 4])[0]
    look(path + (f"?{tags}" if tags else ""), referrer)
    while dice.random() < 0.66:
        path = next(_next(dice))
        look(path)
        if path.startswith("/project/") and dice.random() < 0.14:
            send("event", path, name="bid_placed", props={"category": dice.choice(SKILLS)})
        elif path.startswith("/project/") and dice.random() < 0.04:
            send("event", path, name="hired", props={"skill": dice.choice(SKILLS)})
        elif path == "/done/sign-up":
            send("event", path, name="sign_up")
            send("ad_conversion", path, ad={"goal": "signup", "order": f"{dice.getrandbits(64):x}"})
        elif path == "/done/post-a-project":
            send("event", path, name="post_project")
            order = {"goal": "project", "order": f"{dice.getrandbits(64):x}"}
            send("ad_conversion", path, ad=order, value=dice.choice((40, 120, 300)))
    shift = ends - at
    for one in events:
        one["time"] += shift
    return events


def _favourite(dice: random.Random) -> Any:
    return PROJECTS[min(int(dice.paretovariate(0.9)) - 1, len(PROJECTS) - 1)]


def _next(dice: random.Random) -> Iterator[str]:
    yield dice.choices(
        [
            f"/project/{_favourite(dice).number}",
            f"/u/{dice.choice(FREELANCERS).name}",
            "/projects",
            "/",
            f"/projects?skill={dice.choice(SKILLS)}",
            "/done/sign-up",
            "/done/post-a-project",
            "/messages",
            "/privacy",
        ],
        [30, 14, 16, 8, 10, 8, 5, 6, 2],
    )[0]


class Sender:
    """One connection to the collector, opened again when it breaks."""

    def __init__(self, collector: str) -> None:
        self._where = urlsplit(collector)
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, headers: dict[str, str], method: str = "POST", path: str = "/e") -> bool:
        """Whether the collector has taken it (or said that it never will)."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(
                    self._where.hostname or "", self._where.port, timeout=10
                )
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            answer.read()
            return answer.status < 500
        except (OSError, http.client.HTTPException):
            self._connection = None
            return False

    def visit(self, who: Person, events: list[dict[str, Any]]) -> bool:
        head = {
            "User-Agent": who.agent,
            "X-Forwarded-For": who.address,
            "Content-Type": "text/plain",
            **who.headers,
        }
        return self.post(json.dumps(events).encode(), head)


def run(
    collector: str, *, rate: float, seed: int, stop: Event, origin: str = "http://market.example"
) -> None:
    """A first burst over the last hours, then visits for ever, `rate` events a second on average."""
    dice, sender = random.Random(seed + time.time_ns()), Sender(collector)
    known: list[Person] = []
    members = Members(dice)
    for ends in sorted(_past(dice, 700)):
        if stop.is_set():
            return
        _one(dice, sender, known, ends, origin)
    for posted in sorted(_past(dice, 150)):
        if stop.is_set():
            return
        _deal(dice, sender, members, posted)
    while not stop.is_set():
        sent = _one(dice, sender, known, time.time_ns() // 1_000_000, origin)
        if dice.random() < 0.1:
            sent += _deal(dice, sender, members, time.time_ns() // 1_000_000 - dice.randrange(20 * _HOUR))
        stop.wait(dice.expovariate(rate / max(sent, 1)) if rate > 0 else 1.0)


def _deal(dice: random.Random, sender: Sender, members: Members, posted: int) -> int:
    """One task and what has become of it by now; how many events were sent."""
    by: dict[Member, list[dict[str, Any]]] = {}
    for who, event in members.story(posted, time.time_ns() // 1_000_000):
        if who.choice is not None:
            event["consent"] = {"measurement": who.choice}
        # Whoever deals has looked at the task before.
        looked: dict[str, Any] = {
            name: event[name] for name in ("site", "url", "user_id", "consent") if name in event
        }
        looked |= {"type": "page_view", "id": f"{dice.getrandbits(96):x}", "time": event["time"] - 20_000}
        by.setdefault(who, []).extend((looked, event))
    for who, events in by.items():
        if choice := members.choice(who):
            sender.post(json.dumps(choice).encode(), _JSON, "PUT", "/consent")
        sender.visit(Person(who.address, _AGENTS[0][0], None, None, {}), events)
    return sum(map(len, by.values()))


def _past(dice: random.Random, visits: int) -> list[int]:
    """Moments of the last hours, more of them where more people are awake (UTC+1)."""
    now = time.time_ns() // 1_000_000
    hours = [now - hour * _HOUR for hour in range(_BACK)]
    weights = [_CURVE[(hour // _HOUR + 1) % 24] for hour in hours]
    return [hour - dice.randrange(_HOUR) for hour in dice.choices(hours, weights, k=visits)]


def _one(dice: random.Random, sender: Sender, known: list[Person], ends: int, origin: str) -> int:
    """One visit, now and then a robot's, a retry, or something malformed; how many events were sent."""
    if dice.random() < 0.08:
        body = {"site": SITE, "type": "page_view", "url": f"{origin}/project/{_favourite(dice).number}"}
        who = Person(f"66.249.66.{dice.randrange(256)}", dice.choice(_ROBOTS), None, None, {})
        sender.visit(who, [body] * dice.randrange(1, 6))
        return 3
    if dice.random() < 0.01:
        sender.post(
            b'{"site": "market", "type": ', {"User-Agent": _AGENTS[0][0], "Content-Type": "text/plain"}
        )
    again = known and dice.random() < 0.3
    who = dice.choice(known) if again else person(dice)
    if not again:
        known.append(who)
        del known[:-5000]
    events = visit(dice, who, ends, origin)
    if not sender.visit(who, events) or dice.random() < 0.02:
        sender.visit(who, events)
    return len(events)
