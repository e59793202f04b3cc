"""Requests from receiving to emptying: one number, two officers, limits, reasons, and nothing in clear."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from consent_filter.errors import Broken, Refused
from consent_filter.rights.case import GROUNDS, RIGHTS
from consent_filter.rights.proof import Device, Judgement
from consent_filter.rights.register import Register
from tests.consent_filter.rights.desk import BROWSER, EMAIL, NAME, SEEN, USER, at, desk

DAY = 86_400_000
ROOT = Path(__file__).resolve().parents[3]


def refused(code: str, status: int = 0):  # type: ignore[no-untyped-def]
    return pytest.raises(Refused, match=f"^{code}: ")


@pytest.mark.requirement("M115")
def test_a_request_goes_its_way(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        case = one.receive("access", email=EMAIL)
        assert (case.state, case.paused) == ("unproved", one.now)
        assert one.register.pending() == []
        with refused("unproved"):
            one.register.finish(case.id, {})
        case = one.register.prove(case.id, SEEN)
        assert (case.state, case.method, case.assurance) == ("verified", "judgement", "high")
        assert [(c.id, c.key, c.subject) for c in one.register.pending()] == [(case.id, one.key(), USER)]
        one.register.finish(case.id, {"rows": 3, "retained": []}, b"the rows")
        assert one.register.answer(case.id) == ("application/json", b"the rows")
        assert one.register.pending() == []
        steps = [(s.who, s.what) for s in one.register.history(case.id)]
        assert steps == [("person", "received"), ("officer Ms Officer", "proved"), ("pipeline", "done")]
        assert one.register.finish(case.id, {"rows": 9}).outcome == {"rows": 3, "retained": []}


def test_what_is_written_is_there_for_the_next_process(tmp_path: Path) -> None:
    with desk(tmp_path) as one, desk(tmp_path) as other:
        case = one.register.prove(one.receive("erase").id, SEEN)
        assert other.register.pending() == [case]
    with desk(tmp_path) as later:
        assert later.register.pending() == [case]
    (tmp_path / "rights.key").unlink()
    with pytest.raises(Broken, match=r"rights\.key is gone"):
        Register.open(tmp_path)


@pytest.mark.requirement("M88")
def test_children_come_first_and_only_an_officer_lets_a_guardian_in(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        first = one.register.prove(one.receive("erase").id, SEEN)
        one.now += DAY
        guardian = one.receive("guardian", BROWSER, kind="device")
        with refused("way"):
            one.register.prove(guardian.id, Device(BROWSER))
        with refused("assurance"):
            one.register.prove(guardian.id, Judgement("telephone", "low", "called", "Ms Officer"))
        one.register.prove(guardian.id, SEEN)
        one.now += DAY
        child = one.receive("erase", "a child", detail={"minor": True}, proof=SEEN)
        assert [case.id for case in one.register.pending()] == [guardian.id, child.id, first.id]


@pytest.mark.requirement("M118")
def test_the_same_request_has_one_number_whichever_way_it_comes(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        case = one.register.prove(one.receive("access").id, SEEN)
        letter = one.receive("access", channel="letter", officer="Ms Officer", text="a letter")
        assert letter.id == case.id
        again = one.receive("access")
        assert again.id != case.id, "a number that comes back would tell that somebody has asked"
        secret = one.register.secret(again.id)
        assert one.register.prove(again.id, SEEN).id == case.id
        assert one.register.get(again.id).id == case.id
        assert one.register.opened(again.id, secret).id == case.id
        assert [c.id for c in one.register.pending()] == [case.id]
        other = one.receive("withdraw", detail={"purposes": ["measurement"]}, proof=SEEN)
        assert other.id != case.id
        assert one.receive("withdraw", detail={"purposes": ["measurement"]}, proof=SEEN).id == other.id
        assert one.receive("withdraw", detail={"purposes": ["research"]}, proof=SEEN).id != other.id
        assert one.receive("access", "somebody else", proof=SEEN).id != case.id


@pytest.mark.requirement("M114")
def test_a_request_is_refused_for_a_reason_from_the_list_and_too_often_is_one(tmp_path: Path) -> None:
    with desk(tmp_path, limit=2, limit_days=30) as one:
        for _ in range(2):
            case = one.receive("access", proof=SEEN)
            one.register.finish(case.id, {})
        third = one.receive("access", proof=SEEN)
        assert (third.state, third.ground) == ("refused", "repetitive")
        for _ in range(4):
            case = one.receive("withdraw", proof=SEEN)
            assert case.state == "verified", "to stop is never too often"
            one.register.finish(case.id, {})
        assert one.receive("access", "somebody else", proof=SEEN).state == "verified"
        one.now += 31 * DAY
        case = one.receive("access", proof=SEEN)
        assert case.state == "verified"
        with refused("ground"):
            one.register.refuse(case.id, "no time", "Ms Officer")
        case = one.register.refuse(case.id, "others", "Ms Officer", "it names the other party")
        assert (case.state, case.ground, case.outcome["note"]) == (
            "refused",
            "others",
            "it names the other party",
        )
        with refused("closed"):
            one.register.refuse(case.id, "law", "Mr Second")
    assert all("Art." in says or "back" in says for says in GROUNDS.values())


@pytest.mark.requirement("M119")
def test_who_refuses_on_the_ground_of_a_law_can_say_until_when(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        case = one.receive("erase", proof=SEEN)
        for ground, until in (("law", date(2020, 1, 1)), ("others", date(2090, 1, 1))):
            with refused("until"):
                one.register.refuse(case.id, ground, "Ms Officer", until=until)
        case = one.register.refuse(case.id, "law", "Ms Officer", "books", until=date(2090, 12, 31))
        (kept,) = case.outcome["retained"]
        assert (kept["ground"], kept["until"]) == (GROUNDS["law"], "2090-12-31")
        assert case.outcome["note"] == "books"
    with desk(tmp_path) as one:
        assert one.register.get(case.id).outcome == case.outcome


def test_two_officers_at_once(tmp_path: Path) -> None:
    with desk(tmp_path) as one, desk(tmp_path) as two:
        case = one.receive("erase", channel="letter", officer="Ms Officer")
        two.register.prove(case.id, SEEN, version=case.version)
        with refused("changed") as said:
            one.register.refuse(case.id, "law", "Mr Second", version=case.version)
        assert "Ms Officer" in said.value.message
        assert "proved" in said.value.message
        assert one.register.get(case.id).state == "verified"


@pytest.mark.requirement("M121")
def test_a_complaint_is_registered_with_what_it_is_about(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        case = one.receive("access")
        complaint = one.receive(
            "complaint", about=[case.id], channel="letter", officer="Ms Officer", text="why"
        )
        assert complaint.about == (case.id,)
        assert complaint.state == "verified", "it shows nobody's data"
        assert complaint not in one.register.pending()
        with refused("no_such_request"):
            one.receive("complaint", about=["R-0000-0000-0000"])
        assert len(one.register.cases()) == 2


def test_what_was_handed_over_is_emptied_and_a_number_remains(tmp_path: Path) -> None:
    with desk(tmp_path, answer_days=30, limit_days=40, keep_days=100) as one:
        case = one.receive("access", email=EMAIL, text=NAME)
        one.register.prove(case.id, SEEN)
        secret = one.register.secret(case.id, answer=True)
        one.register.finish(case.id, {"note": NAME}, NAME.encode())
        one.now += 30 * DAY
        assert one.register.tidy()["emptied"] == 0
        one.now += DAY
        assert one.register.tidy()["emptied"] == 1
        left = one.register.get(case.id)
        assert (left.key, left.subject, left.email, left.text, left.outcome) == (None, None, None, None, {})
        assert (left.right, left.state, left.closed) == ("access", "done", one.now - 31 * DAY)
        assert one.register.answer(case.id) is None
        with refused("no_such_request"):
            one.register.opened(case.id, secret)
        assert [s.note for s in one.register.history(case.id)] == [None] * 4
        assert one.register.store.rows("SELECT 1 FROM request WHERE person IS NOT NULL"), (
            "counts for the limit"
        )
        one.now += 10 * DAY
        one.register.tidy()
        assert not one.register.store.rows("SELECT 1 FROM request WHERE person IS NOT NULL")
        assert one.register.store.verify()
        one.now += 90 * DAY
        assert one.register.tidy()["forgotten"] == 1
        with refused("no_such_request"):
            one.register.get(case.id)
        assert one.register.store.verify()
        statistics = one.register.statistics("2026-03")
        assert statistics["received"]["total"] == 0, "and then the numbers are gone, too"


def test_what_nobody_proves_is_closed_and_what_takes_too_long_is_proved_again(tmp_path: Path) -> None:
    with desk(tmp_path, prove_days=30) as one:
        never, case = one.receive("access"), one.receive("erase")
        one.register.prove(case.id, Judgement("passport", "high", "seen", "Ms Officer", days=10))
        one.now += 11 * DAY
        assert one.register.pending() == []
        one.register.tidy()
        assert one.register.get(case.id).state == "unproved"
        one.register.prove(case.id, SEEN)
        one.now += 20 * DAY
        one.register.tidy()
        assert one.register.get(never.id).ground == "identity"
        assert [c.id for c in one.register.pending()] == [case.id]


@pytest.mark.parametrize("right", RIGHTS)
def test_nothing_that_a_person_hands_over_is_on_the_disk_in_clear(tmp_path: Path, right: str) -> None:
    """Names, addresses and ids, also as the ledger's hash: in no byte of the folder, open or closed."""
    with desk(tmp_path) as one:
        case = one.receive(right, email=EMAIL, text=f"I am {NAME}", detail={"field": USER})
        if case.state == "unproved":
            one.register.prove(case.id, SEEN)
        for canary in (NAME, EMAIL, USER):
            found = [f.name for f in tmp_path.rglob("*") if f.is_file() and canary.encode() in f.read_bytes()]
            assert found == []
        assert one.key() not in (tmp_path / "rights.sqlite").read_bytes()
        assert one.key().hex().encode() not in (tmp_path / "rights.sqlite").read_bytes()
        one.register.finish(case.id, {"note": NAME}, NAME.encode())
        held = (tmp_path / "rights.sqlite").read_bytes()
        assert NAME.encode() not in held
        assert (tmp_path / "rights.key").read_bytes() not in held
    for name in ("rights.sqlite", "rights.key"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_who_proves_nothing_fills_no_disk(tmp_path: Path) -> None:
    with desk(tmp_path, most_unproved=3) as one:
        for n in range(3):
            one.receive("access", f"somebody {n}")
        with refused("unavailable"):
            one.receive("access", "one more")
        assert one.receive("access", "a letter", channel="letter", officer="Ms Officer").state == "unproved"
        assert one.receive("access", "who can prove it", proof=SEEN).state == "verified"


_OTHER = """
import sys
from pathlib import Path
from consent_filter.rights.register import Register
register = Register.open(Path(sys.argv[1]))
for n in range(10):
    case = register.receive("shop", "access", sys.argv[2].encode() * 16, subject=sys.argv[2], text=str(n))
    print(case.id)
"""


def test_several_processes_begin_at_once_and_write_one_register(tmp_path: Path) -> None:
    """One of them makes the key; what any of them was told is there, and can be read."""
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", _OTHER, str(tmp_path), name], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for name in "abcd"
    ]
    given = [line for one in begun for line in one.communicate(timeout=120)[0].split()]
    assert len(set(given)) == 40
    register = Register.open(tmp_path)
    assert {(register.get(id).subject or "") for id in given} == set("abcd")
    assert register.store.verify()
    register.close()


def test_a_file_that_is_damaged_is_named_and_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "rights.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(Broken, match=r"rights\.sqlite is damaged"):
        Register.open(tmp_path)
    assert (tmp_path / "rights.sqlite").read_bytes().startswith(b"no database")
    (tmp_path / "rights.sqlite").unlink()
    (tmp_path / "rights.key").write_bytes(b"short")
    with pytest.raises(Broken, match=r"rights\.key is damaged"):
        Register.open(tmp_path)


def test_what_was_altered_or_moved_is_not_believed(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        first, second = one.receive("access"), one.receive("erase", "another")
        database = one.register.store.database
        database.execute(
            "UPDATE request SET sealed = (SELECT sealed FROM request WHERE id = ?) WHERE id = ?",
            (second.id, first.id),
        )
        with pytest.raises(Broken, match="altered"):
            one.register.get(first.id)
        assert one.register.store.verify()
        database.execute("UPDATE content SET text = replace(text, 'person', 'nobody')")
        assert not one.register.store.verify()


def test_the_future_and_what_is_no_right_are_refused(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        with refused("received"):
            one.receive("access", received=one.now + 1, officer="Ms Officer")
        for name, more in (("right", {}), ("channel", {"channel": "pigeon"}), ("kind", {"kind": "pet"})):
            with refused(name):
                one.receive("everything" if name == "right" else "access", **{"kind": "user", **more})
        assert one.register.cases() == []
        entered = one.receive(
            "access", received=at("2026-03-01 00:00"), officer="Ms Officer", channel="letter"
        )
        assert entered.received == at("2026-03-01 00:00")
