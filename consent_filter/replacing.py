"""What becomes of lasting keys in time: those that are due are replaced, those of nobody destroyed (M79).

The collector's alone: only it makes salts, so only it can say that no pseudonym will be made under a key.
Killed anywhere, the next call goes on: a key is destroyed only when nothing on the disk is under it.
"""

from __future__ import annotations

from typing import NamedTuple

from consent_filter import rotation
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.rotation import Keys


class Turned(NamedTuple):
    """Names of keys. `parted`: people and purposes whose pseudonym has ended with its key."""

    replaced: tuple[str, ...] = ()
    destroyed: tuple[str, ...] = ()
    parted: int = 0


def together(keys: Keyring, ledger: Ledger, schedule: Keys, *, whole: bool) -> Turned:
    """The same at one of several collectors that share a ledger: each makes the same next key by itself, an
    hour before any begins with it. Nobody's pseudonym ends with `ends_days` there. `whole`: everything that
    others have said is known here; only then is known that nobody is under a key."""
    keys.roll()
    made = keys.follow(schedule)
    since = {one.id: one.replaced for one in keys.lives() if one.replaced is not None}
    unused = ledger.unused() if whole else []
    gone = [id for id in unused if keys.now() - since.get(id, keys.now()) > rotation.LINGERS]
    if gone:
        keys.destroy(gone)
    return Turned(tuple(made), tuple(gone))


def turn(keys: Keyring, ledger: Ledger, schedule: Keys) -> Turned:
    """Do what is due. Raises OSError where a disk fails; what was done by then holds."""
    keys.roll()
    now = keys.now()
    due = rotation.due(keys.lives(), schedule, now)
    for one in due:
        if one.purpose != "event_id" or keys.before("event_id") is None:
            keys.replace(one.purpose)
    over = [one.id for one in rotation.over(keys.lives(), schedule, now)]
    parted = ledger.part(over) if over else 0
    if gone := ledger.unused():
        keys.destroy(gone)
    return Turned(tuple(one.id for one in due), tuple(gone), parted)
