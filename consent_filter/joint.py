"""A ledger that is one of several: it hears what the others say, in one order that all of them hear, and what
follows is the same everywhere.

- Words: every record anybody has made of an id is in everybody's chain, and each purpose's latest stands.
- Salts: of two that are given to one id the first in the order holds, so nobody stores an event under one
  that has not come back from there (`claims`, `flush`). Whoever holds another says so, and that one stays.
- Logins, what was told apart, tombstones: as they are.

The order is a compacted topic's (`ingest/conferring.py`), which this module knows nothing of.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from consent_filter import telling, unheard
from consent_filter.circumstances import Circumstances
from consent_filter.database import transaction
from consent_filter.hearing import Hearing, Then
from consent_filter.known import KEYS
from consent_filter.ledger import Recorded
from consent_filter.pseudonym import Keyring
from consent_filter.salts import SALT, number
from consent_filter.shared import connect, has, prepare
from consent_filter.telling import HELD, STONE, UNLINKED, WORD, Given, Row, Told


class JointLedger(Hearing):
    """`Ledger` for the collector, where several share what they know. `confer` makes claims known and waits
    until they have come back; whether they hold (`Ledger.flush`). `spread` waits until what was recorded is
    told, if that can be done at once; whether it is (`Ledger.everywhere`)."""

    confer: Callable[[], bool]
    spread: Callable[[], bool]

    @classmethod
    def join(
        cls, path: Path, keys: Keyring, topic: str, given_up: frozenset[int] = frozenset()
    ) -> JointLedger:
        """The ledger in that file, which from now on tells and hears by that topic. `given_up`: messages in
        it that an operator goes on without, if they can't be read."""
        path.parent.mkdir(parents=True, exist_ok=True)
        ledger = cls(prepare(connect(path, "rwc")), keys, gives=True, path=path)
        path.chmod(0o600)
        ledger.topic, ledger.given_up = topic, given_up
        with ledger._transaction():
            telling.begin(ledger._database, topic, secrets.token_bytes(8))
            ledger._database.execute(unheard.TABLE)
            unheard.forget(ledger._database, given_up)
        ledger._besides()
        row = ledger._database.execute("SELECT name, position FROM sharing").fetchone()
        ledger.name, ledger.heard_until = bytes(row[0]), int(row[1])
        ledger.confer = ledger.spread = lambda: True
        ledger.missed = lambda place, up: None
        ledger._taken, ledger._overtaken = {}, False
        return ledger

    def flush(self) -> bool:
        """`Ledger.flush`, once everybody knows what is new; False where somebody was first, or has withdrawn
        meanwhile: then what was decided holds no longer."""
        if self._lost():
            return False
        holds = self.confer()
        if self._lost() or not holds or self.decided not in (None, self.version):
            return False
        return super().flush()

    def everywhere(self) -> bool:
        """`Ledger.everywhere`: of the others each has heard it a second later, or stores nothing."""
        return self.spread()

    def _lost(self) -> bool:
        """Whether since the last look somebody was first with a salt, or left who had a new one."""
        was, self._overtaken = self._overtaken, False
        return was

    def _record(self, key: bytes, site: str, grant: int, deny: int, source: str, now: int,
                how: Circumstances, removes: bool, then: Then) -> Recorded:  # fmt: skip
        return super()._record(key, site, grant, deny, source, self._later(key, now), how, removes, then)

    def erase_key(self, key: bytes, source: str, now: int, *, minor: bool = False) -> None:
        """`Ledger.erase_key`."""
        super().erase_key(key, source, self._later(key, now), minor=minor)

    # What is told.

    def untold(self, most: int = 1000) -> list[Row]:
        """What others do not know yet, whichever process has recorded it."""
        with self._writing:
            return telling.untold(self._database, most)

    def messages(self, rows: Sequence[Row]) -> list[Told]:
        """What there is to say of them now."""
        with self._writing:
            return list(self._messages(rows))

    def _messages(self, rows: Sequence[Row]) -> Iterator[Told]:
        for row in telling.once(rows):
            if row.kind in (telling.SALT, HELD):
                purpose, key = one = telling.placed(row.key)
                if one in self._salts.pending and one not in self._taken:
                    continue  # it is told as a claim, after the words that it is given by
                given = self._given(purpose, key, holds=row.kind == HELD)
                yield Told(telling.SALT + row.key, None if given is None else given.pack())
                continue
            if row.kind == WORD:
                # Before the word: what is given in between is known to end with it.
                word = self._standing.now(row.key)
                for purpose in filter(word.refuses, KEYS):
                    yield Told(telling.SALT + telling.place(purpose, row.key), None)
            yield Told(row.kind + row.key, self._value(row))

    def _value(self, row: Row) -> bytes | None:
        if row.kind == WORD:
            return telling.stands(self._database, row.key)
        run, key = self._database.execute, row.key
        if row.kind == STONE:
            found = run("SELECT since FROM tombstone WHERE hash = ?", (key,)).fetchone()
        elif row.kind == UNLINKED:
            pair = key[:16], key[16:]
            found = run("SELECT since FROM unlinked WHERE device = ? AND account = ?", pair).fetchone()
        else:
            one = "SELECT at FROM link WHERE device = ? AND account = ? AND at = ?"
            found = run(one, (key[:16], key[16:32], int(key[32:], 16))).fetchone()
        return None if found is None else b"%d" % found[0]

    def told(self, rows: Sequence[Row]) -> None:
        """These are with everybody."""
        with self._writing, self._transaction():
            self._database.executemany("DELETE FROM untold WHERE seq = ?", [(row.seq,) for row in rows])

    def unclaimed(self) -> list[tuple[int, bytes]]:
        """Whose new salts nobody else knows."""
        with self._noting:
            return [one for one in self._salts.pending if one not in self._taken]

    def claims(self) -> list[tuple[tuple[int, bytes], bytes, Told]]:
        """New salts that nobody else knows: whose, the salt, and the message that claims it. Not of who has
        just said what is yet to be told: what was decided before holds no longer."""
        with self._writing:
            untold = telling.speaking(self._database)
        found = []
        for one in [one for one in self.unclaimed() if one[1] not in untold]:
            given = self._given(*one)
            if given is not None:
                found.append((one, given.salt, Told(telling.SALT + telling.place(*one), given.pack())))
        return found

    def holds(self, one: tuple[int, bytes], salt: bytes) -> bool:
        """Whether that salt is the one."""
        return self._salts.get(*one) == salt

    def _given(self, purpose: int, key: bytes, *, holds: bool = False) -> Given | None:
        record = self._salts.record(purpose, key)
        if record is None:
            return None
        id = self._epochs.of(purpose, number(record))
        under = id or next(life.id for life in self._keys.lives() if life.purpose == KEYS[purpose])
        before = self._salts.before(self._database, purpose, key)
        instead = bytes(8) if before is None else telling.mark(before)
        return Given(record[:SALT], *self._when((purpose, key), record), under, holds, instead)


def alone(path: Path) -> None:
    """The ledger in that file tells nobody anything, nor keeps it to be told."""
    with closing(connect(path, "rw")) as database:
        if has(database, "sharing"):
            with transaction(database):
                telling.end(database)
                database.execute("DROP TABLE IF EXISTS unheard")
