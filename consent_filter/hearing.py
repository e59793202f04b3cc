"""A ledger that hears what others say, in one order that all of them hear, so that all come to know the same.

`joint.py` says what is shared; here is what becomes of each message.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import NamedTuple

from consent_filter import chain, departed, epochs, links, telling, unheard
from consent_filter.decide import MEASUREMENT
from consent_filter.errors import Broken, Misconfigured
from consent_filter.known import KEYS
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import hashes
from consent_filter.rotation import NEVER
from consent_filter.salts import SALT, number
from consent_filter.telling import HELD, LINK, STONE, UNLINKED, WORD, Given, Heard

Then = list[Callable[[], None]]
_DAY = 86_400_000


class When(NamedTuple):
    """As `Given` has them."""

    at: int
    knew: int


class Hearing(Ledger):
    """The half of `JointLedger` that listens."""

    name: bytes
    topic: str
    #: Places that an operator gives up (`[log] skip`); who is told of what can't be read: the place, and
    #: whether it is given up.
    given_up: frozenset[int] = frozenset()
    missed: Callable[[int, bool], None]
    #: How far in the order everything is known here.
    heard_until: int
    #: Salts that memory has from the order, and the disk has yet to get: when they were given, and what of.
    _taken: dict[tuple[int, bytes], When]
    #: Whether a new salt of ours has gone that something may have been decided by.
    _overtaken: bool

    def _later(self, key: bytes, now: int) -> int:
        """Whoever speaks with our knowledge of an earlier word speaks later, whatever the clocks say."""
        return max(now, (self._standing.since(key) or 0) + 1)

    def _when(self, one: tuple[int, bytes], record: bytes) -> When:
        """When a salt was given, and which word was known then; of one that nobody knows yet, that is now."""
        if one in self._taken:
            return self._taken[one]
        if one in self._salts.pending:
            at = self._later(one[1], round(self._keys.now() * 1000))
            return When(at, self._stands(one[1]).spoken[one[0]] if self._standing.found(one[1]) else 0)
        where = "SELECT at, knew FROM given_at WHERE seq = ?"
        row = self._database.execute(where, (number(record),)).fetchone()
        made = self._renewal.made(number(record), self._keys.today()) * _DAY
        return When(made, made) if row is None else When(*row)

    def hear(self, heard: Sequence[Heard]) -> None:
        """Take in messages, in their order. On the disk when it returns; an OSError leaves the first of them
        heard, and the rest to be heard again. Raises Misconfigured where keys are not the same; Broken at
        one that can't be read where nobody can tell whose word it is (`unheard.py`)."""
        start = 0
        for at, one in enumerate(heard):
            if not unheard.legible(one):
                self._hear(heard[start:at])
                self._miss(one)
                start = at + 1
        self._hear(heard[start:])

    def _miss(self, one: Heard) -> None:
        """What can't be read: whoever it is about is refused everything until its teller says it again."""
        up = one.offset in self.given_up
        try:
            with self._hearing(one.offset + 1) as then:
                if unheard.note(self._database, one, up) and one.by == self.name:
                    self._tell(one.key[:1], one.key[1:])
                then.append(self._otherwise)
        except Broken as error:
            raise Broken(f"message {one.offset} of {self.topic}-0 {error}") from None
        self.heard_until = one.offset + 1
        self.missed(one.offset, up)

    def _otherwise(self) -> None:
        self._besides()
        self.version += 1

    def _hear(self, heard: Sequence[Heard]) -> None:
        kinds: Mapping[bytes, Callable[[Heard, Then], bool]] = {
            WORD: self._hear_word,
            LINK: self._hear_link,
            UNLINKED: self._hear_unlinked,
            STONE: self._hear_stone,
        }
        for kind, some in groupby(heard, lambda one: one.key[:1]):
            run = list(some)
            if kind == telling.SALT:
                self._hear_salts(run)
            elif kind in kinds:
                with self._hearing(run[-1].offset + 1) as then:
                    left = [kinds[kind](one, then) for one in run]
                    self._again(run, then)
                    if kind in (WORD, UNLINKED):
                        then.append(self._besides)
                    if any(left):
                        then.append(self._truncate)
            self.heard_until = run[-1].offset + 1

    @contextmanager
    def _hearing(self, until: int) -> Iterator[Then]:
        """A transaction in which nothing is noted as untold, and how far was heard is."""
        run = self._database.execute
        with self._change() as then:
            run("UPDATE sharing SET hearing = 1")
            yield then
            run("UPDATE sharing SET hearing = 0, position = ?", (until,))

    def _again(self, run: Sequence[Heard], then: Then) -> None:
        """What could not be read may have been said again."""
        if self._unheard:
            again = [one for one in run if unheard.said_again(self._database, one)]
            then += [self._otherwise] if again else []

    def _tell(self, kind: bytes, key: bytes) -> None:
        self._database.execute("INSERT INTO untold (kind, key) VALUES (?, ?)", (kind, key))

    def _hear_word(self, one: Heard, then: Then) -> bool:
        if one.value is None:
            return False
        key, told, run = one.key[1:], telling.read(one.value), self._database.execute
        mine = chain.records(self._database, key)
        known = {text for _, text in mine}
        was, stands = telling.fold(known), telling.fold([*known, *told.records])
        new = [text for text in stands.kept if text not in known]
        for at, text in mine:
            if text not in stands.kept:
                run("DELETE FROM content WHERE seq = ?", (at,))
        for text in new:
            chain.add(self._database, key, text)
        if new and stands.word is not None:
            word = stands.word
            run(
                "INSERT OR REPLACE INTO choice VALUES (?, ?, ?, ?, ?)",
                (key, word.grant, word.deny, word.erased, stands.since),
            )
        ended, before = set[int](), set[int]()
        for purpose, over in stands.over.items():
            record = self._salts.record(purpose, key)
            if over == telling.NEVER or (
                record is not None and self._when((purpose, key), record).knew < over
            ):
                ended.add(purpose)
            elif over > was.over[purpose]:
                before.add(purpose)  # their salt was given by who knew; who they were before it was not
        self._part(key, ended, before, stands.since, told.removes or telling.erases(new), then)
        if telling.erases(new):
            departed.remove(self._database, key)
        self._hear_restriction(key, stands.restricted, stands.since)
        if new:
            then.append(lambda: self._standing.load(self._database, [key]))
        if one.by == self.name and telling.stands(self._database, key) != one.value:
            self._tell(WORD, key)  # somebody else has spoken meanwhile: the last message must hold it all
        return bool(ended)

    def _part(self, key: bytes, purposes: Collection[int], before: Collection[int], now: int, removes: bool,
              then: Then) -> None:  # fmt: skip
        """What was made under these purposes ends; under the others, who they were before."""
        gone = self._gone(key, purposes) + self._renewal.of(self._database, key, before)
        departed.withdraw(self._database, key, gone, now, removes)
        for purpose in purposes:
            self._salts.delete(self._database, purpose, key)
        self._renewal.drop(self._database, key, {*purposes, *before})
        if MEASUREMENT in purposes:
            links.drop(self._database, key)
        then += [lambda: self._drop(key, purposes), lambda: self._renewal.forget(key, before)]

    def _drop(self, key: bytes, purposes: Collection[int]) -> None:
        for purpose in purposes:
            self._overtaken |= (purpose, key) in self._salts.pending
            self._taken.pop((purpose, key), None)
        super()._drop(key, purposes)

    def _hear_restriction(self, key: bytes, restricted: bool, since: int) -> None:
        if restricted and key not in self._restricted:
            self._database.execute("INSERT OR IGNORE INTO restriction VALUES (?, ?)", (key, since))
            self._restrict(key, KEYS)
        elif not restricted and key in self._restricted:
            for table in ("restriction", "restricted"):
                self._database.execute(f"DELETE FROM {table} WHERE key = ?", (key,))

    def _hear_salts(self, run: Sequence[Heard]) -> None:
        with self._writing:  # who denies meanwhile sees what is taken here
            news, gone = self._sorted(run)
        if not (news or gone or self._taken or self._unheard):
            return
        with self._hearing(run[-1].offset + 1) as then:
            self._again(run, then)
            for kind, whose in news:
                self._tell(kind, whose)
            now = round(self._keys.now() * 1000)
            for key, purpose, person in gone:
                departed.withdraw(self._database, key, [(purpose, person)], now, True)
            self._write(dict(self._taken), then)

    def _sorted(self, run: Sequence[Heard]) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, int, int]]]:
        """Of salts: what is to be told of them, and (whose, purpose, pseudonym) of who has withdrawn. Those
        that hold are in memory from then on."""
        news: list[tuple[bytes, bytes]] = []
        gone: list[tuple[bytes, int, int]] = []
        for one in run:
            purpose, key = telling.placed(one.key[1:])
            if one.value is None:
                if one.by == self.name and self._salts.record(purpose, key) is not None:
                    news.append((HELD, one.key[1:]))  # given since: it must be told again
                continue
            given = telling.unpack(one.value)
            self._known(purpose, given.under)
            if self._standing.found(key) and given.knew < self._stands(key).over[purpose]:
                gone += [(key, purpose, person) for person in self._person_of(purpose, key, given)]
                if one.by == self.name:
                    news.append((telling.SALT, one.key[1:]))
                if self._salts.get(purpose, key) == given.salt:
                    self._drop(key, {purpose})
                    self.version += 1  # who remembers the pseudonym must ask again
                continue
            if not self._take(purpose, key, given):
                news.append((HELD, one.key[1:]))
        return news, gone

    def _stands(self, key: bytes) -> telling.Stands:
        return telling.fold(text for _, text in chain.records(self._database, key))

    def _take(self, purpose: int, key: bytes, given: Given) -> bool:
        """Whether that salt is ours from now on; False where we hold another, which was first."""
        one = purpose, key
        with self._noting:
            record = self._salts.record(purpose, key)
            pending = one in self._salts.pending and one not in self._taken
            if record is not None and record[:SALT] == given.salt:
                if pending:
                    self._taken[one] = When(given.at, given.knew)
                return True
            held = record is not None and not pending and not given.holds
            if held and given.instead != telling.mark(record[:SALT]):  # type: ignore[index]
                return False
            self._overtaken |= pending
            if record is not None and not pending and (before := self.person(purpose, key)) is not None:
                self._renewal.turn(purpose, key, before)
            if self._epochs.newest(purpose)[1] != given.under:
                self._epochs.mark(purpose, self._salts.next, given.under)
                self._turn()
            found = self._salts.take(purpose, key, given.salt)
            self._renewal.mark(given.at // _DAY, number(found))
            self._taken[one] = When(given.at, given.knew)
            if record is not None:
                self.version += 1  # who remembers a pseudonym must ask again
            return True

    def _write(self, taken: Mapping[tuple[int, bytes], When], then: Then) -> None:
        with self._noting:
            pending = {one: record for one, record in self._salts.pending.items() if one in taken}
            marks = dict(self._epochs.pending)
        self._salts.write(self._database, pending)
        rows = [(number(record), *taken[one]) for one, record in pending.items()]
        self._database.executemany("INSERT OR REPLACE INTO given_at VALUES (?, ?, ?)", rows)
        epochs.write(self._database, marks)
        self._renewal.write(self._database, pending, self._keys.today())
        for purpose, key in pending:
            if key in self._restricted:
                self._restrict(key, [purpose])
        if self._renewal.any(pending):
            then.append(self._truncate)
        then += [lambda: self._salts.written(pending), lambda: self._epochs.written(marks)]
        then += [lambda: self._renewal.written(pending), lambda: self._written(taken)]

    def _written(self, taken: Collection[tuple[int, bytes]]) -> None:
        for one in taken:
            self._taken.pop(one, None)

    def _known(self, purpose: int, under: str) -> None:
        if all(life.id != under for life in self._keys.lives()):
            self._keys.roll()
            # Whoever gave it has begun with the next key: their clock is ahead by more than an hour.
            self._keys.follow(NEVER, under)
            if all(life.id != under for life in self._keys.lives()):
                lacks = f"without the key {under} ({KEYS[purpose]})"
                raise Misconfigured("keys.json", lacks, "that of the other collectors: copy theirs")

    def _person_of(self, purpose: int, key: bytes, given: Given) -> list[int]:
        state = self._keys.under(KEYS[purpose], given.under)
        return [] if state is None else [int(hashes(state, [given.salt + key])[0])]

    def _hear_link(self, one: Heard, then: Then) -> bool:
        device, account, at = one.key[1:17], one.key[17:33], int(one.key[33:], 16)
        persons = [self.person(MEASUREMENT, whose) for whose in (device, account)]
        mine = one.by == self.name
        if one.value is None:
            row = (device, account, at)
            self._database.execute("DELETE FROM link WHERE device = ? AND account = ? AND at = ?", row)
        elif (device, account) in self._links.undone or None in persons:
            if mine:
                self._tell(LINK, one.key[1:])
        else:
            links.write(self._database, (device, account, at), *persons)  # type: ignore[arg-type]
        return one.value is None

    def _hear_unlinked(self, one: Heard, then: Then) -> bool:
        device, account = one.key[1:17], one.key[17:]
        if one.value is not None and (device, account) not in self._links.undone:
            links.undo(self._database, device, account, int(one.value))
            then.append(lambda: self._links.forget(device))
        return False

    def _hear_stone(self, one: Heard, then: Then) -> bool:
        if one.value is None:
            return False
        departed.remember(self._database, [(one.key[1:], int(one.value))])
        stones, persons = self.tombstones(), self.removing()
        gone = [hash == one.key[1:] for hash in stones.hashes(persons)]
        if any(gone):
            departed.bury(self._database, (), persons[gone], int(one.value))
        return any(gone)
