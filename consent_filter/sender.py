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
from time import monotonic
from typing import Any

import numpy as np
from msgspec import Struct

from consent_filter import advert, counterpart, suspicion
from consent_filter.advert import Ad
from consent_filter.apply import NOT, kind, pseudonym
from consent_filter.counts import REFUSED, STORED, Key
from consent_filter.decide import AD_MEASUREMENT, DROP, IDENTIFIED, MEASUREMENT, Laws, needed, remembered
from consent_filter.events import ABSENT, BEFORE, NOTHING, NUMBERS, TEXTS, Events
from consent_filter.fields import BY_NAME
from consent_filter.ledger import Ledger
from consent_filter.member import Member
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Agent, Place
from consent_filter.signals import SIGNALS
from consent_filter.words import Words

#: Columns of text that are the same for all events of a sender, and those that each event has.
WHO = (
    "site", "home", "policy", "protocol", "treatment", "because", "signal", "basis",
    "browser", "browser_version", "os", "os_version", "device", "continent", "country", "region", "network",
    "age", "gender", "place",
)  # fmt: skip
WHAT = (
    "type", "name", "path", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
    "referrer_host", "referrer_group", "props", *advert.COLUMNS, "cell", "referral_code", "referral_channel",
)  # fmt: skip
_WIDTH = len(WHO) + len(WHAT)
_ORDER = [(*WHO, *WHAT).index(name) for name in TEXTS]
_NUMBERS = ("duration_ms", "scroll", "value", *advert.COUNTED)
#: A row as it is laid down: its numbers, then the numbers of its words.
_ROW = np.dtype([*NUMBERS.items(), ("who", "<u4", len(WHO)), ("what", "<u4", len(WHAT))])
_SHUT, _OPEN = b"\0\0\0\0", b"\xff\xff\xff\xff"
_CODES = {"i8": "q", "u8": "8s", "i4": "i", "u4": "I", "i2": "h", "f8": "d"}
_PACK = struct.Struct(
    "<" + "".join([_CODES[kind.str[1:]] for name, kind in NUMBERS.items() if name not in advert.COUNTED])
).pack
_NO_ID = np.uint64(ABSENT["event_id"]).tobytes()
_NOBODY = b"\0" * 8
_ALL = frozenset(_NUMBERS)
_ALL_OPEN = _OPEN * len(WHAT)
#: Senders remembered at once: about a kilobyte each.
_REMEMBERED = 20_000
#: Seconds after which everybody is forgotten: a visit's length, and no longer.
_KEPT = 1800.0


class Sender(Struct, frozen=True, eq=False, gc=False):
    """`key`: what each event counts as, stored or refused. `who`: the sender's texts that may be read, by
    number. `open`: bits that leave of WHAT what may be read, b"" leaves all. `closed`: numbers that may not
    be. `since`: events before that (UTC ms) are judged by what had been said by then, not by this.
    `member`: what is said of them. `flags`: what speaks against a person. `lasting`: the
    pseudonym outlives the day."""

    key: Key
    kept: bool
    granted: int
    person: bytes
    who: bytes
    open: bytes
    closed: frozenset[str]
    since: int
    member: Member | None = None
    flags: int = 0
    lasting: bool = False


class Senders:
    """What is known of senders. `fresh` before each batch: nothing is remembered that may hold no longer."""

    def __init__(
        self,
        laws: Laws,
        ledger: Ledger,
        keys: Keyring,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._laws, self._ledger, self.keys, self._now = laws, ledger, keys, now
        self._since = now()
        self.known: dict[Any, Sender] = {}
        self.words = Words()
        self._counted: dict[Key, Key] = {}
        self._versions = (0, 0)

    def fresh(self) -> None:
        """Forget everybody when anybody has said anything, a key has changed, or it is time."""
        self.keys.roll()
        self._ledger.refresh()
        versions, now = (self._ledger.version, self.keys.version), self._now()
        stale = versions != self._versions or now - self._since > _KEPT
        if stale or len(self.known) >= _REMEMBERED or self.words.full:
            self.words = Words()
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
        time: int,
        member: Member | None = None,
        home: str | None = None,
        place_: str | None = None,
    ) -> Sender:
        """Decide for one sender. `said`: what each signal hears, by its column of RAW. `time`: its own.
        `home`: the site's region. `place_`: whether what was declared agrees with the address."""
        age, gender = (None, None) if member is None else member[:2]
        law = self._laws.of(site, place.country, day, age)
        word, since = self._ledger.word(site, user, device, self._laws.turns(site))
        heard = [signal.read(said[signal.field]) for signal in SIGNALS.values()]
        verdict = remembered(law, word, needed(type), user is not None or device is not None, *heard)
        where = site, day, protocol, place.country
        why = kind(verdict)
        if why == NOT:
            detail = "" if verdict.treatment == DROP else verdict.because
            return self._refused(Key(*where, REFUSED, verdict.reason, detail), since)
        person = pseudonym(why, site, user, device, address, agent, day, time, self.keys, self._ledger)
        if person is None:
            return self._refused(Key(*where, REFUSED, "late", "day_closed"), since)
        granted = verdict.granted
        texts = (
            site,
            home,
            verdict.policy,
            protocol,
            *verdict[1:5],
            *browser[:5],
            *place,
            age,
            gender,
            place_,
        )
        lasting = verdict.treatment == IDENTIFIED
        fields = [BY_NAME[name] for name in (*WHO, *WHAT, *_NUMBERS)]
        flags = suspicion.of(browser, place) if needed(type) == AD_MEASUREMENT else 0
        vague = suspicion.VAGUE if flags and not lasting else ()
        may = [
            bool(granted & field.purposes) and (lasting or field.alone) and field.name not in vague
            for field in fields
        ]
        who = self.words.bytes([text if one else None for text, one in zip(texts, may, strict=False)])
        readable = may[len(WHO) : _WIDTH]
        open_ = b"" if all(readable) else b"".join([_OPEN if one else _SHUT for one in readable])
        key = self._one(Key(*where, STORED, "", ""))
        closed = frozenset(name for name, one in zip(_NUMBERS, may[_WIDTH:], strict=True) if not one)
        return Sender(key, True, granted, person, who, open_, closed, since, member, flags, lasting)

    def other(
        self, site: str, day: int, protocol: str, user: str | None, country: str, home: str | None = None
    ) -> Sender:
        """Decide for the other side of an event (`counterpart.py`). Nothing is written of one who is not
        `kept`. `home`: the site's region."""
        word, since = self._ledger.other(site, user, self._laws.turns(site))
        found = counterpart.verdict(self._laws.of(site, country, day), word)
        key = Key(site, day, protocol, "ZZ", STORED, "", "")
        if found is None or user is None:
            return Sender(key, False, 0, _NOBODY, b"", b"", _ALL, since)
        (person,) = self._ledger.persons([(MEASUREMENT, site, "user", user)])
        texts = (site, home, found.policy, protocol, *found[1:5], *(None,) * (len(WHO) - 8))
        return Sender(key, True, found.granted, person, self.words.bytes(texts), b"", frozenset(), since)

    def _refused(self, key: Key, since: int = 0) -> Sender:
        return Sender(self._one(key), False, 0, _NOBODY, b"", b"", _ALL, since)

    def _one(self, key: Key) -> Key:
        """The same key as one object, so that a batch is counted without comparing any."""
        return self._counted.setdefault(key, key)


class Kept:
    """The events of one batch that may be written, one after another."""

    def __init__(self, senders: Senders) -> None:
        self._copy = senders.keys.state("event_id").copy
        self._copy_advert = senders.keys.state("adverts").copy
        before = senders.keys.before("event_id")
        self._copy_before = None if before is None else before.copy
        self._before: list[bytes] = []
        self.words = senders.words.batch()
        self._rows: list[bytes] = []
        self._open: list[bytes] = []
        self._closed = False

    def add(
        self,
        sender: Sender,
        time: int,
        received: int,
        offset: int,
        id: str | None,
        what: tuple[bytes, ...],
        duration: int,
        scroll: int,
        value: float,
        ad: Ad | None = None,
        rate: int = -1,
    ) -> None:
        """One event of a sender whose events are kept. `what`: the texts of WHAT, by number. `rate`: of an
        advert's event, how busy its network is."""
        digest = _NO_ID
        if id is not None:
            state = self._copy()
            state.update(f"{sender.key.site}\0{id}".encode("utf-8", "surrogatepass"))
            digest = state.digest()
        if self._copy_before is not None:
            self._before.append(self._again(sender.key.site, id))
        shown = advert.BLANK
        if sender.closed:
            duration, scroll, value = self._open_only(sender.closed, duration, scroll, value)
        if rate < suspicion.SPIKE and not sender.lasting:
            rate = min(rate, 0)
        if rate >= 0 and "ad_view" not in sender.closed:
            shown = advert.numbers(
                ad or advert.NOTHING, sender.key.site, self._copy_advert, sender.flags, rate
            )
        elif ad is not None and "ad_view" not in sender.closed:
            shown = advert.numbers(ad, sender.key.site, self._copy_advert)
        self._rows += (
            _PACK(time, received, sender.key.day, offset, digest, sender.person, sender.granted, duration,
                  scroll, value),
            shown,
            sender.who,
            *what,
        )  # fmt: skip
        self._open.append(sender.open or _ALL_OPEN)
        self._closed = self._closed or sender.open != b""

    @staticmethod
    def _open_only(
        closed: frozenset[str], duration: int, scroll: int, value: float
    ) -> tuple[int, int, float]:
        """Numbers, each absent where it may not be read."""
        return (
            -1 if "duration_ms" in closed else duration,
            -1 if "scroll" in closed else scroll,
            np.nan if "value" in closed else value,
        )

    def _again(self, site: str, id: str | None) -> bytes:
        """The id as the key of before makes it, while keys overlap."""
        if id is None or self._copy_before is None:
            return _NO_ID
        state = self._copy_before()
        state.update(f"{site}\0{id}".encode("utf-8", "surrogatepass"))
        return bytes(state.digest())

    def events(self) -> Events:
        """All of them."""
        n = len(self._open)
        if not n:
            return NOTHING
        rows = np.frombuffer(b"".join(self._rows), _ROW, n)
        what = rows["what"]
        if self._closed:
            what = what & np.frombuffer(b"".join(self._open), "<u4").reshape(n, -1)
        words, places = self.words.places(np.concatenate([rows["who"], what], axis=1).T[_ORDER])
        numbers = {name: np.ascontiguousarray(rows[name]) for name in NUMBERS}
        if self._before:
            numbers[BEFORE] = np.frombuffer(b"".join(self._before), "<u8")
        return Events(n, words, np.ascontiguousarray(places), numbers)
