"""Keys: shared, destroyed on time, in every process, and never brought back."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.errors import Broken
from consent_filter.pseudonym import Keyring, event_ids, hashes
from consent_filter.raw import column

DAY = 20_000
SECONDS = 86_400


class Clock:
    """A clock that is told the time, in days since 1970."""

    def __init__(self, day: float = DAY + 0.5) -> None:
        self.day = day

    def __call__(self) -> float:
        return self.day * SECONDS


def of_day(keys: Keyring, day: int, purpose: str = "measurement") -> bytes | None:
    state = keys.day(day, purpose)
    return None if state is None else bytes(hashes(state, [b"somebody"]).tobytes())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.json"


def test_the_file_is_the_owners_alone_and_made_once(file: Path) -> None:
    first = Keyring.open(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert of_day(Keyring.open(file), int(time.time() // SECONDS)) is not None
    for purpose in ("identity", "ledger", "event_id", "advertising"):
        again = Keyring.open(file).state(purpose).copy()
        mine = first.state(purpose).copy()
        again.update(b"x")
        mine.update(b"x")
        assert again.digest() == mine.digest()
    assert sorted(p.name for p in file.parent.iterdir()) == ["keys.json", "keys.lock"]


def test_each_purpose_has_a_key_of_its_own() -> None:
    keys = Keyring.memory(Clock())
    found = []
    for purpose in ("identity", "ledger", "event_id", "advertising"):
        one = keys.state(purpose).copy()
        one.update(b"somebody")
        found.append(one.digest()[:8])
    found += [
        of_day(keys, DAY),
        of_day(keys, DAY, "advertising"),
        of_day(keys, DAY + 1),
        of_day(keys, DAY - 1),
    ]
    assert None not in found
    assert len(set(found)) == len(found)


def test_a_state_is_remembered_and_left_as_it_was() -> None:
    keys = Keyring.memory(Clock())
    assert keys.state("identity") is keys.state("identity")
    assert keys.day(DAY) is keys.day(DAY)
    assert of_day(keys, DAY) == of_day(keys, DAY)


def test_a_day_has_a_key_from_the_day_before_it_until_48_hours_after_it_began(file: Path) -> None:
    clock = Clock()
    keys = Keyring.open(file, clock)
    assert of_day(keys, DAY - 2) is None  # over for 36 hours
    yesterday, today, tomorrow = (of_day(keys, DAY + i) for i in (-1, 0, 1))
    assert of_day(keys, DAY + 2) is None  # nowhere is it that day yet
    clock.day = DAY + 1 - 1e-5
    assert of_day(keys, DAY - 1) == yesterday
    clock.day = DAY + 1
    assert of_day(keys, DAY - 1) is None
    assert (of_day(keys, DAY), of_day(keys, DAY + 1)) == (today, tomorrow)
    clock.day = DAY + 2 - 1e-5
    assert of_day(keys, DAY) == today
    clock.day = DAY + 2
    assert of_day(keys, DAY) is None
    assert of_day(keys, DAY + 1) == tomorrow


@pytest.mark.requirement("M79")
def test_a_destroyed_key_is_nowhere(file: Path) -> None:
    clock = Clock()
    keys = Keyring.open(file, clock)
    old = json.loads(file.read_text())["chain"]["key"]
    inode = os.open(file, os.O_RDONLY)
    clock.day += 1
    keys.roll()
    assert os.pread(inode, 10_000, 0).strip(b"\0") == b""  # where it stood, too
    os.close(inode)
    for path in file.parent.iterdir():
        assert old not in path.read_text()
    assert old not in repr(vars(keys))


def test_processes_that_share_the_file_agree_and_forget_together(file: Path) -> None:
    clock = Clock()
    one, two = Keyring.open(file, clock), Keyring.open(file, clock)
    assert of_day(one, DAY) == of_day(two, DAY) is not None
    clock.day = DAY + 2
    assert of_day(one, DAY) is None
    # The other finds the file already moved on, and must not go on with what it remembers.
    assert of_day(two, DAY) is None
    assert of_day(one, DAY + 2) == of_day(two, DAY + 2) is not None


def test_they_agree_without_the_file_having_moved() -> None:
    """One that was asleep for three days derives what the others have."""
    clock = Clock()
    keys = Keyring.memory(clock)
    ahead = of_day(keys, DAY + 1)
    clock.day += 2
    assert of_day(keys, DAY + 1) == ahead


@pytest.mark.parametrize("back", [1e-4, 0.4, 0.6, 1.6, 30.0, 19_000.0])
def test_a_clock_that_steps_back_neither_stops_anything_nor_brings_a_key_back(
    file: Path, back: float
) -> None:
    clock = Clock(DAY - 2 + 0.5)
    keys = Keyring.open(file, clock)
    gone = {DAY - 3 + i: of_day(keys, DAY - 3 + i) for i in range(3)}
    clock.day = DAY + 0.5
    today = of_day(keys, DAY)
    clock.day -= back
    now = int(clock.day)
    assert of_day(keys, now) is not None
    for day, was in gone.items():
        # The chain had passed DAY - 2: its key is destroyed. What there may be now is another.
        if day < DAY - 1:
            assert of_day(keys, day) is None or of_day(keys, day) != was
    if back < 1:
        assert of_day(keys, DAY) in (today, None)
    # And forward again: no standstill, no crash, and the days that were destroyed stay so.
    clock.day = DAY + 5
    assert of_day(keys, DAY + 5) is not None
    assert of_day(keys, DAY) is None


def test_a_clock_that_ran_ahead_does_not_leave_one_key_for_years(file: Path) -> None:
    clock = Clock(DAY + 3650)
    keys = Keyring.open(file, clock)
    clock.day = DAY + 0.5
    first = of_day(keys, DAY)
    assert first is not None
    clock.day += 2
    assert of_day(keys, DAY) is None
    assert json.loads(file.read_text())["chain"]["day"] == DAY + 1


def test_days_of_old_logs_have_the_imports_key_and_it_dies_after_48_hours(file: Path) -> None:
    clock = Clock()
    keys = Keyring.open(file, clock)
    live = of_day(keys, DAY)
    keys.importing()
    old = of_day(keys, DAY - 5000)
    assert old is not None
    assert of_day(keys, DAY) not in (live, None)
    # Another file, another process, the same import: the same pseudonyms.
    clock.day += 1.9
    assert of_day(Keyring.open(file, clock, importing=True), DAY - 5000) == old
    assert of_day(keys, DAY - 5000) == old
    # Use does not make it live longer.
    clock.day += 0.1
    assert of_day(keys, DAY - 5000) not in (old, None)
    clock.day += 2
    Keyring.open(file, clock)
    assert "import" not in json.loads(file.read_text())


def test_a_second_file_of_an_import_begins_where_the_first_ended(file: Path) -> None:
    keys = Keyring.open(file, Clock(), importing=True)
    state = keys.day(10)
    keys.importing()
    assert keys.day(10) is state


def test_an_import_key_from_the_future_is_destroyed(file: Path) -> None:
    clock = Clock(DAY + 100)
    keys = Keyring.open(file, clock, importing=True)
    old = of_day(keys, 10)
    clock.day = DAY + 99.9
    assert of_day(keys, 10) not in (old, None)


def test_a_live_process_is_not_moved_by_an_import(file: Path) -> None:
    clock = Clock()
    keys = Keyring.open(file, clock)
    live = of_day(keys, DAY)
    Keyring.open(file, clock, importing=True)
    clock.day += 1
    assert of_day(keys, DAY) == live
    assert of_day(keys, DAY - 5000) is None
    clock.day += 3
    keys.roll()
    assert "import" not in json.loads(file.read_text())


def test_a_damaged_file_stops_rather_than_begins_anew(file: Path) -> None:
    Keyring.open(file)
    file.write_text('{"identity": "')
    with pytest.raises(Broken, match="damaged"):
        Keyring.open(file)


def test_rolling_twice_writes_nothing(file: Path) -> None:
    clock = Clock()
    keys = Keyring.open(file, clock)
    before = file.stat().st_ino
    keys.roll()
    Keyring.open(file, clock)
    assert file.stat().st_ino == before


def test_many_processes_begin_at_once_with_one_key(tmp_path: Path) -> None:
    """Each opens the same twenty new files as soon as all of them are awake."""
    code = """
import sys; from pathlib import Path
from consent_filter.pseudonym import Keyring, hashes
print(flush=True); sys.stdin.readline()
for i in range(20):
    print(hashes(Keyring.open(Path(sys.argv[1]) / f"{i}.json").state("identity"), [b"x"])[0])
"""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for one in running:
        assert one.stdout is not None
        assert one.stdout.readline() == "\n"
    said = set()
    for one in running:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    for one in running:
        said.add(one.communicate()[0])
        assert one.returncode == 0
    assert len(said) == 1


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_hashes_are_of_each_text(texts: list[bytes]) -> None:
    state = Keyring.memory(Clock()).state("identity")
    found = hashes(state, texts)
    assert found.dtype == np.uint64
    assert found.tolist() == [hashes(state, [text])[0] for text in texts]


@pytest.mark.parametrize("sites", [["a", "a", "a", "a"], ["a", "b", "a", "b"]])
def test_event_ids_tell_sites_apart_and_are_full_where_none_was_sent(sites: list[str]) -> None:
    keys = Keyring.memory(Clock())
    found = event_ids(keys, column(sites), ["1", None, "1", "\ud800"]).tolist()
    assert found[1] == 2**64 - 1
    assert found[0] == found[2]
    assert found[3] not in (2**64 - 1, found[0])
    whole = event_ids(keys, column(sites), ["1", "1", "1", "2"]).tolist()
    assert whole[0] == found[0]
    assert (whole[0] == whole[1]) is (sites[0] == sites[1])
