"""The consent ledger: who chose what, when, and with which salt a pseudonym is made. SQLite.

Ids are kept as keyed hashes only. Every choice is a link in a chain of commitments (salted hashes): the
contents can be deleted, and the chain still verifies. Forgetting a person is deleting the salts: nobody can
make that pseudonym again.

Several processes write words: the collector, an officer's commands, the pipeline (`shared.py`). Only the
collector makes salts (`gives`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import to_builtins

from consent_filter import chain, departed, epochs, links
from consent_filter.circumstances import UNKNOWN, Circumstances
from consent_filter.decide import MEASUREMENT, Word
from consent_filter.departed import Person, Persons, Tombstones
from consent_filter.errors import Refused
from consent_filter.known import KEYS
from consent_filter.links import Linked
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import names
from consent_filter.shared import TABLES, Shared, connect, has, prepare
from consent_filter.signals.choice import understand
from consent_filter.standing import after


class Entry(NamedTuple):
    """The standing choice of one id: bitmasks, and when it was last changed (UTC milliseconds)."""

    grant: int
    deny: int
    since: int


class Recorded(NamedTuple):
    """The standing choice, what was written down of the last one, and where in the chain."""

    entry: Entry
    said: Mapping[str, Any]
    link: chain.Link


class Subject(NamedTuple):
    """All that is known of one id: its word and since when, its pseudonyms, its records (position, what was
    said), the oldest first, and the ids that logins have joined to it."""

    key: bytes
    word: Word
    since: int | None
    restricted: bool
    persons: tuple[Person, ...]
    records: tuple[tuple[int, dict[str, Any]], ...]
    linked: tuple[bytes, ...]


class Ledger(Shared):
    """What is recorded is durable on return; a disk that fails is an OSError, and nothing has changed.

    Events that carry a new pseudonym may be stored only after `flush`. Any thread may call anything. `keys`
    may be left out where ids are not looked up: to `verify`, or to read who has withdrawn.
    """

    @classmethod
    def open(
        cls, path: Path, keys: Keyring | None = None, *, read_only: bool = False, gives: bool = True
    ) -> Ledger:
        """The ledger in that file. Opened to read, a missing file is an empty ledger.

        `gives` is the collector's alone; others may record words without it.
        """
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
            database = prepare(connect(path, "rwc"))
            path.chmod(0o600)
            return cls(database, keys, gives=gives, path=path)
        if not path.exists():
            return cls.memory(keys)
        database = connect(path, "ro")
        if not has(database, "content"):
            database.close()  # made a moment ago, and not yet filled
            return cls.memory(keys)
        if not has(database, "undone"):
            database.close()  # of before: it gets the tables that it lacks
            prepare(connect(path, "rw")).close()
            database = connect(path, "ro")
        return cls(database, keys, gives=False, path=path)

    @classmethod
    def memory(cls, keys: Keyring | None = None) -> Ledger:
        """A ledger that is kept nowhere."""
        database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        database.executescript(TABLES)
        return cls(database, keys, gives=True)

    def flush(self) -> bool:
        """Make new salts durable, in one transaction: a pseudonym that is stored can always be withdrawn.
        False where what was decided by is over, by a refusal here or elsewhere (`joint.py`): decide again."""
        if not self._salts.pending and not self._links.pending:
            return True
        with self._change() as then:
            with self._noting:
                pending, met = dict(self._salts.pending), list(self._links.pending)
                marks = dict(self._epochs.pending)
            if self._late(pending):
                return False
            self._salts.write(self._database, pending)
            epochs.write(self._database, marks)
            self._renewal.write(self._database, pending, self._keys.today())
            for purpose, key in (one for one in pending if one[1] in self._restricted):
                self._restrict(key, [purpose])
            for one in met:
                device, account = (self.person(MEASUREMENT, key) for key in one[:2])
                if device is not None and account is not None:
                    links.write(self._database, one, device, account)
            then += [lambda: self._salts.written(pending), lambda: self._epochs.written(marks)]
            if self._renewal.any(pending):
                then.append(self._truncate)
            then += [lambda: self._renewal.written(pending), lambda: self._links.written(met)]
        return True

    # What people say.

    def everywhere(self) -> bool:
        """Whether whatever is recorded here by now binds wherever their events may come (`joint.py`)."""
        return True

    def put(
        self,
        site: str,
        kind: str,
        id: str,
        choice: Mapping[str, object],
        source: str,
        now: int,
        how: Circumstances = UNKNOWN,
    ) -> Entry:
        """`record`, and only the standing choice of it."""
        return self.record(site, kind, id, choice, source, now, how).entry

    def record(
        self,
        site: str,
        kind: str,
        id: str,
        choice: Mapping[str, object],
        source: str,
        now: int,
        how: Circumstances = UNKNOWN,
        *,
        removes: bool = False,
    ) -> Recorded:
        """Record a choice, durable on return; it binds the next event. `now` is UTC milliseconds.

        The latest word on each purpose stands; a purpose not spoken of stays as it was. Refusing measurement,
        or advert measurement, withdraws the pseudonym made for it: its rows leave the reports and its salt is
        deleted. `removes`: they also leave the disk (M113). Raises Refused for what is no choice, OSError
        when it cannot be written.
        """
        said = understand(dict(choice))
        if said.unreadable:
            raise Refused(400, "consent", "consent is an object of purpose to true or false")
        key = self.key(site, kind, id)
        with self._change() as then:
            return self._record(key, site, said.grant, said.deny, source, now, how, removes, then)

    def refuse(
        self,
        key: bytes,
        site: str,
        purposes: int,
        source: str,
        now: int,
        how: Circumstances = UNKNOWN,
        *,
        removes: bool = False,
    ) -> Recorded | None:
        """`record` a refusal by whoever that keyed hash stands for, who need not be known here.

        None, and nothing is changed, where it is on record, or they were erased and are to stay so.
        """
        with self._change() as then:
            word = self._standing.now(key)
            if word.erased or not purposes & ~word.deny:
                return None
            return self._record(key, site, 0, purposes, source, now, how, removes, then)

    def _record(
        self,
        key: bytes,
        site: str,
        grant: int,
        deny: int,
        source: str,
        now: int,
        how: Circumstances,
        removes: bool,
        then: list[Callable[[], None]],
    ) -> Recorded:
        word = after(self._standing.now(key), grant, deny)
        text: dict[str, Any] = {"site": site, "granted": names(grant), "denied": names(deny)}
        text |= {"source": source, "at": now} | to_builtins(how)
        forget = [purpose for purpose in KEYS if deny & purpose]
        link = self._say(key, word, text, now, forget, removes, then, grant)
        return Recorded(Entry(word.grant, word.deny, now), text, link)

    def erase(self, site: str, kind: str, id: str, source: str, now: int) -> None:
        """Forget the person: pseudonyms and what was withdrawn before leave the disk, salts and the contents
        of the chain are deleted.

        What is left is the keyed hash of the id, so that what comes late is refused; a new choice lifts it.
        """
        self.erase_key(self.key(site, kind, id), source, now)

    def erase_key(self, key: bytes, source: str, now: int, *, minor: bool = False) -> None:
        """`erase`, by the keyed hash. `minor`: because of somebody's age (M87)."""
        text = {"erased": True, "source": source, "at": now} | ({"minor": True} if minor else {})
        with self._change() as then:
            self._say(key, Word(0, 0, True), text, now, list(KEYS), True, then)

    def _say(
        self,
        key: bytes,
        word: Word,
        text: Mapping[str, object],
        now: int,
        forget: Collection[int],
        removes: bool,
        then: list[Callable[[], None]],
        granted: int = 0,
    ) -> chain.Link:
        gone = self._gone(key, forget)
        run = self._database.execute
        run(
            "INSERT OR REPLACE INTO choice VALUES (?, ?, ?, ?, ?)",
            (key, word.grant, word.deny, word.erased, now),
        )
        departed.withdraw(self._database, key, gone, now, removes)
        for purpose in {purpose for purpose, _ in gone}:
            self._salts.delete(self._database, purpose, key)
        self._renewal.drop(self._database, key, {purpose for purpose, _ in gone})
        if MEASUREMENT in forget:
            links.drop(self._database, key)
        if word.erased:
            departed.remove(self._database, key)
            chain.forget(self._database, key)
        link = chain.add(self._database, key, json.dumps(text))
        then.append(lambda: self._standing.put(key, word, now, granted))
        then.append(lambda: self._drop(key, {purpose for purpose, _ in gone}))
        if gone or word.erased:
            then.append(self._besides)
            then.append(self._truncate)
        return link

    # What is done about a person, and asked.

    def restrict(self, key: bytes, source: str, now: int) -> None:
        """Nothing is deleted, and no report counts their rows until `lift` (GDPR Art. 18, M111)."""
        with self._change() as then:
            self._database.execute("INSERT OR IGNORE INTO restriction VALUES (?, ?)", (key, now))
            self._restrict(key, KEYS)
            chain.add(self._database, key, json.dumps({"restricted": True, "source": source, "at": now}))
            then.append(self._besides)

    def lift(self, key: bytes, source: str, now: int) -> None:
        """The restriction is over: what it hid counts again."""
        with self._change() as then:
            for table in ("restriction", "restricted"):
                self._database.execute(f"DELETE FROM {table} WHERE key = ?", (key,))
            chain.add(self._database, key, json.dumps({"restricted": False, "source": source, "at": now}))
            then.append(self._besides)

    def _restrict(self, key: bytes, purposes: Collection[int]) -> None:
        departed.restrict(self._database, key, [person for _, person in self._gone(key, purposes)])

    def unlink(self, device: bytes, account: bytes, source: str, now: int) -> None:
        """These two ids are not one person's: what was counted as the account's is the browser's again."""
        with self._change() as then:
            links.undo(self._database, device, account, now)
            text = {"unlinked": True, "source": source, "at": now}
            for key in (device, account):
                chain.add(self._database, key, json.dumps(text))
            then += [self._besides, lambda: self._links.forget(device)]

    def note(self, key: bytes, said: Mapping[str, object], source: str, now: int) -> None:
        """Record what is nobody's word: that a policy was published, that somebody was told of it (M122)."""
        with self._change():
            chain.add(self._database, key, json.dumps({**said, "source": source, "at": now}))

    def acknowledge(self, site: str, kind: str, id: str, how: Circumstances, now: int) -> int:
        """Record that somebody took note of `how.policy` (M2); once of each policy. When that was.

        Nobody's word changes by it. Raises Refused for who was erased: only a choice of theirs lifts that.
        """
        key = self.key(site, kind, id)
        with self._change():
            if self._standing.now(key).erased:
                raise Refused(409, "erased", "nothing is written of who was erased, until they choose anew")
            for _, known in chain.records(self._database, key):
                record = json.loads(known)
                if record.get("acknowledged") == how.policy:
                    return int(record["at"])
            text = {"site": site, "acknowledged": how.policy, "source": "site", "at": now} | to_builtins(how)
            chain.add(self._database, key, json.dumps(text))
            return now

    def removed(self, persons: Persons, now: int) -> None:
        """Their rows have left every disk: tombstones take the place of their pseudonyms (S2)."""
        with self._change() as then:
            departed.bury(self._database, self.tombstones().hashes(persons), persons, now)
            then.append(self._truncate)

    def remember(self, tombstones: Iterable[tuple[bytes, int]]) -> None:
        """Take in tombstones from elsewhere (`departed.load`)."""
        with self._change():
            departed.remember(self._database, tombstones)

    def get(self, site: str, kind: str, id: str) -> Entry | None:
        """What that id has chosen; None if it has said nothing."""
        found = self._found(self.key(site, kind, id), ())
        return None if found is None or found[0].erased else Entry(found[0].grant, found[0].deny, found[1])

    def subject(self, key: bytes) -> Subject:
        """All that is known of whom that keyed hash stands for."""
        with self._writing:
            self._catch_up()
            word, since = self._standing.found(key) or (Word(0, 0), None)
            restricted = key in self._restricted
            persons = [Person(purpose, one, "active") for purpose, one in self._gone(key, KEYS)]
            persons += departed.of(self._database, key)
            records = [(at, json.loads(text)) for at, text in chain.records(self._database, key)]
            linked = links.of(self._database, key)
        return Subject(key, word, since, restricted, tuple(persons), tuple(records), linked)

    def withdrawn(self) -> Persons:
        """Everyone whose rows no report may count any more, in ascending order."""
        return departed.hidden(self._database)

    def restricted(self) -> Persons:
        """Everyone of whom nothing may be deleted either, in ascending order."""
        return departed.restricted(self._database)

    def removing(self) -> Persons:
        """Everyone whose rows must leave the disk, in ascending order."""
        return departed.removing(self._database)

    def tombstones(self) -> Tombstones:
        """Who has been removed."""
        return Tombstones.read(self._database, self._keys)

    def linked(self) -> Linked:
        """Every login that stands."""
        return links.every(self._database)

    def unlinked(self) -> Linked:
        """Every login that stood until it was undone."""
        return links.every(self._database, undone=True)

    def verify(self) -> bool:
        """Whether no link was changed, and every content that is still there is what was committed to."""
        return chain.verify(self._database)

    def find(self, position: int) -> chain.Found | None:
        """What the chain holds there; None where it is not that long."""
        return chain.find(self._database, position)
