"""Requests about one's own data over HTTP: from a page, a site's server, a reader of mail, an attacker."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import names
from consent_filter.receipt import read
from consent_filter.rights import token
from consent_filter.rights.register import Register
from consent_filter.signing import PublicKey
from tests.consent_filter.rights.mailbox import Mailbox
from tests.ingest.http.wire import SETTINGS, Answer, ask, request, soon
from tests.whole.running import Up, up

USER, BROWSER = "member-canary-4711", "4011708811-1802947110-947110-2811704"
EMAIL, NAME = "canary-4711@mail.example", "Petra Canary-4711"
JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, mailbox: Mailbox) -> Iterator[Up]:
    settings = SETTINGS + (
        f'\n[rights]\nrate = 0\nat = "https://collect.shop.example"\nmail_host = "127.0.0.1"\n'
        f'mail_port = {mailbox.server_address[1]}\nmail_tls = "none"\nmail_from = "privacy@shop.example"\n'
    )
    with up(tmp_path_factory.mktemp("rights") / "data", "part", "collector", settings=settings) as one:
        yield one


@pytest.fixture(scope="module")
def key(running: Up) -> tuple[str, bytes]:
    with_keys = Register.open(running.data)
    made = with_keys.keys.make("shop")
    with_keys.close()
    return made


def post(running: Up, path: str, said: Any, *more: str) -> Answer:
    return ask(running, request(json.dumps(said).encode(), JSON, *more, path=path))


def get(running: Up, path: str, secret: str = "") -> Answer:
    head = [f"Authorization: Bearer {secret}"] if secret else []
    return ask(running, request(b"", *head, method="GET", path=path))


def body(answer: Answer, status: int = 202) -> dict[str, Any]:
    assert answer.status == status, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


def signed(key: tuple[str, bytes], right: str = "access", user: str = USER, **more: Any) -> str:
    now = int(time.time())
    said = {"site": "shop", "user_id": user, "right": right, "exp": now + 300, "jti": f"{time.time_ns()}"}
    return token.make(said | more, *key)


def denied(running: Up, user: str) -> list[str] | None:
    """What stands refused in the ledger; None where nothing was ever said."""
    keys = Keyring.open(running.data / "keys.json")
    ledger = Ledger.open(running.data / "ledger.sqlite", keys, read_only=True)
    entry = ledger.get("shop", "user", user)
    ledger.close()
    return None if entry is None else names(entry.deny)


def standing(running: Up, who: str) -> dict[str, bool] | None:
    found: dict[str, bool] | None = json.loads(running.get(f"/consent?site=shop&{who}")[1])["consent"]
    return found


@pytest.mark.requirement("M115", "M118")
def test_a_site_signs_for_who_is_signed_in(running: Up, key: tuple[str, bytes]) -> None:
    first = body(post(running, "/rights", {"site": "shop", "right": "access", "user_id": USER}))
    assert (first["state"], first["prove"]) == ("unproved", ["token", "judgement"])
    assert get(running, f"/rights/{first['request']}/answer", first["secret"]).code == "no_such_request"
    proof = {"token": signed(key)}
    proved = body(post(running, f"/rights/{first['request']}/proof", proof), 200)
    assert proved["state"] == "verified"
    assert get(running, f"/rights/{first['request']}/answer", proved["secret"]).code == "not_done"
    at_once = body(
        post(
            running,
            "/rights",
            {"site": "shop", "right": "access", "user_id": USER, "token": signed(key)},
        )
    )
    assert at_once["request"] == first["request"], "one number, whichever way it comes"
    register = Register.open(running.data)
    register.finish(first["request"], {"rows": 7}, b'{"rows": []}')
    register.close()
    for secret in (proved["secret"], at_once["secret"]):
        answer = get(running, f"/rights/{first['request']}/answer", secret)
        assert (answer.status, answer.body) == (200, b'{"rows": []}')
        assert answer.head["content-disposition"].startswith("attachment")
    state = body(get(running, f"/rights/{first['request']}?secret={proved['secret']}"), 200)
    assert (state["state"], state["outcome"]) == ("done", {"rows": 7})
    mine = body(get(running, f"/rights/{first['request']}", first["secret"]), 200)
    assert mine["state"] == "done"
    assert "outcome" not in mine, "who asked may be somebody else than who proved it"
    assert get(running, f"/rights/{first['request']}/answer", first["secret"]).code == "no_such_request"


@pytest.mark.requirement("M115")
def test_whatever_is_wrong_with_a_proof_nothing_is_shown_or_changed(
    running: Up, key: tuple[str, bytes]
) -> None:
    said = {"site": "shop", "right": "withdraw", "user_id": "member-2"}
    case = body(post(running, "/rights", said))
    path, good = f"/rights/{case['request']}/proof", signed(key, "withdraw", "member-2")
    for proof, status, code in [
        ({"token": signed(key, "withdraw", "member-3")}, 403, "token_subject"),
        ({"token": signed(key, "erase", "member-2")}, 403, "token_right"),
        ({"token": signed(("shop-0", b"x"), "withdraw", "member-2")}, 403, "token_key"),
        ({"token": signed((key[0], b"x" * 32), "withdraw", "member-2")}, 403, "token_forged"),
        ({"token": signed(key, "withdraw", "member-2", exp=int(time.time()) - 100)}, 403, "token_expired"),
        ({"code": "0000000000"}, 403, "code_expired"),
        ({"device_id": BROWSER}, 403, "device"),
    ]:
        answer = post(running, path, proof)
        assert (answer.status, answer.code) == (status, code)
        assert b"member-2" not in answer.body
    assert denied(running, "member-2") is None
    for proof in ({}, {"token": good, "code": "1"}, [], {"password": "x"}):
        assert post(running, path, proof).status == 400
    assert body(post(running, path, {"token": good}), 200)["state"] == "done"
    assert "measurement" in (denied(running, "member-2") or [])
    again = post(running, path, {"token": good})
    assert (again.status, again.code) == (409, "closed")
    other = body(post(running, "/rights", said))
    assert post(running, f"/rights/{other['request']}/proof", {"token": good}).code == "token_replayed"


@pytest.mark.requirement("M112", "M113")
def test_a_browser_takes_its_consent_back_at_once_with_a_receipt(running: Up) -> None:
    said = {"site": "shop", "right": "withdraw", "device_id": BROWSER, "channels": ["email"]}
    case = body(post(running, "/rights", said | {"purposes": ["research"]}))
    assert case["state"] == "done"
    assert case["outcome"]["stopped"] == ["research", "marketing_email"]
    assert standing(running, f"device_id={BROWSER}") == {"research": False, "marketing_email": False}
    answer = get(running, f"/rights/{case['request']}/answer", case["secret"]).body
    public = PublicKey.parse(running.get("/consent/key")[1].decode())
    receipt = read(answer.partition(b'"receipt":')[2][:-1], [public])
    assert [(p.purpose, p.decision) for p in receipt.purposes] == [
        ("research", "denied"),
        ("marketing_email", "denied"),
    ]
    objection = body(post(running, "/rights", {"site": "shop", "right": "object", "device_id": BROWSER}))
    on = {one["purpose"]: one["because"] for one in objection["outcome"]["goes_on"]}
    assert on["security"] == "compelling"
    assert "measurement" in objection["outcome"]["stopped"]
    short = body(post(running, "/rights", {"site": "shop", "right": "withdraw", "device_id": "7"}))
    assert (short["state"], short["prove"]) == ("unproved", ["token", "judgement"]), "it could be guessed"


@pytest.mark.requirement("M115")
def test_a_code_goes_to_the_address_on_file_and_who_holds_it_gets_the_answer(
    running: Up, mailbox: Mailbox
) -> None:
    said = {"site": "shop", "right": "erase", "user_id": EMAIL, "email": EMAIL, "text": f"I am {NAME}"}
    case = body(post(running, "/rights", said))
    assert "code" in case["prove"]
    soon(lambda: len(mailbox.mails) == 1)
    to, text = mailbox.mails[0]
    assert EMAIL in to[0]
    assert "nothing is shown and nothing is changed" in text
    code = re.search(r"^ {4}([0-9A-Z]{5}-[0-9A-Z]{5})\r?$", text, re.MULTILINE)
    link = re.search(r"https://collect\.shop\.example(/rights/\S+)", text)
    assert code
    assert link
    page = get(running, link[1])
    assert page.status == 200, "a scanner of mail follows the link, and nothing happens"
    assert b"Was it you?" in page.body
    assert body(get(running, f"/rights/{case['request']}", case["secret"]), 200)["state"] == "unproved"
    form = "Content-Type: application/x-www-form-urlencoded"
    done = ask(running, request(f"code={code[1]}".encode(), form, path=link[1].partition("?")[0]))
    assert done.status == 200
    found = re.search(r"/answer\?secret=([\w-]+)", done.body.decode())
    assert found
    assert get(running, f"/rights/{case['request']}/answer", found[1]).code == "not_done"
    again = ask(running, request(f"code={code[1]}".encode(), form, path=link[1].partition("?")[0]))
    assert again.status == 409
    assert b"That did not work" in again.body


def test_an_address_that_only_the_request_names_is_sent_nothing(running: Up, mailbox: Mailbox) -> None:
    before = len(mailbox.mails)
    said = {"site": "shop", "right": "access", "user_id": "member-5", "email": "thief@mail.example"}
    case = body(post(running, "/rights", said))
    assert case["prove"] == ["token", "judgement"]
    assert post(running, f"/rights/{case['request']}/code", {}).code == "no_such_request"
    asked = post(running, f"/rights/{case['request']}/code?secret={case['secret']}", {})
    assert asked.status == 202
    time.sleep(0.3)
    assert len(mailbox.mails) == before


def test_mail_that_does_not_go_out_is_written_down_and_asked_for_again(running: Up, mailbox: Mailbox) -> None:
    mailbox.broken = True
    user = "other-canary@mail.example"
    case = body(post(running, "/rights", {"site": "shop", "right": "erase", "user_id": user, "email": user}))
    register = Register.open(running.data)
    soon(lambda: "mail failed" in [s.what for s in register.history(case["request"])])
    register.close()
    mailbox.broken, before = False, len(mailbox.mails)
    post(running, f"/rights/{case['request']}/code?secret={case['secret']}", {})
    soon(lambda: len(mailbox.mails) == before + 1)


@pytest.mark.requirement("M114", "M119")
def test_a_person_reads_where_it_stands_and_why_not(running: Up) -> None:
    """The page behind a secret: the ground and the remedy of a refusal, what is kept, why and until when."""
    html = "Accept: text/html"

    def page(path: str) -> str:
        return ask(running, request(b"", html, method="GET", path=path)).body.decode()

    refusal, done = (
        body(post(running, "/rights", {"site": "shop", "right": right, "device_id": BROWSER}))
        for right in ("restrict", "erase")
    )
    path = f"/rights/{refusal['request']}?secret={refusal['secret']}"
    assert "You will have an answer by" in page(path)
    register = Register.open(running.data)
    register.extend(refusal["request"], "Ms Officer", "there is <much> of it")
    assert "there is &lt;much&gt; of it" in page(path)
    until = date(2090, 6, 30)
    register.refuse(refusal["request"], "claims", "Ms Officer", "a case is before the court", until=until)
    kept = {"what": "invoices", "ground": "tax law", "until": "2036"}
    register.finish(done["request"], {"retained": [kept]}, b"{}")
    register.close()
    assert "legal claims" in page(path)
    assert "supervisory authority" in page(path)
    assert "a case is before the court" in page(path)
    assert "until 2090-06-30" in page(path)
    assert "invoices, because tax law, until 2036" in page(
        f"/rights/{done['request']}?secret={done['secret']}"
    )
    assert "no such request" in page(f"/rights/{done['request']}?secret=x").lower()
    assert "no such request" in page(f"/rights/{done['request']}/answer?secret=x").lower()


def shape(answer: Answer) -> Any:
    """An answer without what is random or the time."""
    said = json.loads(answer.body)
    fixed = {"request", "secret", "received", "due"}
    head = {k: v for k, v in answer.head.items() if k not in ("content-length", "date")}
    return (
        answer.status,
        sorted(head.items()),
        {k: v for k, v in said.items() if k not in fixed},
        sorted(said),
    )


def test_no_answer_tells_whether_somebody_is_known_or_has_asked(running: Up, key: tuple[str, bytes]) -> None:
    known, asked, nobody = "member-known", "member-asked", "member-nobody"
    choice = {"site": "shop", "user_id": known, "consent": {"measurement": True}}
    choice["token"] = signed(key, "preferences", known)
    said = ask(running, request(json.dumps(choice).encode(), JSON, method="PUT", path="/consent"))
    assert said.status == 200
    assert denied(running, known) == []
    for _ in range(2):
        said = {"site": "shop", "right": "access", "user_id": asked}
        body(post(running, "/rights", said | {"token": signed(key, user=asked)}))
    answers = [
        shape(post(running, "/rights", {"site": "shop", "right": "access", "user_id": user}))
        for user in (known, asked, nobody)
    ]
    assert answers[0] == answers[1] == answers[2]
    for path in ("/rights/R-0000-0000-0000", "/rights/R-0000-0000-0000/answer", "/rights/x"):
        assert get(running, path, "wrong").code == "no_such_request"
    case = body(post(running, "/rights", {"site": "shop", "right": "access", "user_id": asked}))
    gone = get(running, "/rights/R-0000-0000-0000", "wrong")
    assert (gone.status, gone.body) == (404, get(running, f"/rights/{case['request']}", "wrong").body)
    assert gone.body == get(running, f"/rights/{case['request']}").body


BAD: list[tuple[Any, int, str]] = [
    ({"site": "nowhere", "right": "access", "user_id": "x"}, 400, "site"),
    ({"site": "shop", "right": "fame", "user_id": "x"}, 400, "right"),
    ({"site": "shop", "right": "access"}, 400, "id"),
    ({"site": "shop", "right": "access", "user_id": "x" * 300}, 400, "user_id"),
    ({"site": "shop", "right": "access", "user_id": "x", "email": "a@b.c\r\nBcc: d@e.f"}, 400, "email"),
    ({"site": "shop", "right": "access", "user_id": "x", "text": "x" * 4001}, 400, "text"),
    ({"site": "shop", "right": "access", "user_id": "x", "more": 1}, 400, "malformed"),
    ({"site": "shop", "right": "access", "user_id": 7}, 400, "malformed"),
    ({"site": "shop", "right": "rectify", "user_id": "x"}, 400, "changes"),
    ({"site": "shop", "right": "rectify", "user_id": "x", "changes": {"a": "x" * 1001}}, 400, "changes"),
    ({"site": "shop", "right": "object", "user_id": "x", "purposes": ["world peace"]}, 400, "purposes"),
    ({"site": "shop", "right": "withdraw", "user_id": "x", "channels": []}, 400, "channels"),
    ({"site": "shop", "right": "complaint", "about": ["R-0000-0000-0000"]}, 404, "no_such_request"),
    ([], 400, "malformed"),
]


@pytest.mark.parametrize(("said", "status", "code"), BAD)
def test_what_is_wrong_is_said_in_the_one_shape(running: Up, said: Any, status: int, code: str) -> None:
    answer = post(running, "/rights", said)
    assert (answer.status, answer.code) == (status, code)


def test_limits_and_pages_of_other_origins(running: Up) -> None:
    assert post(running, "/rights", {"site": "shop", "text": "x" * 20_000}).status == 413
    foreign = json.dumps({"site": "shop", "right": "access", "user_id": "x"}).encode()
    data = request(foreign, JSON, path="/rights").replace(b"https://shop.example", b"https://evil.example")
    assert ask(running, data).code == "origin"
    options = ask(running, request(b"", method="OPTIONS", path="/rights"), "OPTIONS")
    assert options.status == 204
    assert "authorization" in options.head["access-control-allow-headers"]
    assert options.head["access-control-allow-origin"] == "*"
    assert "throng_rights_refused_total" in running.get("/metrics")[1].decode()


@pytest.mark.requirement("M121")
def test_a_complaint_has_a_number_and_what_it_is_about(running: Up) -> None:
    case = body(post(running, "/rights", {"site": "shop", "right": "access", "user_id": "member-9"}))
    said = {"site": "shop", "right": "complaint", "text": f"{NAME} waits", "about": [case["request"]]}
    complaint = body(post(running, "/rights", said))
    assert complaint["state"] == "verified"
    register = Register.open(running.data)
    assert register.get(complaint["request"]).about == (case["request"],)
    register.close()


def test_what_was_acknowledged_outlives_a_kill_at_any_moment(tmp_path: Path) -> None:
    """kill -9 while requests come: each number that was given is there, and what was proved is done."""
    data, given = tmp_path / "data", list[str]()
    for round in range(2):
        with up(data, "part", "collector", settings=SETTINGS + "\n[rights]\nrate = 0\n") as one:

            def send(n: int, one: Up = one, round: int = round) -> None:
                for at in range(200):
                    id = f"{BROWSER}-{round}-{n}-{at}"
                    said = {"site": "shop", "right": "withdraw", "device_id": id, "purposes": ["research"]}
                    try:
                        given.append(body(post(one, "/rights", said))["request"])
                    except (OSError, AssertionError, ValueError):
                        return

            threads = [threading.Thread(target=send, args=(n,)) for n in range(3)]
            for thread in threads:
                thread.start()
            soon(lambda round=round: len(given) > 12 * (round + 1))
            one.stop(signal.SIGKILL)
            for thread in threads:
                thread.join()
    few = SETTINGS + "\n[rights]\nrate = 0.01\nburst = 3\n"
    with up(data, "part", "collector", settings=few) as one:
        register = Register.open(data)
        assert len({register.get(id).id for id in given}) == len(given) > 24
        assert {register.get(id).state for id in given} == {"done"}
        soon(lambda: register.pending(("withdraw",)) == [])
        assert register.store.verify()
        done = {case.key for case in register.cases(closed=True)}
        register.close()
        # And one address asks only so often.
        said = {"site": "shop", "right": "access", "user_id": "x"}
        assert [post(one, "/rights", said).status for _ in range(5)] == [202, 202, 202, 429, 429]
        assert post(one, "/rights", said, "X-Forwarded-For: 198.51.100.7").status == 202
    with sqlite3.connect(data / "ledger.sqlite") as database:
        held = {row[0] for row in database.execute("SELECT key FROM choice WHERE denied != 0")}
    assert done <= held, "closed only after the word is in the ledger"


def test_nothing_of_it_is_on_the_disk_in_clear(running: Up) -> None:
    assert running.data.joinpath("rights.sqlite").stat().st_size > 10_000
    for canary in (NAME, EMAIL, USER, BROWSER, "thief@mail.example", "member-2"):
        found = [f.name for f in running.data.rglob("*") if f.is_file() and canary.encode() in f.read_bytes()]
        assert found == [], canary
        assert quote(canary) not in running.output.read_text()
    keys = Keyring.open(running.data / "keys.json")
    ledger = Ledger.open(running.data / "ledger.sqlite", keys, read_only=True)
    assert ledger.verify()
    ledger.close()
