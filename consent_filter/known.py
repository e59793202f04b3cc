"""What the ledger knows, in memory: the words and pseudonyms of ids, without touching the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from consent_filter.decide import AD_MEASUREMENT, MEASUREMENT, NO_WORD, Word
from consent_filter.epochs import Epochs
from consent_filter.errors import Broken
from consent_filter.links import Links
from consent_filter.pseudonym import Keyring, hashes, subject
from consent_filter.purpose import ALL
from consent_filter.raw import Column, Raw, column, pair
from consent_filter.renewal import Renewal
from consent_filter.salts import SALT, Salts, number
from consent_filter.standing import Standing, join

#: What holds of an id of which something was said that can't be read (`unheard.py`): it may be a refusal.
REFUSED = Word(0, int(ALL))
#: Keyed hashes of ids seen lately; a visitor sends several events.
_REMEMBERED = 50_000
#: Which key makes the pseudonym for which purpose: they do not join.
KEYS = {MEASUREMENT: "identity", AD_MEASUREMENT: "advertising"}
#: A keyed hash to go on with.
Copy = Callable[[], Any]
#: When the policy of a site changed, UTC milliseconds.
Turns = Callable[[str], Sequence[int]]


class Known:
    """By id. Any thread may ask; what is written is for `Ledger`, which is one of these.

    `gives`: this process makes salts for ids that have none; only the collector's does.
    """

    def __init__(self, keys: Keyring | None, *, gives: bool) -> None:
        self._held_keys, self._gives = keys, gives
        self._noting = threading.Lock()
        self._seen: dict[tuple[str, str, str], bytes] = {}
        self._standing, self._salts, self._links = Standing(), Salts(KEYS), Links()
        self._restricted: set[bytes] = set()
        self._unheard: frozenset[bytes] = frozenset()
        self._renewal, self._epochs = Renewal(), Epochs(KEYS)
        # Of each purpose: the number from which on salts are under the newest key (6 bytes), and that key;
        # with the keyring's version that it is of.
        self._newest: dict[int, tuple[bytes, Copy]] = {}
        self._of_version = -1
        #: Site → days after which a browser's pseudonym is renewed; where none is named it never is.
        self.lasts: dict[str, int] = {}

    @property
    def _keys(self) -> Keyring:
        if self._held_keys is None:
            raise Broken("this ledger was opened without keys: ids cannot be looked up")
        return self._held_keys

    def key(self, site: str, kind: str, id: str) -> bytes:
        """How an id is found here: its keyed hash, 16 bytes. kind is user or device."""
        found = self._seen.get((site, kind, id))
        if found is None:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            found = self._seen[site, kind, id] = subject(self._keys, site, kind, id)
        return found

    def words(self, raw: Raw, turns: Turns = lambda _: ()) -> Column[Word]:
        """What holds for each row by what its ids have said; a word of either counts, refusals of both.

        `turns`: when the policy of a site changed (`Laws.turns`): a word says what was agreed to before.
        """
        if not (self._standing or self._unheard):
            return Column(np.zeros(raw.n, np.int32), [NO_WORD])
        user = self._said(raw, raw.user_id, "user", turns)
        device = self._said(raw, raw.device_id, "device", turns)
        if user.values == [NO_WORD]:
            return device
        return pair(user, device).few(lambda both: join(*both))

    def word(
        self, site: str, user: str | None, device: str | None, turns: Sequence[int] = ()
    ) -> tuple[Word, int]:
        """What one person has said, and from when on that is so (UTC milliseconds): not of events before."""
        word, since = NO_WORD, 0
        for kind, id in (("user", user), ("device", device)) if self._standing or self._unheard else ():
            key = None if id is None else self.key(site, kind, id)
            found = None if key is None else self._found(key, turns)
            if found is not None:
                word, since = join(word, found[0]), max(since, found[1])
        return word, since

    def others(self, raw: Raw, turns: Turns = lambda _: ()) -> Column[Word | None] | None:
        """What the other side of each row has said (`other`); None for a batch in which no row has one."""
        if raw.counterpart.values == [None]:
            return None
        whose = pair(raw.site, raw.counterpart)
        said = [
            (None, 0) if one is None else self.other(site, one.user, turns(site))
            for site, one in whose.values
        ]
        since = np.array([at for _, at in said], np.int64)
        words = Column(whose.codes, [word for word, _ in said]).few(lambda word: word)
        late = raw.time < since[whose.codes]
        if not late.any():
            return words
        return Column(np.where(late, len(words.values), words.codes), [*words.values, None])

    def other(self, site: str, user: str | None, turns: Sequence[int] = ()) -> tuple[Word | None, int]:
        """What the other person of an event has said, and from when on that is so. None: nothing may be kept
        of them whatever they have said, as they have had their data restricted.

        Events before that leave them out altogether, whatever held then: they did not send them.
        """
        if user is None or self.key(site, "user", user) in self._restricted:
            return None, 0
        return self.word(site, user, None, turns)

    def now(self, key: bytes, turns: Sequence[int] = ()) -> Word:
        """What whoever that keyed hash stands for has said. `turns`: when the policy of the site changed."""
        found = self._found(key, turns)
        return NO_WORD if found is None else found[0]

    def _found(self, key: bytes, turns: Sequence[int]) -> tuple[Word, int] | None:
        return (REFUSED, 0) if key in self._unheard else self._standing.found(key, turns)

    def _said(self, raw: Raw, ids: Column[str | None], kind: str, turns: Turns) -> Column[Word]:
        if ids.values == [None]:
            return Column(np.zeros(raw.n, np.int32), [NO_WORD])
        whose, standing = pair(raw.site, ids), self._standing
        keys = [None if id is None else self.key(site, kind, id) for site, id in whose.values]
        last = [
            None if key is None else self._found(key, turns(site))
            for key, (site, _) in zip(keys, whose.values, strict=True)
        ]
        said = Column(whose.codes, [NO_WORD if one is None else one[0] for one in last]).few(
            lambda word: word
        )
        since = np.array([0 if one is None else one[1] for one in last], np.int64)
        late = np.flatnonzero(raw.time < since[whose.codes])
        if not len(late):
            return said
        found = said.rows()
        for row in late.tolist():
            code = whose.codes[row]
            key, (site, _) = keys[code], whose.values[code]
            assert key is not None  # it has said something
            found[row] = standing.at(key, int(raw.time[row]), turns(site))
        return column(found)

    def persons(self, ids: Sequence[tuple[int, str, str, str]]) -> list[bytes]:
        """The pseudonym, 8 bytes, of each (purpose, site, kind, id); kind is user or device.

        An id that has none yet is given a salt, which `Ledger.flush` makes durable before the event is.
        """
        if self._of_version != self._keys.version:
            with self._noting:
                self._turn()
        salts, digests = self._salts, []
        for purpose, site, kind, id in ids:
            key = self.key(site, kind, id)
            record = salts.record(purpose, key) or self._salt(purpose, key)
            if kind == "device" and self._is_over(purpose, site, record):
                record = self._renew(purpose, key)
            first, copy = self._newest[purpose]
            if record[SALT:] < first:
                older = self._copy(purpose, record)
                if older is None:  # its key is destroyed, and whose it was is noted
                    record = self._salt(purpose, key, lost=True)
                    older = self._copy(purpose, record)
                    assert older is not None
                copy = older
            one = copy()
            one.update(record[:SALT] + key)
            digests.append(one.digest())
        return digests

    def _turn(self) -> None:
        """The keys are others than at the last look."""
        version = self._keys.version
        for purpose, name in KEYS.items():
            first, id = self._epochs.newest(purpose)
            state = self._keys.under(name, id)
            # Where even the newest key that made any is destroyed, every salt there is has to be looked up.
            self._newest[purpose] = (
                (b"\xff" * 7, bytes) if state is None else (first.to_bytes(6, "big"), state.copy)
            )
        self._of_version = version

    def _copy(self, purpose: int, record: bytes) -> Copy | None:
        """The key that a salt is under; None where it is destroyed."""
        state = self._keys.under(KEYS[purpose], self._epochs.of(purpose, number(record)))
        return None if state is None else state.copy

    def _salt(self, purpose: int, key: bytes, *, lost: bool = False) -> bytes:
        """A new record. `lost`: instead of one whose key is destroyed."""
        if not self._gives:
            raise Broken("only the collector gives ids a pseudonym; this process reads the ledger")
        with self._noting:
            found = self._salts.record(purpose, key)
            if found is None or (lost and self._copy(purpose, found) is None):
                self._under(purpose)
                make = self._salts.new if found is None else self._salts.renew
                found = make(purpose, key)
                self._renewal.mark(self._keys.today(), number(found))
            return found

    def _under(self, purpose: int) -> None:
        """The next salt is under the newest key: known before there is such a salt for anybody to find."""
        newest = self._keys.newest(KEYS[purpose])
        if self._epochs.newest(purpose)[1] != newest:
            self._epochs.mark(purpose, self._salts.next, newest)
            self._turn()

    def _is_over(self, purpose: int, site: str, record: bytes) -> bool:
        lasts = self.lasts.get(site)
        if lasts is None:
            return False
        return number(record) < self._renewal.over(lasts, self._keys.today())

    def _renew(self, purpose: int, key: bytes) -> bytes:
        """Who that browser was ends; `Ledger.flush` makes it durable with the new salt."""
        before = self.person(purpose, key)
        with self._noting:
            if before is not None:
                self._renewal.turn(purpose, key, before)
            self._under(purpose)
            found = self._salts.renew(purpose, key)
            self._renewal.mark(self._keys.today(), number(found))
        return found

    def person(self, purpose: int, key: bytes) -> int | None:
        """The pseudonym that an id has now, as a number; None where it has none."""
        record = self._salts.record(purpose, key)
        if record is None:
            return None
        state = self._keys.under(KEYS[purpose], self._epochs.of(purpose, number(record)))
        return None if state is None else int(hashes(state, [record[:SALT] + key])[0])

    def link(self, site: str, user: str, device: str, at: int) -> None:
        """Both ids came with one event that may be measured (M42); `Ledger.flush` makes it durable."""
        key = self.key(site, "device", device)
        if self._salts.get(MEASUREMENT, key) is not None:  # else there is nothing to join
            with self._noting:
                self._links.note(key, self.key(site, "user", user), at)
