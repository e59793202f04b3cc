"""Lasting keys: replaced and nobody becomes somebody else, destroyed with the last who is under them."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from consent_filter import keyfile, ledger, pseudonym, replacing, shared
from consent_filter.decide import AD_MEASUREMENT, MEASUREMENT
from consent_filter.errors import Broken, Misconfigured, Refused
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.replacing import turn
from consent_filter.rotation import OVERLAP, Keys

DAY = 86_400
NEVER = Keys(identity_days=0, advertising_days=0, event_id_days=0)
OURS = {module.__file__ for module in (keyfile, ledger, pseudonym, replacing, shared)}


class Folder:
    """A ledger and its keys, with a clock that can be turned."""

    def __init__(self, path: Path) -> None:
        self.path, self.time = path, 20_000.0 * DAY
        self.open()

    def open(self) -> None:
        self.keys = Keyring.open(self.path / "keys.json", lambda: self.time)
        self.ledger = Ledger.open(self.path / "ledger.sqlite", self.keys)
        self.ledger.lasts = {"eu": 30}

    def again(self) -> None:
        self.ledger.close()
        self.open()

    def who(self, *ids: str, kind: str = "user", purpose: int = MEASUREMENT) -> list[bytes]:
        found = self.ledger.persons([(purpose, "eu", kind, id) for id in ids])
        self.ledger.flush()
        return found

    def secrets(self, purpose: str) -> list[str | None]:
        return [one.get("key") for one in json.loads((self.path / "keys.json").read_text())[purpose]]

    def holds(self, secret: str) -> list[str]:
        """Files that hold a key, as text or as bytes."""
        both = secret.encode(), bytes.fromhex(secret)
        files = [file for file in self.path.iterdir() if any(one in file.read_bytes() for one in both)]
        return [file.name for file in files]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    one = Folder(tmp_path)
    yield one
    one.ledger.close()


@pytest.mark.requirement("M31", "M79")
@pytest.mark.parametrize("again", [False, True])
def test_who_was_there_stays_who_they_are_and_who_is_new_has_another_key(folder: Folder, again: bool) -> None:
    """Planted: persons that hash with the newest key whatever the salt's number; both forms fail."""
    old = folder.who("a", "b") + folder.who("a", purpose=AD_MEASUREMENT)
    salts = [folder.ledger._salts.record(MEASUREMENT, folder.ledger.key("eu", "user", "c"))]
    folder.keys.replace("identity")
    if again:
        folder.again()
    new = folder.who("c")
    assert folder.who("a", "b") + folder.who("a", purpose=AD_MEASUREMENT) == old
    under = folder.ledger.under(MEASUREMENT)
    assert list(under.values()) == [2, 1]
    assert list(folder.ledger.under(AD_MEASUREMENT).values()) == [1]
    folder.keys.replace("identity")
    folder.again()
    assert folder.who("a", "b", "c") == [*old[:2], *new]
    for id, person in zip(("a", "b", "c"), [*old[:2], *new], strict=True):
        subject = folder.ledger.subject(folder.ledger.key("eu", "user", id))
        assert person in {one.person.to_bytes(8, "little") for one in subject.persons}
    # It is another key, not only another salt.
    key = folder.ledger.key("eu", "user", "c")
    record = folder.ledger._salts.record(MEASUREMENT, key)
    assert salts == [None]
    assert record is not None
    first = folder.keys.under("identity", None).copy()
    first.update(record[:16] + key)
    assert first.digest() != new[0]


@pytest.mark.requirement("M79", "M83")
def test_a_key_is_destroyed_with_the_last_who_is_under_it(folder: Folder) -> None:
    """Planted: `unused` that does not look at the disk; it destroys too soon."""
    folder.who("account")
    folder.who("browser", kind="device")
    secret = folder.secrets("identity")[0]
    assert secret is not None
    folder.keys.replace("identity")
    folder.who("later")
    assert turn(folder.keys, folder.ledger, NEVER).destroyed == ()
    folder.time += 31 * DAY  # the browser becomes somebody else, under the new key
    folder.who("browser", kind="device")
    assert turn(folder.keys, folder.ledger, NEVER).destroyed == ()
    folder.ledger.erase("eu", "user", "account", "test", 1)
    inode = os.open(folder.path / "keys.json", os.O_RDONLY)
    gone = turn(folder.keys, folder.ledger, NEVER).destroyed
    assert len(gone) == 1
    assert secret.encode() not in os.pread(inode, 100_000, 0)  # where it stood, too
    os.close(inode)
    assert folder.holds(secret) == []
    assert secret not in repr(vars(folder.keys))
    (life,) = [one for one in folder.keys.lives() if one.id == gone[0]]
    assert life.destroyed == folder.time
    folder.again()
    assert turn(folder.keys, folder.ledger, NEVER) == ((), (), 0)
    # Whoever the browser was is still found.
    persons = folder.ledger.subject(folder.ledger.key("eu", "device", "browser")).persons
    assert len(persons) == 2


def test_a_key_that_nobody_came_under_goes_at_once(folder: Folder) -> None:
    folder.who("a")
    for _ in range(3):
        folder.keys.replace("identity")
    assert len(turn(folder.keys, folder.ledger, NEVER).destroyed) == 2
    before = folder.who("a", "b")
    folder.again()
    assert folder.who("a", "b") == before
    assert [one is None for one in folder.secrets("identity")] == [False, True, True, False]


@pytest.mark.requirement("M79")
def test_keys_are_replaced_when_they_are_due(folder: Folder) -> None:
    old = folder.who("a")
    folder.time += 364 * DAY
    schedule = Keys(event_id_days=0)
    assert turn(folder.keys, folder.ledger, schedule).replaced == ()
    folder.time += DAY
    assert len(turn(folder.keys, folder.ledger, schedule).replaced) == 2
    assert turn(folder.keys, folder.ledger, schedule).replaced == ()
    assert folder.who("a") == old
    folder.time -= 400 * DAY
    turn(folder.keys, folder.ledger, schedule)
    assert folder.who("a") == old, "a clock that has stepped back makes nobody somebody else"


@pytest.mark.requirement("M23", "M113")
def test_after_its_end_nobody_is_under_a_key_and_everybody_is_found(folder: Folder) -> None:
    (old,) = folder.who("a")
    secret = folder.secrets("identity")[0]
    assert secret is not None
    folder.keys.replace("identity")
    schedule = Keys(identity_days=0, advertising_days=0, event_id_days=0, ends_days=100)
    folder.time += 99 * DAY
    assert turn(folder.keys, folder.ledger, schedule).parted == 0
    folder.time += DAY
    with closing(Ledger.open(folder.path / "ledger.sqlite", folder.keys, gives=False)) as other:
        assert turn(folder.keys, folder.ledger, schedule).parted == 1
        assert folder.holds(secret) == []
        (new,) = folder.who("a")
        assert new != old
        assert folder.who("a") == [new]
        found = other.subject(other.key("eu", "user", "a")).persons
        assert {one.person.to_bytes(8, "little") for one in found} == {old, new}
    folder.again()
    assert folder.who("a") == [new]
    folder.ledger.erase("eu", "user", "a", "test", 1)
    gone = {int(one).to_bytes(8, "little") for one in folder.ledger.removing()}
    assert gone == {old, new}


@pytest.mark.requirement("M83")
def test_another_process_finds_who_came_under_a_key_made_since(folder: Folder) -> None:
    """Planted: epochs that are read only when a ledger is opened; the other finds somebody else."""
    folder.who("a")
    keys = Keyring.open(folder.path / "keys.json", lambda: folder.time)
    with closing(Ledger.open(folder.path / "ledger.sqlite", keys, gives=False)) as other:
        Keyring.open(folder.path / "keys.json", lambda: folder.time).replace("identity")
        folder.keys.roll()
        new = folder.who("b")
        found = other.subject(other.key("eu", "user", "b")).persons
        assert [one.person.to_bytes(8, "little") for one in found] == new
        other.erase("eu", "user", "b", "test", 1)
    folder.ledger.refresh()
    assert [int(one).to_bytes(8, "little") for one in folder.ledger.removing()] == new
    assert folder.who("b") != new


def test_a_collector_takes_in_what_another_process_has_replaced(folder: Folder) -> None:
    version = folder.keys.version
    Keyring.open(folder.path / "keys.json", lambda: folder.time).replace("advertising")
    folder.keys.roll()
    assert folder.keys.version == version + 1
    folder.keys.roll()
    assert folder.keys.version == version + 1


def test_keys_of_before_get_their_lists_and_nobody_changes(folder: Folder) -> None:
    old = folder.who("a", "b")
    held = json.loads((folder.path / "keys.json").read_text())
    flat = {name: one[0]["key"] if isinstance(one, list) else one for name, one in held.items()}
    del flat["lines"]
    (folder.path / "keys.json").write_text(json.dumps(flat))
    with closing(sqlite3.connect(folder.path / "ledger.sqlite")) as database:
        database.execute("DROP TABLE epoch")
    folder.again()
    assert folder.who("a", "b") == old
    held = json.loads((folder.path / "keys.json").read_text())
    assert held["lines"][0]["key"] == flat["event_id"], "an imported line is still known"
    folder.keys.replace("identity")
    folder.who("c")
    folder.again()
    assert folder.who("a", "b") == old


def test_what_finds_again_is_not_replaced(folder: Folder) -> None:
    for purpose in ("ledger", "lines"):
        with pytest.raises(Refused, match="cannot be replaced"):
            folder.keys.replace(purpose)
    folder.keys.replace("event_id")
    with pytest.raises(Refused, match="retries"):
        folder.keys.replace("event_id")
    before = folder.keys.before("event_id")
    assert before is not None
    folder.time += OVERLAP
    assert folder.keys.before("event_id") is None
    folder.keys.roll()
    assert folder.secrets("event_id")[0] is None
    assert [one.purpose for one in folder.keys.lives() if one.replaced is not None] == ["event_id"]
    with pytest.raises(Misconfigured, match="event_id_days"):
        Keys(event_id_days=1)


def test_a_ledger_of_other_keys_stops(folder: Folder, tmp_path: Path) -> None:
    folder.keys.replace("identity")
    folder.who("a")
    held = json.loads((folder.path / "keys.json").read_text())
    held["identity"] = held["identity"][:1]
    (folder.path / "keys.json").write_text(json.dumps(held))
    folder.again()
    with pytest.raises(Broken, match="names a key"):
        folder.who("a")


def _killed(folder: Folder, schedule: Keys, after: int) -> bool:
    """Turn, in a process that ends itself at that line of ours; whether it did."""
    child = os.fork()
    if child == 0:

        def local(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal after
            if event == "line":
                after -= 1
                if after < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return local

        folder.open()
        sys.settrace(lambda frame, event, argument: local if frame.f_code.co_filename in OURS else None)
        turn(folder.keys, folder.ledger, schedule)
        folder.who("a", "b", "c")
        sys.settrace(None)
        os._exit(0)
    return os.waitpid(child, 0)[1] != 0


@pytest.mark.requirement("M83")
def test_killed_anywhere_in_a_rotation_nobody_is_lost(tmp_path: Path) -> None:
    """Planted: a key that is destroyed before whoever is under it is noted; somebody is not found again."""
    after, schedule = 0, Keys(identity_days=100, advertising_days=0, event_id_days=0, ends_days=50)
    while True:
        place = tmp_path / str(after)
        place.mkdir()
        folder = Folder(place)
        (old,) = folder.who("a")
        folder.time += 100 * DAY
        turn(folder.keys, folder.ledger, schedule)
        (second,) = folder.who("b")
        folder.time += 100 * DAY  # another is due, and the first ends
        folder.ledger.close()
        was_killed = _killed(folder, schedule, after)
        folder.open()
        turn(folder.keys, folder.ledger, schedule)
        (new, same, _) = folder.who("a", "b", "c")
        assert same == second
        assert new != old
        found = folder.ledger.subject(folder.ledger.key("eu", "user", "a")).persons
        assert {one.person.to_bytes(8, "little") for one in found} == {old, new}, after
        held = json.loads((place / "keys.json").read_text())["identity"]
        assert ["key" in one for one in held] == [False, True, True], after
        folder.ledger.close()
        if not was_killed:
            break
        after += 23
    assert after > 100
