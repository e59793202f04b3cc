"""Who sends, on one day: what may be done with their events, found out once and remembered for the next.

A visitor sends several events, and all that the law, the ledger and the keys have to say of them is the same
for each: only another day, another word or other keys can change it. A live batch has a few dozen events of
as many visitors; there a look into memory takes the place of some hundred calls on columns, which cost 1 to
2 ms whether a batch holds ten events or a hundred. `apply` does the same for whole columns, and tests hold
the two together.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from itertools import chain
from sys import intern
from time import monotonic
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct

from consent_filter.apply import NOT, kind, pseudonym
from consent_filter.counts import REFUSED, STORED, Key
from consent_filter.decide import DROP, Laws, needed, remembered
from consent_filter.events import ABSENT, NOTHING, NUMBERS, TEXTS, Events
from consent_filter.fields import BY_NAME
from consent_filter.ledger import Ledger
from consent_filter.policy import Pack
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Agent, Place
from consent_filter.signals import SIGNALS

#: Columns of text that are the same for all events of a sender, and those that each event has.
_WHO = (
    "site", "policy", "protocol", "treatment", "because", "signal", "basis",
    "browser", "browser_version", "os", "os_version", "device", "continent", "country", "region", "network",
)  # fmt: skip
WHAT = (
    "type", "name", "path", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
    "referrer_host", "referrer_group", "props", "ad_slot", "ad_creative", "ad_campaign",
)  # fmt: skip
_WIDTH = len(_WHO) + len(WHAT)
_ORDER = [(*_WHO, *WHAT).index(name) for name in TEXTS]
_NUMBERS = ("duration_ms", "scroll", "value")
_ROW = np.dtype(list(NUMBERS.items()))
_CODES = {"i8": "q", "u8": "8s", "i4": "i", "u4": "I", "i2": "h", "f8": "d"}
_PACK = struct.Struct("<" + "".join([_CODES[kind.str[1:]] for kind in NUMBERS.values()])).pack
_NO_ID = np.uint64(ABSENT["event_id"]).tobytes()
_NOBODY = b"\0" * 8
#: Senders remembered at once: about a kilobyte each.
_REMEMBERED = 20_000
#: Seconds after which everybody is forgotten: a visit's length, and no longer.
_KEPT = 1800.0


class Sender(Struct, frozen=True, eq=False, gc=False):
    """`key`: what each event counts as, stored or refused. `closed`: which of WHAT may not be read.
    `measured`: whether the numbers may. `texts`: those of the sender that may be read."""

    key: Key
    kept: bool
    granted: int
    person: bytes
    texts: tuple[str | None, ...]
    closed: tuple[int, ...]
    measured: bool


class Senders:
    """What is known of senders. `fresh` before each batch: nothing is remembered that may hold no longer."""

    def __init__(
        self,
        laws: Laws,
        ledger: Ledger,
        keys: Keyring,
        packs: Mapping[str, Pack],
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._laws, self._ledger, self.keys, self._packs, self._now = laws, ledger, keys, packs, now
        self._since = now()
        self.known: dict[Any, Sender] = {}
        self._counted: dict[Key, Key] = {}
        self._versions = (0, 0)

    def fresh(self) -> None:
        """Forget everybody when anybody has said anything, a key has changed, or it is time."""
        self.keys.roll()
        versions, now = (self._ledger.version, self.keys.version), self._now()
        if versions != self._versions or len(self.known) >= _REMEMBERED or now - self._since > _KEPT:
            self.known.clear()
            self._counted.clear()
            self._versions, self._since = versions, now

    def robot(self, site: str, day: int, protocol: str, country: str, why: str) -> Sender:
        """A program, which is nobody: no choice is asked for, and no pseudonym made."""
        return self._refused(Key(site, day, protocol, country, REFUSED, "robot", why))

    def settle(
        self,
        site: str,
        day: int,
        protocol: str,
        type: str,
        user: str | None,
        device: str | None,
        address: str,
        agent: str,
        browser: Agent,
        place: Place,
        said: Mapping[str, Any],
    ) -> Sender:
        """Decide for one sender. `said`: what each signal hears, by its column of RAW."""
        law = self._laws.of(site, place.country)
        word = self._ledger.word(site, user, device)
        heard = [signal.read(said[signal.field]) for signal in SIGNALS.values()]
        verdict = remembered(law, word, needed(type), user is not None or device is not None, *heard)
        where = site, day, protocol, place.country
        why = kind(verdict)
        if why == NOT:
            detail = "" if verdict.treatment == DROP else verdict.because
            return self._refused(Key(*where, REFUSED, verdict.reason, detail))
        person = pseudonym(why, site, user, device, address, agent, day, self.keys, self._ledger)
        if person is None:
            return self._refused(Key(*where, REFUSED, "late", "day_closed"))
        pack, granted = self._packs[site], verdict.granted
        texts = (site, f"{pack.name}/{pack.version}", protocol, *verdict[1:5], *browser[:5], *place)
        may = [bool(granted & BY_NAME[name].purposes) for name in (*_WHO, *WHAT, *_NUMBERS)]
        # One object for each text: words are then told apart by where they lie, which is in the cache.
        seen = tuple(
            [
                intern(text) if one and text is not None else None
                for text, one in zip(texts, may, strict=False)
            ]
        )
        closed = tuple([place for place, one in enumerate(may[len(_WHO) : _WIDTH]) if not one])
        key = self._one(Key(*where, STORED, "", ""))
        return Sender(key, True, granted, person, seen, closed, may[-1])

    def _refused(self, key: Key) -> Sender:
        return Sender(self._one(key), False, 0, _NOBODY, (), (), False)

    def _one(self, key: Key) -> Key:
        """The same key as one object, so that a batch is counted without comparing any."""
        return self._counted.setdefault(key, key)


class Kept:
    """The events of one batch that may be written, one after another."""

    def __init__(self, keys: Keyring) -> None:
        self._copy = keys.state("event_id").copy
        self._texts: list[str | None] = []
        self._rows: list[bytes] = []

    def add(
        self,
        sender: Sender,
        time: int,
        received: int,
        offset: int,
        id: str | None,
        what: tuple[str | None, ...],
        duration: int,
        scroll: int,
        value: float,
    ) -> None:
        """One event of a sender whose events are kept. `what`: the texts of WHAT."""
        self._texts += sender.texts
        if sender.closed:
            open_ = list(what)
            for place in sender.closed:
                open_[place] = None
            self._texts += open_
        else:
            self._texts += what
        digest = _NO_ID
        if id is not None:
            state = self._copy()
            state.update(f"{sender.key.site}\0{id}".encode("utf-8", "surrogatepass"))
            digest = state.digest()
        if not sender.measured:
            duration, scroll, value = -1, -1, np.nan
        self._rows.append(
            _PACK(time, received, sender.key.day, offset, digest, sender.person, sender.granted, duration,
                  scroll, value)
        )  # fmt: skip

    def events(self) -> Events:
        """All of them."""
        n = len(self._rows)
        if not n:
            return NOTHING
        words = list(dict.fromkeys(chain((None,), self._texts)))
        index = dict(zip(words, range(len(words)), strict=True))
        width = np.uint16 if len(words) < 1 << 16 else np.uint32
        places = np.fromiter(map(index.__getitem__, self._texts), width, n * _WIDTH).reshape(n, _WIDTH)
        rows = np.frombuffer(b"".join(self._rows), _ROW)
        numbers = {name: np.ascontiguousarray(rows[name]) for name in NUMBERS}
        return Events(n, pa.array(words, pa.string()), np.ascontiguousarray(places.T[_ORDER]), numbers)
