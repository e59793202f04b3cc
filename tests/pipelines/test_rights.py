"""Rights carried out in the pipeline: words at once, rows in the same pass, the last byte after the grace."""

from __future__ import annotations

import io
import json
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from consent_filter import accounts, holds
from consent_filter.certificate import check
from consent_filter.decide import MEASUREMENT
from consent_filter.errors import Refused
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.rights.case import Case
from consent_filter.rights.proof import Judgement
from consent_filter.rights.register import Register
from consent_filter.rights.statistics import children as children_of
from consent_filter.signing import FILE, SigningKey
from pipelines import access, facts, rectify, reports, rights
from pipelines.settings import Backup, Pipelines
from tests.pipelines.comeback import AFTER, answers, collect, left, persons
from tests.pipelines.restated import quickly
from tests.warehouse import sample
from warehouse import snapshot
from warehouse.lake import Lake
from warehouse.released import Store
from warehouse.settings import Warehouse

OFFICER = Judgement("letter", "high", "passport seen", "ann")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "data"
    folder.mkdir()
    collect(folder, [f"person-{n}" for n in range(6)], "collector", [0, 1], time.time())
    facts.run(folder)
    return folder


@pytest.fixture
def data(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "data")
    return tmp_path / "data"


@contextmanager
def ledger(data: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"), gives=False)) as one:
        yield one


def ask(data: Path, right: str, id: str, **detail: Any) -> Case:
    with ledger(data) as one, closing(Register.open(data)) as register:
        case = register.receive(
            "shop", right, one.key("shop", "user", id), subject=id, detail=detail, officer="ann"
        )
        return register.prove(case.id, OFFICER)


def state(data: Path, case: Case) -> tuple[Case, tuple[str, bytes] | None]:
    with closing(Register.open(data)) as register:
        return register.get(case.id), register.answer(case.id)


def run(data: Path, ahead: float = 0.0) -> rights.Done:
    return rights.run(data, Pipelines(), Backup(keep_days=7), time.time() + ahead)


@pytest.mark.requirement("M87", "S23")
def test_a_child_leaves_releases_first_and_the_last_byte_in_a_known_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: no list before the words; a report over all days that rests; both fail."""
    quickly(monkeypatch, ("traffic_day", "pages", "new_returning", "funnel"))
    how, now = Warehouse(min_group=3, perturb=False), time.time()
    children, others = [f"child-{n}" for n in range(3)], [f"other-{n}" for n in range(5)]
    for folder, who in ((tmp_path / "data", children + others), (tmp_path / "oracle", others)):
        folder.mkdir()
        collect(folder, who, "collector", [0, 1, 2], now)
        facts.run(folder)
    data = tmp_path / "data"
    assert reports.run(data, how, live=True).days == 1
    with closing(Store.open(data)) as store:
        snapshot.publish(data, how, store)
    gone = persons(data, children)
    cases = [ask(data, "guardian", children[0]), ask(data, "erase", children[1], minor=True),
             ask(data, "guardian", children[2])]  # fmt: skip
    rights.run(data, Pipelines(), Backup(), now, warehouse=how)
    listed = state(data, cases[0])[0].outcome["releases"]
    counts = {(one["report"], one["day"] is None) for one in listed}
    assert counts >= {("traffic_day", False), ("pages", False), ("new_returning", False)}
    assert next(one for one in listed if one["report"] == "pages")["figures"] == 1
    # In the same pass, and as if they had never been there.
    assert reports.run(data, how, live=True, now=now).waiting is False
    reports.run(tmp_path / "oracle", how, now=now)
    mine, theirs = ({**answers(folder), "stored": 0} for folder in (data, tmp_path / "oracle"))
    assert mine == theirs
    rights.run(data, Pipelines(), Backup(), now + AFTER, warehouse=how)
    assert left(data, gone) == []
    with closing(Register.open(data)) as register:
        found = [register.get(case.id) for case in cases]
        said = children_of(register.store)
    assert {one.state for one in found} == {"done"}
    assert all(one.outcome["releases"] == listed and one.outcome["certificate"] for one in found)
    assert (said["erased"], said["open"]) == (3, 0)
    assert 0 <= said["p50_seconds"] <= said["p99_seconds"] < 900


def test_holds_that_ended_and_closed_accounts_forget_who_was_erased(data: Path) -> None:
    gone, others = (np.array(persons(data, [id]), np.uint64) for id in ("person-1", "person-2"))
    now = round(time.time() * 1000)
    with holds.Holds.open(data) as open_, accounts.Closed.open(data) as closed:
        about: dict[str, Any] = {"site": "shop", "owner": "ann", "reason": "dispute", "reference": "file-1"}
        ended = open_.add(np.union1d(gone, others), **about, expires=now + 10**6, now=now)
        open_.release(ended, "ann", now + 1)
        open_.note(holds.always(gone))
        closed.close(np.union1d(gone, others), "shop", ["disputes"], now)
    ask(data, "erase", "person-1")
    run(data)
    assert run(data, AFTER).open == 0
    with holds.Holds.open(data) as open_:
        assert open_.mentioned().tolist() == others.tolist()
    assert [one.person for one in accounts.closed(data)] == others.tolist()
    for name in (holds.FILE, accounts.FILE):
        stored = (data / name).read_bytes()
        assert not [one for one in gone if one.tobytes() in stored or one.tobytes()[::-1] in stored]


@pytest.mark.requirement("M83", "M85", "M110")
def test_an_erasure_ends_with_a_certificate_that_says_what_remains(data: Path) -> None:
    gone, case = persons(data, ["person-1"]), ask(data, "erase", "person-1")
    first = run(data)
    assert (first.begun, first.open, first.closed) == (1, 1, 0)
    assert first.waits  # readers have their grace
    assert sample.found(data).balance["refused"] == {"erased": 2}
    assert state(data, case)[0].state == "verified"
    last = run(data, AFTER)
    assert (last.open, last.closed, last.waits) == (0, 1, [])
    assert left(data, gone) == []
    found, answer = state(data, case)
    assert found.state == "done"
    assert len(found.outcome["retained"]) == 5
    assert answer is not None
    one = check(answer[1], [SigningKey.read(data / FILE).public])
    assert one.requests == (case.id,)
    assert one.copies_until == one.done + 7 * 86_400_000
    assert sum(each.old.rows - sum(new.rows for new in each.new) for each in one.rewritten) == 2
    assert not any(str(person) in answer[1].decode() for person in gone)
    assert run(data, AFTER) == rights.Done()


@pytest.mark.requirement("M87")
def test_a_child_does_not_wait_and_takes_linked_pseudonyms_along(data: Path) -> None:
    keys = Keyring.open(data / "keys.json")
    with closing(Ledger.open(data / "ledger.sqlite", keys)) as one:
        other, child = one.key("shop", "user", "person-2"), one.key("shop", "user", "person-3")
        one.persons([(MEASUREMENT, "shop", "device", "tablet")])
        one.link("shop", "person-3", "tablet", 1)  # the tablet's browser, where the child has signed in
        one.flush()
        linked = one.subject(child).linked
    ask(data, "erase", "person-1")
    run(data)
    gone = persons(data, ["person-3"])
    case = ask(data, "guardian", "person-3")
    assert run(data, 5).begun == 1  # others would be gathered for a minute
    with ledger(data) as one:
        words = [one.subject(key).word.erased for key in (child, *linked)]
        assert all(words)
        assert len(words) == 2
        assert not one.subject(other).word.erased
    run(data, AFTER)
    assert left(data, gone) == []
    assert state(data, case)[0].state == "done"


def test_others_are_gathered_for_a_minute(data: Path) -> None:
    ask(data, "erase", "person-1")
    assert run(data).begun == 1
    ask(data, "erase", "person-2")
    assert run(data, 5).begun == 0
    assert run(data, 65).begun == 1
    assert run(data, AFTER + 65).closed == 2


def test_who_agrees_anew_while_the_rows_leave_is_not_erased_again(data: Path) -> None:
    ask(data, "erase", "person-1")
    run(data)
    with ledger(data) as one:
        one.put("shop", "user", "person-1", {"measurement": True}, "api", round(time.time() * 1000) + 1)
    assert run(data, AFTER).closed == 1
    with ledger(data) as one:
        assert not one.subject(one.key("shop", "user", "person-1")).word.erased


@pytest.mark.requirement("M109")
def test_a_value_is_put_right_and_only_a_hash_of_the_old_one_stays(data: Path) -> None:
    case = ask(data, "rectify", "person-1", changes={"country": "FR"})
    assert run(data).closed == 1
    lake = Lake.open(data)
    assert lake is not None
    rows = lake.connection.execute("SELECT person, country FROM lake.events WHERE country = 'FR'").fetchall()
    assert [person for person, _ in rows] == persons(data, ["person-1"]) * 2
    assert {str(day) for _, day in lake.touched(1)}
    lake.close()
    outcome = state(data, case)[0].outcome
    assert (outcome["corrected"], outcome["rows"], len(outcome["audit"])) == (["country"], 2, 64)
    stuck = ask(data, "rectify", "person-2", changes={"path": "/elsewhere"})
    assert any(stuck.id in text for text in run(data).waits)
    assert state(data, stuck)[0].state == "verified"


@pytest.mark.requirement("M109")
def test_age_and_gender_are_put_right_only_where_they_were_said() -> None:
    """A child's age is no correction: that data is to be erased (M87)."""
    sets = rectify.sql({"age": "25-34", "gender": "other"})
    rows = duckdb.sql(
        f"SELECT {sets['age']}, {sets['gender']} FROM"
        " (VALUES ('18-24', NULL), (NULL, 'male'), ('ok', 'male')) AS said(age, gender)"
    ).fetchall()
    assert rows == [("25-34", None), (None, "other"), ("25-34", "other")]
    for wrong in ("16-17", "under_13", "under", "25", "25-34'"):
        with pytest.raises(Refused, match="can be corrected"):
            rectify.sql({"age": wrong})


@pytest.mark.requirement("M108")
def test_access_holds_everything_of_one_person_and_nothing_of_others(data: Path) -> None:
    collect(data, ["person-1"], "collector", [9], time.time())  # in the log, not folded yet
    case = ask(data, "access", "person-1")
    assert run(data).closed == 1
    answer = state(data, case)[1]
    assert answer is not None
    with zipfile.ZipFile(io.BytesIO(answer[1])) as bundle:
        said = json.loads(bundle.read("data.json"))
        table = pq.read_table(io.BytesIO(bundle.read("rows.parquet")))
        page = bundle.read("index.html").decode()
    (whose,) = persons(data, ["person-1"])
    assert set(table["person"].to_pylist()) == {whose}
    assert table["held"].to_pylist() == ["facts", "facts", "log"]
    for row in said["rows"]:
        assert row["person"] == str(whose)
        assert "measurement" in row["purposes"]
        assert row["basis"]
        assert row["because"].startswith("workallies-2024")
        assert row["kept_until"].endswith("UTC")
        assert isinstance(row["recipients"], list)
    assert page.count("<tr>") == 4
    assert "src=" not in page
    assert "http" not in page.replace("https://", "")
    with ledger(data) as one:
        assert access.bundle(data, one.subject(one.key("shop", "user", "nobody")), 0).rows == 0


@pytest.mark.requirement("M114", "S14")
def test_of_two_people_each_is_shown_and_erased_alone(data: Path) -> None:
    """The seller sees that somebody hired them, not who; and sees the same when the buyer is gone."""
    with ledger(data) as one:
        one.put("shop", "user", "person-2", {"measurement": True}, "test", round(time.time() * 1000) - 60_000)
    hire = {"type": "event", "name": "bid_accepted", "value": 7, "counterpart": {"user_id": "person-2"}}
    collect(data, ["person-1"], "collector", [9], time.time(), **hire)
    (buyer,), (seller,) = persons(data, ["person-1"]), persons(data, ["person-2"])

    def shown() -> list[dict[str, Any]]:
        with ledger(data) as one:
            found = access.bundle(data, one.subject(one.key("shop", "user", "person-2")), 0)
        assert str(buyer) not in json.dumps(found.said, default=str)
        assert set(found.table["person"].to_pylist()) == {seller}
        assert [row["of"] for row in found.said["rows"] if "of" in row] == [access.BESIDE]
        assert access.BESIDE in access.page(found.said)
        return [{name: row[name] for name in row if name != "held"} for row in found.said["rows"]]

    waiting = shown()
    facts.run(data)
    before = shown()
    assert sorted(map(repr, before)) == sorted(map(repr, waiting))
    ask(data, "erase", "person-1")
    run(data)
    assert run(data, AFTER).closed == 1
    assert shown() == before
    assert left(data, [buyer]) == []
    ask(data, "erase", "person-2")
    run(data)
    assert run(data, AFTER).closed == 1
    assert left(data, [seller]) == []
    balance = sample.found(data).balance
    assert balance == {"received": 13, "stored": 8, "refused": {"erased": 5}}


def test_restriction_and_its_end(data: Path) -> None:
    hidden, shown = ask(data, "restrict", "person-1"), None
    run(data)
    with ledger(data) as one:
        assert one.withdrawn().tolist() == persons(data, ["person-1"])
    shown = ask(data, "lift", "person-1")
    run(data)
    with ledger(data) as one:
        assert len(one.withdrawn()) == 0
    assert [state(data, case)[0].state for case in (hidden, shown)] == ["done", "done"]
