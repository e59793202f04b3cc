"""The catalogue's API: nothing without a token, nor over another's change, and what is wrong teaches."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from consent_filter.advert_links import Seals, token
from consent_filter.pseudonym import Keyring
from dashboards.app import create
from dashboards.settings import Dashboards
from tests.warehouse.test_catalogue import LISTED
from warehouse import catalogue, catalogue_file
from warehouse.settings import Warehouse

Ask = Callable[..., httpx.Response]


@pytest.fixture
def seals(tmp_path: Path) -> Seals:
    (tmp_path / "adverts.toml").write_text(LISTED)
    return Seals.of(Keyring.open(tmp_path / "keys.json"))


@pytest.fixture
def ask(tmp_path: Path, seals: Seals) -> Ask:
    app = create(tmp_path, Dashboards(), Warehouse())
    good = token(seals, "catalogue", "ad server", int(time.time()) + 60)

    async def sent(method: str, path: str, said: Any, head: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8601") as client:
            body = said if isinstance(said, bytes) else json.dumps(said).encode() if said is not None else b""
            return await client.request(method, path, content=body, headers=head)

    def one(method: str, said: Any = None, path: str = "/api/adverts", **head: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in head.items()}
        whole = {"authorization": f"Bearer {good}"} | named
        return asyncio.run(sent(method, path, said, {k: v for k, v in whole.items() if v}))

    return one


def test_an_ad_server_reads_and_replaces_the_list(ask: Ask, tmp_path: Path) -> None:
    read = ask("GET")
    whole = read.json()["catalogue"]
    assert (read.status_code, read.headers["etag"], whole["campaign"][0]["id"]) == (200, '"0"', "spring")
    whole["campaign"][0]["name"] = "Spring, again"
    assert ask("PUT", whole).status_code == 428
    made = ask("PUT", whole, if_match=read.headers["etag"])
    # What was there, by hand, is an edition of its own.
    assert (made.status_code, made.json()["number"], made.json()["who"]) == (200, 2, "ad server")
    assert catalogue.read(tmp_path / "adverts.toml").campaign[0].name == "Spring, again"
    stale = ask("PUT", whole, if_match='"0"')
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "edition")
    said = ask("GET", path="/api/adverts/editions").json()
    assert [(one["number"], one["who"]) for one in said] == [(1, "by hand"), (2, "ad server")]


def test_rows_are_added_or_take_the_place_of_others(ask: Ask, tmp_path: Path) -> None:
    new = {"campaign": [{"id": "autumn", "advertiser": "acme", "starts": "2026-09-01"}]}
    made = ask("POST", new)
    assert (made.status_code, made.json()["added"], made.headers["etag"]) == (200, 1, '"2"')
    again = ask("POST", new)
    assert (again.json()["same"], again.headers["etag"]) == (1, '"2"')
    found = catalogue.read(tmp_path / "adverts.toml")
    assert [one.id for one in found.campaign] == ["spring", "brand", "autumn"]
    assert len(found.flight) == 2
    assert catalogue_file.edition(tmp_path / "adverts.toml").what == "API: 1 added, 0 changed, 0 same"


def test_what_is_wrong_changes_nothing_and_says_what_would_be_right(ask: Ask, tmp_path: Path) -> None:
    before = (tmp_path / "adverts.toml").read_bytes()
    for said, code, says in (
        ({"campaign": [{"id": "x", "advertiser": "acne"}]}, 422, "acme"),
        ({"campaign": [{"id": "x"}]}, 422, "advertiser"),
        ({"campain": []}, 422, "campaign"),
        ({"campaign": {"id": "x"}}, 422, "keys: id, advertiser"),
        ({"goal": [{"id": "x", "model": "magic"}]}, 422, "linear"),
        (b"no json", 400, "JSON"),
        (b"[" * 100_000, 400, "JSON"),
        (b"[]", 400, "JSON"),
    ):
        answer = ask("POST", said)
        assert (answer.status_code, says in answer.json()["error"]["message"]) == (code, True), answer.text
    assert ask("PUT", {}, if_match="x").status_code == 400
    assert ask("POST", b"x" * (4 << 20) + b"x").status_code == 413
    assert (tmp_path / "adverts.toml").read_bytes() == before


def test_nobody_gets_in_without_a_token_for_this(ask: Ask, seals: Seals, tmp_path: Path) -> None:
    until = int(time.time()) + 60
    old, basic = token(seals, "catalogue", "x", 1), token(seals, "catalogue", "x", until)
    other = token(seals, "servers", "ssp", until)
    wrong = ("", "Bearer x", f"Bearer {other}", f"Bearer {old}", f"Basic {basic}")
    before = (tmp_path / "adverts.toml").read_bytes()
    for said in wrong:
        for method, path in (("GET", "/api/adverts"), ("GET", "/api/adverts/editions"),
                             ("PUT", "/api/adverts"), ("POST", "/api/adverts")):  # fmt: skip
            answer = ask(method, {}, path, authorization=said, if_match='"0"')
            assert answer.status_code == (405 if not said and method != "GET" else 401), (said, method)
    # Nor another site's page, nor by a name that is not ours.
    assert ask("POST", {}, host="evil.example").status_code == 421
    assert ask("GET", sec_fetch_site="cross-site", sec_fetch_mode="cors").status_code == 403
    assert ask("DELETE").status_code == 405
    assert ask("POST", {}, path="/report/pages").status_code == 405
    assert (tmp_path / "adverts.toml").read_bytes() == before
