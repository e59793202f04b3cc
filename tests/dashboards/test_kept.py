"""Pages that are kept: made once, and never one reader's page for another."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from html import escape
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request

from consent_filter.errors import Refused
from dashboards import ahead, kept
from dashboards.accounts import log
from dashboards.accounts.door import Door
from dashboards.ahead import Ahead
from dashboards.kept import Kept
from dashboards.sharing.notes import Notes
from dashboards.who import Role, Who, here
from tests.dashboards.browsing import Browser, House, house
from tests.warehouse.tables import fill
from tests.warehouse.test_reader import change
from warehouse.reader import Reader
from warehouse.settings import Warehouse

#: One of each kind that is kept.
PAGES = ("/", "/sources", "/live", "/returning", "/report/countries", "/attribution", "/adverts", "/?live")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("kept") / "data"
    fill(data, days=9, sites=("uppsala", "bergen"))
    change(data, 0)
    return data


@pytest.fixture
def home(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    shutil.copytree(published, tmp_path / "data", symlinks=True)
    with house(tmp_path / "data") as one:
        monkeypatch.setattr(kept.time, "time", lambda: 1_795_000_000.0)  # one minute, however long it takes
        yield one


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """For whom pages were made, by the sites that they may see."""
    found: list[str] = []
    make = kept._made
    monkeypatch.setattr(kept, "_made", lambda one, now: found.append(said(one.me.sites)) or make(one, now))
    return found


def said(sites: frozenset[str] | None) -> str:
    return "all" if sites is None else " ".join(sorted(sites))


def signed_in(home: House, login: str, *roles: Role, **more: object) -> tuple[str, Browser]:
    id, browser = home.account(login, *roles or (Role.ANALYST,), **more), home.browser()
    assert browser.sign_in(login).status_code == 303
    return id, browser


@pytest.mark.requirement("M125")
def test_nobody_gets_anothers_page(home: House, made: list[str]) -> None:
    """Each account asks twice for each page, in turns: what is of one reader stands on its page alone, and
    who may see the same has the same page, made once."""
    people = [
        signed_in(home, "ann", name="Ann <Lee>"),
        signed_in(home, "bob", name="Bob"),
        signed_in(home, "mia", name="Mia", sites=["uppsala"]),
        signed_in(home, "carl", name="Carl", sites=["bergen"]),
        signed_in(home, "dora", Role.ANALYST, Role.ADMINISTRATOR, name="Dora"),
    ]
    names = ["Ann <Lee>", "Bob", "Mia", "Carl", "Dora"]
    words = [browser.form("/account")["word"] for _, browser in people]
    assert len(set(words)) == 5
    for path in PAGES:
        for _ in range(2):
            for n, (id, browser) in enumerate(people):
                page = browser.get(path)
                assert page.status_code == 200
                assert [one for one in words if one in page.text] == [words[n]], (path, n)
                assert [name for name in names if f">{escape(name)}<" in page.text] == [names[n]]
                seen = {one for one in ("uppsala", "bergen") if one in page.text}
                assert seen <= ({"uppsala"}, {"bergen"}, {"uppsala", "bergen"})[{2: 0, 3: 1}.get(n, 2)], path
                assert seen, (path, n)
                assert ('href="/accounts"' in page.text) == (n == 4)
                assert ('href="/sql"' in page.text) == (n not in (2, 3))
                assert id not in page.text
                assert not kept._MARKS.search(page.text)
                assert kept.ANYBODY not in page.text
                assert "Published" in page.text
                assert page.headers["cache-control"] == "no-store"
    assert len(made) == 4 * len(PAGES)  # ann and bob may see the same
    assert people[1][1].post("/sign-out", {"word": words[1]}).status_code == 303  # it is the form's
    assert people[1][1].get("/").status_code == 303


@pytest.mark.requirement("M125")
def test_a_right_that_is_withdrawn_binds_the_next_request(home: House, made: list[str]) -> None:
    (ann, one), (_, other) = signed_in(home, "ann"), signed_in(home, "bob")
    for browser in (one, other):
        assert "uppsala" in browser.text("/?site=uppsala")
    home.people.change(ann, [Role.ANALYST], ["bergen"], by="")
    assert one.get("/?site=uppsala").status_code == 404
    assert "uppsala" not in one.text("/")
    home.people.change(ann, [Role.PRIVACY_OFFICER], None, by="")
    assert one.get("/?site=uppsala").status_code in (303, 403)
    assert one.get("/sources").status_code == 403
    home.sessions.end(ann, "")
    assert one.get("/sources").headers["location"].startswith("/sign-in")
    assert "uppsala" in other.text("/?site=uppsala")
    assert len(made) < 6


@pytest.mark.requirement("M126")
def test_each_reading_is_in_the_log_however_the_page_came(home: House, made: list[str]) -> None:
    people = [signed_in(home, name) for name in ("ann", "bob", "carl")]
    tags = [browser.get("/sources").headers["etag"] for _, browser in people]
    assert made == ["all"]
    assert len(set(tags)) == 3  # the word of its forms is another one
    for id, _ in people:
        (row,) = log.entries(home.store, account=id, what="read")
        assert (row.where, row.status) == ("/sources", 200)
    _, browser = people[0]
    again = browser.get("/sources", **{"if-none-match": tags[0]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tags[0])
    assert browser.get("/sources", **{"if-none-match": tags[1]}).status_code == 200
    assert len(log.entries(home.store, account=people[0][0], what="read")) == 1  # within a minute one reading
    change(home.data, 1)
    assert browser.get("/sources", **{"if-none-match": tags[0]}).status_code == 200


@pytest.mark.requirement("M126")
def test_readings_at_once_are_each_in_the_log_and_on_the_disk_together(home: House) -> None:
    """Fifty commits would be two hundred syncs, one after the other; and what can't be written is told."""
    scribe, commits = log.Scribe(lambda: home.store), list[str]()
    home.store.database.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    with ThreadPoolExecutor(50) as pool:
        with home.store.transaction():  # the first waits for this, the others for the first
            done = [pool.submit(scribe.note, f"A{n}", "read", f"/{n}") for n in range(50)]
            time.sleep(0.2)
        assert [one.result() for one in done] == [None] * 50
    home.store.database.set_trace_callback(None)
    assert len(commits) < 10
    assert {(one.account, one.where) for one in log.entries(home.store)} == {
        (f"A{n}", f"/{n}") for n in range(50)
    }
    assert log.verify(home.store) == 50
    with closing(sqlite3.connect(home.data / "accounts.sqlite")) as other:
        other.execute("DROP TABLE content")
    with pytest.raises(Refused, match="written"):
        scribe.note("A", "read", "/")


def test_whatever_changes_on_a_page_shows_at_once(home: House, made: list[str]) -> None:
    ann, browser = signed_in(home, "ann", name="Ann")
    me, day = home.people.get(ann).who, "2026-11-20"

    def news(path: str = "/?site=uppsala") -> str:
        """The page, which is another one than before, and the same when it is asked for again."""
        before = len(made)
        page = browser.text(path)
        assert browser.text(path) == page
        assert len(made) == before + 1, "was not made anew"
        return page

    first = news()
    change(home.data, 700_000)
    second = news()
    assert "generation 1" in first
    assert "generation 2" in second
    assert first.partition("<main")[2].partition("</main")[0] not in second  # numbers, too
    with closing(Door(home.data)) as door:  # as another process has it open
        notes = Notes(door.open().store)
        note = notes.add(me, "uppsala", day, "a campaign began")
        assert "a campaign began" in news()
        door.open().people.change(ann, [Role.ANALYST], None, by="")
        news()
        notes.remove(note.id, me)
        assert "a campaign began" not in news()
    held = home.data / "published" / "held.json"
    held.write_text('{"since": 0, "failures": [], "docs": ""}')
    assert "held back" in news()
    held.unlink()
    browser.text("/adverts")
    (home.data / "adverts.toml").write_text("")
    news("/adverts")
    kept.time.time = lambda: 1_795_000_060.0  # type: ignore[attr-defined]
    news("/live")


def test_numbers_under_a_filter_are_asked_for_each_time(home: House, made: list[str]) -> None:
    _, browser = signed_in(home, "ann")
    page = browser.get("/?where=country:DE")
    assert (page.status_code, "etag" in page.headers, made) == (200, False, [])


def test_fifty_who_ask_for_a_page_at_once_make_it_once(home: House, made: list[str]) -> None:
    _, browser = signed_in(home, "ann")

    async def ask() -> list[httpx.Response]:
        return await asyncio.gather(*(browser.http.get("/sources") for _ in range(50)))

    assert {one.text for one in home.runner.run(ask())} == {browser.get("/sources").text}
    assert made == ["all"]


class Late:
    """Pages that are kept, made ahead by hand; a clock that tests turn, and makings counted."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data, self.made, self.notes = data, list[str](), 0
        self.reader = Reader(data, Warehouse())
        self.kept = Kept(self.reader, lambda: self.notes)
        self.now = 1_795_000_025.0  # far from where a minute begins
        self.monkeypatch = monkeypatch
        monkeypatch.setattr(kept.time, "time", lambda: self.now)
        monkeypatch.setattr(Ahead, "runs", property(lambda _: True))
        change(data, 0)  # at this clock
        self.switched(1_000.0)

    def switched(self, ago: float) -> None:
        """What is published took its place so many seconds ago."""
        self.monkeypatch.setattr(Reader, "since", lambda _: self.now - ago)

    def make(self, request: Request) -> str:
        self.made.append(request.url.path)
        assert not request.headers, "a page may be made of its address alone"
        made = self.reader.made()
        assert made is not None
        return f"generation {made['generation']} {kept.age(0)}"

    def read(self, path: str = "/", who: Who | None = None) -> str:
        head = [(b"cookie", b"word")]
        request = Request({"type": "http", "path": path, "query_string": b"", "headers": head,
                           "server": ("house", 80), "scheme": "http"})  # fmt: skip
        with here(who or Who(account="a", name="Ann", roles=frozenset({Role.ANALYST})), "word"):
            return bytes(self.kept.answer(request, self.make).body).decode()


@pytest.fixture
def late(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Late]:
    shutil.copytree(published, tmp_path / "data", symlinks=True)
    one = Late(tmp_path / "data", monkeypatch)
    yield one
    one.reader.close()


def test_nobody_waits_for_a_page_that_is_being_made_again(late: Late) -> None:
    """The page of the generation before is shown, as what it is, until the new one is there."""
    first = late.read()
    assert first.startswith("generation 2")
    late.now += 30.0
    change(late.data, 1)
    late.switched(1.0)
    assert late.read() == first.replace("just now", "30 seconds ago") != first
    assert len(late.made) == 1
    moment = late.kept._moment()
    assert moment is not None
    late.kept.ahead.again(moment)  # what its thread does
    assert len(late.made) == 2
    assert late.read().startswith("generation 3")
    assert len(late.made) == 2


def test_a_page_of_before_is_never_older_than_it_may_be(late: Late) -> None:
    too_long_ago, clock_set_back = {"/long": kept.LATE}, {"/back": -1.0}
    for path in too_long_ago | clock_set_back:
        assert late.read(path).startswith("generation 2")
    change(late.data, 1)
    for path, ago in (too_long_ago | clock_set_back).items():
        late.switched(ago)
        assert late.read(path).startswith("generation 3")
    for more in (2, 3):  # of two generations later nobody has looked between
        change(late.data, more)
    late.switched(0.5)
    assert late.read("/long").startswith("generation 5")


def test_what_else_a_page_is_made_of_is_never_late(late: Late) -> None:
    """Notes, rights and what is held back show at once, whatever is being made."""
    late.read()
    change(late.data, 1)
    late.switched(0.5)
    some = Who(account="b", name="Bob", roles=frozenset({Role.ANALYST}), sites=frozenset({"bergen"}))
    assert late.read(who=some).startswith("generation 3")
    assert late.read().startswith("generation 2")
    late.notes += 1
    assert late.read().startswith("generation 3")
    late.notes -= 1
    assert late.read().startswith("generation 2")
    (late.data / "published" / "held.json").write_text('{"since": 0, "failures": [], "docs": ""}')
    assert late.read().startswith("generation 3")


def test_a_page_of_the_minute_before_is_shown_for_two_seconds(late: Late) -> None:
    late.now = 1_795_000_020.0 + 59.0
    late.read()
    late.now += 2.0
    late.read()
    assert len(late.made) == 1
    late.now += 2.0
    late.read()
    assert len(late.made) == 2


def test_pages_are_made_again_beside_those_who_read(late: Late) -> None:
    """By the thread itself, for as long as somebody looks."""
    late.kept.ahead.start()
    late.read("/one")
    late.read("/two")
    change(late.data, 1)
    for _ in range(200):
        if len(late.made) == 4:
            break
        time.sleep(0.02)
    assert sorted(late.made) == ["/one", "/one", "/two", "/two"]
    assert late.read("/one").startswith("generation 3")
    assert len(late.made) == 4
    late.monkeypatch.setattr(ahead, "LATELY", -1.0)
    assert late.kept.ahead.lately() == []
    late.kept.ahead.end()
    late.kept.ahead.end()
