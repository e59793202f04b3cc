"""`throng keys`, and what a rotation may not change: retries are found, and no copy brings a key back."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from consent_filter.events import BEFORE
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.replacing import turn
from consent_filter.rotation import LEAD, OVERLAP, TURNING, WIDTHS, Keys
from ingest.log.record import decode, encode
from ingest.log.segment import SegmentLog
from pipelines import facts
from tests.pipelines.comeback import collect
from tests.throng.conftest import Throng
from throng import keys_options
from warehouse.facts import _fresh
from warehouse.lake import Lake
from warehouse.recent import Recent

IDS = ["ann", "bob", "cid"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "throng.toml").write_text('[[site]]\nid = "shop"\n[warehouse]\nmin_group = 1\n')
    return tmp_path / "data"


def rotate(data: Path, purpose: str) -> None:
    Keyring.open(data / "keys.json").replace(purpose)


def secret(data: Path, purpose: str, n: int = 0) -> str:
    found = json.loads((data / "keys.json").read_text())[purpose][n]["key"]
    assert isinstance(found, str)
    return found


def over(data: Path) -> None:
    """The old key of event ids has had its time."""
    Keyring.open(data / "keys.json", lambda: time.time() + OVERLAP)


@pytest.mark.requirement("M79")
@pytest.mark.parametrize("folded", [False, True])
def test_a_retry_is_found_whichever_key_its_event_came_under(data: Path, folded: bool) -> None:
    """Planted: no second id while keys overlap; and rows compared by the newer one only. Both fail."""

    def send(*numbers: int) -> int:
        collect(data, IDS, "collector", list(numbers), time.time())
        return facts.run(data).stored if folded else 0

    stored = [send(0)]
    old = secret(data, "event_id")
    rotate(data, "event_id")
    stored.append(send(0, 1))
    over(data)
    stored.append(send(1, 2))
    done = facts.run(data)
    if folded:
        assert stored == [3, 3, 3]
    else:
        assert (done.stored, done.duplicates) == (9, 6)
    assert secret(data, "event_id", 1) != old
    for file in data.rglob("*"):
        assert not file.is_file() or old.encode() not in file.read_bytes()
    lake = Lake.open(data)
    assert lake is not None
    assert lake.count() == 9
    lake.close()


def test_a_stretch_of_three_times_counts_each_event_once() -> None:
    """Before, during and after the overlap in one stretch: an event may have the old id, both, or the new."""
    none = 2**64 - 1
    new, old = {1: 101, 2: 102, 3: 103}, {1: 11, 2: 12, 3: 13}
    rows = [(old[1], old[1]), (new[1], old[1]), (new[2], old[2]), (new[2], new[2]), (new[3], new[3]),
            (none, none), (none, none), (new[1], new[1])]  # fmt: skip
    column, before = (np.array(one, np.uint64) for one in zip(*rows, strict=True))
    fresh, ids = _fresh(column, before, seen=Recent())
    assert fresh.tolist() == [True, False, True, False, True, True, True, False]
    assert {11, 102, 12, 103} <= set(ids.tolist())
    for seen in (11, 101):
        fresh, _ = _fresh(column, before, seen=Recent(np.array([seen], np.uint64)))
        assert fresh.tolist() == [False, False, True, False, True, True, True, False]


def test_the_log_holds_both_ids_while_keys_overlap(data: Path) -> None:
    collect(data, IDS, "collector", [0], time.time())
    rotate(data, "event_id")
    collect(data, IDS, "collector", [0], time.time())
    over(data)
    collect(data, IDS, "collector", [0], time.time())
    log = SegmentLog(data / "log")
    one, both, last = (record for _, record in log.read({}))
    log.close()
    assert (BEFORE in one.events.numbers, BEFORE in last.events.numbers) == (False, False)
    assert both.events.numbers[BEFORE].tolist() == one.events.numbers["event_id"].tolist()
    assert both.events.numbers["event_id"].tolist() == last.events.numbers["event_id"].tolist()
    assert encode(decode(encode(both))) == encode(both)
    assert not set(one.events.numbers["event_id"]) & set(last.events.numbers["event_id"])


@pytest.mark.requirement("M79")
def test_keys_are_listed_and_none_is_told(data: Path, throng: Throng) -> None:
    assert throng("keys").code == 1
    collect(data, IDS, "collector", [0], time.time())
    assert throng("keys", "rotate", "identity").code == 0
    collect(data, ["dan"], "collector", [0], time.time())
    said = throng("keys")
    assert said.code == 0
    rows = json.loads(throng("keys", "--format", "json").out)
    known = {(one["purpose"], one["people"]) for one in rows if one["purpose"] == "identity"}
    assert known == {("identity", 3), ("identity", 1)}
    held = json.loads((data / "keys.json").read_text())
    every = [entry["key"] for one in held.values() if isinstance(one, list) for entry in one]
    for text in (said.out, json.dumps(rows)):
        assert not any(key in text for key in [*every, held["chain"]["key"]])
    assert "with the last" in said.out
    assert throng("keys", "rotate", "ledger").code == 2
    assert throng("keys", "rotate", "event_id").code == 0
    assert "retries" in throng("keys", "rotate", "event_id").err
    assert keys_options.TURNING == TURNING
    assert {one["purpose"] for one in rows} >= set(WIDTHS)


@pytest.mark.requirement("M79")
def test_what_is_due_is_said_by_status_and_check(data: Path, throng: Throng) -> None:
    Keyring.open(data / "keys.json", lambda: time.time() - 40 * 86_400)
    assert "the key event_id was to be replaced" in throng("status").out
    said = throng("check")
    assert said.code == 1
    assert "the key event_id was to be replaced" in said.out
    assert throng("keys").code == 1
    keys = Keyring.open(data / "keys.json")
    with closing(Ledger.open(data / "ledger.sqlite", keys)) as ledger:
        turn(keys, ledger, Keys())
    assert "DUE" not in throng("status").out
    assert throng("keys").code == 0


@pytest.mark.requirement("M79")
@pytest.mark.parametrize("folded", [False, True])
def test_a_retry_is_found_at_a_collector_that_is_behind(data: Path, tmp_path: Path, folded: bool) -> None:
    """Two keyrings, one of which makes the next key of event ids first. Planted: rows compared by the older
    key's id alone, as before there were several collectors; it fails where not folded in between."""
    own, other = data / "keys.json", tmp_path / "other.json"
    schedule, stored = Keys(identity_days=0, advertising_days=0), 0
    Keyring.open(own)
    other.write_bytes(own.read_bytes())
    begun = Keyring.open(own).lives()[0].made
    day, begins = begun + 30 * 86_400 + 1, begun + 30 * 86_400 + LEAD + 1

    def send(ahead: float, behind: bool = False) -> None:
        nonlocal stored
        held = own.read_bytes()
        if behind:
            own.write_bytes(other.read_bytes())
        else:
            keys = Keyring.open(own, lambda: ahead)
            keys.follow(schedule)
            held = own.read_bytes()
        collect(data, IDS, "collector", [0], time.time())
        own.write_bytes(held)
        stored += facts.run(data).stored if folded else 0

    send(begun)
    send(day)
    send(day, behind=True)  # has no other key yet
    send(begins)
    Keyring.open(other, lambda: day).follow(schedule)
    send(begins, behind=True)  # has it, and does not begin with it
    assert stored + facts.run(data).stored == len(IDS)
