"""`/preferences` as a page and as a site's own server use it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from consent_filter.purpose import names
from consent_filter.receipt import read
from consent_filter.rights.token import make
from consent_filter.signing import PublicKey, to_bytes
from tests.ingest.http.wire import SETTINGS, Answer, ask, counted, counts, event, request
from tests.whole.running import Up, throng, up

ID = "canary-member-0815"
MINE: dict[str, Any] = {"site": "shop", "user_id": ID, "source": "account_settings"}
GERMAN, AMERICAN = "X-Forwarded-For: 84.128.0.1", "X-Forwarded-For: 12.0.0.1"


def change(running: Up, said: dict[str, Any], *more: str) -> Answer:
    return ask(running, request(json.dumps(said).encode(), *more, method="PUT", path="/preferences"))


def look(running: Up, *more: str, query: str = "site=shop") -> Answer:
    return ask(running, request(b"", *more, method="GET", path=f"/preferences?{query}"))


def purposes(answer: Answer) -> dict[str, dict[str, Any]]:
    assert answer.status == 200, answer.body
    return {one["purpose"]: one for one in json.loads(answer.body)["purposes"]}


@pytest.mark.requirement("M106")
def test_anybody_may_ask_which_policy_is_in_force_and_what_signals_do(running: Up) -> None:
    answer = ask(running, request(b"", method="GET", path="/privacy/status?site=shop"))
    said = json.loads(answer.body)
    assert (answer.status, said["site"], said["policy"]) == (200, "shop", "workallies-2024/1")
    assert (said["in_force"], said["announced"]) == (None, [])
    assert "DE" in said["regimes"]["opt_in"]["countries"]
    does = {name: regime["signals"]["gpc"]["does"] for name, regime in said["regimes"].items()}
    assert set(does.values()) <= {"ignored", "limits", "count_only", "drops"}
    assert does["opt_out"] == "limits"
    wrong = ask(running, request(b"", method="GET", path="/privacy/status?site=elsewhere"))
    assert (wrong.status, json.loads(wrong.body)["error"]["code"]) == (400, "site")


@pytest.mark.requirement("M120", "M66")
def test_a_stranger_sees_what_the_policy_does_where_they_are(running: Up) -> None:
    german, american = look(running, GERMAN), look(running, AMERICAN)
    said = json.loads(german.body)
    assert (said["country"], said["regime"], said["kind"], said["known"]) == ("DE", "opt_in", "opt_in", False)
    assert said["history"] == []
    assert purposes(german)["measurement"] == {
        "purpose": "measurement", "channel": None, "basis": "consent", "default": False,
        "balancing": None, "cookieless": "exempt", "chosen": None, "since": None, "holds": True,
        "without_id": True, "why": "cookieless", "days": 760,
    }  # fmt: skip
    assert purposes(american)["ad_personalisation"]["why"] == "default"
    mail = purposes(american)["marketing_email"]
    assert (mail["channel"], mail["basis"], mail["holds"], mail["why"], mail["days"]) == (
        "email", "consent", False, "silence", None,
    )  # fmt: skip
    objecting = look(running, AMERICAN, "Sec-GPC: 1")
    assert json.loads(objecting.body)["objecting"] == ["gpc"]
    taken = purposes(objecting)["ad_personalisation"]
    assert (taken["holds"], taken["why"]) == (False, "gpc")
    assert purposes(objecting)["measurement"]["holds"], "the publisher's own count goes on"


@pytest.mark.requirement("M68", "M73")
def test_what_is_changed_in_the_account_binds_the_next_event(running: Up) -> None:
    def stored(kind: str = "page_view") -> dict[str, int]:
        before = counts(running)
        assert ask(running, request(event(type=kind, user_id=ID), AMERICAN)).status == 202
        return counted(running, before, 1)

    assert stored()["stored"] == 1
    answer = change(
        running, MINE | {"purposes": {"measurement": False}, "locale": "de", "wording": "alerts/2"}
    )
    assert purposes(answer)["measurement"]["holds"] is False
    assert stored() == {"received": 1, "consent": 1}
    answer = change(running, MINE | {"purposes": {"measurement": True}, "channels": {"email": True}})
    assert stored()["stored"] == 1
    state = purposes(answer)
    assert (state["measurement"]["why"], state["marketing_email"]["why"]) == ("on_record", "on_record")
    answer = change(running, MINE | {"channels": {"email": False, "adverts": False}})
    assert {name for name, one in purposes(answer).items() if one["chosen"] is False} == {
        "marketing_email", "ad_personalisation",
    }  # fmt: skip
    said = json.loads(answer.body)
    history = said["history"]
    assert [one["source"] for one in history] == ["account_settings"] * 3
    assert [one["surface"] for one in history] == ["account"] * 3
    assert (history[-1]["locale"], history[-1]["wording"], history[-1]["denied"]) == (
        "de",
        "alerts/2",
        ["measurement"],
    )
    assert said["receipt"]["ledger"]["position"] == history[0]["position"]
    assert ID.encode() not in answer.body
    held = [file.read_bytes() for file in running.data.rglob("*") if file.is_file()]
    assert all(ID.encode() not in one for one in held)


def test_receipts_of_what_is_on_record_are_those_that_were_given(running: Up) -> None:
    who = MINE | {"user_id": "canary/ü 1"}
    given = json.loads(change(running, who | {"purposes": {"measurement": True}}, GERMAN).body)["receipt"]
    change(running, who | {"channels": {"post": True}, "source": "panel"}, GERMAN)
    head = "throng-user: canary%2F%C3%BC%201"
    plain = json.loads(look(running, head, GERMAN).body)
    assert all("receipt" not in one for one in plain["history"])
    newest, oldest = json.loads(look(running, head, GERMAN, query="site=shop&receipts=1").body)["history"]
    assert oldest["receipt"] == given
    assert (newest["source"], newest["surface"], newest["granted"]) == ("panel", "panel", ["marketing_post"])
    key = PublicKey.parse(ask(running, request(method="GET", path="/consent/key")).body.decode())
    line = json.dumps(newest["receipt"], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert read(line.encode(), [key]).method.surface == "panel"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"purposes": {"canary": True}}, "purpose"),
        ({"channels": {"canary": True}}, "channel"),
        ({"channels": {"email": True}, "purposes": {"marketing_email": False}}, "channel"),
        ({}, "purpose"),
        ({"purposes": {"measurement": True}, "source": "officer"}, "source"),
        ({"purposes": {"measurement": True}, "source": "canary"}, "source"),
        ({"purposes": {"measurement": True}, "user_id": None}, "id"),
        ({"purposes": {"measurement": True}, "wording": ID + "/1"}, "wording"),
        ({"purposes": {"measurement": True}, "surface": "panel"}, "malformed"),
        ({"purposes": {"measurement": "yes"}}, "malformed"),
        ({"purposes": {"measurement": True}, "site": "canary"}, "site"),
    ],
)
def test_what_is_malformed_changes_nothing(running: Up, more: dict[str, Any], code: str) -> None:
    before = look(running, f"throng-user: {ID}").body
    answer = change(running, MINE | more)
    assert (answer.status, answer.code) == (400, code)
    assert b"canary" not in answer.body
    assert look(running, f"throng-user: {ID}").body == before


def test_an_id_is_in_no_address_and_a_strange_page_changes_nothing(running: Up) -> None:
    for name in ("user_id", "device_id"):
        answer = look(running, query=f"site=shop&{name}=canary-1")
        assert (answer.status, answer.code) == (400, "id_in_address")
    assert look(running, "throng-user: %FF").code == "id"
    said = json.dumps(MINE | {"purposes": {"measurement": True}}).encode()
    data = request(said, method="PUT", path="/preferences").replace(b"https://shop.", b"https://evil.")
    assert ask(running, data).code == "origin"
    options = ask(running, request(method="OPTIONS", path="/preferences"), "OPTIONS")
    assert "throng-device" in options.head["access-control-allow-headers"]


def test_an_account_and_its_browser_are_one_person(running: Up) -> None:
    """As for an event that brings both: what either refuses is refused."""
    change(running, MINE | {"user_id": "canary-u", "purposes": {"measurement": True, "ad_measurement": True}})
    device = {"user_id": None, "device_id": "canary-d"}
    change(running, MINE | device | {"purposes": {"measurement": False, "personalisation": True}})
    both = look(running, "throng-user: canary-u", "throng-device: canary-d", GERMAN)
    chosen = {name: one["chosen"] for name, one in purposes(both).items() if one["chosen"] is not None}
    assert chosen == {"measurement": False, "ad_measurement": True, "personalisation": True}
    assert [one["denied"] for one in json.loads(both.body)["history"]] == [["measurement"], []]


@pytest.mark.requirement("M115")
def test_where_the_sites_server_says_who_is_signed_in_nobody_else_is_believed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data, "part", "collector", settings=SETTINGS) as running:
        head, granted = f"throng-user: {ID}", MINE | {"purposes": {"measurement": True}}
        assert change(running, granted).status == 200, "without a key as with PUT /consent"
        said = json.loads(throng(data, "rights", "key", "--site", "shop", "--format", "json"))

        def token(**more: str) -> str:
            payload = {"site": "shop", "user_id": ID, "right": "preferences", "jti": str(uuid4())}
            payload |= {"exp": int(time.time()) + 300}  # type: ignore[dict-item]
            return make(payload | more, said["kid"], to_bytes(said["secret"]))

        before = look(running, head, f"throng-token: {token()}").body
        refused = MINE | {"purposes": {"measurement": False}}
        used = token()
        for wrong, code in (
            (None, "token"),
            (token(user_id="canary-other"), "token_subject"),
            (token(right="access"), "token_right"),
            (token(site="other"), "token_key"),
            (used[:-4] + "AAAA", "token_forged"),
            ("canary", "token_malformed"),
        ):
            more = {} if wrong is None else {"token": wrong}
            assert change(running, refused | more).code == code
            assert look(running, head, *([f"throng-token: {wrong}"] if wrong else [])).code == code
        assert look(running, head, f"throng-token: {token()}").body == before, "nothing was changed"
        assert change(running, refused | {"token": used}).status == 200
        assert change(running, granted | {"token": used}).code == "token_replayed"
        consent = request(json.dumps({"site": "shop", "user_id": ID, "consent": {}}).encode(), method="PUT",
                          path="/consent")  # fmt: skip
        assert ask(running, consent).code == "token"
        path = f"/consent?site=shop&user_id={ID}"
        assert ask(running, request(method="GET", path=path)).code == "token"
        assert ask(running, request(b"", f"throng-token: {token()}", method="GET", path=path)).status == 200
        # A browser's own number is known to nobody else, and needs no token.
        device = {"user_id": None, "device_id": "canary-device-0123456789"}
        assert change(running, granted | device).status == 200


def test_every_purpose_of_the_list_is_spoken_of(running: Up) -> None:
    """A page is told of each purpose that the policy names, and of no other."""
    found = purposes(look(running, GERMAN))
    assert [*found] == [name for name in names((1 << 32) - 1) if name in found]
