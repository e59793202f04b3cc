"""A choice says where it was made and over which text; what is malformed is refused and never repeated."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.ingest.http.wire import Answer, ask, request
from tests.whole.running import Up

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
