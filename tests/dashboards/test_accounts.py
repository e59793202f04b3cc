"""Who gets in, and how: the first account, passwords, links, sessions, rates, forms of strangers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Mount, Route

from consent_filter.errors import Refused
from dashboards.accounts import log, password
from dashboards.accounts.sessions import ENTER, SET_UP
from dashboards.accounts.settings import AccountSettings
from dashboards.accounts.throttle import Pace, Throttle
from dashboards.rights import RULES, rule
from dashboards.settings import Dashboards
from dashboards.who import Role
from tests.dashboards.browsing import PASSWORD, House, house
from tests.warehouse.tables import fill_published


@pytest.fixture
def place(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Two sites are published."""
    data = tmp_path_factory.mktemp("accounts")
    fill_published(data, days=10, sites=("market", "blog"))
    with house(data, dashboards=Dashboards(console=True)) as one:
        yield one


@pytest.mark.requirement("M125")
def test_the_first_account_is_made_by_a_link_that_is_good_once(place: House) -> None:
    browser = place.browser()
    assert browser.get("/").headers["location"] == "/sign-in?next=%2F"
    assert "no account yet" in browser.text("/sign-in")
    link = f"/enter/{place.sessions.link('', 'terminal', SET_UP)}"
    assert "The first account" in browser.text(link)
    assert "The first account" in browser.text(link), "whoever only looks at it does not use it up"
    short = browser.send(link, login="ann", name="Ann Lee", password="short")
    assert short.status_code == 400
    assert 'value="Ann Lee"' in short.text, "what was typed is still there"
    assert not place.people.any()
    made = browser.send(link, login="ann", name="Ann Lee", password=PASSWORD)
    assert (made.status_code, made.headers["location"]) == (303, "/")
    cookie = made.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "Ann Lee" in browser.text("/account")
    (first,) = place.people.list()
    assert first.who.roles == {Role.ADMINISTRATOR, Role.ANALYST}
    assert place.browser().get(link).status_code == 410
    late = place.sessions.link("", "terminal", SET_UP)
    assert place.browser().get(f"/enter/{late}").status_code == 410, "there is a first account"


@pytest.mark.requirement("M125")
def test_nothing_on_the_disk_names_somebody_or_lets_anybody_in(place: House) -> None:
    id = place.account("ann.canary@shop.example", Role.ANALYST, name="Ann Canary")
    browser = place.browser()
    assert browser.sign_in("ann.canary@shop.example").status_code == 303
    link = place.sessions.link(id, "terminal", ENTER)
    session = next(iter(browser.http.cookies.jar)).value
    words = ["ann.canary", "Ann Canary", PASSWORD, link, str(session)]
    held = b"".join(file.read_bytes() for file in place.data.iterdir())
    assert not [word for word in words if word.encode() in held]
    assert b"argon2" not in held, "the hash is sealed, too"
    assert {file.stat().st_mode & 0o77 for file in place.data.glob("accounts.*")} == {0}


def test_wrong_names_and_wrong_passwords_are_answered_alike(place: House) -> None:
    place.account("ann", Role.ANALYST)
    known = place.browser().sign_in("ann", "a boat upon the wafer")
    unknown = place.browser().sign_in("bob", "a boat upon the wafer")
    assert known.status_code == unknown.status_code == 403
    assert known.text.replace('value="ann"', "").count("is no name and password") == 1
    bare = [answer.text.split("</main>")[0].split("<main")[1] for answer in (known, unknown)]
    words = [answer.request.content.split(b"word=")[1].split(b"&")[0].decode() for answer in (known, unknown)]
    assert bare[0].replace(words[0], "").replace("ann", "") == bare[1].replace(words[1], "").replace(
        "bob", ""
    )
    tried = [one.account for one in log.entries(place.store, what="sign-in refused")]
    assert len(tried) == 2
    assert "" in tried, "a name that is nobody's is not written down: it may be a password"


def test_as_much_is_reckoned_for_a_name_that_is_nobodys(
    place: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One argon2 either way, of equal costs; no clock is needed to tell."""
    place.account("ann", Role.ANALYST)
    place.people.check("bob", "warm")
    seen, verify = list[str](), password._HASHER.verify

    def watched(kept: str, said: str) -> bool:
        seen.append(kept.rpartition("$")[0].rpartition("$")[0])
        return verify(kept, said)

    monkeypatch.setattr(type(password._HASHER), "verify", lambda self, kept, said: watched(kept, said))
    assert place.people.check("ann", "no") is None
    assert place.people.check("bob", "no") is None
    assert place.people.check("ann", PASSWORD) is not None
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_a_password_costs_what_the_standard_says(tmp_path: Path) -> None:
    """RFC 9106, 4: the second recommended option, 64 MiB three times over."""
    assert password.hashed("a boat upon the water").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_whoever_tries_too_often_waits_whether_right_or_wrong(place: House) -> None:
    place.account("ann", Role.ANALYST)
    for name in ("ann", "bob"):
        answers = [place.browser().sign_in(name, "wrong wrong wrong").status_code for _ in range(6)]
        assert answers == [403] * 5 + [429], name
    right = place.browser().sign_in("ann")
    assert right.status_code == 429, "or the wait would tell that it was right"
    assert "too many tries" in right.text
    assert place.browser().sign_in("ANN").status_code == 429, "by another spelling"


def test_each_wait_is_twice_as_long_and_many_at_once_are_no_way_around() -> None:
    now = [0.0]
    one = Throttle(3, now=lambda: now[0])
    waits = []
    for _ in range(8):
        began = now[0]
        while True:
            try:
                one.take("a")
                break
            except Refused:
                now[0] += 5
        waits.append(now[0] - began)
    assert waits == [0, 0, 0, 15, 30, 60, 120, 240]
    one.take("b")
    one.cleared("a")
    one.take("a")
    pace = Pace(now=lambda: now[0])
    assert [pace.take("k", 2) == 0 for _ in range(3)] == [True, True, False]
    now[0] += 31
    assert pace.take("k", 2) == 0


def test_from_one_place_not_every_name_can_be_tried(place: House) -> None:
    place.account("ann", Role.ANALYST)
    tries = [place.browser(from_="203.0.113.7").sign_in(f"name{n}", "x" * 12).status_code for n in range(32)]
    assert tries[:30] == [403] * 30
    assert tries[31] == 429
    assert place.browser(from_="203.0.113.8").sign_in("name", "x" * 12).status_code == 403


@pytest.mark.parametrize(
    "easy", ["password1234", "aaaaaaaaaaaa", "ann.lee ann.lee", "x" * 300, "qwertyqwerty12"]
)
def test_what_is_guessed_first_is_no_password(place: House, easy: str) -> None:
    id = place.people.add("ann.lee", "Ann Lee", [Role.ANALYST]).who.account
    with pytest.raises(Refused, match="password"):
        place.people.set_password(id, easy)
    place.people.set_password(id, "köpfchen in das wasser")
    assert place.people.check("Ann.Lee", "köpfchen in das wasser")


def test_a_form_that_is_not_of_this_browsers_page_does_nothing(place: House) -> None:
    place.account("ann", Role.ADMINISTRATOR, Role.ANALYST)
    browser, other = place.browser(), place.browser()
    said = {"login": "ann", "password": PASSWORD}
    assert browser.post("/sign-in", said).status_code == 403
    theirs = other.form("/sign-in")["word"]
    assert browser.post("/sign-in", said | {"word": theirs}).status_code == 403
    assert browser.sign_in("ann").status_code == 303
    posts = [one.path for one in RULES if one.post and not one.path.endswith("/")]
    posts = [path for path in posts if not path.startswith("/api/")]  # no forms: Origin alone speaks there
    assert len(posts) >= 4
    for path in (*posts, "/account/keys", "/account/second", "/accounts/A0"):
        for word in ("", theirs, "é"):
            assert browser.post(path, {"word": word, "act": "end"}).status_code == 403, path
        good = browser.form("/account")["word"]
        for head in ({"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}, {"origin": "null"}):
            assert browser.post(path, {"word": good, "act": "end"}, **head).status_code == 403, path
        assert browser.post(path, {"word": good, "x": "y" * 400_000}).status_code == 413
    for path in ("/", "/sql", "/csv/pages.csv", "/log"):
        assert browser.post(path, {"word": good}).status_code == 405
    assert len(place.sessions.list(place.people.list()[0].who.account)) == 1


def test_only_our_own_pages_are_gone_on_to(place: House) -> None:
    place.account("ann", Role.ANALYST)
    for said, where in (
        ("/sql?q=FROM pages", "/sql?q=FROM pages"),
        ("//evil.example", "/"), ("https://evil.example", "/"), ("/\\evil.example", "/"),
        ("/sql\r\nx: y", "/"), ("/static/../x", "/"), ("/sign-out", "/"), ("/nowhere", "/"),
    ):  # fmt: skip
        browser = place.browser()
        word = browser.form("/sign-in")["word"]
        from urllib.parse import quote, unquote

        answer = browser.post(
            f"/sign-in?next={quote(said, safe='')}", {"word": word, "login": "ann", "password": PASSWORD}
        )
        assert (answer.status_code, unquote(answer.headers["location"])) == (303, where), said


@pytest.mark.requirement("M125")
def test_sessions_end_by_themselves_by_their_owner_and_by_an_administrator(place: House) -> None:
    id = place.account("ann", Role.ANALYST)
    here, there = place.browser(), place.browser()
    for browser in (here, there):
        assert browser.sign_in("ann").status_code == 303
    assert len(place.sessions.list(id)) == 2
    page = here.text("/account")
    assert page.count("this one") == 1
    assert here.send("/account", act="end others").status_code == 303
    assert there.get("/account").status_code == 303, "signed out"
    assert here.get("/account").status_code == 200
    here.send("/account", at="/sign-out")
    assert here.get("/account").status_code == 303
    words = [place.sessions.begin(id, "password") for _ in range(12)]
    assert len(place.sessions.list(id)) == 10, "the oldest goes"
    assert place.sessions.find(words[-1])
    began = time.time_ns() // 1_000_000
    for minutes, left in ((119, True), (119 + 121, False)):
        place.store.now = lambda m=minutes: began + m * 60_000
        assert bool(place.sessions.find(words[-1])) is left
    place.store.now = lambda: began
    word = place.sessions.begin(id, "password")
    for hour in range(13):
        place.store.now = lambda h=hour: began + h * 3_600_000
        assert bool(place.sessions.find(word)) is (hour < 12), "however often it is used"


def test_another_password_ends_what_was_signed_in_elsewhere(place: House) -> None:
    place.account("ann", Role.ANALYST)
    here, there = place.browser(), place.browser()
    here.sign_in("ann")
    there.sign_in("ann")
    assert here.send("/account", act="password", old="no", password="rain in the evening").status_code == 403
    assert (
        here.send("/account", act="password", old=PASSWORD, password="rain in the evening").status_code == 200
    )
    assert there.get("/account").status_code == 303
    assert here.get("/account").status_code == 200
    assert place.browser().sign_in("ann").status_code == 403
    assert place.browser().sign_in("ann", "rain in the evening").status_code == 303


@pytest.mark.requirement("M126")
def test_an_administrator_lets_somebody_in_changes_their_rights_and_ends_it(market: House) -> None:
    root = market.browser()
    market.account("root", Role.ADMINISTRATOR)
    root.sign_in("root")
    made = root.send("/accounts", login="eve@x.example", name="Eve", role=["analyst"], site=["market"])
    link = made.text.split('<pre tabindex="0">http://127.0.0.1:8601')[1].split("</pre>")[0]
    eve = market.browser()
    assert "Good day, Eve" in eve.text(link)
    assert eve.send(link, password=PASSWORD).headers["location"] == "/"
    assert "market" in eve.text("/")
    id = next(one for one in market.people.list() if one.who.name == "Eve").who.account
    rights = {"act": "rights", "role": ["privacy_officer"], "every": "1"}
    assert root.send(f"/accounts/{id}", **rights).status_code == 303
    assert eve.get("/sql").status_code == 403, "from the next request on"
    assert eve.get("/").headers["location"] == "/console"
    assert root.send(f"/accounts/{id}", act="end").status_code == 303
    assert eve.get("/about").status_code == 303
    assert market.browser().sign_in("eve@x.example").status_code == 403
    mine = next(one for one in market.people.list() if one.login == "root").who.account
    last = root.send(f"/accounts/{mine}", act="end")
    assert last.status_code == 409
    assert "nobody could administer" in last.text
    said = root.text("/log")
    for what in ("account added", "account changed", "account ended", "Eve", "link made"):
        assert what in said
    market.store.now = lambda: time.time_ns() // 1_000_000


def test_what_is_dangerous_asks_for_the_password_again_after_a_while(market: House) -> None:
    market.account("late", Role.ADMINISTRATOR)
    browser = market.browser()
    browser.sign_in("late")
    _later(market)
    answer = browser.send("/accounts", login="x", role=["analyst"])
    assert answer.headers["location"] == "/sign-in?again=&next=/accounts"
    assert market.people.find("x") is None
    form = browser.form("/sign-in?again=&next=/accounts")
    said = {"word": form["word"], "login": "late", "password": PASSWORD}
    assert browser.post("/sign-in?next=/accounts", said).headers["location"] == "/accounts"
    assert browser.send("/accounts", login="x", role=["analyst"]).status_code == 200


def test_a_first_password_and_a_second_factor_ask_again_after_a_while(market: House) -> None:
    """Else whoever finds a browser open could give themselves what they would be asked for."""
    id = market.people.add("bare", "", [Role.ADMINISTRATOR]).who.account
    browser = market.browser()
    browser.send(f"/enter/{market.sessions.link(id, '', ENTER)}")
    _later(market)
    first = browser.send("/account", act="password", password=PASSWORD)
    assert first.headers["location"] == "/sign-in?again=&next=/account"
    assert not market.people.get(id).has_password
    second = browser.send("/account/second", act="set up", draft="", code="")
    assert second.headers["location"] == "/sign-in?again=&next=/account/second"
    assert browser.send("/account", act="language", language="de").headers["location"] == "/account"


def test_who_never_had_a_password_is_told_how_to_get_one(market: House) -> None:
    """As the visitor of the demo, whose first link has signed them in."""
    id = market.people.add("bare one", "", [Role.ADMINISTRATOR]).who.account
    browser = market.browser()
    browser.send(f"/enter/{market.sessions.link(id, '', ENTER)}")
    _later(market)
    door = browser.send("/accounts", login="x", role=["analyst"]).headers["location"]
    said = browser.text(door)
    assert "<pre tabindex=\"0\">throng access link 'bare one'</pre>" in said
    assert 'type="password"' not in said
    link = market.sessions.link(id, "terminal")  # what that command prints
    assert browser.send(f"/enter/{link}", password=PASSWORD).status_code == 303
    assert browser.send("/accounts", login="x2", role=["analyst"]).status_code == 200
    _later(market)
    said = browser.text(door)
    assert "asks for your password again" in said
    assert "throng access link 'bare one'" not in said
    assert 'type="password"' in said


def _later(market: House) -> None:
    with market.store.transaction() as database:
        database.execute("UPDATE session SET made = made - 40 * 60000")


@pytest.mark.requirement("M126")
def test_a_site_that_one_may_not_see_is_not_there_for_them(market: House) -> None:
    """Every page that numbers stand on, and every way to say which site."""
    market.account("half", Role.ANALYST, sites=["blog"])
    market.account("whole", Role.ANALYST)
    half, whole = market.browser(), market.browser()
    half.sign_in("half")
    whole.sign_in("whole")
    ours = ("/sources", "/live", "/panel/devices")
    for path in ("/", *ours, "/report/pages", "/csv/pages.csv", "/adverts", "/attribution"):
        assert whole.get(f"{path}?site=market").status_code == 200, path
        assert half.get(f"{path}?site=blog").status_code == 200, path
        refused = half.get(f"{path}?site=market")
        assert refused.status_code == 404, path
        told, nothing = (one.text.split("<footer")[0] for one in (refused, half.get(f"{path}?site=nowhere")))
        assert told.replace("market", "") == nothing.replace("nowhere", ""), "as one that is not"
        assert "market" not in half.text(path).replace("marketing", ""), path
    for path in ("/sql", "/sql?q=FROM pages", "/quality"):
        assert half.get(path).status_code == 403
    market.account("none", Role.ANALYST, sites=[])
    none = market.browser()
    none.sign_in("none")
    assert none.get("/csv/pages.csv").status_code == 404


@pytest.mark.requirement("M126")
def test_every_route_has_a_line_in_the_table_and_lets_nobody_else_in(market: House) -> None:
    """All routes × all roles × all methods: what the table says, and headers on each answer."""
    paths = []
    for route in market.app.routes:
        assert isinstance(route, Route | Mount)
        path = (
            route.path.replace("{name:str}", "pages").replace("{word:str}", "w").replace("{site:str}", "blog")
        )
        path = path.replace("{id:str}", "A1") + ("/page.css" if isinstance(route, Mount) else "")
        paths.append(path)
        assert rule(path), f"{path} has no line in dashboards/rights.py"
    browsers = {}
    for role in Role:
        market.account(f"only {role}", role)
        browsers[role] = market.browser()
        browsers[role].sign_in(f"only {role}")
    nobody = market.browser()
    for path in [*paths, "/nowhere", "/reportx"]:
        one, answers = rule(path), {"nobody": nobody.get(path)}
        answers |= {role: browser.get(path) for role, browser in browsers.items()}
        for whose, answer in answers.items():
            head = answer.headers
            assert "default-src 'none'" in head["content-security-policy"], path
            assert "unsafe" not in head["content-security-policy"], path
            assert head["x-content-type-options"] == "nosniff"
            assert head["referrer-policy"] == "same-origin"
            assert head["cross-origin-opener-policy"] == "same-origin"
            assert "cache-control" in head
            if one is None:
                assert answer.status_code in (303, 404), (whose, path)
            elif one.roles is None:
                assert head.get("location", "") != "/sign-in?next=" + path
            elif whose == "nobody" and path.startswith("/api/"):
                assert (answer.status_code, head["www-authenticate"]) == (401, "Bearer"), path
            elif whose == "nobody":
                assert head["location"].startswith("/sign-in?next="), path
            elif whose not in one.roles:
                assert answer.status_code == 403 or (path == "/" and answer.status_code == 303), (whose, path)
            else:
                assert answer.status_code in (200, 400, 404, 405, 503), (whose, path, answer.status_code)
        assert nobody.http.build_request("GET", path)
    bare = market.browser()
    del bare.http.headers["accept"]
    refused = bare.get("/csv/pages.csv")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "sign_in")
    assert refused.headers["www-authenticate"] == "Bearer"


def test_a_role_that_needs_a_second_factor_sees_nothing_before_it_has_one(tmp_path: Path) -> None:
    with house(tmp_path, AccountSettings(second_factor=("administrator",))) as place:
        place.account("root", Role.ADMINISTRATOR, Role.ANALYST)
        browser = place.browser()
        browser.sign_in("root")
        for path in ("/", "/accounts", "/accounts/A1", "/log", "/about"):
            assert browser.get(path).headers["location"] == "/account/second", path
        assert browser.get("/account").status_code == 200
        assert browser.get("/account/second").status_code == 200
