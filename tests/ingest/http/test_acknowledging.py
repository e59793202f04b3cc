"""`/acknowledgement`, and a site that is called by another of its names."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from consent_filter.circumstances import Circumstances
from consent_filter.errors import Refused
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.rights.register import Register
from consent_filter.rights.token import make
from pipelines.access import bundle
from tests.ingest.http.wire import SETTINGS, Answer, ask, counted, counts, event, request
from tests.whole.running import Up, up

ID = "canary-member-0816"
SAID = {"surface": "account", "locale": "de", "wording": "sign-up/2"}
GERMAN = "X-Forwarded-For: 84.128.0.1"
NAMED = SETTINGS.replace('id = "shop"', 'id = "shop"\naliases = ["Work bags", "Worktop"]')


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("noted") / "data", "part", "collector", settings=NAMED) as one:
        yield one


def note(running: Up, *head: str, **said: Any) -> Answer:
    body = json.dumps({"site": "shop", "user_id": ID} | said).encode()
    return ask(running, request(body, *head, method="POST", path="/acknowledgement"))


def noted(running: Up, id: str = ID, site: str = "shop") -> list[dict[str, Any]]:
    path = f"/preferences?site={site}"
    answer = ask(running, request(b"", f"throng-user: {id}", method="GET", path=path))
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = json.loads(answer.body)["acknowledged"]
    return found


@pytest.mark.requirement("M2")
def test_that_a_policy_was_taken_note_of_is_on_record_once(running: Up) -> None:
    assert noted(running) == []
    first = note(running, GERMAN, **SAID)
    assert first.status == 200, first.body
    said = json.loads(first.body)
    assert {**said, "at": 0} == {"site": "shop", "policy": "workallies-2024/1", "at": 0}
    again = note(running, policy="workallies-2024/1", locale="fr")
    assert json.loads(again.body) == said, "the first one stands"
    (one,) = noted(running)
    assert one | {"position": 0} == {
        "at": said["at"], "acknowledged": "workallies-2024/1", "jurisdiction": "DE", "position": 0, **SAID,
    }  # fmt: skip
    assert ID.encode() not in first.body
    held = [file.read_bytes() for file in running.data.rglob("*") if file.is_file()]
    assert all(ID.encode() not in one for one in held)


@pytest.mark.requirement("M2")
def test_taking_note_is_no_agreement_and_stands_beside_choices(running: Up) -> None:
    who = "canary-member-0817"

    def stored() -> dict[str, int]:
        before = counts(running)
        assert ask(running, request(event(type="page_view", user_id=who), GERMAN)).status == 202
        return counted(running, before, 1)

    def look() -> dict[str, Any]:
        path = "/preferences?site=shop"
        answer = ask(running, request(b"", f"throng-user: {who}", GERMAN, method="GET", path=path))
        found: dict[str, Any] = json.loads(answer.body)
        return found

    before, kept = look(), stored()
    assert note(running, user_id=who).status == 200
    after = look()
    assert after | {"acknowledged": []} == before, "nothing holds that did not"
    assert stored() == kept
    choice = {"site": "shop", "user_id": who, "consent": {"measurement": True}}
    assert ask(running, request(json.dumps(choice).encode(), method="PUT", path="/consent")).status == 200
    assert [len(look()[name]) for name in ("history", "acknowledged")] == [1, 1]


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({"policy": "workallies-2023/1"}, 409, "policy"),
        ({"site": "nowhere"}, 400, "site"),
        ({"user_id": None}, 400, "id"),
        ({"user_id": "x" * 257}, 400, "user_id"),
        ({"surface": "officer"}, 400, "surface"),
        ({"surface": "moon"}, 400, "surface"),
        ({"locale": "canary locale"}, 400, "locale"),
        ({"wording": ID}, 400, "wording"),
        ({"more": 1}, 400, "malformed"),
        ({"wording": "x" * 9000}, 413, "too_large"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_and_not_repeated(
    running: Up, said: dict[str, Any], status: int, code: str
) -> None:
    before = noted(running)
    answer = note(running, **said)
    assert (answer.status, answer.code) == (status, code)
    assert b"canary" not in answer.body
    assert noted(running) == before


def test_a_strange_page_speaks_for_nobody(running: Up) -> None:
    answer = note(running, "Origin: https://evil.example", user_id="canary-member-0818")
    assert (answer.status, answer.code) == (403, "origin")
    assert noted(running, "canary-member-0818") == []


@pytest.mark.requirement("M4")
@pytest.mark.parametrize("name", ["Work bags", "WORK  BAGS", "worktop"])
def test_a_site_is_found_by_each_of_its_names(running: Up, name: str) -> None:
    assert json.loads(note(running, site=name, user_id=name).body)["site"] == "shop"
    assert len(noted(running, name, "Worktop")) == 1
    asked = {"site": name, "right": "access", "user_id": name}
    answer = ask(running, request(json.dumps(asked).encode(), method="POST", path="/rights"))
    assert answer.status == 202, answer.body
    register = Register.open(running.data)
    try:
        assert register.get(json.loads(answer.body)["request"]).site == "shop"
    finally:
        register.close()


@pytest.mark.requirement("M4")
def test_an_event_names_the_id_alone(running: Up) -> None:
    before = counts(running)
    ask(running, request(event(site="Worktop"), GERMAN))
    assert "stored" not in counted(running, before, 1)


@pytest.mark.requirement("M2")
def test_who_was_erased_is_not_written_of(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger.sqlite", Keyring.open(tmp_path / "keys.json"))
    try:
        how = Circumstances(policy="workallies-2024/1", locale="de", surface="account")
        assert ledger.acknowledge("shop", "user", ID, how, 7) == 7
        assert ledger.acknowledge("shop", "user", ID, how, 8) == 7
        newer = Circumstances(policy="workallies-2024/2")
        assert ledger.acknowledge("shop", "user", ID, newer, 9) == 9
        found = bundle(tmp_path, ledger.subject(ledger.key("shop", "user", ID)), 10).said["records"]
        assert [(one["acknowledged"], one["at"]) for one in found] == [
            ("workallies-2024/1", 7), ("workallies-2024/2", 9),
        ]  # fmt: skip
        ledger.erase("shop", "user", ID, "test", 11)
        with pytest.raises(Refused, match="erased"):
            ledger.acknowledge("shop", "user", ID, how, 12)
        (left,) = ledger.subject(ledger.key("shop", "user", ID)).records
        assert "acknowledged" not in left[1]
        assert ledger.verify()
    finally:
        ledger.close()


@pytest.mark.requirement("M2")
def test_where_a_site_has_a_key_its_server_says_who_it_is(tmp_path: Path) -> None:
    with up(tmp_path / "data", "part", "collector", settings=NAMED) as running:
        register = Register.open(running.data)
        kid, secret = register.keys.make("shop")
        register.close()
        assert note(running).code == "token"
        said = {"site": "shop", "user_id": ID, "right": "preferences", "exp": int(time.time()) + 60}
        token = make(said | {"jti": str(uuid4())}, kid, secret)
        assert note(running, token=token).status == 200
        assert note(running, token=token).code == "token_replayed"
