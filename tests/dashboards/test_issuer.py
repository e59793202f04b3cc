"""Signing in elsewhere: there and back, whom an issuer may vouch for, and what is none of its words."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from consent_filter.errors import Misconfigured
from dashboards.accounts import issuer
from dashboards.accounts.settings import AccountSettings, Issuer
from dashboards.who import Role
from tests.dashboards.browsing import Browser, House, house
from tests.dashboards.issuing import CLIENT, SECRET, Issuing, issuing


@pytest.fixture(scope="module")
def there() -> Iterator[Issuing]:
    with issuing() as one:
        yield one


@pytest.fixture(scope="module")
def place(there: Issuing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data = tmp_path_factory.mktemp("issuer")
    (data / "issuer.secret").write_text(SECRET + "\n")
    settings = Issuer(
        address=there.address, client=CLIENT, secret="issuer.secret", name="Example Ltd",
        roles={"marketing": "analyst", "dpo": "privacy_officer"}, sites={"blog-team": "blog"},
    )  # fmt: skip
    with house(data, AccountSettings(issuer=settings)) as one:
        one.account("root", Role.ADMINISTRATOR)
        yield one


@pytest.fixture(autouse=True)
def person(there: Issuing, place: House) -> None:
    there.change, there.sign_with = {}, there.key
    there.person = {"sub": "s-1", "email": "ann@shop.example", "name": "Ann Lee", "groups": ["marketing"]}


def go(browser: Browser, path: str = "/sign-in/elsewhere") -> str:
    """Where the issuer sends them back to."""
    to = browser.get(path).headers["location"]
    return str(httpx.get(to, trust_env=False).headers["location"])


def come_back(browser: Browser, address: str) -> httpx.Response:
    at = urlsplit(address)
    return browser.get(
        f"{at.path}?{at.query}", **{"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    )


def tried(place: House) -> tuple[Browser, httpx.Response]:
    """Somebody new goes there and comes back."""
    browser = place.browser()
    return browser, come_back(browser, go(browser))


@pytest.mark.requirement("M125")
def test_there_and_back(place: House, there: Issuing) -> None:
    browser = place.browser()
    assert "Sign in with Example Ltd" in browser.text("/sign-in")
    there.person["groups"] = ["marketing", "blog-team", "canteen"]
    back = go(browser, "/sign-in/elsewhere?next=/attribution")
    answer = come_back(browser, back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/attribution")
    ann = place.people.find("ann@shop.example")
    assert ann is not None
    assert (ann.who.roles, ann.who.sites) == ({Role.ANALYST}, {"blog"})
    assert "Ann Lee" in browser.text("/account")
    assert come_back(place.browser(), back).status_code == 403, "once, and in that browser"
    assert come_back(browser, back).status_code == 403
    there.person["groups"] = ["dpo"]
    assert come_back(browser, go(browser)).headers["location"] == "/account"
    again = place.people.find("ann@shop.example")
    assert again is not None
    assert (again.who.account, again.who.roles, again.who.sites) == (
        ann.who.account,
        {Role.PRIVACY_OFFICER},
        set(),
    )


def test_who_has_no_role_and_whose_account_has_ended_are_not_let_in(place: House, there: Issuing) -> None:
    browser, n = place.browser(), len(place.people.list())
    there.person |= {"sub": "s-2", "groups": ["canteen"]}
    refused = come_back(browser, go(browser))
    assert refused.status_code == 403
    assert "no role here" in refused.text
    assert len(place.people.list()) == n
    there.person |= {"sub": "s-3", "email": "root", "groups": ["marketing"]}
    assert come_back(browser, go(browser)).status_code == 303
    made = [one for one in place.people.list() if one.login.startswith("root at ")]
    assert len(made) == 1, "an account of that name is nobody's to take over"
    place.people.end(made[0].who.account, "")
    assert come_back(browser, go(browser)).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"}, {"aud": "another"}, {"aud": ["another"]}, {"exp": 1}, {"nonce": "n"},
        {"nonce": None}, {"azp": "another"}, {"sub": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_that_is_not_for_us_is_none(place: House, there: Issuing, change: dict[str, object]) -> None:
    there.change = change
    browser = place.browser()
    refused = come_back(browser, go(browser))
    assert (refused.status_code, "not signed for us" in refused.text) == (403, True)
    assert browser.get("/account").status_code == 303


def test_a_token_that_the_issuer_did_not_sign_is_none(place: House, there: Issuing) -> None:
    there.sign_with = RSAKey.generate_key(2048, {"kid": "one"})
    assert tried(place)[1].status_code == 403


def test_a_new_key_of_the_issuer_is_looked_up_and_not_for_every_token(
    place: House, there: Issuing, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, there.key = there.key, RSAKey.generate_key(2048, {"kid": "two"})
    there.sign_with = there.key
    before = len(there.asked)
    assert tried(place)[1].status_code == 403, "looked up a moment ago"
    assert len(there.asked) == before
    monkeypatch.setattr(issuer, "_AGAIN", 0.0)
    assert tried(place)[1].status_code == 303
    there.key = there.sign_with = old
    assert tried(place)[1].status_code == 303


@pytest.mark.parametrize("forge", ["none", "HS256"])
def test_no_algorithm_lets_in_who_has_no_key(place: House, there: Issuing, forge: str) -> None:
    """`alg: none`, and HMAC under the public key, have let strangers in elsewhere (RFC 8725, 2.1)."""

    def text(said: bytes) -> str:
        return urlsafe_b64encode(said).decode().rstrip("=")

    def made(claims: dict[str, Any]) -> str:
        head = {"alg": forge, "kid": "one"}
        parts = f"{text(json.dumps(head).encode())}.{text(json.dumps(claims).encode())}"
        mac = hmac.digest(there.key.as_pem(private=False), parts.encode(), "sha256")
        return f"{parts}.{'' if forge == 'none' else text(mac)}"

    there.forge = made
    try:
        browser, answer = tried(place)
        assert answer.status_code == 403
        assert browser.get("/account").status_code == 303
    finally:
        there.forge = None


def test_what_was_sent_there_says_nothing_of_ours(place: House) -> None:
    to = dict(parse_qsl(urlsplit(place.browser().get("/sign-in/elsewhere").headers["location"]).query))
    assert to.keys() == {
        "response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge",
        "code_challenge_method",
    }  # fmt: skip
    assert to["redirect_uri"] == "http://127.0.0.1:8601/sign-in/back"


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    for wrong in (
        {"address": "http://evil.example", "client": "x"}, {"address": "https://x.example"},
        {"address": "https://x.example", "client": "x", "roles": {"a": "king"}},
    ):  # fmt: skip
        with pytest.raises(Misconfigured):
            Issuer(**wrong)  # type: ignore[arg-type]
    unreachable = Issuer(address="http://127.0.0.1:9", client="x")
    with house(tmp_path, AccountSettings(issuer=unreachable)) as place:
        place.account("root", Role.ADMINISTRATOR)
        assert place.browser().get("/sign-in/elsewhere").status_code == 502
