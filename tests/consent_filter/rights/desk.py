"""A register over a folder, with a clock that is set by hand, and what people hand over to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from consent_filter.pseudonym import Keyring, subject
from consent_filter.rights.case import Case
from consent_filter.rights.proof import Judgement
from consent_filter.rights.register import Register
from consent_filter.rights.settings import Rights

#: Nothing of these may stand anywhere in clear.
NAME, EMAIL, USER = "Petra Canary-4711", "canary-4711@mail.example", "member-canary-4711"
BROWSER = "4011708811-1802947110-947110-2811704"
SEEN = Judgement("passport", "high", "passport of " + NAME + " seen, number C01X0", "Ms Officer")


def at(text: str) -> int:
    """UTC milliseconds of "2026-11-28 13:00"."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


class Desk:
    """`now` is what the register takes for the time."""

    def __init__(self, data: Path, now: str, settings: Rights) -> None:
        self.data, self.now = data, at(now)
        self.keyring = Keyring.open(data / "keys.json")
        self.register = Register.open(data, settings, lambda: self.now)

    def key(self, id: str = USER, kind: str = "user", site: str = "shop") -> bytes:
        return subject(self.keyring, site, kind, id)

    def receive(self, right: str = "access", id: str = USER, *, kind: str = "user", **more: Any) -> Case:
        """A request of that person, as the collector enters it."""
        return self.register.receive("shop", right, self.key(id, kind), kind=kind, subject=id, **more)


@contextmanager
def desk(data: Path, now: str = "2026-03-05 10:00", **settings: Any) -> Iterator[Desk]:
    one = Desk(data, now, Rights(**settings))
    try:
        yield one
    finally:
        one.register.close()
