"""`throng hold`, `throng account`, `throng expire`: on a real data folder, as an officer would."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consent_filter.counts import Counts, Key
from consent_filter.events import Events
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import Purpose
from pipelines import rights
from pipelines.keeping import left_out
from tests.throng.conftest import Throng
from tests.warehouse import crowd
from tests.warehouse.sample import left_over
from throng import keeping_options, main
from warehouse import facts
from warehouse.lake import Lake
from warehouse.recent import Recent

IDS = ("ann", "bob", "eve")
MEASUREMENT = int(Purpose.MEASUREMENT)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    data = tmp_path / "data"
    data.mkdir()
    (data / "throng.toml").write_text('[[site]]\nid = "market"\npack = "workallies-2024"\n')
    found = Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"))
    yield found
    found.close()


@pytest.fixture
def persons(ledger: Ledger) -> dict[str, int]:
    """The pseudonyms of three people, as the collector makes them."""
    ledger.persons([(MEASUREMENT, "market", "user", id) for id in IDS])
    ledger.flush()
    known = {id: ledger.subject(ledger.key("market", "user", id)) for id in IDS}
    return {id: one.persons[0].person for id, one in known.items()}


def lay(data: Path, persons: dict[str, int], days: int, **more: Any) -> None:
    """A page view and a bid of each, so many days ago."""
    at = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%d 10:11")
    rows = [
        {"person": number, "time": at, "path": f"/{kind}", "type": kind, "name": "bid", "region": "BE",
         "browser": "Firefox", "policy": "workallies-2024/1",
         "because": "workallies-2024.opt_in.agreed", **more}
        for number in range(len(persons)) for kind in ("page_view", "event")
    ]  # fmt: skip
    batch = crowd.events(rows)
    who = pa.array([list(persons.values())[row["person"]] for row in rows], pa.uint64())
    batch = batch.set_column(batch.schema.get_field_index("person"), "person", who)
    lake = Lake.open(data, write=True)
    assert lake is not None
    room, prefix = lake.room()
    counts: Counts = crowd.counts(rows)
    assert isinstance(next(iter(counts)), Key)
    written = facts.fold(Events.of(batch), counts, Recent(), room, prefix)
    lake.commit([Path(file) for file in written.files], {}, written.counts, written.rows)
    lake.close()


def stored(data: Path) -> list[dict[str, Any]]:
    assert left_over(data) == set()
    files = sorted((data / "lake" / "files").rglob("main/events/*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def place(throng: Throng, id: str, *more: str) -> str:
    soon = (datetime.now(UTC) + timedelta(days=90)).date().isoformat()
    said = throng(
        "hold", "add", "--site", "market", "--user-id", id, "--owner", "legal", "--reason", "dispute",
        "--reference", "case/7", "--expires", soon, *more,
    )  # fmt: skip
    assert (said.code, said.err) == (0, "")
    return said.out.strip()


@pytest.mark.requirement("M80")
@pytest.mark.requirement("M81")
def test_a_hold_keeps_rows_out_of_reports_and_on_the_disk_until_it_is_released(
    throng: Throng, tmp_path: Path, persons: dict[str, int]
) -> None:
    data = tmp_path / "data"
    lay(data, persons, 770)
    hold = place(throng, "ann")
    assert left_out(data).tolist() == [persons["ann"]]
    assert throng("expire").code == 0
    kept = stored(data)
    assert {row["person"] for row in kept} == {persons["ann"]}
    assert {row["region"] for row in kept} == {"BE"}
    (said,) = [json.loads(line) for line in throng("hold", "list", "--format", "json").out.splitlines()]
    assert (said["id"], said["owner"], said["reason"], said["persons"], said["standing"]) == (
        hold, "legal", "dispute", 1, True,
    )  # fmt: skip
    released = throng("hold", "release", hold, "--owner", "legal")
    assert "rows deleted: 2" in released.out
    assert stored(data) == []
    assert len(left_out(data)) == 0
    assert throng("hold", "release", hold, "--owner", "legal").code == 1
    assert "released" in throng("hold", "list").out
    past = json.loads(throng("expire", "--past", "--format", "json").out)
    assert {one["reason"] for one in past} >= {"policy", "hold"}
    assert "purged" in throng("status").out


@pytest.mark.requirement("M81")
def test_an_erasure_waits_for_the_hold_and_is_done_after_it(
    throng: Throng, tmp_path: Path, ledger: Ledger, persons: dict[str, int]
) -> None:
    """Of two who are erased one is held. A row of nobody, found in no search, stays where it is."""
    data = tmp_path / "data"
    lay(data, {"long ago": 77}, 740)
    throng("expire")
    lay(data, persons, 3)
    hold = place(throng, "ann")
    for id in ("ann", "bob"):
        ledger.erase("market", "user", id, "site", 1)
    assert {persons["ann"], persons["bob"]} <= {*left_out(data).tolist()}
    later = time.time() + 3600
    done = [rights.run(data, now=now, at_once=True) for now in (time.time(), later, later + 60)]
    assert any(one.certified for one in done), "of the other"
    assert {row["person"] for row in facts_of(data)} == {persons["ann"], persons["eve"], None}
    throng("hold", "release", hold, "--owner", "legal")
    assert persons["ann"] in left_out(data).tolist(), "erased all the same"
    rights.run(data, at_once=True)
    assert {row["person"] for row in facts_of(data)} == {persons["eve"], None}


def facts_of(data: Path) -> list[dict[str, Any]]:
    lake = Lake.open(data)
    assert lake is not None
    found: list[dict[str, Any]] = lake.connection.sql("FROM lake.events").to_arrow_table().to_pylist()
    lake.close()
    return found


def test_no_id_of_a_hold_is_on_the_disk_and_nobody_is_held_by_mistake(
    throng: Throng, tmp_path: Path, ledger: Ledger, persons: dict[str, int]
) -> None:
    """Also who has withdrawn, whose rows are there still."""
    data = tmp_path / "data"
    ledger.record("market", "user", "eve", {"measurement": False}, "api", 1)
    place(throng, "eve")
    assert persons["eve"] in left_out(data).tolist()
    assert b"eve" not in (data / "holds.sqlite").read_bytes()
    unknown = throng(
        "hold", "add", "--site", "market", "--user-id", "mallory", "--owner", "o", "--reason", "law",
        "--reference", "r", "--expires", "2027-01-01",
    )  # fmt: skip
    assert (unknown.code, "mallory" in unknown.err) == (1, False)
    assert "nobody" in unknown.err


@pytest.mark.parametrize(
    ("option", "value"),
    [("--owner", "Ann, tel. 555"), ("--reference", ""), ("--expires", "2020-01-01"), ("--to", "2019-01-01")],
)  # fmt: skip
def test_a_hold_has_an_owner_a_file_and_an_end(
    throng: Throng, persons: dict[str, int], option: str, value: str
) -> None:
    options = {"--site": "market", "--user-id": "ann", "--owner": "o", "--reason": "law", "--reference": "r"}
    options |= {"--expires": "2027-06-01", "--from": "2026-01-01", option: value}
    said = throng("hold", "add", *(word for pair in options.items() for word in pair))
    assert said.code == 2
    assert "555" not in said.err


@pytest.mark.requirement("M78")
@pytest.mark.requirement("M82")
def test_a_closed_account_keeps_what_its_classes_need_and_nothing_else(
    throng: Throng, tmp_path: Path, ledger: Ledger, persons: dict[str, int]
) -> None:
    """Of three accounts closed today: nothing, what fees need, what troubleshooting needs. Each by its own
    list of columns, for no purpose; and no optional purpose goes on."""
    data = tmp_path / "data"
    lay(data, persons, 40)
    ledger.record("market", "user", "bob", {"measurement": True, "marketing_email": True}, "api", 1)
    for id, classes in (("ann", ()), ("bob", ("fees",)), ("eve", ("troubleshooting",))):
        options = [word for name in classes for word in ("--class", name)]
        assert throng("account", "close", "--site", "market", "--user-id", id, *options).code == 0
    rows = stored(data)
    assert {row["person"] for row in rows} == {persons["bob"], persons["eve"]}
    assert {row["purposes"] for row in rows} == {0}
    told = {
        id: {name for row in rows if row["person"] == persons[id] for name in row if row[name] is not None}
        for id in ("bob", "eve")
    }
    assert told["bob"] - told["eve"] == {"name"}
    assert told["eve"] - told["bob"] == {"path", "browser"}
    times = {id: {row["time"].hour for row in rows if row["person"] == persons[id]} for id in persons}
    assert (times["bob"], times["eve"]) == ({10}, {0}), "fees need the time, troubleshooting the day"
    assert set(left_out(data).tolist()) == set(persons.values())
    ledger.refresh()
    entry = ledger.get("market", "user", "bob")
    assert entry is not None
    assert (entry.grant, entry.deny & MEASUREMENT) == (0, MEASUREMENT)
    assert entry.deny & int(Purpose.MARKETING_EMAIL)
    assert "fees" in throng("account", "list").out
    assert throng("account", "close", "--site", "market", "--user-id", "bob", "--class", "fees").code == 0
    assert stored(data) == rows, "said twice is said once"


@pytest.mark.requirement("M78")
def test_a_browser_of_that_account_alone_is_closed_with_it(
    throng: Throng, tmp_path: Path, ledger: Ledger, persons: dict[str, int]
) -> None:
    """Planted: every linked browser; the one that eve has used, too, loses her word."""
    for device, ids in (("own", ("ann",)), ("shared", ("ann", "eve")), ("other", ("eve",))):
        ledger.persons([(MEASUREMENT, "market", "device", device)])
        ledger.record("market", "device", device, {"measurement": True}, "api", 1)
        for n, id in enumerate(ids):
            ledger.link("market", id, device, 10**9 * (n + 1))
    ledger.flush()
    lay(tmp_path / "data", persons, 40)
    assert throng("account", "close", "--site", "market", "--user-id", "ann").code == 0
    ledger.refresh()
    entries = {device: ledger.get("market", "device", device) for device in ("own", "shared", "other")}
    denied = {device: bool(one and one.deny & MEASUREMENT) for device, one in entries.items()}
    assert denied == {"own": True, "shared": False, "other": False}


def test_each_class_of_a_closed_account_ends_on_its_own_day(
    throng: Throng, tmp_path: Path, persons: dict[str, int]
) -> None:
    from pipelines import expire

    data = tmp_path / "data"
    lay(data, persons, 1)
    for id, classes in (("ann", ("other", "disputes")), ("bob", ("troubleshooting",))):
        options = [word for name in classes for word in ("--class", name)]
        throng("account", "close", "--site", "market", "--user-id", id, *options)
    seen = []
    for days in (88, 91, 178, 181, 363, 366):
        expire.run(data, now=time.time() + days * 86_400)
        rows = [row for row in stored(data) if row["purposes"] == 0]  # not of her whose account is open
        seen.append(sorted((row["person"] == persons["ann"], row["path"] or "") for row in rows))
    ann, bob = [(True, "/event"), (True, "/page_view")], [(False, "/event"), (False, "/page_view")]
    assert seen == [bob + ann, ann, ann, ann, ann, []]
    expire.run(data, now=time.time() + 380 * 86_400)
    assert throng("account", "list").out == "", "of whom nothing is left, nothing is remembered"


def test_a_class_that_the_pack_does_not_have_is_refused(
    throng: Throng, tmp_path: Path, ledger: Ledger
) -> None:
    data = tmp_path / "data"
    pack = (Path(main.__file__).parent.parent / "consent_filter/packs/workallies-2024.toml").read_text()
    begin, end = pack.index("[retention.closed]"), pack.index("[[rules]]")
    (data / "own.toml").write_text(pack[:begin] + pack[end:].replace("retention.closed", "retention"))
    (data / "throng.toml").write_text(f'[[site]]\nid = "market"\npack = "{data / "own.toml"}"\n')
    said = throng("account", "close", "--site", "market", "--user-id", "x", "--class", "law")
    assert said.code == 2
    assert np.array_equal(left_out(data), [])


def test_the_help_names_the_reasons_and_classes_that_there_are() -> None:
    from consent_filter import holds, retention

    assert keeping_options.REASONS == holds.REASONS
    assert keeping_options.CLASSES == retention.CLASSES
