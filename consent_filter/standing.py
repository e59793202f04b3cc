"""Words as they stand, in memory: what each id has agreed to and refused, now and at the time of an event.

An event that comes late is judged by what was in force when it happened: what was agreed to since permits
nothing before. A refusal also binds what happened before it was said (issue of consent lost, GDPR Art. 7(3)).
Most ids have said one thing, and only who has said more has a history. A word takes 281 bytes (measured on
200,000), most of them Python's.
"""

from __future__ import annotations

import json
import sqlite3
from operator import itemgetter
from typing import NamedTuple

from consent_filter.decide import NO_WORD, Word
from consent_filter.purpose import BY_NAME, mask


class _Stood(NamedTuple):
    """A word, from when on it stood (UTC milliseconds), and those before it, the oldest first."""

    word: Word
    since: int
    before: tuple[tuple[int, Word], ...] = ()


_SINCE = itemgetter(0)
#: Words of the past that are kept of one id: more than a retry's time has room for by hand.
_MOST = 16


class Standing:
    """By the keyed hash of an id."""

    def __init__(self) -> None:
        self._stood: dict[bytes, _Stood] = {}

    def __bool__(self) -> bool:
        return bool(self._stood)

    def load(self, database: sqlite3.Connection) -> None:
        """From the ledger's tables. What was said before the last word is in the records of the chain."""
        for key, grant, deny, erased, since in database.execute(
            "SELECT key, granted, denied, erased, since FROM choice"
        ):
            self._stood[key] = _Stood(Word(grant, deny, bool(erased)), since)
        several = "SELECT key FROM content GROUP BY key HAVING count(*) > 1"
        said: dict[bytes, list[tuple[int, Word]]] = {}
        for key, text in database.execute(
            f"SELECT key, text FROM content WHERE key IN ({several}) ORDER BY seq"
        ):
            record, past = json.loads(text), said.setdefault(key, [])
            if record.get("erased"):
                past.clear()
                continue
            last = past[-1][1] if past else NO_WORD
            grant, deny = (mask(BY_NAME.keys() & record[word]) for word in ("granted", "denied"))
            past.append((record["at"], after(last, grant, deny)))
        for key, past in said.items():
            now = self._stood.get(key)
            if now is not None and not now.word.erased:
                self._stood[key] = now._replace(before=tuple(past[:-1][-_MOST:]))

    def now(self, key: bytes) -> Word:
        """The last word; silence where nothing was said."""
        found = self._stood.get(key)
        return NO_WORD if found is None else found.word

    def since(self, key: bytes) -> int | None:
        """From when on the last word stands; None where nothing was said."""
        found = self._stood.get(key)
        return None if found is None else found.since

    def at(self, key: bytes, time: int) -> Word:
        """The word for an event of that time: what had been agreed to by then, less what is refused now."""
        found = self._stood.get(key)
        if found is None:
            return NO_WORD
        if time >= found.since or found.word.erased:
            return found.word
        then = NO_WORD
        for since, word in sorted(found.before, key=_SINCE):
            if since <= time:
                then = word
        deny = then.deny | found.word.deny
        return Word(then.grant & ~deny, deny)

    def put(self, key: bytes, word: Word, since: int) -> None:
        """A new word; whoever is erased has no history."""
        old = self._stood.get(key)
        before: tuple[tuple[int, Word], ...] = ()
        if old is not None and not word.erased and not old.word.erased:
            before = (*old.before, (old.since, old.word))[-_MOST:]
        self._stood[key] = _Stood(word, since, before)


def after(word: Word, grant: int, deny: int) -> Word:
    """The latest word on each purpose stands; a purpose not spoken of stays as it was."""
    return Word((word.grant | grant) & ~deny, (word.deny & ~grant) | deny)
