"""`throng policy publish`, `notify` and `notified`, as an operator runs them when a policy changes."""

from __future__ import annotations

import hmac
import json
from pathlib import Path

import pytest

from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from tests.throng.conftest import Throng

LONG_AGO, NOW = 1_700_000_000_000, 1_790_000_000_000
SITE = """[[site]]
id = "shop"
since = 2026-01-01
earlier = [{ pack = "worktasker-2014" }]
"""
IDS = b"canary-old\ncanary-new\ncanary-silent\ncanary-gone\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "throng.toml").write_text(SITE)
    ledger = Ledger.open(folder / "ledger.sqlite", Keyring.open(folder / "keys.json"))
    ledger.put("shop", "user", "canary-old", {"measurement": True, "remarketing": True}, "site", LONG_AGO)
    ledger.put("shop", "user", "canary-new", {"measurement": True}, "site", NOW)
    ledger.put("shop", "user", "canary-gone", {"measurement": True}, "site", LONG_AGO)
    ledger.erase("shop", "user", "canary-gone", "site", NOW)
    ledger.close()
    return folder


def notify(throng: Throng, *more: str) -> str:
    return throng("policy", "notify", "--site", "shop", *more, given=IDS).out


@pytest.mark.requirement("M122")
def test_who_has_to_be_told_is_told_once(throng: Throng, data: Path) -> None:
    assert [json.loads(line) for line in notify(throng, "--format", "json").splitlines()] == [
        {"id": "canary-old", "why": "tell", "again": ["measurement"]},
        {"id": "canary-new", "why": "tell", "again": []},
        {"id": "canary-silent", "why": "tell", "again": []},
        {"id": "canary-gone", "why": "erased", "again": []},
    ]
    assert notify(throng).split() == ["canary-old", "canary-new", "canary-silent"]
    said = throng("policy", "notified", "--site", "shop", given=b"canary-old\ncanary-new\n")
    assert (said.code, json.loads(said.out)) == (0, {"policy": "workallies-2024/1", "recorded": 2})
    assert notify(throng).split() == ["canary-silent"]
    assert json.loads(throng("policy", "notified", "--site", "shop", given=IDS).out)["recorded"] == 1
    assert notify(throng) == ""
    assert json.loads(notify(throng, "--count")) == {
        "policy": "workallies-2024/1", "asked": 4, "tell": 0, "ask_again": 0,
    }  # fmt: skip
    ledger = Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"), read_only=True)
    assert ledger.verify()
    records = ledger.subject(ledger.key("shop", "user", "canary-old")).records
    assert [said.get("notified") for _, said in records] == [None, "workallies-2024/1"]
    assert ledger.word("shop", "canary-old", None)[0].grant, "to be told is to say nothing"
    ledger.close()
    assert all(b"canary" not in file.read_bytes() for file in data.glob("ledger*"))


@pytest.mark.requirement("M122")
def test_a_publication_is_recorded_once_with_what_it_changes(throng: Throng, data: Path) -> None:
    said = json.loads(throng("policy", "publish", "--site", "shop").out)
    assert said["policy_published"] == "workallies-2024/1"
    assert said["since"] == "2026-01-01"
    assert "measurement" in said["reset"]["opt_in"]
    assert json.loads(throng("policy", "publish", "--site", "shop").out) == said


def test_a_sender_elsewhere_gets_hashes_in_no_order_of_its_own(throng: Throng, data: Path) -> None:
    key = bytes.fromhex(throng("suppression", "key", "--site", "shop", "--sender", "mailer").out)
    hashes = notify(throng, "--sender", "mailer").split()
    known = ["canary-old", "canary-new", "canary-silent"]
    assert hashes == sorted(hmac.digest(key, id.encode(), "sha256").hex() for id in known)


def test_what_cannot_be_is_said(throng: Throng, data: Path) -> None:
    assert throng("policy", "notify", "--site", "elsewhere").code == 2
    wrong = throng("policy", "notify", "--site", "shop", given=b"x" * 999 + b"\ncanary-new\n")
    assert (wrong.code, wrong.out) == (1, "canary-new\n")
    assert "canary" not in wrong.err
    (data / "throng.toml").write_text('[[site]]\nid = "shop"\n')
    assert throng("policy", "notify", "--site", "shop").code == 2
    assert throng("policy", "notify", "--site", "shop", data=data / "nothing").code == 1
