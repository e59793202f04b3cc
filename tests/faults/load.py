"""A loader that sends numbered events until each is acknowledged, and keeps what it was told."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from types import TracebackType

from tests.whole.running import BROWSER

_THREADS = 4
#: Seconds that each of them rests after an event; as often as there are more of them than somebody waits for,
#: up to a second: while something is folded, thousands would cost more than the run and show no more.
_REST = 0.02
#: People, and those among them who refuse: each after some events.
_PEOPLE, _REFUSING = 30, 6
#: Seconds in which every collector has to obey a word, or to store nothing. The one that heard it: at once.
_OBEYED = 1.0


def page(number: int) -> str:
    """Which page an event is of."""
    return f"/p{number % 3}"


class Load:
    """Events of people with an identifier, who agree with each, or have agreed before; some refuse later.

    `canary`: every raw identifier begins with it.
    """

    def __init__(self, ports: list[int], dice: random.Random, canary: str) -> None:
        self._ports, self._dice, self.canary = ports, dice, canary
        self._lock, self._over = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(_THREADS)]
        self._obeyed = _OBEYED if len(ports) > 1 else 0.0
        #: Numbers given out; how often each was acknowledged; of who had refused before they were sent.
        self.sent, self.answers, self.unwanted = 0, Counter[int](), set[int]()
        #: How many requests with an event have been begun.
        self.tries = 0
        self._goal = 0
        self._people: list[int] = []
        self._refused: set[int] = set()

    @property
    def acknowledged(self) -> set[int]:
        """Of people who never refuse: these must be stored."""
        with self._lock:
            return {n for n in self.answers if self._people[n] >= _REFUSING}

    def who(self, number: int) -> int:
        """Whose an event is."""
        return self._people[number]

    def counts(self, number: int) -> bool:
        """Whether reports may count an event that is stored."""
        return self._people[number] not in self._refused

    def __enter__(self) -> Load:
        return self

    def greet(self) -> None:
        """Whoever will refuse agrees first; then everybody begins to send."""
        for n in range(_REFUSING):
            assert self._choose(n, True)
        time.sleep(self._obeyed)
        for one in self._threads:
            one.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for one in self._threads:
            if one.is_alive():
                one.join(150)

    def wait(self, more: int) -> None:
        """Until so many more are acknowledged. Raises AssertionError where that takes two minutes."""
        self._goal, end = self.answers.total() + more, time.monotonic() + 120
        while self.answers.total() < self._goal:
            assert time.monotonic() < end, "nothing is acknowledged any more"
            time.sleep(0.02)

    def again(self, which: int) -> int:
        """Send some once more that were answered long ago, to whichever collector; how many."""
        with self._lock:
            known = sorted(n for n in self.answers if n in self.unwanted or self._people[n] >= _REFUSING)
            chosen = random.Random(which).sample(known, min(10, len(known)))
        for number in chosen:
            self._event(number)
        return len(chosen)

    def heard(self) -> None:
        """When nobody sends any more: one event at each collector until it takes it, which it does only where
        it has heard every word that was said a second before. Raises AssertionError where one does not."""
        time.sleep(self._obeyed)
        for port in self._ports:
            with self._lock:
                number = self.sent
                self.sent += 1
                self._people.append(_REFUSING)
            assert self._event(number, port), "a collector does not store again"

    def _send(self) -> None:
        while not self._over.is_set():
            with self._lock:
                number = self.sent
                self.sent += 1
                person = self._dice.randrange(_PEOPLE)
                self._people.append(person)
                refuses = person < _REFUSING and self._dice.random() < 0.15
                again = self._dice.random() < 0.1
            if refuses and self._choose(person, False):
                time.sleep(self._obeyed)
                with self._lock:
                    self._refused.add(person)
            with self._lock:
                if person in self._refused:
                    self.unwanted.add(number)
            if self._event(number) and again:
                self._event(number)
            time.sleep(min(_REST * max(1, self.answers.total() - self._goal), 1.0))

    def _event(self, number: int, port: int | None = None) -> bool:
        """Send it until it is acknowledged: at the one of this port, or else until nobody sends any more."""
        person = self._people[number]
        said = {"site": "shop", "type": "page_view", "url": f"https://shop.example{page(number)}"}
        event: dict[str, object] = {**said, "id": str(number), "device_id": self._id(person)}
        if person >= _REFUSING:
            event["consent"] = {"measurement": True}
        if not self._until("POST", "/e", event, 202, whole=port is not None, only=port):
            return False
        with self._lock:
            self.answers[number] += 1
        return True

    def _choose(self, person: int, measurement: bool) -> bool:
        choice = {"site": "shop", "device_id": self._id(person), "consent": {"measurement": measurement}}
        return self._until("PUT", "/consent", choice, 200, whole=True)

    def _id(self, person: int) -> str:
        return f"{self.canary}{person}"

    def _until(
        self, method: str, path: str, body: object, wanted: int, *, whole: bool = False,
        only: int | None = None,
    ) -> bool:  # fmt: skip
        """Again and again, to one collector or another (or `only` one), until it is taken."""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            with self._lock:
                port = only or self._dice.choice(self._ports)
                self.tries += path == "/e"
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                head = {"User-Agent": BROWSER, "Content-Type": "text/plain"}
                connection.request(method, path, json.dumps(body), head)
                if connection.getresponse().status == wanted:
                    return True
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            if self._over.is_set() and not whole:
                return False  # perhaps stored, never acknowledged
            time.sleep(0.05)
        return False
