"""A loader that sends numbered events until each is acknowledged, and keeps what it was told."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from types import TracebackType

from tests.whole.running import BROWSER

_THREADS = 4
#: People, and those among them who refuse: each after some events.
_PEOPLE, _REFUSING = 30, 6
#: Seconds in which every collector has to obey a word, or to store nothing.
_OBEYED = 1.0


def page(number: int) -> str:
    """Which page an event is of."""
    return f"/p{number % 3}"


class Load:
    """Events of people with an identifier, who agree with each, or have agreed before; some refuse later."""

    def __init__(self, ports: list[int], dice: random.Random) -> None:
        self._ports, self._dice = ports, dice
        self._lock, self._over = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(_THREADS)]
        #: Numbers given out; acknowledged; of people who had refused before they were sent.
        self.sent, self.acknowledged, self.unwanted = 0, set[int](), set[int]()
        self._people: list[str] = []
        self._refused: set[str] = set()

    def who(self, number: int) -> str:
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
            assert self._choose(f"d{n}", True)
        time.sleep(_OBEYED)
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
        """Until so many more are acknowledged."""
        goal, end = len(self.acknowledged) + more, time.monotonic() + 120
        while len(self.acknowledged) < goal:
            assert time.monotonic() < end, "nothing is acknowledged any more"
            time.sleep(0.02)

    def _send(self) -> None:
        while not self._over.is_set():
            with self._lock:
                number = self.sent
                self.sent += 1
                person = f"d{self._dice.randrange(_PEOPLE)}"
                self._people.append(person)
                refuses = int(person[1:]) < _REFUSING and self._dice.random() < 0.15
                again = self._dice.random() < 0.1
            if refuses and self._choose(person, False):
                time.sleep(_OBEYED)
                with self._lock:
                    self._refused.add(person)
            unwanted = person in self._refused
            said = {"site": "shop", "type": "page_view", "url": f"https://shop.example{page(number)}"}
            event = {**said, "id": str(number), "device_id": person}
            if not int(person[1:]) < _REFUSING:
                event["consent"] = {"measurement": True}  # type: ignore[assignment]
            if unwanted:
                with self._lock:
                    self.unwanted.add(number)
            if self._until("POST", "/e", event, 202):
                with self._lock:
                    if int(person[1:]) >= _REFUSING:
                        self.acknowledged.add(number)
                if again:
                    self._until("POST", "/e", event, 202)

    def _choose(self, person: str, measurement: bool) -> bool:
        choice = {"site": "shop", "device_id": person, "consent": {"measurement": measurement}}
        return self._until("PUT", "/consent", choice, 200, whole=True)

    def _until(self, method: str, path: str, body: object, wanted: int, *, whole: bool = False) -> bool:
        """Again and again, to one collector or another, until it is taken."""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            with self._lock:
                port = self._dice.choice(self._ports)
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
