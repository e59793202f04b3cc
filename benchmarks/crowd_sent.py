"""A crowd that sends to collectors at a steady rate, and remembers what it was told: for the soak.

What becomes of an event is decided when it is sent, by who sends it: `AGREED`, `REFUSED`, and later `ERASED`.
So it can be compared with what is stored, event by event.
"""

from __future__ import annotations

import http.client
import json
import random
import secrets
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from msgspec import Struct

from consent_filter.pseudonym import Keyring, event_ids
from consent_filter.raw import column
from tests.whole.running import BROWSER
from throng import balance
from warehouse.lake import Lake

AGREED, REFUSED, ERASED = 1, 2, 3
#: Events of a request; visitors at a time; seconds after which one leaves and another one comes.
BATCH, THERE, TURNOVER = 40, 2000, 1.0
#: Seconds between two that refuse, log in, are erased.
REFUSING, LOGIN, ERASING = 20.0, 15.0, 180.0
_COUNTED = ("acknowledged", "unavailable", "words", "logins", "erased", "behind")
#: A word binds everywhere after it: two collectors hear each other within a second.
_HEARD = 3.0


class Visitor(Struct):
    """`says`: what is agreed or refused is said with each event; else by a word before them, or never (then
    events are stored without an identifier). `since`: nothing is sent before then."""

    device: str
    says: bool
    silent: bool = False
    standing: int = AGREED
    user: str = ""
    since: float = 0.0
    sent: list[int] = []


class Sender:
    """One thread, a connection to each collector; what is answered 503 comes again until it is taken."""

    def __init__(self, ports: list[int], rate: float, seed: int = 1) -> None:
        self._pause, self._dice = BATCH / rate, random.Random(seed)
        self._lines = [http.client.HTTPConnection("127.0.0.1", port, timeout=30) for port in ports]
        #: What became of each event, by its number.
        self.fate = bytearray()
        self.counts: Counter[str] = Counter(
            acknowledged=0, unavailable=0, words=0, logins=0, erased=0, behind=0
        )
        self._there: list[Visitor] = []
        self._users = 0

    def run(self, over: Event) -> None:
        """Until it is over."""
        begun = time.monotonic()
        due = dict.fromkeys(("turnover", "refusing", "login", "erasing"), begun)
        every = {"turnover": TURNOVER, "refusing": REFUSING, "login": LOGIN, "erasing": ERASING}
        due["erasing"] += ERASING
        for _ in range(THERE):
            self._there.append(self._visitor(says=True))
        turn = 0
        while not over.is_set():
            turn += 1
            ahead = begun + turn * self._pause - time.monotonic()
            if ahead > 0:
                over.wait(ahead)
            else:
                self.counts["behind"] = round(-ahead)
            self._send()
            for name, when in due.items():
                if time.monotonic() >= when:
                    due[name] = time.monotonic() + every[name]
                    getattr(self, f"_{name}")()

    def _visitor(self, *, says: bool) -> Visitor:
        one = Visitor(secrets.token_hex(16), says)
        if says and self._dice.random() < 0.1:
            one.standing = REFUSED
        elif not says:
            one.silent = self._dice.random() < 0.2
            if not one.silent:
                self._word(one, True)
        return one

    def _any(self) -> Visitor:
        while True:
            one = self._dice.choice(self._there)
            if one.since <= time.monotonic():
                return one

    def _send(self) -> None:
        some = [self._any() for _ in range(self._dice.randrange(1, 4))]
        events = []
        for n in range(BATCH):
            one = some[n % len(some)]
            number = len(self.fate)
            self.fate.append(one.standing)
            one.sent.append(number)
            page = int(self._dice.paretovariate(0.9)) % 2000
            event: dict[str, Any] = {
                "site": "shop", "type": "page_view", "id": str(number),
                "url": f"https://shop.example/p/{page}?utm_source=s{page % 5}",
                "device_id": one.device,
            }  # fmt: skip
            if one.user:
                event["user_id"] = one.user
            if one.says:
                event["consent"] = {"measurement": one.standing == AGREED}
            events.append(event)
        self._until("POST", "/e", events, 202)
        self.counts["acknowledged"] += len(events)

    def _turnover(self) -> None:
        self._there[self._dice.randrange(THERE)] = self._visitor(says=self._dice.random() < 0.5)

    def _refusing(self) -> None:
        one = self._any()
        if not one.user and not one.silent and one.standing == AGREED:
            one.says, one.standing = False, REFUSED
            self._word(one, False)

    def _login(self) -> None:
        one = self._any()
        if one.standing == AGREED and one.says:
            self._users += 1
            one.user = f"u-{self._users}"
            self.counts["logins"] += 1

    def _erasing(self) -> None:
        known = [n for n, one in enumerate(self._there) if one.sent and not (one.user or one.silent)]
        at = self._dice.choice([n for n in known if self._there[n].standing == AGREED])
        one = self._there[at]
        self._there[at] = self._visitor(says=True)
        asked = {"site": "shop", "right": "erase", "device_id": one.device}
        if self._until("POST", "/rights", asked, 202, line=0):
            self.counts["erased"] += 1
            for number in one.sent:
                self.fate[number] = ERASED if self.fate[number] == AGREED else REFUSED

    def _word(self, one: Visitor, measurement: bool) -> None:
        word = {"site": "shop", "device_id": one.device, "consent": {"measurement": measurement}}
        self._until("PUT", "/consent", word, 200)
        one.since = time.monotonic() + _HEARD
        self.counts["words"] += 1

    def _until(self, method: str, path: str, body: object, wanted: int, line: int | None = None) -> bool:
        """Again and again until it is taken; False where it is refused as such."""
        while True:
            one = self._lines[self._dice.randrange(len(self._lines)) if line is None else line]
            try:
                head = {"User-Agent": BROWSER, "Content-Type": "text/plain"}
                one.request(method, path, json.dumps(body), head)
                answer = one.getresponse()
                answer.read()
                if answer.status == wanted:
                    return True
                if answer.status != 503:
                    self.counts[f"status_{answer.status}"] += 1
                    return False
                self.counts["unavailable"] += 1
                time.sleep(float(answer.headers.get("Retry-After", 2)))
            except (OSError, http.client.HTTPException):
                self.counts["broken"] += 1
                with suppress(OSError):
                    one.close()
                time.sleep(0.5)

    def wrong(self, data: Path) -> list[str]:
        """What is not as it should be, when all is folded and removed."""
        fate = np.frombuffer(bytes(self.fate), np.uint8)
        texts = [str(n) for n in range(len(fate))]
        ids = event_ids(Keyring.open(data / "keys.json"), column(["shop"] * len(texts)), texts)
        lake = Lake.open(data)
        assert lake is not None
        stored = lake.recent_ids(0.0)
        lake.close()
        is_in, found = np.isin(ids, stored), balance.whole(data)
        said = {
            "events are stored twice": len(stored) - len(np.unique(stored)),
            "events were acknowledged, and are not stored": int((~is_in & (fate == AGREED)).sum()),
            "events of who refuses are stored": int((is_in & (fate == REFUSED)).sum()),
            "events of who was erased are stored": int((is_in & (fate == ERASED)).sum()),
            "events are stored that nobody sent": int((~np.isin(stored, ids)).sum()),
            "is what the balance is off by": found["received"]
            - found["stored"]
            - sum(found["refused"].values()),
            "more or fewer are stored than the balance says": found["stored"] - len(stored),
        }  # fmt: skip
        return [f"{n:,} {what}" for what, n in said.items() if n]
