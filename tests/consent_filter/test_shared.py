"""Words are recorded by several processes, and each obeys what the others have recorded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from consent_filter import departed
from consent_filter.decide import AD_MEASUREMENT, MEASUREMENT, NO_WORD, Word
from consent_filter.departed import Person
from consent_filter.errors import Broken
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.read import linked, removing, unlinked, withdrawn

WHO = ("eu", "device", "d-1")
VISIT, ADVERT = (MEASUREMENT, *WHO), (AD_MEASUREMENT, *WHO)
NOON = 1_700_000_000_000


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring.open(tmp_path / "keys.json")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def number(person: bytes) -> int:
    return int.from_bytes(person, "little")


def test_a_refusal_that_another_process_records_binds_here_at_the_next_look(
    file: Path, keys: Keyring, tmp_path: Path
) -> None:
    collector = Ledger.open(file, keys)
    (person,) = collector.persons([VISIT])
    collector.flush()
    before = collector.version
    assert not collector.refresh()
    code = (
        "import sys; from pathlib import Path\n"
        "from consent_filter.ledger import Ledger; from consent_filter.pseudonym import Keyring\n"
        "here = Path(sys.argv[1])\n"
        "ledger = Ledger.open(here / 'ledger.sqlite', Keyring.open(here / 'keys.json'), gives=False)\n"
        f"ledger.put(*{WHO!r}, {{'measurement': False}}, 'officer', {NOON})"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert collector.word("eu", None, "d-1") == (NO_WORD, 0)
    assert collector.refresh()
    assert collector.word("eu", None, "d-1") == (Word(0, MEASUREMENT), NOON)
    assert collector.version != before
    assert withdrawn(file).tolist() == [number(person)]
    assert collector.persons([VISIT]) != [person]
    assert not collector.refresh()
    collector.close()


def test_what_only_the_collector_knew_leaves_too(file: Path, keys: Keyring) -> None:
    """A salt that is not written yet: the officer's process cannot know that there is a pseudonym."""
    collector = Ledger.open(file, keys)
    visit, advert = collector.persons([VISIT, ADVERT])
    officer = Ledger.open(file, keys, gives=False)
    officer.erase(*WHO, "officer", NOON)
    assert officer.withdrawn().tolist() == []
    collector.flush()
    assert removing(file).tolist() == sorted([number(visit), number(advert)])
    assert collector.word("eu", None, "d-1") == (Word(0, 0, True), NOON)
    again = Ledger.open(file, keys)
    assert again.persons([VISIT]) != [visit]
    for one in (collector, officer, again):
        one.close()


def test_a_refusal_from_elsewhere_binds_although_the_ledger_cannot_be_written(
    file: Path, keys: Keyring
) -> None:
    """Somebody holds the file: the word is known all the same, and the rest is done as soon as it can be."""
    collector = Ledger.open(file, keys)
    (person,) = collector.persons([VISIT])
    officer = Ledger.open(file, keys, gives=False)
    officer.put(*WHO, {"measurement": False}, "officer", NOON)
    collector._database.execute("PRAGMA busy_timeout = 0")
    before = collector.version
    officer._database.execute("BEGIN IMMEDIATE")
    assert collector.refresh()
    assert collector.word("eu", None, "d-1") == (Word(0, MEASUREMENT), NOON)
    assert collector.version != before
    with pytest.raises(OSError, match="locked"):
        collector.flush()
    officer._database.execute("ROLLBACK")
    assert collector.refresh()
    assert withdrawn(file).tolist() == [number(person)]
    assert not collector.refresh()
    for one in (collector, officer):
        one.close()


def test_both_write_and_the_latest_word_on_each_purpose_stands_everywhere(file: Path, keys: Keyring) -> None:
    one, other = Ledger.open(file, keys), Ledger.open(file, keys, gives=False)
    one.put(*WHO, {"measurement": True, "research": True}, "site", NOON)
    other.put(*WHO, {"research": False}, "officer", NOON + 1)
    one.put(*WHO, {"remarketing": True}, "site", NOON + 2)
    expected = Word(MEASUREMENT | 32, 2)
    assert one.word("eu", None, "d-1") == (expected, NOON + 2)
    assert other.refresh()
    assert other.word("eu", None, "d-1") == (expected, NOON + 2)
    fresh = Ledger.open(file, keys, read_only=True)
    assert [said["at"] for _, said in fresh.subject(fresh.key(*WHO)).records] == [NOON, NOON + 1, NOON + 2]
    assert fresh.verify()
    for ledger in (one, other, fresh):
        ledger.close()


def test_only_the_collector_makes_pseudonyms(file: Path, keys: Keyring) -> None:
    Ledger.open(file, keys).close()
    officer = Ledger.open(file, keys, gives=False)
    with pytest.raises(Broken, match="only the collector"):
        officer.persons([VISIT])
    officer.close()


def test_a_ledger_that_was_put_back_while_in_use_is_noticed(file: Path, keys: Keyring) -> None:
    collector = Ledger.open(file, keys)
    collector.put(*WHO, {"research": True}, "site", NOON)
    officer = Ledger.open(file, keys, gives=False)
    officer._database.execute("DELETE FROM chain")
    officer._database.execute("DELETE FROM content")
    with pytest.raises(Broken, match="put back"):
        collector.put(*WHO, {"research": False}, "site", NOON)
    collector.close()
    officer.close()


@pytest.mark.requirement("M111")
def test_a_restriction_hides_every_pseudonym_also_later_ones_and_lifting_brings_them_back(
    file: Path, keys: Keyring
) -> None:
    collector, officer = Ledger.open(file, keys), Ledger.open(file, keys, gives=False)
    (visit,) = collector.persons([VISIT])
    collector.flush()
    key = officer.key(*WHO)
    officer.restrict(key, "officer", NOON)
    assert withdrawn(file).tolist() == [number(visit)]
    assert removing(file).tolist() == []
    assert collector.refresh()
    (advert,) = collector.persons([ADVERT])
    collector.flush()
    assert withdrawn(file).tolist() == sorted([number(visit), number(advert)])
    assert officer.subject(key).restricted
    officer.lift(key, "officer", NOON + 1)
    assert withdrawn(file).tolist() == []
    assert not collector.subject(key).restricted
    assert collector.persons([VISIT, ADVERT]) == [visit, advert]
    # What was restricted and is erased then does not come back with the restriction.
    officer.restrict(key, "officer", NOON + 2)
    officer.erase_key(key, "officer", NOON + 3)
    assert not officer.subject(key).restricted
    assert not officer._database.execute("SELECT * FROM restricted").fetchall()
    officer.lift(key, "officer", NOON + 4)
    assert withdrawn(file).tolist() == removing(file).tolist() == sorted([number(visit), number(advert)])
    for ledger in (collector, officer):
        ledger.close()


def test_all_that_is_known_of_one_person(file: Path, keys: Keyring) -> None:
    ledger = Ledger.open(file, keys)
    first, advert = ledger.persons([VISIT, ADVERT])
    ledger.put(*WHO, {"measurement": False}, "site", NOON)
    ledger.put(*WHO, {"measurement": True}, "site", NOON + 1)
    (second,) = ledger.persons([VISIT])
    ledger.flush()
    found = ledger.subject(ledger.key(*WHO))
    assert set(found.persons) == {
        Person(MEASUREMENT, number(second), "active"),
        Person(AD_MEASUREMENT, number(advert), "active"),
        Person(MEASUREMENT, number(first), "withdrawn"),
    }
    assert (found.word, found.since, found.restricted, found.linked) == (Word(1, 0), NOON + 1, False, ())
    assert [position for position, _ in found.records] == [1, 2]
    ledger.erase(*WHO, "site", NOON + 2)
    found = ledger.subject(ledger.key(*WHO))
    assert {one.standing for one in found.persons} == {"removing"}
    assert len(found.persons) == 3
    nobody = ledger.subject(bytes(16))
    assert (nobody.word, nobody.persons, nobody.records) == (NO_WORD, (), ())
    ledger.close()


def test_a_withdrawal_removes_the_past_where_the_pack_says_so(file: Path, keys: Keyring) -> None:
    ledger = Ledger.open(file, keys)
    (person,) = ledger.persons([VISIT])
    ledger.record(*WHO, {"measurement": False}, "site", NOON, removes=True)
    assert ledger.removing().tolist() == [number(person)]
    ledger.close()


@pytest.mark.requirement("S2")
def test_who_was_removed_is_known_again_by_a_hash_that_says_nothing(
    file: Path, keys: Keyring, tmp_path: Path
) -> None:
    ledger = Ledger.open(file, keys)
    persons = ledger.persons([VISIT, ADVERT])
    ledger.flush()
    ledger.erase(*WHO, "site", NOON)
    gone = ledger.removing()
    ledger.removed(gone, NOON + 1)
    assert ledger.withdrawn().tolist() == []
    stones = ledger.tombstones()
    asked = np.array([*gone.tolist(), 5], np.uint64)
    assert stones.among(asked).tolist() == [True, True, False]
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not [person for person in persons if person in left or person[::-1] in left]
    # Carried elsewhere, they are known there: the same keys, another file.
    elsewhere = Ledger.open(tmp_path / "older.sqlite", keys)
    assert not elsewhere.tombstones().among(asked).any()
    elsewhere.remember(departed.load(stones.dump()))
    elsewhere.remember(departed.load(stones.dump()))
    assert elsewhere.tombstones().among(asked).tolist() == [True, True, False]
    assert len(elsewhere.tombstones()) == 2
    with pytest.raises(ValueError, match="size"):
        departed.load(b"short")
    for one in (ledger, elsewhere):
        one.close()


@pytest.mark.requirement("M42")
def test_a_login_joins_a_browser_to_an_account_and_can_be_undone_for_good(file: Path, keys: Keyring) -> None:
    ledger = Ledger.open(file, keys)
    account = (MEASUREMENT, "eu", "user", "u-1")
    ledger.link("eu", "u-1", "d-1", NOON)  # a browser that was never measured has nothing to join
    browser, member = ledger.persons([VISIT, account])
    ledger.flush()
    assert linked(file).at.tolist() == []
    for minute in (0, 1, 29, 31):
        ledger.link("eu", "u-1", "d-1", NOON + minute * 60_000)
    ledger.flush()
    found = linked(file)
    assert found.at.tolist() == [NOON, NOON + 31 * 60_000]
    assert {*found.device.tolist()} == {number(browser)}
    assert {*found.account.tolist()} == {number(member)}
    device, user = ledger.key(*WHO), ledger.key("eu", "user", "u-1")
    assert ledger.subject(device).linked == (user,)
    assert ledger.subject(user).linked == (device,)
    officer = Ledger.open(file, keys, gives=False)
    officer.unlink(device, user, "officer", NOON)
    assert linked(file).at.tolist() == []
    assert unlinked(file).at.tolist() == [NOON, NOON + 31 * 60_000], "reports were made with them"
    ledger.refresh()
    ledger.link("eu", "u-1", "d-1", NOON + 24 * 3_600_000)
    ledger.flush()
    assert linked(file).at.tolist() == []
    # Another account on the same browser is another matter, until either is forgotten.
    ledger.persons([(MEASUREMENT, "eu", "user", "u-2")])
    ledger.link("eu", "u-2", "d-1", NOON)
    ledger.flush()
    assert len(linked(file).at) == 1
    ledger.erase("eu", "user", "u-2", "site", NOON)
    assert linked(file).at.tolist() == []
    ledger.erase("eu", "user", "u-1", "site", NOON)
    assert unlinked(file).at.tolist() == []
    for one in (ledger, officer):
        one.close()
