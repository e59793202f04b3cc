"""`/consent` by hand: where a choice was made, over which text, its receipt; bad input is not repeated."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.receipt import read
from consent_filter.signing import PublicKey, to_text
from tests.ingest.http.wire import SETTINGS, Answer, ask, request, soon
from tests.whole.running import Up, throng, up

ID = "canary-device-4711"
MINE = {"site": "shop", "device_id": ID, "consent": {"measurement": True, "remarketing": False}}
TOLD = {"surface": "banner", "locale": "de-CH", "wording": "cookie-banner/3"}
#: Registered in Germany, as the database that ships has it.
GERMAN = "X-Forwarded-For: 84.128.0.1"


def choose(running: Up, said: dict[str, Any], *more: str, path: str = "/consent") -> Answer:
    return ask(running, request(json.dumps(said).encode(), *more, method="PUT", path=path))


def records(data: Path) -> list[dict[str, Any]]:
    database = sqlite3.connect(f"{(data / 'ledger.sqlite').as_uri()}?mode=ro", uri=True)
    try:
        rows = database.execute("SELECT text FROM content ORDER BY seq").fetchall()
    finally:
        database.close()
    return [json.loads(text) for (text,) in rows]


@pytest.mark.requirement("M67")
def test_the_ledger_says_what_when_where_and_over_which_text(running: Up) -> None:
    answer = choose(running, MINE | TOLD, GERMAN)
    assert answer.status == 200
    said = json.loads(answer.body)
    assert said["consent"] == {"measurement": True, "remarketing": False}
    assert set(said) == {"site", "consent", "since", "policy"}
    assert records(running.data)[-1] == TOLD | {
        "site": "shop", "granted": ["measurement"], "denied": ["remarketing"], "source": "site",
        "at": said["since"], "policy": "workallies-2024/1", "jurisdiction": "DE", "regime": "opt_in",
    }  # fmt: skip


def test_a_choice_may_say_less(running: Up) -> None:
    assert choose(running, MINE).status == 200
    found = records(running.data)[-1]
    assert not {"surface", "locale", "wording", "jurisdiction"} & set(found)
    assert found["regime"] == "opt_in", "where nobody knows the country the strictest holds"


def test_a_sites_own_server_is_not_its_visitor(running: Up) -> None:
    data = request(json.dumps(MINE).encode(), GERMAN, method="PUT", path="/consent")
    data = data.replace(b"Origin: https://shop.example\r\n", b"")
    assert ask(running, data).status == 200
    assert "jurisdiction" not in records(running.data)[-1]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"surface": "canary-popup"}, "surface"),
        ({"surface": "officer"}, "surface"),
        ({"surface": 7}, "malformed"),
        ({"surface": None}, "malformed"),
        ({"locale": "x-canary"}, "locale"),
        ({"locale": "de\u0000"}, "locale"),
        ({"wording": "canary@mail.example"}, "wording"),
        ({"wording": "w" * 4000}, "wording"),
        ({"wording": ID + "/3"}, "wording"),
        ({"wording": "5f2b8c1de4a94b0f9a7e"}, "wording"),
        ({"wording": "8d7a3c52-1111-4222-8333-canary000000".replace("canary", "abcdef")}, "wording"),
        ({"jurisdiction": "DE"}, "malformed"),
        ({"policy": "canary/1"}, "malformed"),
    ],
)
def test_what_is_malformed_changes_nothing_and_is_not_repeated(
    running: Up, more: dict[str, Any], code: str
) -> None:
    choose(running, MINE)
    before = records(running.data)
    answer = choose(running, MINE | TOLD | more)
    assert (answer.status, answer.code) == (400, code)
    assert b"canary" not in answer.body
    assert records(running.data) == before


# Receipts.


def published(running: Up) -> PublicKey:
    answer = ask(running, request(method="GET", path="/consent/key"))
    assert answer.status == 200
    assert answer.head["access-control-allow-origin"] == "*"
    return PublicKey.parse(answer.body.decode())


def receipt(answer: Answer) -> bytes:
    """The letters of the receipt in an answer: what comes after its name, up to the answer's own end."""
    assert answer.status == 200
    return answer.body.partition(b',"receipt":')[2][:-1]


def test_a_receipt_is_given_to_who_asks(running: Up) -> None:
    key = published(running)
    plain = choose(running, MINE | TOLD, GERMAN)
    assert b"receipt" not in plain.body
    assert b"receipt" not in choose(running, MINE | TOLD, GERMAN, path="/consent?receipt=0").body
    answer = choose(running, MINE | TOLD, GERMAN, path="/consent?receipt=1")
    said = json.loads(answer.body)
    found = read(receipt(answer), [key])
    assert said | {"since": 0} == json.loads(plain.body) | {"since": 0, "receipt": said["receipt"]}
    assert found.time == said["since"]
    assert (found.method.surface, found.notice.language) == ("banner", "de-CH")
    assert found.jurisdiction.country == "DE"
    assert {one.purpose: one.decision for one in found.purposes} == {
        "measurement": "granted",
        "remarketing": "denied",
    }


def test_the_ledger_holds_what_the_receipt_says_it_does(running: Up) -> None:
    found = read(receipt(choose(running, MINE, path="/consent?receipt=1")), [published(running)])
    database = sqlite3.connect(f"{(running.data / 'ledger.sqlite').as_uri()}?mode=ro", uri=True)
    rows = database.execute(
        "SELECT commitment, key, nonce FROM chain JOIN content USING (seq) WHERE seq = ?",
        (found.ledger.position,),
    ).fetchall()
    database.close()
    [(commitment, key, nonce)] = rows
    assert to_text(commitment) == found.ledger.commitment
    # Nothing in it is what stands in the ledger for the person.
    line = json.dumps(msgspec.to_builtins(found))
    for secret in (key, nonce):
        assert to_text(secret) not in line
        assert secret.hex() not in line


def test_two_receipts_of_one_person_do_not_show_that_they_are(running: Up) -> None:
    answers = [choose(running, MINE, path="/consent?receipt=1") for _ in range(2)]
    one, other = (read(receipt(answer), [published(running)]) for answer in answers)
    assert one.subject != other.subject
    assert one.id != other.id


def test_no_id_and_no_address_is_in_a_receipt_or_on_the_disk(running: Up) -> None:
    answer = choose(running, MINE | TOLD, GERMAN, path="/consent?receipt=1")
    held = [file.read_bytes() for file in running.data.rglob("*") if file.is_file()]
    for secret in (ID.encode(), b"84.128.0.1"):
        assert secret not in answer.body
        assert all(secret not in one for one in held)


def test_where_there_is_no_key_the_choice_is_made_all_the_same(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "receipts.key").write_text("canary, no key")
    with up(data, "part", "collector", settings=SETTINGS) as running:
        answer = choose(running, MINE, path="/consent?receipt=1")
        assert answer.status == 200
        assert json.loads(answer.body)["receipt"] is None
        assert records(data)[-1]["granted"] == ["measurement"]
        refused = ask(running, request(method="GET", path="/consent/key"))
        assert (refused.status, refused.code) == (503, "unavailable")
        assert b"canary" not in answer.body + refused.body
        (data / "receipts.key").unlink()  # as `throng check` says
        assert read(receipt(choose(running, MINE, path="/consent?receipt=1")), [published(running)])


def test_the_key_outlives_the_process(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data, "part", "collector", settings=SETTINGS) as running:
        assert not (data / "receipts.key").exists()
        given = receipt(choose(running, MINE, path="/consent?receipt=1"))
        running.stop(signal.SIGKILL)
    with up(data, "part", "collector", settings=SETTINGS) as running:
        assert read(given, [published(running)])


def test_whoever_holds_a_receipt_is_in_the_ledger_whatever_was_killed(tmp_path: Path) -> None:
    """A receipt is given for what is durable; one that is given later has a place of its own."""
    data, given = tmp_path / "data", list[bytes]()
    for life in range(3):
        with up(data, "part", "collector", settings=SETTINGS) as running:

            def load(mine: str, running: Up = running) -> None:
                for number in range(10_000):
                    said = MINE | {"device_id": f"{mine}-{number}"}
                    try:
                        given.append(receipt(choose(running, said, path="/consent?receipt=1")))
                    except (AssertionError, OSError):
                        return

            threads = [threading.Thread(target=load, args=(f"{ID}-{life}-{n}",)) for n in range(4)]
            for thread in threads:
                thread.start()
            before = len(given)
            soon(lambda before=before: len(given) >= before + 50)  # type: ignore[misc]
            # Also while it runs, another process may look.
            found = json.loads(throng(data, "receipt", "verify", text=given[0].decode()))
            assert found["ledger"] == "held"
            running.stop(signal.SIGKILL)
            for thread in threads:
                thread.join()
    (tmp_path / "all").write_bytes(b"\n".join(given))
    lines = throng(data, "receipt", "verify", str(tmp_path / "all")).splitlines()
    assert {json.loads(line)["ledger"] for line in lines} == {"held"}
    places = [json.loads(line)["ledger"]["position"] for line in given]
    assert len(lines) == len(set(places)) == len(given) >= 150


@pytest.mark.requirement("M123")
def test_who_agreed_to_an_older_policy_is_told_to_be_asked_again(tmp_path: Path) -> None:
    """From the day of the newer on, and until they agree again; what was refused is not asked for."""
    data = tmp_path / "data"
    data.mkdir()
    yesterday = date.today() - timedelta(days=2)
    earlier = f'since = {yesterday}\nearlier = [{{ pack = "worktasker-2014" }}]\n[ingest]'
    ledger = Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"))
    said = {"measurement": True, "personalisation": True, "ad_measurement": False, "remarketing": True}
    ledger.put("shop", "device", ID, said, "site", 1_790_000_000_000)
    ledger.close()
    with up(data, "part", "collector", settings=SETTINGS.replace("[ingest]", earlier)) as running:
        ask_for = request(b"", method="GET", path=f"/consent?site=shop&device_id={ID}")
        told = json.loads(ask(running, ask_for).body)
        assert told["consent"] == said
        assert told["again"] == ["measurement", "personalisation"], "the newer text has no remarketing"
        assert choose(running, MINE).status == 200
        assert json.loads(ask(running, ask_for).body)["again"] == ["personalisation"]
        assert choose(running, MINE | {"consent": {"personalisation": False}}).status == 200
        assert "again" not in json.loads(ask(running, ask_for).body)
