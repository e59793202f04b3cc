"""When lasting keys are replaced, and what a key file says of each: made, replaced, to end, destroyed (M79).

The newest key of a purpose makes what is new; who came before keeps the key they came under. A key that has
nothing left to make is destroyed: its bytes leave the file, and what stays says only that there was one. Some
are never replaced: by `ledger` a word is found again, also that of somebody who never comes back, by `lines`
what was imported, and by `adverts` the order that a refund is of.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from msgspec import Struct

from consent_filter.errors import Misconfigured, Refused
from consent_filter.fields import RETRY

_DAY = 86_400
#: Bytes of the hash that each key makes: what is stored as a number has eight.
WIDTHS = {
    "identity": 8, "advertising": 8, "event_id": 8, "lines": 8, "adverts": 8, "ledger": 16, "record": 8,
}  # fmt: skip
#: Which of them may be replaced; the others would lose what they are to find again.
TURNING = ("identity", "advertising", "event_id")
#: Seconds between the day of the calendar and the moment from which the next key makes what is new, where
#: several collectors replace theirs: as far as clocks may differ. Meanwhile an event has ids under both.
LEAD = 3600.0
#: Seconds for which a replaced key of people is kept there in any case: another may still give salts by it.
LINGERS = float(_DAY)
#: Seconds in which events are looked for under the key of before, too: as long as a retry may come, and an
#: hour for clocks that differ.
OVERLAP = RETRY.total_seconds() + 3600


class Keys(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[keys]`: how often lasting keys are replaced; 0 is never.

    identity_days, advertising_days: days until whoever is new gets a pseudonym made with another key; people
    of before keep theirs, and the key is destroyed when the last of them is gone. event_id_days: the same for
    the ids by which a retry is found; that key is destroyed 49 hours later. ends_days: days after which a
    replaced key of people is destroyed in any case; who is still under it becomes somebody else at their next
    event, and is found under both when they withdraw, ask or are erased. 0 waits for the last of them.
    """

    identity_days: int = 365
    advertising_days: int = 365
    event_id_days: int = 30
    ends_days: int = 0

    def __post_init__(self) -> None:
        for name, least in (
            ("identity_days", 1),
            ("advertising_days", 1),
            ("event_id_days", 3),
            ("ends_days", 1),
        ):
            if 0 != getattr(self, name) < least:
                raise Misconfigured(f"keys.{name}", getattr(self, name), f"0, or at least {least}")

    def days(self, purpose: str) -> int:
        """How long a key of that purpose is the newest; 0 for ever."""
        lasts = {"identity": self.identity_days, "advertising": self.advertising_days}
        return {**lasts, "event_id": self.event_id_days}.get(purpose, 0)


#: No calendar.
NEVER = Keys(identity_days=0, advertising_days=0, event_id_days=0)


class Life(NamedTuple):
    """Of one key: what it is for, its name, and when it was made, replaced, is to end and was destroyed
    (seconds since 1970; None where that is not so, or not known). Nothing tells the key."""

    purpose: str
    id: str
    made: float
    replaced: float | None = None
    ends: float | None = None
    destroyed: float | None = None

    @property
    def newest(self) -> bool:
        """Whether it makes what is new."""
        return self.replaced is None


def settle(held: dict[str, Any], now: float) -> None:
    """Every purpose has a key, and none that has had its time. A file of before gets its lists."""
    legacy = held.get("event_id")
    if "lines" not in held and isinstance(legacy, str):
        held["lines"] = legacy  # what was imported is known by it
    for purpose in WIDTHS:
        one = held.get(purpose)
        if one is None or isinstance(one, str):
            held[purpose] = [_new(now, one)]
        for entry in held[purpose]:
            if "key" in entry and entry.get("ends") is not None and entry["ends"] <= now:
                _end(entry, now)
            if entry.get("begins", now + 1) <= now:
                del entry["begins"]


def replace(held: dict[str, Any], purpose: str, now: float) -> str:
    """Another key for what is new; its name. Raises Refused where that would lose something."""
    if purpose not in TURNING:
        raise Refused(
            409, "lasting", f"the key {purpose} finds again what it has made, and cannot be replaced"
        )
    last = held[purpose][-1]
    if purpose == "event_id":
        if any("key" in one and one.get("ends") is not None for one in held[purpose]):
            raise Refused(409, "overlap", "the key of before still finds retries: wait until it is destroyed")
        last["ends"] = now + OVERLAP
    last["replaced"] = now
    held[purpose].append(_new(now))
    return str(held[purpose][-1]["id"])


def follow(held: dict[str, Any], schedule: Keys, now: float, named: str | None = None) -> list[str]:
    """What the calendar says by now, where several collectors must come to the same keys without telling each
    other: the next key is made of the one before, by a hash, so whoever has that has both. Names of new keys.

    Each is made on its day and begins `LEAD` later; `named`: make the one of that name now, as somebody else
    has begun with it.
    """
    made = list[str]()
    for purpose in TURNING:
        days = schedule.days(purpose)
        while True:
            last = held[purpose][-1]
            overlaps = any("key" in one and one.get("ends") is not None for one in held[purpose])
            if "key" not in last or "begins" in last or (purpose == "event_id" and overlaps):
                break
            key = blake2b(b"next", key=bytes.fromhex(last["key"]), digest_size=32).digest()
            id = blake2b(b"name", key=key, digest_size=4).hexdigest()
            at = last["made"] + days * _DAY
            if not (days and at <= now) and id != named:
                break
            begins = min(at + LEAD, now) if id == named else at + LEAD
            last["replaced"] = begins
            if purpose == "event_id":
                last["ends"] = begins + OVERLAP
            held[purpose].append({"id": id, "made": min(at, now), "key": key.hex(), "begins": begins})
            made.append(id)
            if begins > now:
                break
            del held[purpose][-1]["begins"]
    return made


def newest(entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The key that makes what is new: the last that has begun."""
    return entries[-2] if "begins" in entries[-1] else entries[-1]


def destroy(held: dict[str, Any], ids: Iterable[str], now: float) -> None:
    """These keys leave the file. The newest of a purpose is replaced first."""
    gone = set(ids)
    for purpose in WIDTHS:
        if held[purpose][-1]["id"] in gone:
            held[purpose][-1]["replaced"] = now
            held[purpose].append(_new(now))
        for entry in held[purpose]:
            if entry["id"] in gone and "key" in entry:
                _end(entry, now)


def _new(now: float, key: str | None = None) -> dict[str, Any]:
    return {"id": secrets.token_hex(4), "made": now, "key": key or secrets.token_hex(32)}


def _end(entry: dict[str, Any], now: float) -> None:
    entry.pop("ends", None)
    del entry["key"]
    entry["destroyed"] = now


def lives(held: Mapping[str, Any]) -> Iterator[Life]:
    """Every lasting key that there is or was, by purpose, the oldest first."""
    for purpose in WIDTHS:
        for one in held[purpose]:
            times = (one.get(name) for name in ("replaced", "ends", "destroyed"))
            yield Life(purpose, one["id"], one["made"], *times)


def due(lives: Iterable[Life], schedule: Keys, now: float) -> list[Life]:
    """Which of the newest keys have had their time. A clock that has stepped back makes none younger."""
    newest = [one for one in lives if one.newest and schedule.days(one.purpose)]
    return [one for one in newest if not 0 <= now - one.made < schedule.days(one.purpose) * _DAY]


def over(lives: Iterable[Life], schedule: Keys, now: float) -> list[Life]:
    """Which keys of people are to end although there are people under them."""
    if not schedule.ends_days:
        return []
    old = [one for one in lives if one.purpose in ("identity", "advertising") and one.destroyed is None]
    return [
        one for one in old if one.replaced is not None and now - one.replaced >= schedule.ends_days * _DAY
    ]
