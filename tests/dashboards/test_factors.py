"""A code as a second factor, keys for machines, and the log of who read what."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from consent_filter.errors import Broken, Refused
from dashboards.accounts import keys, log, totp
from dashboards.accounts.door import tidy
from dashboards.rights import SCOPES
from dashboards.who import Role
from tests.dashboards.browsing import PASSWORD, Browser, House, house
from tests.warehouse.tables import fill_published
from throng.main import main

_DAY = 86_400_000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    data = tmp_path_factory.mktemp("factors")
    fill_published(data, days=10, sites=("market", "blog"))
    with house(data) as one:
        yield one


def code(secret: bytes, at: float) -> str:
    return TOTP(secret, 6, SHA1(), 30).generate(int(at)).decode()


def test_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B: the last six of eight digits. Each once, a step off either way."""
    secret = b"12345678901234567890"
    for at, eight in ((59, "94287082"), (1111111109, "07081804"), (2000000000, "69279037")):
        assert totp.step(secret, eight[2:], 0, at) == at // 30
        assert totp.step(secret, f" {eight[2:5]} {eight[5:]} ", 0, at + 30) == at // 30
        assert at < 60 or totp.step(secret, eight[2:], 0, at - 30) == at // 30
        assert not totp.step(secret, eight[2:], 0, at + 60)
        assert not totp.step(secret, eight[2:], at // 30, at), "it was used"
    assert not totp.step(secret, "é", 0, 59)
    assert totp.address(secret, "ann@x") == (
        "otpauth://totp/Throng%3Aann%40x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Throng"
    )


def with_app(place: House, login: str) -> tuple[Browser, bytes, list[str]]:
    """An account that has set up an app: signed in, its secret, its recovery codes."""
    place.account(login, Role.ANALYST)
    browser = place.browser()
    browser.sign_in(login)
    form = browser.form("/account/second")
    secret = place.store.vault.open(
        bytes.fromhex(form["draft"]), f"totp draft {place.people.find(login).who.account}"
    )  # type: ignore[union-attr]
    wrong = browser.post("/account/second", form | {"code": "000000"})
    assert wrong.status_code == 400
    assert totp.spelt(secret)[:4] in wrong.text, "the same picture as before"
    now = place.store.now() / 1000
    made = browser.post("/account/second", form | {"code": code(secret, now - 30)})
    assert made.status_code == 200
    codes = unescape(re.findall(r"<pre[^>]*>(.*?)</pre>", made.text, re.S)[0]).split()
    assert len(codes) == totp.CODES
    return browser, secret, codes


@pytest.mark.requirement("M125")
def test_a_password_alone_opens_nothing_where_there_is_a_second_factor(place: House) -> None:
    _, secret, codes = with_app(place, "ann")
    browser, now = place.browser(), place.store.now() / 1000
    assert browser.sign_in("ann").headers["location"] == "/sign-in/second"
    half = next(iter(browser.http.cookies.jar)).value
    for path in ("/", "/account", "/account/second", "/csv/pages.csv"):
        assert browser.get(path).headers["location"].startswith("/sign-in"), path
    assert browser.send("/sign-in/second", code="123 456").status_code == 403
    right = code(secret, now)
    done = browser.send("/sign-in/second", code=right)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert half not in done.headers["set-cookie"], "a new word at each step"
    assert place.sessions.find(str(half)) is None
    again = place.browser()
    again.sign_in("ann")
    assert again.send("/sign-in/second", code=right).status_code == 403, "each code is good once"
    assert again.send("/sign-in/second", code=codes[0].upper()).status_code == 303
    once = place.browser()
    once.sign_in("ann")
    assert once.send("/sign-in/second", code=codes[0]).status_code == 403
    link = f"/enter/{place.sessions.link(place.people.find('ann').who.account, '')}"  # type: ignore[union-attr]
    other = place.browser()
    assert other.send(link, password=PASSWORD + "!").headers["location"] == "/sign-in/second", "a link, too"
    assert (
        "9 recovery codes left" in browser.text("/sign-in?again=")
        or browser.get("/account").status_code == 303
    )


def test_second_factors_cannot_be_guessed(place: House) -> None:
    browser, secret, _ = with_app(place, "bob")
    thief, half = place.browser(), 0
    thief.sign_in("bob")
    for _ in range(5):
        half = thief.send("/sign-in/second", code="000001").status_code
    assert half == 403
    assert thief.get("/sign-in/second").status_code == 303, "the half session is over"
    thief.sign_in("bob")
    assert thief.send("/sign-in/second", code=code(secret, place.store.now() / 1000)).status_code == 429
    assert browser.send("/account/second", act="remove", code="000001").status_code == 429, "here, too"
    assert browser.get("/account").status_code == 200, "whoever is in stays in"


def test_an_app_is_taken_away_by_its_code_or_by_an_administrator(place: House) -> None:
    browser, secret, codes = with_app(place, "cid")
    assert browser.send("/account/second", act="remove", code="111111").status_code == 403
    made = browser.send("/account/second", act="recovery", code=code(secret, place.store.now() / 1000))
    assert made.status_code == 200
    assert codes[1] not in made.text
    assert browser.send("/account/second", act="remove", code=codes[1]).status_code == 403, (
        "the old ones are over"
    )
    new = unescape(re.findall(r"<pre[^>]*>(.*?)</pre>", made.text, re.S)[0]).split()
    assert browser.send("/account/second", act="remove", code=new[0]).status_code == 303
    assert place.browser().sign_in("cid").headers["location"] == "/"
    with_app(place, "dan")
    assert main(["access", "factors", "dan", "--data", str(place.data)]) == 0
    assert place.browser().sign_in("dan").headers["location"] == "/"


# Keys.


def asked(place: House, key: str, path: str) -> tuple[int, str]:
    browser = place.browser()
    del browser.http.headers["accept"]
    answer = browser.get(path, authorization=f"Bearer {key}")
    assert "set-cookie" not in answer.headers
    return answer.status_code, answer.text


@pytest.mark.requirement("M126")
def test_a_key_opens_what_it_is_for_and_never_more_than_its_owner_may(place: House) -> None:
    id = place.account("eve", Role.ANALYST)
    browser = place.browser()
    browser.sign_in("eve")
    made = browser.send("/account/keys", act="make", name="nightly", scope=["tables"], sites="blog",
                        per_minute="600", days="30")  # fmt: skip
    key = re.findall(r"throng_key_[\w-]+", made.text)[0]
    assert key not in browser.text("/account/keys"), "shown once"
    assert asked(place, key, "/csv/pages.csv?site=blog")[0] == 200
    assert asked(place, key, "/csv/pages.csv?site=market")[0] == 404
    assert "market" not in asked(place, key, "/csv/pages.csv")[1]
    for path in ("/", "/sql?q=FROM+pages", "/account", "/account/keys", "/accounts", "/log", "/about"):
        assert asked(place, key, path)[0] == 403, path
    for wrong in (key[:-1], key + "a", key.upper(), "throng_key_"):
        assert asked(place, wrong, "/csv/pages.csv")[0] == 401
    (entry,) = keys.listed(place.people, id)
    assert entry.used is not None
    assert log.entries(place.store, account=id, where="/csv/pages.csv")[0].key == entry.id
    wide = keys.make(place.people, place.people.get(id).who, "all", SCOPES, per_minute=2)
    assert asked(place, wide, "/sql?q=FROM+pages&format=csv")[0] == 200
    place.people.change(id, [Role.ANALYST], ["blog"], "")
    assert asked(place, wide, "/sql?q=FROM+pages&format=csv")[0] == 403, "its owner may see some sites now"
    assert asked(place, wide, "/csv/pages.csv?site=blog")[0] == 429, "twice a minute"
    assert browser.send("/account/keys", act="end", key=entry.id).status_code == 303
    assert asked(place, key, "/csv/pages.csv?site=blog")[0] == 401
    place.people.end(id, "")
    assert asked(place, wide, "/csv/pages.csv?site=blog")[0] == 401


def test_what_no_key_may_be_is_refused(place: House) -> None:
    owner = place.people.get(place.account("fay", Role.ANALYST, sites=["blog"])).who
    for more in (
        {"scopes": []}, {"scopes": ["all"]}, {"sites": ["market"]}, {"per_minute": 0}, {"days": 367},
        {"name": "\n"}, {"per_minute": 10**6},
    ):  # fmt: skip
        said = {"name": "k", "scopes": ["tables"]} | more
        with pytest.raises(Refused):
            keys.make(place.people, owner, said.pop("name"), said.pop("scopes"), **said)  # type: ignore[arg-type]


# The log.


@pytest.mark.requirement("M93", "M126")
def test_who_read_what_is_written_down_and_nothing_of_what_was_typed(place: House) -> None:
    id = place.account("gus", Role.ANALYST, name="Gus Reader")
    browser = place.browser()
    browser.sign_in("gus")
    for path in (
        "/?site=blog&period=7", "/?site=blog&period=7",
        "/report/pages?site=market", "/csv/devices.csv?site=blog",
        "/sql?q=SELECT 'canary@mail.example' FROM pages JOIN devices USING (day)", "/log",
        "/report/canary-4711", "/?site=<canary>",
    ):  # fmt: skip
        browser.get(path)
    found = [(one.where, one.status, one.detail) for one in log.entries(place.store, account=id, what="read")]
    assert found[::-1] == [
        ("/", 200, {"site": "blog", "period": "7"}),
        ("/report/pages", 200, {"site": "market"}),
        ("/csv/devices.csv", 200, {"site": "blog"}),
        ("/sql", 200, {"tables": "devices, pages"}),
        ("/log", 403, {}),
        ("/report/…", 404, {}),
        ("/", 404, {"site": "…"}),
    ]
    held = b"".join(file.read_bytes() for file in place.data.glob("accounts.*"))
    assert b"canary" not in held
    assert b"127.0.0.1" not in held


@pytest.mark.requirement("M93")
def test_the_log_is_read_by_who_may_and_by_page(place: House, capsys: pytest.CaptureFixture[str]) -> None:
    place.account("ida", Role.PRIVACY_OFFICER)
    browser = place.browser()
    browser.sign_in("ida")
    gus = place.people.find("gus")
    assert gus is not None
    page = browser.text(f"/log?account={gus.who.account}&what=read&where=/sql")
    assert page.count("<tr>") == 2
    assert "tables: devices, pages" in page
    assert main(["access", "log", "--who", "gus", "--kind", "read", "--data", str(place.data)]) == 0
    said = capsys.readouterr().out
    assert "Gus Reader  read  /sql  200  tables=devices, pages" in said
    assert "none changed" in said
    assert main(["access", "list", "--format", "json", "--data", str(place.data)]) == 0
    assert {json.loads(line)["login"] for line in capsys.readouterr().out.splitlines()} > {"gus", "ida"}


def test_what_is_over_goes_and_what_is_altered_shows(tmp_path: Path) -> None:
    with house(tmp_path) as place:
        began = place.store.now()
        id = place.people.add("old", "Old Name", [Role.ADMINISTRATOR]).who.account
        place.people.add("new", "New Name", [Role.ADMINISTRATOR])
        place.people.end(id, "")
        log.note(place.store, id, "read", "/")
        for days, names in ((395, 2), (398, 1)):
            place.store.now = lambda days=days: began + days * _DAY
            tidy(place.people, 396)
            assert len(place.people.names()) == names
            assert (len(log.entries(place.store)) > 0) is (days < 396)
            assert log.verify(place.store) == 4, "what was emptied still counts"
        place.store.now = lambda: began
        log.note(place.store, id, "read", "/log")
        for change in (
            "UPDATE content SET text = replace(text, '/log', '/sql')", "DELETE FROM chain WHERE seq = 2",
            "UPDATE content SET key = CAST('Ax' AS BLOB)",
        ):  # fmt: skip
            with closing(sqlite3.connect(tmp_path / "accounts.sqlite")) as database:
                database.execute(change)
                with pytest.raises(Broken):
                    log.verify(type(place.store)(database, place.store.vault, place.store.now))


def test_without_its_key_the_file_opens_nothing(tmp_path: Path) -> None:
    with house(tmp_path) as place:
        place.account("ann", Role.ANALYST)
    (tmp_path / "accounts.key").unlink()
    with pytest.raises(Broken, match="restore it"):
        house(tmp_path).__enter__()
    assert not (tmp_path / "accounts.key").exists(), "no new key for an old file"
