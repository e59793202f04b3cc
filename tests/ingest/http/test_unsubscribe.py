"""Unsubscribe links as mail providers, scanners of mail, and people use them (RFC 8058)."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.decide import Word
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.receipt import read
from ingest.unsubscribe import _said as said
from tests.ingest.http.test_choosing import choose, published, receipt, records
from tests.ingest.http.wire import SETTINGS, Answer, ask, request
from tests.whole.running import Up, throng, up

ID = "canary-member-4711@mail.example"
ONE_CLICK = b"List-Unsubscribe=One-Click"
FORM = "Content-Type: application/x-www-form-urlencoded"
HTML = "Accept: text/html,*/*"
#: Of what bodies are made that others' parsers stumble over.
PIECES = [
    b"--b", b"--b--", b"\r\n", b"\n", b"Content-Disposition: form-data; ", b"name=", b"name*=", b"name*0*=",
    b'"List-Unsubscribe"', b"List-Unsubscribe", b";", b"utf-8'en'%41", b"%", b'"', b"\\", b"\0", b"\xff",
    b"=?utf-8?b?xx?=", b"One-Click", b"All", b"=", b"&", b"Content-Type: message/rfc822", b"(",
]  # fmt: skip
KINDS = [
    "multipart/form-data; boundary=b", "multipart/form-data", 'multipart/form-data; boundary="', "text/x", "",
    "multipart/form-data; boundary*0*=%", "Multipart/Form-Data; \xff", "multipart/mixed; boundary=b",
]  # fmt: skip
AT = "https://collect.shop.example"


def link(running: Up, id: str = ID, *channels: str, site: str = "shop") -> str:
    """The path of a link, made as a sender makes it."""
    said = [word for channel in channels or ["email"] for word in ("--channel", channel)]
    text = throng(
        running.data,
        "unsubscribe",
        "link",
        "--site",
        site,
        "--at",
        AT,
        "--user-id",
        "-",
        *said,
        text=id + "\n",
    )
    assert text.startswith(AT)
    return text.strip().removeprefix(AT)


def post(running: Up, path: str, body: bytes = ONE_CLICK, *more: str) -> Answer:
    return ask(running, request(body, *(more or [FORM]), path=path))


def standing(running: Up, id: str = ID) -> dict[str, bool] | None:
    answer = running.get(f"/consent?site=shop&user_id={quote(id)}")
    assert answer[0] == 200
    found: dict[str, bool] | None = json.loads(answer[1])["consent"]
    return found


@pytest.mark.requirement("M69")
def test_one_click_refuses_at_once_and_again_changes_nothing(running: Up) -> None:
    path = link(running)
    first = post(running, path)
    assert first.status == 200
    assert json.loads(first.body) == {"site": "shop", "unsubscribed": ["email"]}
    assert standing(running) == {"marketing_email": False}
    told = records(running.data)[-1]
    assert told.pop("at") > 0
    assert told == {
        "site": "shop", "granted": [], "denied": ["marketing_email"], "source": "link",
        "surface": "unsubscribe", "policy": "workallies-2024/1", "regime": "opt_in",
    }  # fmt: skip
    before = records(running.data)
    again = post(running, path)
    assert (again.status, again.head, again.body) == (first.status, first.head, first.body)
    assert records(running.data) == before, "a link that is clicked for ever fills no disk"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"'
         b"\r\n\r\nOne-Click\r\n--b--\r\n"),
        ('Multipart/Form-Data; charset=utf-8; boundary="--=_x.1"', b"----=_x.1\nContent-Type: text/plain\n"
         b"content-disposition: form-data;name=List-Unsubscribe\n\nOne-Click\n----=_x.1--"),
        ("application/x-www-form-urlencoded; charset=UTF-8", b"List-Unsubscribe=One-Click\r\n"),
        ("text/plain", ONE_CLICK),
    ],
)  # fmt: skip
def test_providers_write_the_body_in_different_ways(running: Up, kind: str, body: bytes) -> None:
    id = f"member-{kind}"
    assert post(running, link(running, id), body, f"Content-Type: {kind}").status == 200
    assert standing(running, id) == {"marketing_email": False}


@pytest.mark.parametrize(
    "body",
    [b"", b"List-Unsubscribe=", b"x=1", b"List-Unsubscribe=One-Click&List-Unsubscribe=All", b"\xff" * 99,
     b"list-unsubscribe=Two-Clicks"],
)  # fmt: skip
@pytest.mark.parametrize("kind", [FORM, "Content-Type: multipart/form-data; boundary=b"])
def test_another_body_unsubscribes_nobody(running: Up, body: bytes, kind: str) -> None:
    answer = post(running, link(running, "member-body"), body, kind)
    assert (answer.status, answer.code) == (400, "body")
    assert standing(running, "member-body") is None


def test_looking_changes_nothing(running: Up) -> None:
    path, before = link(running, "member-looked"), records(running.data)
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"):
        for at in (path, path + "?List-Unsubscribe=One-Click", path + "?all=1"):
            answer = ask(running, request(ONE_CLICK, FORM, method=method, path=at), method)
            assert answer.status == {"OPTIONS": 204, "PUT": 405, "PATCH": 405, "DELETE": 405}.get(method, 200)
            assert answer.status != 405 or (answer.code, answer.head["allow"]) == (
                "method",
                "GET, HEAD, POST, OPTIONS",
            )
    assert records(running.data) == before
    assert standing(running, "member-looked") is None


def test_a_link_may_be_for_several_channels_and_everything_is_a_button_away(running: Up) -> None:
    id = "member-several"
    path = link(running, id, "sms", "post")
    assert json.loads(post(running, path).body)["unsubscribed"] == ["post", "sms"]
    assert standing(running, id) == {"marketing_post": False, "marketing_sms": False}
    assert post(running, path, b"List-Unsubscribe=All").status == 200
    assert standing(running, id) == dict.fromkeys(
        ["ad_personalisation", "remarketing", "marketing_email", "marketing_post", "marketing_sms",
         "marketing_phone", "marketing_account", "affiliate_email", "affiliate_post", "affiliate_sms",
         "affiliate_phone", "affiliate_account", "referral"], False,
    )  # fmt: skip


@pytest.mark.requirement("M69")
def test_it_takes_back_what_was_agreed_to_and_leaves_the_rest(running: Up) -> None:
    mine = {"site": "shop", "user_id": "member-agreed"}
    choose(running, mine | {"consent": {"measurement": True, "marketing_email": True, "marketing_sms": True}})
    assert post(running, link(running, "member-agreed")).status == 200
    said = {"measurement": True, "marketing_email": False, "marketing_sms": True}
    assert standing(running, "member-agreed") == said
    choose(running, mine | {"consent": {"marketing_email": True}})
    assert (standing(running, "member-agreed") or {})["marketing_email"], "who agrees anew has agreed"


def test_what_is_no_link_is_refused_and_not_repeated(running: Up) -> None:
    path, before = link(running, "member-forged"), records(running.data)
    middle = path[:40] + ("A" if path[40] != "A" else "B") + path[41:]
    for at, code in (
        (middle, "link_altered"),
        (path[:-4], "link_altered"),
        (path[:30], "link_malformed"),
        (path + "/", "link_malformed"),
        (path + "AAAA", "link_altered"),
        ("/unsubscribe", "link_malformed"),
        ("/unsubscribe/", "link_malformed"),
        ("/unsubscribe/canary/canary", "link_malformed"),
        ("/unsubscribe/canary%FF%00", "link_malformed"),
        ("/unsubscribe/" + "canary" * 500, "link_malformed"),
        ("/unsubscribe/" + path.removeprefix("/unsubscribe/").replace("A", "=", 1), "link_malformed"),
    ):
        for method in ("POST", "GET"):
            answer = ask(running, request(ONE_CLICK, FORM, method=method, path=at))
            assert (answer.status, answer.code) == (404, code), at
            assert b"canary" not in answer.body
            assert at.rpartition("/")[2] not in answer.body.decode() + str(answer.head) or at.endswith("/")
    page = ask(running, request(b"", HTML, method="GET", path=middle))
    assert page.status == 404
    assert b"Not unsubscribed" in page.body
    assert records(running.data) == before
    numbers = running.get("/metrics")[1].decode()
    assert 'throng_unsubscribe_total{outcome="link_altered"}' in numbers


def test_an_erased_person_is_answered_like_anybody_and_stays_erased(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    ledger = Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"))
    ledger.put("shop", "user", "member-gone", {"marketing_email": True}, "site", 1)
    ledger.erase("shop", "user", "member-gone", "site", 2)
    ledger.close()
    with up(data, "part", "collector", settings=SETTINGS) as running:
        before = records(data)
        gone, other = (link(running, id) for id in ("member-gone", "member-other"))
        for head in (FORM, HTML):
            for body in (ONE_CLICK, b"List-Unsubscribe=All"):
                answers = [post(running, path, body, FORM, head) for path in (gone, other)]
                assert answers[0] == answers[1]
                assert answers[0].status == 200
        pages = [ask(running, request(method="GET", path=path)) for path in (gone, other)]
        assert pages[0] == pages[1]
        kept = [record for record in records(data) if record not in before]
        assert len(kept) == 2, "only of the other: one channel, then everything"
    ledger = Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"), read_only=True)
    assert ledger.word("shop", "member-gone", None) == (Word(0, 0, True), 2)
    ledger.close()


def test_a_receipt_is_given_to_who_asks(running: Up) -> None:
    path = link(running, "canary-member-receipt") + "?receipt=1"
    answer = post(running, path)
    found = read(receipt(answer), [published(running)])
    assert [(one.purpose, one.decision) for one in found.purposes] == [("marketing_email", "denied")]
    assert (found.method.surface, found.method.source) == ("unsubscribe", "link")
    assert b"canary" not in answer.body
    again = post(running, path)
    assert (again.status, json.loads(again.body)["receipt"]) == (200, None), "nothing was recorded"


def test_where_nothing_can_be_written_they_are_told_to_come_back(running: Up) -> None:
    path, id = link(running, "member-locked"), "member-locked"
    database = sqlite3.connect(running.data / "ledger.sqlite", isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        answer = post(running, path)
        assert (answer.status, answer.code) == (503, "unavailable")
        assert answer.head["retry-after"] == "2"
        assert standing(running, id) is None, "nobody is told that it is done while it is not"
    finally:
        database.close()
    assert post(running, path).status == 200
    assert standing(running, id) == {"marketing_email": False}


def test_what_was_answered_outlives_kill_9(tmp_path: Path) -> None:
    data, dice = tmp_path / "data", random.Random(4711)
    with up(data, "part", "collector", settings=SETTINGS):
        pass  # there are keys now
    ids = [f"canary-member-{n}" for n in range(400)]
    said = throng(
        data, "unsubscribe", "link", "--site", "shop", "--at", AT, "--channel", "email", "--user-id", "-",
        text="\n".join(ids),
    )  # fmt: skip
    left = [(id, one.removeprefix(AT)) for id, one in zip(ids, said.split(), strict=True)]
    answered: list[str] = []
    for _ in range(3):
        with up(data, "part", "collector", settings=SETTINGS) as running:
            kill = threading.Timer(dice.uniform(0, 0.02), running.process.kill)
            try:
                for n in range(100):
                    if n == 5:
                        kill.start()
                    id, path = left.pop()
                    assert post(running, path).status == 200
                    answered.append(id)
                raise RuntimeError("it was not killed")
            except (OSError, AssertionError):  # in the middle of one
                assert running.stop(signal.SIGKILL) == -signal.SIGKILL
                left.append((id, path))
            kill.join()
    assert len(answered) >= 15
    with up(data, "part", "collector", settings=SETTINGS) as running:
        for id in answered:
            assert standing(running, id) == {"marketing_email": False}
        for id, path in left[-3:]:  # one of them may be on record already
            assert post(running, path).status == 200
            assert standing(running, id) == {"marketing_email": False}
        assert len(records(data)) == len(answered) + 3, "each once"
    ledger = Ledger.open(data / "ledger.sqlite", read_only=True)
    assert ledger.verify()
    ledger.close()
    tokens = [one.rpartition("/")[2].encode() for one in said.split()]
    for file in (file.read_bytes() for file in data.rglob("*") if file.is_file()):
        assert b"canary" not in file
        assert not any(token in file for token in tokens)


@given(
    body=st.lists(st.sampled_from(PIECES)).map(b"".join) | st.binary(max_size=300),
    kind=st.sampled_from(KINDS),
)
def test_no_body_makes_it_stumble(body: bytes, kind: str) -> None:
    assert isinstance(said(kind, body), str | None)


def test_deep_bodies_neither() -> None:
    nested = b"".join(b"--%x\nContent-Type:multipart/x;boundary=%x\n\n" % (n, n + 1) for n in range(200))
    assert said("multipart/form-data; boundary=0", nested) is None
    assert (
        said("multipart/form-data; boundary=b", b"--b\r\n" + b"Content-Type: message/rfc822\n\n" * 270)
        is None
    )


def test_too_long_a_body_is_refused(running: Up) -> None:
    answer = post(running, link(running, "member-long"), b"x" * 9000)
    assert (answer.status, answer.code) == (413, "too_large")
