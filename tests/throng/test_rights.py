"""`throng rights` as an officer uses it, beside a collector that runs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from consent_filter.marketing import CHANNELS
from consent_filter.pseudonym import Keyring
from consent_filter.rights import case, proof
from consent_filter.rights.register import Register
from consent_filter.rights.settings import Rights
from consent_filter.signing import SigningKey
from tests.ingest.http.test_choosing import records
from tests.ingest.http.test_rights import standing
from tests.whole.running import Up, throng, up
from throng import rights_options, status
from throng.main import main

USER = "member-canary-4711"
SETTINGS = '[[site]]\nid = "shop"\ntimezone = "Europe/Berlin"\n[rights]\nrate = 0\n'


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with keys."""
    (tmp_path / "throng.toml").write_text(SETTINGS)
    Keyring.open(tmp_path / "keys.json")
    return tmp_path


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("rights") / "data", "part", "collector", settings=SETTINGS) as one:
        yield one


class Officer:
    """Runs commands in this process and reads what they print."""

    def __init__(
        self, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.data, self._capsys, self._patch = data, capsys, monkeypatch

    def run(self, *said: str, text: str = "", code: int = 0) -> str:
        import io

        self._patch.setattr(sys, "stdin", io.StringIO(text))
        done = main(["rights", *said, "--data", str(self.data)])
        out = self._capsys.readouterr()
        assert done == code, out.err
        return out.out if code == 0 else out.err

    def json(self, *said: str, text: str = "") -> Any:
        return json.loads(self.run(*said, "--format", "json", text=text))

    def enter(self, right: str, *more: str, channel: str = "letter", id: str = USER) -> Any:
        return self.json(
            "enter", "--site", "shop", "--right", right, "--channel", channel, "--received", "2026-11-20",
            "--note", "letter, folder 12", "--officer", "Ms Officer", "--user-id", "-", *more, text=id + "\n",
        )  # fmt: skip


@pytest.fixture
def officer(data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Officer:
    return Officer(data, capsys, monkeypatch)


def test_the_options_are_the_registers() -> None:
    assert case.RIGHTS == rights_options.RIGHTS
    assert tuple(case.GROUNDS) == rights_options.GROUNDS
    assert ("api", *rights_options.CHANNELS) == case.CHANNELS
    assert proof.ASSURANCE == rights_options.ASSURANCE
    assert tuple(CHANNELS) == rights_options.MARKETING


@pytest.mark.requirement("M70")
def test_a_refusal_by_letter_binds_the_collector_that_runs(running: Up) -> None:
    """Entered while the collector runs: on record with day and note, and the next event knows it."""
    said = throng(
        running.data, "rights", "enter", "--site", "shop", "--right", "withdraw", "--marketing", "email",
        "--marketing", "post", "--purpose", "measurement", "--channel", "letter", "--received", "2026-11-20",
        "--note", "letter, folder 12", "--officer", "Ms Officer", "--user-id", "-", "--format", "json",
        text=USER + "\n",
    )  # fmt: skip
    found = json.loads(said)
    assert (found["state"], found["channel"]) == ("done", "letter")
    told = records(running.data)[-1]
    assert told["surface"] == "officer"
    assert told["denied"] == ["measurement", "marketing_email", "marketing_post"]
    event = {"site": "shop", "type": "page_view", "url": "https://shop.example/", "user_id": USER}
    assert running.post(event | {"consent": {"measurement": True}}) == 202
    denied = {"measurement": False, "marketing_email": False, "marketing_post": False}
    assert standing(running, f"user_id={USER}") == denied
    deadline = time.monotonic() + 20
    while 'outcome="refused",reason="consent"} 1' not in running.get("/metrics")[1].decode():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    register = Register.open(running.data)
    steps = register.history(found["request"])
    assert steps[0][1:4] == ("officer Ms Officer", "received", "letter")
    assert "letter, folder 12" in (steps[1].note or "")
    received = register.get(found["request"]).received
    register.close()
    assert received == 1763593200000 or time.gmtime(received / 1000)[:5] == (2026, 11, 19, 23, 0)
    for canary in (USER, "letter, folder 12"):
        files = [f for f in running.data.rglob("*") if f.is_file()]
        assert [f.name for f in files if canary.encode() in f.read_bytes()] == []


@pytest.mark.requirement("M118", "M115")
def test_an_officers_day(officer: Officer) -> None:
    assert officer.run("list") == "none\n"
    made = officer.enter("erase")
    assert made["state"] == "unproved"
    assert officer.enter("erase", channel="telephone")["request"] == made["request"], "one number"
    assert made["request"] in officer.run("list")
    id = made["request"]
    assert "(evidence)" in officer.run("verify", id, "--method", "passport", code=1)
    stale = officer.run(
        "verify", id, "--method", "passport", "--note", "-", "--officer", "A", "--version", "0",
        text="seen", code=1,
    )  # fmt: skip
    assert "(changed)" in stale
    done = officer.json("verify", id, "--method", "passport", "--note", "-", "--officer", "Ms A", text="seen")
    assert done["state"] == "verified"
    link = officer.run("secret", id)
    assert len(link.strip()) == 32
    shown = officer.run("show", id, "--officer", "Ms B")
    assert USER in shown
    assert 'officer Ms A: proved judgement, substantial "passport: seen"' in shown
    assert "officer Ms B: looked" in officer.run("show", id)
    assert officer.json("extend", id, "--why", "much of it")["extended"] is True
    refused = officer.json("refuse", id, "--ground", "law", "--note", "accounts, until 2030")
    assert (refused["state"], refused["ground"]) == ("refused", "law")
    assert id in officer.run("list", "--closed")
    assert "(closed)" in officer.run("refuse", id, "--ground", "law", code=1)


def test_a_code_for_the_sites_own_mailer(officer: Officer) -> None:
    id = officer.enter("access")["request"]
    code = officer.run("code", id).strip()
    assert "(not_sent)" in officer.run("code", id, "--send", code=1)
    assert "(secret)" not in officer.run("secret", id, code=1)
    assert "(code" in officer.run("verify", id, "--code", "0000000000", code=1)
    assert officer.json("verify", id, "--code", code)["state"] == "verified"


@pytest.mark.requirement("M121")
def test_a_complaint_is_answered_by_hand(officer: Officer) -> None:
    access = officer.enter("access")["request"]
    complaint = officer.enter("complaint", "--about", access)
    assert complaint["state"] == "verified"
    assert "(note)" in officer.run("close", complaint["request"], "--note", " ", code=1)
    closed = officer.json("close", complaint["request"], "--note", "answered on the telephone")
    assert closed["state"] == "done"
    assert access in officer.run("show", complaint["request"])
    assert "(no_answer)" in officer.run("answer", complaint["request"], code=1)


def test_keys_of_a_site(officer: Officer, tmp_path: Path) -> None:
    made = officer.json("key", "--site", "shop")
    assert len(made["secret"]) == 43
    public = tmp_path / "public.json"
    public.write_text(json.dumps(SigningKey.of(b"s" * 32).public.jwk()))
    officer.json("key", "--site", "shop", "--public", str(public))
    listed = officer.run("key", "--site", "shop", "--list")
    assert made["kid"] in listed
    assert made["secret"] not in listed
    officer.run("key", "--site", "shop", "--end", made["kid"])
    assert "(no_such_key)" in officer.run("key", "--site", "shop", "--end", made["kid"], code=1)
    officer.run("key", "--site", "nowhere", code=2)


@pytest.mark.requirement("M117")
def test_what_is_overdue_is_seen(officer: Officer, capsys: pytest.CaptureFixture[str]) -> None:
    """`throng status` says it and exits with 1; the month in numbers."""
    assert status.rights(officer.data) is None
    now = time.time_ns() // 1_000_000
    lately = time.strftime("%Y-%m-%d", time.gmtime(now / 1000 - 5 * 86_400))
    officer.enter("erase", "--received", lately)
    register = Register.open(officer.data, Rights(), lambda: now - 40 * 86_400_000)
    register.receive("shop", "access", b"k" * 16, officer="Ms Officer", channel="letter")
    register.close()
    assert status.rights(officer.data) == {"open": 2, "unproved": 2, "overdue": 1}
    assert main(["status", "--data", str(officer.data)]) == 1
    assert "OVERDUE    1 of them" in capsys.readouterr().out
    assert "OVERDUE since" in officer.run("list")
    month = officer.json("statistics", "--month", lately[:7])
    assert month["received"]["by_channel"]["letter"] >= 1
    assert "(month)" in officer.run("statistics", "--month", "November", code=1)


@pytest.mark.requirement("S23")
def test_how_long_a_childs_data_stood_is_published(
    officer: Officer, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the proof to the end of the request, of children's alone."""
    begun = time.time_ns() // 1_000_000
    clock = [begun]
    with closing(Register.open(officer.data, Rights(), lambda: clock[0])) as register:
        for n, right in enumerate(["guardian", "erase", "guardian", "erase", "erase"]):
            clock[0] = begun
            detail = {"minor": True} if n == 1 else {}
            case = register.receive("shop", right, bytes([n]) * 16, officer="Ms Officer", detail=detail)
            if n == 4:
                break
            register.prove(case.id, proof.Judgement("letter", "high", "seen", "Ms Officer"))
            clock[0] = begun + (n + 1) * 240_000
            register.finish(case.id, {})
    found = status.youngest(officer.data)
    assert found == {
        "erased": 3, "open": 0, "p50_seconds": 480.0, "p99_seconds": 720.0, "last_seconds": 720.0,
    }  # fmt: skip
    main(["status", "--data", str(officer.data)])
    said = capsys.readouterr().out
    assert "of 3 half were gone within 8.0 minutes, 99 of 100 within 12.0, the last within 12.0" in said
    month = time.strftime("%Y-%m", time.gmtime(begun / 1000 + 720))
    assert officer.json("statistics", "--month", month)["children"] == found


def test_the_manual_is_there() -> None:
    for said in (["rights", "--help"], ["rights", "enter", "--help"], ["rights", "key", "--help"]):
        done = subprocess.run(
            [sys.executable, "-m", "throng.main", *said], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0
        assert "R-" in done.stdout or "--site" in done.stdout
