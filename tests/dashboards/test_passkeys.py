"""Passkeys with an authenticator of Chromium's own: made, signed in with, replayed, taken away."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from consent_filter.errors import Refused
from dashboards.accounts import log, passkeys
from dashboards.accounts.passkeys import Place, Questions
from dashboards.who import Role
from tests.dashboards.browsing import PASSWORD, House, house
from tests.dashboards.test_screens import FAINT, HANGING
from tests.ports import free_ports
from tests.whole.running import until

PAGES = ("/account", "/account/passkeys", "/account/keys", "/account/second", "/accounts", "/log")


class _Quiet(uvicorn.Server):
    def capture_signals(self) -> Any:  # in a thread: signals are the test runner's
        return nullcontext()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("passkeys")) as one:
        one.account("ann", *Role, name="Ann Lee")
        yield one


@pytest.fixture(scope="module")
def address(place: House) -> Iterator[str]:
    port = free_ports()
    server = _Quiet(uvicorn.Config(place.app, port=port, log_level="error", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    yield f"http://localhost:{port}"
    server.should_exit = True
    thread.join()


def with_authenticator(page: Any) -> Any:
    """A session of the browser's protocol with an authenticator that knows its user."""
    protocol = page.context.new_cdp_session(page)
    protocol.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    protocol.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return protocol


def sign_in(page: Any, address: str) -> None:
    page.goto(address + "/sign-in")
    page.fill("input[name=login]", "ann")
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")


def test_where_browsers_have_no_passkeys_none_is_offered(place: House) -> None:
    for at, has in (
        ("https://stats.example/", True), ("http://localhost:8601/", True), ("http://stats.example/", False),
        ("http://127.0.0.1:8601/", False), ("https://[::1]/", False),
    ):  # fmt: skip
        assert (Place.of(at) is not None) is has, at
    browser = place.browser()
    browser.sign_in("ann")
    assert "only for a name" in browser.text("/account/passkeys")


def test_an_answer_that_nobody_asked_for_opens_nothing(place: House) -> None:
    questions, here = Questions(), Place("localhost", "http://localhost")
    asked = questions.new("get", "word")
    wrong = [("create", "word", asked.hex()), ("get", "another", asked.hex())]
    for what, word, said in (*wrong, ("get", "word", "00"), ("get", "word", "x")):
        with pytest.raises(Refused):
            questions.take(what, word, said)
    assert questions.take("get", "word", asked.hex()) == asked
    with pytest.raises(Refused):
        questions.take("get", "word", asked.hex())
    for said in (
        "",
        "{}",
        "[]",
        "null",
        json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": {}}),
    ):
        with pytest.raises(Refused):
            passkeys.check(place.people, here, said, asked)
        with pytest.raises(Refused):
            passkeys.add(place.people, "A1", here, "x", said, asked)


@pytest.mark.needs("chromium")
@pytest.mark.requirement("M125")
def test_a_passkey_is_made_opens_the_door_and_is_taken_away(
    place: House, address: str, chromium: Any, tmp_path: Path
) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page, asked, wrong = context.new_page(), list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: wrong.append(said.text) if "Security Policy" in said.text else None)
    with_authenticator(page)
    sign_in(page, address)
    page.wait_for_url("**/")
    assert "Sign in with a passkey" not in page.content()
    page.goto(address + "/account/passkeys")
    page.fill("input[name=name]", "This laptop")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=This laptop")
    page.fill("input[name=name]", "Again")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=This device has one already")
    page.click("[popovertarget=who]")
    page.click("text=Sign out")
    sent = list[str]()
    page.on(
        "request", lambda request: sent.append(request.post_data or "") if request.method == "POST" else None
    )
    page.click("text=Sign in with a passkey")
    page.wait_for_url("**/")
    page.goto(address + "/account")
    assert page.locator("td", has_text="passkey").count() == 1, "that session is by passkey"
    # What was sent once opens nothing a second time.
    account = place.people.find("ann")
    assert account is not None
    (kept,) = passkeys.listed(place.people, account.who.account)
    assert (kept.host, kept.used is not None) == ("localhost", True)
    # A password is now the first of two steps.
    page.click("[popovertarget=who]")
    page.click("text=Sign out")
    sign_in(page, address)
    page.wait_for_url("**/sign-in/second")
    page.click("text=Sign in with a passkey")
    page.wait_for_url("**/")
    replayed = context.request.post(address + "/sign-in/passkey", form=_said(sent[-1]))
    assert replayed.status == 403
    page.goto(address + "/account/passkeys")
    page.click("button:has-text('Take it away')")
    page.wait_for_selector("text=None.")
    page.goto(address + "/account/passkeys")
    whats = [one.what for one in log.entries(place.store)]
    assert {"passkey added", "passkey removed"} <= set(whats)
    context.close()
    assert wrong == []
    assert {url.split("/")[2] for url in asked} == {address.split("/")[2]}


def _said(body: str) -> dict[str, str]:
    from urllib.parse import parse_qsl

    return dict(parse_qsl(body))


@pytest.mark.needs("chromium")
def test_pages_of_accounts_can_be_read_and_nothing_hangs_over(
    place: House, address: str, chromium: Any, tmp_path: Path
) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 800})
    page, wrong = context.new_page(), list[str]()
    page.on("console", lambda said: wrong.append(said.text) if "Security Policy" in said.text else None)
    link = place.sessions.link(place.account("new", Role.ANALYST), "")
    one = place.people.list()[0].who.account
    looked = ["/sign-in", f"/enter/{link}", "/sign-in/second"]
    for path in (*looked, *PAGES, f"/accounts/{one}"):
        if path == "/account":
            sign_in(page, address)
            page.wait_for_url("**/")
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(address + path)
            page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            assert page.evaluate(HANGING) == [], path
            for scheme in ("dark", "light"):
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate(FAINT) == [], (path, scheme)
            page.screenshot(path=tmp_path / f"{path.replace('/', '_')[:20]}{width}.png", full_page=True)
    context.close()
    assert wrong == []


@pytest.mark.needs("chromium")
@pytest.mark.needs("axe")
def test_axe_has_nothing_to_say(place: House, address: str, chromium: Any) -> None:
    from tests.whole.place import axe

    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(address + "/sign-in")
    assert axe(page) == []
    sign_in(page, address)
    page.wait_for_url("**/")
    one = place.people.list()[0].who.account
    for path in (*PAGES, f"/accounts/{one}"):
        page.goto(address + path)
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        assert axe(page) == [], path
    context.close()
