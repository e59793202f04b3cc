"""`throng unsubscribe` and `throng suppression` as a bulk sender runs them."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from consent_filter.ledger import Ledger
from consent_filter.marketing import CHANNELS, EVERY
from consent_filter.pseudonym import Keyring
from consent_filter.unsubscribe import Links
from tests.throng.conftest import Throng
from throng import marketing_options

AT = "https://collect.shop.example"
LINK = ("unsubscribe", "link", "--site", "shop", "--channel", "email", "--at", AT)
FILTER = ("suppression", "filter", "--site", "shop", "--channel", "email")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "throng.toml").write_text('[[site]]\nid = "shop"\n')
    return folder


@pytest.fixture
def ledger(data: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"))
    for id, choice in (
        ("canary-yes", {"marketing_email": True}),
        ("canary-no", {"marketing_email": False}),
        ("canary-sms", {"marketing_sms": True}),
        ("canary-gone", {"marketing_email": True}),
    ):
        ledger.put("shop", "user", id, choice, "site", 1)
    ledger.erase("shop", "user", "canary-gone", "site", 2)
    yield ledger
    ledger.close()


IDS = b"canary-yes\ncanary-no\r\n\ncanary-sms\ncanary-gone\ncanary-new"


def test_one_link_comes_with_its_headers(throng: Throng, data: Path, ledger: Ledger) -> None:
    said = throng(*LINK, "--user-id", "canary-yes")
    link, *head = said.out.splitlines()
    assert head == [f"List-Unsubscribe: <{link}>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"]
    read = Links(Keyring.open(data / "keys.json")).read(link.removeprefix(f"{AT}/unsubscribe/"))
    assert (read.site, read.kind, read.purposes) == ("shop", "user", CHANNELS["email"])
    assert ledger.refuse(read.key, read.site, read.purposes, "link", 3) is not None
    assert ledger.word("shop", "canary-yes", None)[0].deny == CHANNELS["email"]
    assert (said.code, said.err) == (0, "")
    assert "canary" not in said.out


def test_a_bulk_sender_gets_a_link_a_line(throng: Throng, ledger: Ledger) -> None:
    ids = [f"canary-{n}" for n in range(50)]
    said = throng(*LINK, "--user-id", "-", given="\n".join(ids).encode())
    links = said.out.splitlines()
    assert len(set(links)) == len(ids)
    one = throng(*LINK, "--user-id", ids[7]).out.splitlines()[0]
    assert one == links[7], "in the order of the ids, and the same every time"
    as_json = [json.loads(line) for line in throng(
        *LINK, "--user-id", "-", "--format", "json", given="\n".join(ids).encode()
    ).out.splitlines()]  # fmt: skip
    assert [one["link"] for one in as_json] == links
    assert as_json[0]["headers"]["List-Unsubscribe"] == f"<{links[0]}>"
    other = throng(*LINK[:-2], "--at", AT + "/stats/", "--device-id", ids[7]).out
    assert other.startswith(AT + "/stats/unsubscribe/")
    assert one.rpartition("/")[2] not in other


def test_lines_that_are_no_ids_keep_their_place(throng: Throng, ledger: Ledger) -> None:
    given = b"canary-1\n" + b"canary" * 5000 + b"\ncanary-\xff\ncanary-2\n"
    said = throng(*LINK, "--user-id", "-", given=given)
    lines = said.out.split("\n")
    assert [bool(line) for line in lines] == [True, False, False, True, False]
    assert said.code == 1
    assert "line 2" in said.err
    assert "line 3" in said.err
    assert "canary" not in said.out + said.err


@pytest.mark.parametrize(
    "at",
    ["http://shop.example", "shop.example", "https://", "https://canary@shop.example", "https://a.example/?q=1",
     "https://a.example/\r\nBcc: x", "ftp://a.example", "https://[canary", "javascript:alert(1)"],
)  # fmt: skip
def test_links_are_https(throng: Throng, ledger: Ledger, at: str) -> None:
    said = throng(*LINK[:-1], at, "--user-id", "canary-1")
    assert (said.code, said.out) == (2, "")
    assert "--at" in said.err
    assert "canary" not in said.err


def test_without_keys_there_are_no_links_and_nobody_to_write_to(throng: Throng, data: Path) -> None:
    for command in ((*LINK, "--user-id", "canary-1"), FILTER):
        said = throng(*command, given=b"canary-1\n")
        assert (said.code, said.out) == (1, "")
        assert "no_keys" in said.err
    assert not (data / "keys.json").exists()
    said = throng("suppression", "filter", "--site", "other", "--channel", "email")
    assert said.code == 2


@pytest.mark.requirement("M72", "M73")
def test_who_may_be_written_to(throng: Throng, data: Path, ledger: Ledger) -> None:
    before = {file: file.read_bytes() for file in data.iterdir()}
    assert throng(*FILTER, given=IDS).out.split() == ["canary-yes"]
    others = ["canary-no", "canary-sms", "canary-gone", "canary-new"]
    assert throng(*FILTER, "--refused", given=IDS).out.split() == others
    said = throng(*FILTER, "--format", "json", given=IDS)
    assert [tuple(json.loads(line).values()) for line in said.out.splitlines()] == [
        ("canary-yes", True, "agreed"),
        ("canary-no", False, "refused"),
        ("canary-sms", False, "silent"),
        ("canary-gone", False, "erased"),
        ("canary-new", False, "silent"),
    ]
    ids = set(IDS.split())
    for file in data.iterdir():
        assert not any(id in file.read_bytes() for id in ids), file
        assert before.get(file) == file.read_bytes() or file.name.endswith("-shm")


@pytest.mark.requirement("M71")
def test_who_was_referred_opts_out_without_an_account(throng: Throng, data: Path, ledger: Ledger) -> None:
    """The link is in the invitation; from then on the address is passed over, however a member writes it."""
    (data / "throng.toml").write_text('[[site]]\nid = "shop"\npack = "worktasker-2014"\n')
    sent = ("--kind", "contact", "--channel", "referral", "--country", "US")
    named = b"Canary@Mail.Example\n+1 202 555 0123\ncanary-nobody\n"
    asked = ("suppression", "filter", "--site", "shop", *sent)
    said = throng(*asked, given=named)
    assert said.out.split() == ["canary@mail.example", "+12025550123"]
    assert (said.code, "line 3" in said.err, "nobody" in said.err) == (1, True, False)
    link = throng(
        "unsubscribe", "link", "--site", "shop", "--channel", "referral", "--at", AT, "--contact", "-",
        given=b"canary@mail.example\n",
    ).out.strip()  # fmt: skip
    read = Links(Keyring.open(data / "keys.json")).read(link.rpartition("/")[2])
    assert (read.kind, read.purposes) == ("contact", CHANNELS["referral"])
    assert ledger.refuse(read.key, read.site, read.purposes, "link", 3) is not None
    assert throng(*asked, given=b"CANARY@mail.example\n+12025550123\n").out.split() == ["+12025550123"]
    # Where agreement comes first, a name that a member gave is none.
    assert throng(*asked[:-1], "DE", given=b"+12025550123\n").out == ""
    assert all(b"canary@mail" not in file.read_bytes().lower() for file in data.iterdir())


def test_a_sender_elsewhere_gets_hashes_under_a_key_of_its_own(throng: Throng, ledger: Ledger) -> None:
    key = throng("suppression", "key", "--site", "shop", "--sender", "mailer").out.strip()
    assert key == throng("suppression", "key", "--site", "shop", "--sender", "mailer").out.strip()

    def of(*ids: str) -> list[str]:  # as the sender makes them
        return sorted(hmac.new(bytes.fromhex(key), id.encode(), "sha256").hexdigest() for id in ids)

    mailer = ("--sender", "mailer")
    assert throng(*FILTER, *mailer, given=IDS).out.split() == of("canary-yes")
    refused = throng(*FILTER, *mailer, "--refused", given=IDS + b"\n" + IDS)
    assert refused.out.split() == of("canary-no", "canary-sms", "canary-gone", "canary-new")
    told = throng(*FILTER, *mailer, "--format", "json", given=IDS)
    said = [json.loads(line) for line in told.out.splitlines()]
    assert [one["hash"] for one in said] == sorted(of("canary-yes") + refused.out.split())
    assert all(set(one) == {"hash", "send", "why"} for one in said)
    assert "canary" not in refused.out + json.dumps(said)
    for other in (("other", "mailer"), ("shop", "postman")):
        theirs = throng("suppression", "key", "--site", other[0], "--sender", other[1])
        assert theirs.out.strip() != key
    hashed = throng(*FILTER, "--sender", "postman", "--refused", given=IDS).out.split()
    assert not set(hashed) & set(refused.out.split()), "two senders' lists do not join"


@pytest.mark.parametrize(
    "more", [("key",), ("filter",), ("key", "--sender", "can ary"), ("key", "--sender", "")]
)
def test_what_is_missing_is_said(throng: Throng, ledger: Ledger, more: tuple[str, ...]) -> None:
    said = throng("suppression", *more, "--site", "shop")
    assert (said.code, said.out) == (2, "")
    assert "--sender" in said.err or "--channel" in said.err


def test_no_ledger_is_not_an_empty_one(throng: Throng, data: Path) -> None:
    Keyring.open(data / "keys.json")
    said = throng(*FILTER, given=IDS)
    assert (said.code, said.out) == (1, "")
    assert "no_ledger" in said.err


def test_what_is_no_id_is_nobody_to_write_to(throng: Throng, ledger: Ledger) -> None:
    said = throng(*FILTER, given=b"canary-\xff\ncanary-yes\n" + b"canary-yes" * 1000)
    assert (said.code, said.out) == (1, "canary-yes\n")
    assert "canary" not in said.err
    assert throng(*FILTER, "--country", "de", given=b"").code == 2


def test_the_help_names_the_channels_that_there_are() -> None:
    assert set(marketing_options.CHANNELS) == set(CHANNELS)
    assert EVERY


@pytest.mark.requirement("M123")
def test_who_agreed_to_an_older_policy_is_not_written_to(throng: Throng, data: Path, ledger: Ledger) -> None:
    (data / "throng.toml").write_text(
        '[[site]]\nid = "shop"\nsince = 2026-01-01\nearlier = [{ pack = "worktasker-2014" }]\n'
    )
    said = throng(*FILTER, "--format", "json", given=IDS).out.splitlines()
    assert {json.loads(line)["why"] for line in said[:1]} == {"silent"}
    ledger.put("shop", "user", "canary-yes", {"marketing_email": True}, "site", 1_790_000_000_000)
    assert throng(*FILTER, given=IDS).out == "canary-yes\n"
