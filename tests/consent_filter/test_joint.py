"""Several ledgers over one order of messages: whatever is said where, and heard when, all come to know it."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consent_filter import chain, telling
from consent_filter.decide import MEASUREMENT, Word
from consent_filter.errors import Broken, Misconfigured
from consent_filter.joint import JointLedger, alone
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.replacing import Turned, together
from consent_filter.rotation import Keys
from consent_filter.telling import Heard, Told

WHO = ("shop", "device", "d-1")
ANN = ("shop", "user", "ann")
NOON = 1_700_000_000_000


class Topic:
    """An order of messages, with what a broker may do to it: the earlier ones of a key may be dropped."""

    def __init__(self) -> None:
        self.messages: list[Heard] = []
        self.end = 0

    def tell(self, by: bytes, messages: list[Told]) -> int:
        for one in messages:
            self.messages.append(Heard(self.end, one.key, one.value, by))
            self.end += 1
        return self.end - 1

    def after(self, offset: int) -> list[Heard]:
        return [one for one in self.messages if one.offset >= offset]

    def compact(self, heard: int | None = None) -> None:
        """`heard`: how far everybody has; a broker lets messages lie for a minute, so they all have."""
        heard = self.end if heard is None else heard
        last = {one.key: one for one in self.messages if one.offset < heard}
        stay = {one.offset for one in last.values() if one.value is not None}
        self.messages = [one for one in self.messages if one.offset in stay or one.offset >= heard]


class Several:
    """Ledgers of collectors, each in a folder with the same keys."""

    def __init__(self, here: Path, n: int = 2) -> None:
        self.here, self.topic, self.all = here, Topic(), list[JointLedger]()
        self.now = NOON
        for _ in range(n):
            self.join()

    def join(self) -> JointLedger:
        folder = self.here / str(len(self.all))
        folder.mkdir()
        if self.all:
            shutil.copy(self.here / "0" / "keys.json", folder / "keys.json")
        return self.open(folder)

    def open(self, folder: Path) -> JointLedger:
        keys = Keyring.open(folder / "keys.json", lambda: self.now / 1000)
        one = JointLedger.join(folder / "ledger.sqlite", keys, "words")
        one.confer = lambda: self.confer(one)
        self.all.append(one)
        return one

    def confer(self, one: JointLedger) -> bool:
        self.tell(one)
        claims = one.claims()
        self.topic.tell(one.name, [told for _, _, told in claims])
        self.hear(one)
        return all(one.holds(whose, salt) for whose, salt, _ in claims) and not one.unclaimed()

    def hear(self, one: JointLedger, most: int | None = None) -> None:
        one.hear(self.topic.after(one.heard_until)[:most])

    def tell(self, one: JointLedger) -> None:
        rows = one.untold()
        self.topic.tell(one.name, one.messages(rows))
        one.told(rows)

    def settle(self) -> None:
        """Until nobody has anything to say."""
        for _ in range(20):
            for one in self.all:
                self.hear(one)
                self.tell(one)
            if not any(one.untold() or self.topic.after(one.heard_until) for one in self.all):
                return
        raise AssertionError("they talk without an end")

    def close(self) -> None:
        for one in self.all:
            one.close()


@pytest.fixture
def several(tmp_path: Path) -> Iterator[Several]:
    found = Several(tmp_path)
    yield found
    found.close()


def visit(one: JointLedger, who: tuple[str, str, str] = WHO) -> bytes:
    """The pseudonym under which an event is stored: decided anew until it holds."""
    for _ in range(9):
        (person,) = one.persons([(MEASUREMENT, *who)])
        if one.flush():
            return person
    raise AssertionError("it is decided anew without an end")


def number(person: bytes) -> int:
    return int.from_bytes(person, "little")


def test_the_same_person_at_both_is_one_whoever_was_first(several: Several) -> None:
    one, other = several.all
    meets = [ledger.persons([(MEASUREMENT, *WHO)]) for ledger in several.all]
    assert meets[0] != meets[1], "each has drawn a salt of its own"
    assert other.flush()
    version = one.version
    assert not one.flush(), "the other was first"
    assert one.version != version, "whoever remembers the pseudonym must know"
    assert one.persons([(MEASUREMENT, *WHO)]) == meets[1]
    assert one.flush()
    several.settle()
    several.topic.compact()
    late = several.join()
    several.settle()
    assert visit(late) == visit(one) == visit(other) == meets[1][0]


def test_a_refusal_binds_everywhere_and_withdraws_what_others_have_stored(several: Several) -> None:
    one, other = several.all
    person = visit(one)
    several.settle()
    other.put(*WHO, {"measurement": False}, "site", NOON)
    assert other.withdrawn().tolist() == [number(person)]
    several.settle()
    assert one.word("shop", None, "d-1") == (Word(0, MEASUREMENT), NOON)
    assert one.withdrawn().tolist() == [number(person)]
    assert one.verify()
    assert other.verify()
    salts = [told for told in several.topic.messages if told.key[:17] == b"s" + one.key(*WHO)]
    assert salts[-1].value is None, "the broker may drop it"


def test_an_event_that_waits_for_its_salt_is_decided_anew_when_its_person_refuses(several: Several) -> None:
    one, other = several.all
    one.persons([(MEASUREMENT, *WHO)])
    other.put(*WHO, {"measurement": False}, "site", NOON)
    several.tell(other)
    assert not one.flush()
    assert one.word("shop", None, "d-1")[0].deny == MEASUREMENT
    several.settle()
    several.topic.compact()
    assert not [one for one in several.topic.messages if one.key[:1] == b"s"], "the salt has left the topic"


def test_what_was_decided_before_a_word_was_heard_is_decided_anew(several: Several) -> None:
    """A collector that stood still may be fresh again when it stores, and was not when it decided."""
    one, other = several.all
    visit(one)
    other.put(*WHO, {"research": False}, "site", NOON)
    several.tell(other)
    one.decided = one.version
    one.persons([(MEASUREMENT, *WHO)])
    several.hear(one)
    assert not one.flush()
    one.decided = one.version
    assert one.flush()


def test_a_salt_that_is_told_after_a_refusal_is_of_somebody_withdrawn(several: Several) -> None:
    """It was stored at one before the other's refusal was heard there."""
    one, other = several.all
    other.put(*WHO, {"measurement": False}, "site", NOON)
    person = visit(one)
    several.settle()
    for ledger in several.all:
        assert ledger.withdrawn().tolist() == [number(person)]
        assert ledger.subject(ledger.key(*WHO)).word == Word(0, MEASUREMENT)


def test_a_salt_that_was_given_in_ignorance_ends_for_everybody_also_where_they_have_agreed_anew(
    several: Several,
) -> None:
    one, other = several.all
    other.put(*WHO, {"measurement": False}, "site", NOON)
    other.put(*WHO, {"measurement": True}, "site", NOON + 1)  # and tells neither yet
    several.now = NOON + 5000
    person = visit(one)
    several.settle()
    third = several.join()
    several.settle()
    assert visit(other) == visit(one) == visit(third) != person
    for ledger in (one, other):
        assert ledger.withdrawn().tolist() == [number(person)]


def test_a_salt_of_a_collector_that_is_older_was_given_when_it_says() -> None:
    (one,) = {telling.Given(bytes(range(16)), NOON, NOON, "0123abcd", True, b"instead-")}
    assert telling.unpack(one.pack()) == one
    assert telling.unpack(one.pack()[:-8]) == one, "as it was told before"
    assert telling.unpack(one._replace(knew=7).pack()).knew == 7


def test_a_shared_ledger_of_an_older_version_goes_on(several: Several) -> None:
    one, other = several.all
    person = visit(one)
    one.put(*WHO, {"research": True}, "site", NOON)
    several.settle()
    other.close()
    with closing(sqlite3.connect(several.here / "1" / "ledger.sqlite")) as file:
        file.execute("ALTER TABLE given_at DROP COLUMN knew")
    again = several.open(several.here / "1")
    again.put(*WHO, {"measurement": False}, "site", NOON + 1)
    several.all.remove(other)
    several.settle()
    assert one.withdrawn().tolist() == again.withdrawn().tolist() == [number(person)]


def test_words_that_are_heard_late_leave_the_latest_standing(several: Several) -> None:
    one, other = several.all
    one.put(*WHO, {"remarketing": True, "research": True}, "site", NOON)  # and cannot tell it
    other.put(*WHO, {"remarketing": False}, "site", NOON + 5000)
    several.tell(other)
    several.settle()
    said = [ledger.get(*WHO) for ledger in several.all]
    assert said[0] == said[1]
    assert said[0] is not None
    assert said[0].since == NOON + 5000
    several.topic.compact()
    late = several.join()
    several.settle()
    assert late.get(*WHO) == said[0], "the last message holds both"


def test_whoever_has_heard_a_word_speaks_after_it_whatever_the_clock_says(several: Several) -> None:
    one, other = several.all
    one.put(*WHO, {"measurement": True}, "site", NOON)
    several.settle()
    other.put(*WHO, {"measurement": False}, "site", NOON - 60_000)
    several.settle()
    assert [ledger.word("shop", None, "d-1")[0].deny for ledger in several.all] == [MEASUREMENT] * 2


def test_who_is_erased_is_gone_from_every_ledger_and_from_the_topic(several: Several) -> None:
    one, other = several.all
    one.put(*WHO, {"measurement": True, "email": False}, "site", NOON)
    person = visit(one)
    several.settle()
    other.put(*WHO, {"research": True}, "panel", NOON + 1)
    several.settle()
    other.erase(*WHO, "officer", NOON + 2)
    several.settle()
    for ledger in several.all:
        subject = ledger.subject(ledger.key(*WHO))
        assert subject.word.erased
        erased = {"erased": True, "source": "officer", "at": NOON + 2}
        assert [record for _, record in subject.records] == [erased]
        assert ledger.removing().tolist() == [number(person)]
    several.topic.compact()
    (left,) = several.topic.messages
    assert b"panel" not in (left.value or b"")
    other.removed(other.removing(), NOON + 3)  # whoever folds has taken the rows away
    several.settle()
    for ledger in several.all:
        assert ledger.removing().tolist() == []
        assert len(ledger.tombstones()) == 1
    assert person not in (several.here / "0" / "ledger.sqlite").read_bytes()
    one.put(*WHO, {"measurement": True}, "site", NOON + 4)
    assert visit(one) != person


def test_restrictions_and_logins_are_shared_and_what_was_told_apart_is(several: Several) -> None:
    one, other = several.all
    device, account = visit(one), visit(one, ANN)
    one.link("shop", "ann", "d-1", NOON)
    one.flush()
    several.settle()
    assert other.linked().device.tolist() == [number(device)]
    assert other.linked().account.tolist() == [number(account)]
    keys = other.key(*WHO), other.key(*ANN)
    other.restrict(keys[1], "officer", NOON)
    several.settle()
    assert one.restricted().tolist() == other.restricted().tolist() == [number(account)]
    one.lift(keys[1], "officer", NOON + 1)
    other.unlink(*keys, "officer", NOON + 2)
    several.settle()
    for ledger in several.all:
        assert ledger.restricted().tolist() == []
        assert ledger.linked().device.tolist() == []
        assert ledger.unlinked().device.tolist() == [number(device)]
    several.topic.compact()
    late = several.join()
    several.settle()
    assert late.unlinked().device.tolist() == []
    late.link("shop", "ann", "d-1", NOON + 3)
    late.flush()
    assert late.linked().device.tolist() == [], "they are not one anywhere"


def test_what_another_process_records_is_told_and_a_folder_alone_notes_nothing(several: Several) -> None:
    one, other = several.all
    folder = several.here / "0"
    officer = Ledger.open(folder / "ledger.sqlite", Keyring.open(folder / "keys.json"), gives=False)
    officer.put(*WHO, {"measurement": False}, "officer", NOON)
    one.refresh()
    several.settle()
    assert other.word("shop", None, "d-1")[0].deny == MEASUREMENT
    alone(folder / "ledger.sqlite")
    officer.put(*WHO, {"measurement": True}, "officer", NOON + 1)
    officer.close()
    again = Several.open(several, folder)
    assert [row.kind for row in again.untold()] == [b"w"], "what there is, when it is shared again"


def test_a_collector_without_the_others_keys_says_so(several: Several, tmp_path: Path) -> None:
    one, _ = several.all
    visit(one)
    (tmp_path / "stranger").mkdir()
    stranger = several.open(tmp_path / "stranger")
    with pytest.raises(Misconfigured, match="copy theirs"):
        several.hear(stranger)


def test_a_collector_that_was_killed_at_any_message_goes_on(several: Several) -> None:
    one, other = several.all
    for n in range(6):
        visit(one, ("shop", "device", f"d-{n}"))
        one.put("shop", "device", f"d-{n}", {"measurement": n % 2 == 0, "research": True}, "site", NOON + n)
    several.tell(one)
    for _ in range(40):
        several.hear(other, 1)
        path = several.here / "1" / "ledger.sqlite"
        copy = several.here / f"copy{other.heard_until}"
        copy.mkdir(exist_ok=True)
        for file in (path, path.with_name("ledger.sqlite-wal"), several.here / "1" / "keys.json"):
            if file.exists():
                shutil.copy(file, copy / file.name)
        again = JointLedger.join(copy / "ledger.sqlite", Keyring.open(copy / "keys.json"), "words")
        several.hear(again)
        keys = [again.key("shop", "device", f"d-{n}") for n in range(6)]
        assert [again.now(key) for key in keys] == [one.now(key) for key in keys]
        assert [again.person(MEASUREMENT, k) for k in keys] == [one.person(MEASUREMENT, k) for k in keys]
        assert again.withdrawn().tolist() == one.withdrawn().tolist()
        again.close()
        if not several.topic.after(other.heard_until):
            break


@contextmanager
def hosts(n: int) -> Iterator[Several]:
    with TemporaryDirectory() as folder:
        found = Several(Path(folder), n)
        yield found
        found.close()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 3))
@example(35, 3)  # a salt that was given in ignorance of a refusal, heard where it is known they agreed anew
@example(94_293_623, 2)  # told again before the word that it is given by
def test_they_come_to_know_the_same_whatever_happens_in_which_order(seed: int, n: int) -> None:
    """The oracle: the records of all, by their time; and whoever was stored under a pseudonym is so still, or
    hidden everywhere."""
    dice = random.Random(seed)
    whose = [("shop", "device", f"d-{i}") for i in range(3)]
    with hosts(n) as several:
        stored: list[tuple[tuple[str, str, str], int, int]] = []
        now, spoke = NOON, dict[tuple[str, str, str], JointLedger]()
        for _ in range(40):
            one, who = dice.choice(several.all), dice.choice(whose)
            several.now = now = now + dice.choice([0, 1, 1000])
            what = dice.random()
            if 0.35 <= what < 0.65 and (last := spoke.get(who, one)) is not one:
                # Nobody is in two places within one round: what they said before is heard where they speak.
                several.tell(last)
                several.hear(one)
            if what < 0.35:
                if one.now(one.key(*who)).deny & MEASUREMENT or one.now(one.key(*who)).erased:
                    continue
                (person,) = one.persons([(MEASUREMENT, *who)])
                if dice.random() < 0.3:
                    several.hear(dice.choice(several.all), dice.choice([1, None]))
                if one.flush():
                    stored.append((who, number(person), now))
            elif what < 0.6:
                spoken = dice.sample(["measurement", "email", "ad_measurement"], 2)
                choice = {purpose: dice.random() < 0.5 for purpose in spoken}
                one.put(*who, choice, "site", now)
                spoke[who] = one
            elif what < 0.65:
                one.erase(*who, "officer", now)
                spoke[who] = one
            elif what < 0.85:
                several.hear(one, dice.choice([1, 3, None]))
            elif what < 0.95:
                several.tell(one)
            else:
                several.topic.compact(min(one.heard_until for one in several.all))
        several.settle()
        several.topic.compact()
        several.join()
        several.settle()
        first = several.all[0]
        for who in whose:
            key = first.key(*who)
            assert len({one.now(key) for one in several.all}) == 1
            if not (first.now(key).erased or first.now(key).deny & MEASUREMENT):
                for one in several.all:
                    visit(one, who)
                several.settle()
            assert len({one.person(MEASUREMENT, key) for one in several.all}) == 1
            texts = [
                frozenset(text for _, text in chain.records(one._database, key)) for one in several.all[:-1]
            ]
            assert len(set(texts)) == 1, "the same records, though in their own chains"
            stands = telling.fold(texts[0])
            assert stands.word is None or stands.word == first.now(key)
            last = first.person(MEASUREMENT, key)
            for one in several.all[:-1]:
                hidden = set(one.withdrawn().tolist())
                for _, person, _ in [row for row in stored if row[0] == who]:
                    assert person == last or person in hidden, "somebody is two, or is counted who has left"
                if first.now(key).deny & MEASUREMENT or first.now(key).erased:
                    assert last is None
        assert all(one.verify() for one in several.all)


def damaged(topic: Topic, key: bytes, by: bytes, value: bytes = b"{") -> int:
    """A message that nobody can read; its place."""
    topic.messages.append(Heard(topic.end, key, value, by))
    topic.end += 1
    return topic.end - 1


@pytest.mark.requirement("M110")
def test_what_cannot_be_read_is_a_refusal_until_it_is_said_again(tmp_path: Path) -> None:
    some = Several(tmp_path)
    one, other = some.all
    for who in (WHO, ANN):
        other.record(*who, {"measurement": True}, "test", NOON)
    some.settle()
    key, anns = one.key(*WHO), one.key(*ANN)
    place = damaged(some.topic, telling.WORD + key, b"a-stranger")
    some.settle()
    for ledger in (one, other):
        assert ledger.now(key).deny & MEASUREMENT, "it may have been a refusal"
        assert ledger.word("shop", None, "d-1")[0].deny & MEASUREMENT
        assert (ledger.now(anns), ledger.unheard()) == (Word(MEASUREMENT, 0), [place])
    # Another collector, which has it from the one who told it, can't say what that one said.
    one.record(*WHO, {"research": False}, "test", NOON + 1)
    some.settle()
    assert one.now(key).deny & MEASUREMENT
    one.close()
    one = some.all[0] = some.open(tmp_path / "0")
    some.all.pop()
    assert one.now(key).deny & MEASUREMENT, "it was forgotten"
    one.close()
    keys = Keyring.open(tmp_path / "0" / "keys.json")
    given = JointLedger.join(tmp_path / "0" / "ledger.sqlite", keys, "words", frozenset([place]))
    assert (given.now(key), given.unheard()) == (Word(MEASUREMENT, 1 << 1), [])
    given.close()


def test_who_has_told_what_nobody_can_read_says_it_again(tmp_path: Path) -> None:
    some = Several(tmp_path)
    one, other = some.all
    other.record(*WHO, {"measurement": True}, "test", NOON)
    some.settle()
    other.record(*WHO, {"measurement": False}, "test", NOON + 1)
    some.tell(other)
    key = one.key(*WHO)
    for n, told in enumerate(some.topic.messages):  # on its way it was damaged
        if told.key == telling.WORD + key:
            some.topic.messages[n] = told._replace(value=b"\x00\xff")
    some.settle()
    assert [(ledger.now(key), ledger.unheard()) for ledger in some.all] == [(Word(0, MEASUREMENT), [])] * 2
    for _ in range(5):  # what can never be read does not go round for ever
        place = damaged(some.topic, telling.SALT + telling.place(MEASUREMENT, key), other.name)
        some.hear(other)
        some.topic.messages = [told for told in some.topic.messages if told.offset <= place]
    assert len(other.untold()) == 3


def test_where_nobody_can_tell_whose_it_is_nothing_more_is_heard(tmp_path: Path) -> None:
    some = Several(tmp_path, 1)
    (one,) = some.all
    one.record(*ANN, {"measurement": True}, "test", NOON)
    some.settle()
    for key in (b"", b"w", b"w" + bytes(15), b"s" + bytes(19), b"z" + bytes(16), b"t" + bytes(15)):
        place = damaged(some.topic, key, b"a-stranger")
        with pytest.raises(Broken, match=f"message {place} of words-0"):
            some.hear(one)
        one.given_up = frozenset([place])
        some.hear(one)
    assert (one.now(one.key(*ANN)), one.unheard()) == (Word(MEASUREMENT, 0), [])


@pytest.mark.requirement("M79")
def test_keys_are_replaced_at_several_by_the_calendar(tmp_path: Path) -> None:
    """Planted: the next key made by chance; a key that is used from its day on; one that is destroyed by who
    has not heard yet. Each fails."""
    some, year = Several(tmp_path), Keys(event_id_days=0)
    visit(some.all[0], ANN)
    some.settle()

    def turn(one: JointLedger, ahead: float = 0.0, *, whole: bool = True) -> Turned:
        before, some.now = some.now, some.now + round(ahead * 1000)
        try:
            return together(one._keys, one, year, whole=whole)
        finally:
            some.now = before

    def under() -> list[list[int]]:
        return [list(one.under(MEASUREMENT).values()) for one in some.all]

    one, other = some.all
    some.now += 365 * 86_400_000
    assert len(turn(one).replaced) == 2, "identity and advertising"
    visit(one, ("shop", "user", "bob"))  # its clock is ahead, and nobody has the key yet: it is not used yet
    some.settle()
    assert under() == [[2], [2]]
    assert len(turn(other).replaced) == 2
    some.now += 3_700_000
    for ledger in some.all:
        turn(ledger)
    visit(one, ("shop", "user", "cid"))
    visit(other, ("shop", "user", "dan"))
    some.settle()
    assert under() == [[2, 2], [2, 2]]
    assert one._keys.lives()[:2] == other._keys.lives()[:2]
    # One whose clock is behind by hours hears of a key that it would not have made yet.
    some.now += 366 * 86_400_000
    turn(one)
    turn(one, 3700)
    assert one._keys.newest("identity") != other._keys.newest("identity")
    visit(one, ("shop", "user", "eve"))
    some.settle()
    assert under() == [[2, 2, 1], [2, 2, 1]]
    assert visit(one, ANN) == visit(other, ANN)
    # Whoever begins has heard nobody yet, and must not take a key for nobody's.
    some.now += 86_400_000 * 2
    new = some.join()
    assert turn(new, whole=False).destroyed == ()
    some.settle()
    assert turn(new).destroyed == ()
    assert visit(new, ANN) == visit(one, ANN)
    for ledger in some.all:
        ledger.erase(*ANN, "test", some.now)
        ledger.erase("shop", "user", "bob", "test", some.now)
    some.settle()
    assert [len(turn(ledger).destroyed) >= 1 for ledger in some.all] == [True] * 3
    assert visit(other, ("shop", "user", "cid")) == visit(new, ("shop", "user", "cid"))
