"""The officer's console: who gets in, what a stranger's page can't do, two officers, and a real browser."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring, subject
from consent_filter.rights.case import Case
from consent_filter.rights.register import Register
from consent_filter.rights.settings import Rights
from consent_filter.site import Site
from dashboards.app import create
from dashboards.settings import Dashboards
from dashboards.who import Role
from tests import signed
from tests.dashboards.test_screens import FAINT, HANGING, RING
from tests.ports import free_ports
from tests.whole.place import axe
from tests.whole.running import until
from throng.main import main
from warehouse.settings import Warehouse

SITES = {"shop": Site(id="shop", timezone="Europe/Berlin"), "blog": Site(id="blog")}
CANARY = "member-canary-4711"


class _Quiet(uvicorn.Server):
    def capture_signals(self) -> Any:  # in a thread: signals are the test runner's
        return nullcontext()


class Served:
    """A console over a folder, and the register beneath it."""

    def __init__(self, data: Path, port: int) -> None:
        self.data, self.url = data, f"http://127.0.0.1:{port}"
        self.keys = Keyring.open(data / "keys.json")
        self.register = Register.open(data)

    def case(self, right: str = "erase", id: str = CANARY, **more: Any) -> Case:
        key = subject(self.keys, "shop", "user", id)
        return self.register.receive("shop", right, key, subject=id, **{"officer": "Ms A", **more})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data, port = tmp_path_factory.mktemp("console"), free_ports()
    one = Served(data, port)
    Ledger.open(data / "ledger.sqlite", one.keys).close()
    app = create(data, Dashboards(console=True), Warehouse(), rights=Rights(), sites=SITES)
    server = _Quiet(uvicorn.Config(app, port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    yield one
    server.should_exit = True
    thread.join()
    one.register.close()


class Officer:
    """A browser without a window, signed in."""

    def __init__(self, served: Served, name: str) -> None:
        head = {"accept": "text/html"} | signed.head(served.data, Role.PRIVACY_OFFICER, name=name)
        self.http = httpx.Client(base_url=served.url, headers=head, trust_env=False)

    def page(self, path: str) -> str:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def forms(self, path: str) -> dict[str, str]:
        return dict(re.findall(r'type="hidden" name="(word|version)" value="([^"]*)"', self.page(path)))

    def act(self, id: str, act: str, hidden: dict[str, str] | None = None, **more: str) -> httpx.Response:
        path = f"/console/request/{id}"
        return self.http.post(path, data=(hidden or self.forms(path)) | {"act": act} | more)


@pytest.fixture(scope="module")
def one(served: Served) -> Iterator[Officer]:
    officer = Officer(served, "Ms A")
    yield officer
    officer.http.close()


@pytest.fixture(scope="module")
def two(served: Served) -> Iterator[Officer]:
    officer = Officer(served, "Mr B")
    yield officer
    officer.http.close()


@pytest.mark.requirement("M118")
def test_an_officer_takes_a_request_from_a_letter_to_its_answer(served: Served, one: Officer) -> None:
    word = one.forms("/console/new")["word"]
    said = {
        "word": word, "site": "shop", "right": "withdraw", "channel": "letter", "received": "2026-11-20",
        "kind": "user", "id": "letter-writer", "note": "folder 12", "marketing": ["email", "post"],
    }  # fmt: skip
    made = one.http.post("/console/new", data=said)
    assert made.status_code == 303, made.text
    page = one.page(made.headers["location"])
    assert "done" in page
    assert "marketing_email" in page
    answer = one.http.get(made.headers["location"] + "/answer")
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.json()["stopped"] == ["marketing_email", "marketing_post"]
    ledger = Ledger.open(served.data / "ledger.sqlite", served.keys, read_only=True)
    entry = ledger.get("shop", "user", "letter-writer")
    ledger.close()
    assert entry is not None
    wrong = one.http.post("/console/new", data=said | {"received": "the other day"})
    assert wrong.status_code == 400
    assert "Nothing was entered" in wrong.text
    assert 'value="letter-writer"' in wrong.text, "what was typed is still there"


def test_nobody_gets_in_who_is_no_officer(served: Served) -> None:
    case = served.case()
    analyst = signed.head(served.data, Role.ANALYST, Role.ADMINISTRATOR)
    with httpx.Client(base_url=served.url, trust_env=False) as http:
        for path in ("/console", f"/console/request/{case.id}", "/console/new", "/console/statistics"):
            for head, status in (({}, 401), (analyst, 403)):
                page = http.get(path, headers=head)
                assert page.status_code == status
                assert case.id not in page.text
                assert CANARY not in page.text
        said = {"act": "refuse", "ground": "law"}
        for head, status in (({}, 401), (analyst, 403)):
            assert http.post(f"/console/request/{case.id}", data=said, headers=head).status_code == status
    assert served.register.get(case.id).state == "unproved"


def test_it_is_not_there_where_it_is_not_switched_on(tmp_path: Path) -> None:
    app = create(tmp_path, Dashboards(), Warehouse())
    assert not [route for route in app.routes if getattr(route, "path", "").startswith("/console")]


def test_a_strangers_page_can_do_nothing(served: Served, one: Officer) -> None:
    case = served.case("access", "stranger")
    path = f"/console/request/{case.id}"
    hidden = one.forms(path)
    said = hidden | {"act": "refuse", "ground": "law", "why": "x"}
    for head in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ):
        assert one.http.post(path, data=said, headers=head).status_code == 403, head
    for word in ("", "0" * 32, "é"):
        assert one.http.post(path, data=said | {"word": word}).status_code == 403
    assert one.http.post("/sql", data=said).status_code == 405
    assert one.http.put(path, data=said).status_code == 405
    assert one.http.post(path, data=said | {"why": "x" * 70_000}).status_code == 413
    assert served.register.get(case.id).state == "unproved"
    head = {"sec-fetch-site": "same-origin", "origin": served.url}
    assert one.http.post(path, data=said, headers=head).status_code == 303
    assert served.register.get(case.id).state == "refused"


def test_of_two_officers_the_second_is_told_what_the_first_has_done(
    served: Served, one: Officer, two: Officer
) -> None:
    case = served.case("restrict", "both")
    path = f"/console/request/{case.id}"
    first, second = one.forms(path), two.forms(path)
    seen = {"method": "passport", "assurance": "high", "why": "seen by me", "days": "30"}
    assert one.act(case.id, "verify", first, **seen).status_code == 303
    late = two.act(case.id, "refuse", second, ground="identity", why="no answer")
    assert late.status_code == 409
    assert "Nothing was changed" in late.text
    assert "officer Ms A" in late.text
    assert served.register.get(case.id).state == "verified"
    assert [s.who for s in served.register.history(case.id) if s.what == "looked"][-1] == "officer Mr B"
    assert two.act(case.id, "extend", why="forty thousand rows").status_code == 303
    assert two.act(case.id, "dance").status_code == 400
    assert two.act("R-0000-0000-0000", "refuse", second, ground="law").status_code == 404
    assert two.act(case.id, "verify", **seen).status_code == 409


def test_signing_out_ends_it(served: Served) -> None:
    third = Officer(served, "Ms C")
    assert third.http.post("/sign-out", data=third.forms("/console")).status_code == 303
    assert third.http.get("/console").headers["location"] == "/sign-in?next=%2Fconsole"
    third.http.close()


def test_what_a_person_wrote_is_text_and_no_page(served: Served, one: Officer) -> None:
    changes = {"changes": {"<i>": "<u>"}}
    case = served.case("rectify", "<b>x</b>", text="<script>alert(1)</script>", detail=changes)
    page = one.page(f"/console/request/{case.id}")
    for wrong in ("<script>", "<b>x", "<i>", "<u>"):
        assert wrong not in page
    assert "&lt;script&gt;" in page


def tab_to(page: Any, what: str) -> None:
    """Press the tab key until the focus is there; each stop on the way can be seen."""
    for _ in range(80):
        page.keyboard.press("Tab")
        assert page.evaluate(RING), page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if page.evaluate(f"document.activeElement.matches({what!r})"):
            return
    raise AssertionError(what)


@pytest.mark.needs("chromium")
def test_an_officer_in_a_browser_with_the_keyboard_alone(
    served: Served, chromium: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A request is opened and verified; nothing hangs over."""
    late = served.register
    case = served.case("access", "keyboard-canary", text="Please send all you have.", email="k@mail.example")
    now = time.time_ns() // 1_000_000
    old = Register.open(served.data, now=lambda: now - 40 * 86_400_000)
    key = subject(served.keys, "blog", "user", "patient")
    overdue = old.receive("blog", "erase", key, subject="patient", officer="Ms A", channel="telephone")
    old.close()
    assert main(["rights", "console", "--data", str(served.data)]) == 1
    assert "throng access add" in capsys.readouterr().err
    context = chromium.new_context(viewport={"width": 1180, "height": 900}, timezone_id="Europe/Berlin")
    page, wrong = context.new_page(), list[str]()
    page.on("console", lambda said: wrong.append(said.text) if "Content Security" in said.text else None)
    signed.browser(context, served.data, served.url, Role.PRIVACY_OFFICER, name="Ms Keyboard")
    page.goto(served.url + "/console")
    assert overdue.id in page.inner_text("tbody tr:first-child"), "the most urgent first"
    assert "overdue" in page.inner_text("tbody tr:first-child")
    page.screenshot(path=tmp_path / "list.png", full_page=True)
    tab_to(page, f"a[href='/console/request/{case.id}']")
    page.keyboard.press("Enter")
    page.wait_for_selector("ol.steps")
    tab_to(page, ".acts summary")
    page.keyboard.press("Enter")
    tab_to(page, "input[name=method]")
    page.keyboard.type("passport")
    page.screenshot(path=tmp_path / "request.png", full_page=True)
    tab_to(page, "textarea")
    page.keyboard.type("seen by me")
    tab_to(page, "button")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=proved by judgement")
    assert late.get(case.id).state == "verified"
    steps = [(s.who, s.what) for s in late.history(case.id)]
    assert ("officer Ms Keyboard", "proved") in steps
    paths = ["/console", "/console?show=closed", "/console/new", "/console/statistics"]
    for width in (360, 1180):
        page.set_viewport_size({"width": width, "height": 800})
        for path in [*paths, f"/console/request/{case.id}"]:
            page.goto(served.url + path)
            page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            assert page.evaluate(HANGING) == [], path
            for scheme in ("dark", "light"):
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate(FAINT) == [], (path, scheme)
            name = path.partition("?")[0].replace("/", "_")
            page.screenshot(path=tmp_path / f"{name}{width}.png", full_page=True)
    context.close()
    assert wrong == []


@pytest.mark.needs("chromium")
@pytest.mark.needs("axe")
def test_axe_has_nothing_to_say(served: Served, chromium: Any) -> None:
    case = served.case("access", "axe", text="Please send all you have.")
    context = chromium.new_context(viewport={"width": 1180, "height": 900})
    page = context.new_page()
    signed.browser(context, served.data, served.url, Role.PRIVACY_OFFICER, name="Ms Axe")
    paths = ["/console", "/console?show=closed", "/console/new", "/console/statistics"]
    for path in [*paths, f"/console/request/{case.id}"]:
        page.goto(served.url + path)
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        assert axe(page) == [], path
    context.close()
