"""What pages read is asked once for each version of the tables that it names, and never for longer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from consent_filter.errors import Refused
from tests.warehouse.tables import fill
from warehouse import reader as module
from warehouse.reader import Reader, Reading, Rows
from warehouse.released import Store
from warehouse.settings import Warehouse
from warehouse.shelf import Shelf
from warehouse.snapshot import manifest, publish
from warehouse.watch import Watch

COUNT = "SELECT sum(views)::BIGINT AS n FROM traffic_day WHERE site = ?"
OTHER = "SELECT sum(people)::BIGINT AS n FROM devices WHERE site = ?"
MADE = "SELECT generation AS n FROM published"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("read")
    fill(where, days=3, sites=("market", "blog"))
    change(where, 0)
    return where


@pytest.fixture
def reader(data: Path) -> Iterator[Reader]:
    one = Reader(data, Warehouse(query_seconds=1))
    yield one
    one.close()


def change(data: Path, more: int) -> None:
    """A newer generation, in which `traffic_day` alone has changed."""
    store = Store.open(data)
    store.connection.execute(f"UPDATE traffic_day SET views = views + {more}")
    store.connection.execute("UPDATE done_to SET version = version + 1")
    publish(data, Warehouse(), store)
    store.close()


def test_an_answer_lasts_as_long_as_its_tables(
    reader: Reader, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ask = Reading._fetched

    def noted(self: Reading, sql: str, values: Sequence[object]) -> Rows:
        asked.append(sql)
        return ask(self, sql, values)

    monkeypatch.setattr(Reading, "_fetched", noted)

    def all() -> list[int]:
        with reader.reading() as one:
            return [
                one.rows(sql, values)[0]["n"]
                for sql, values in ((COUNT, ["market"]), (COUNT, ["blog"]), (OTHER, ["market"]), (MADE, []))
            ]

    first = all()
    assert all() == first
    assert asked == [COUNT, COUNT, OTHER, MADE]  # another site is another question
    with reader.reading() as old:
        change(data, 1_000)
        assert old.rows(COUNT, ["market"])[0]["n"] == first[0]  # a page ends on what it began with
        new = all()
    assert new == [first[0] + 3_000, first[1] + 3_000, first[2], first[3] + 1]
    assert asked[4:] == [COUNT, COUNT, MADE]
    # Who looked before the newer one was named, and asks after it was opened, has all of the newer.
    older = manifest(data)
    change(data, 1_000)
    newest = all()
    monkeypatch.setattr(module, "manifest", lambda where: older)
    assert all() == newest
    with reader.reading() as one:
        assert one.made["generation"] == newest[3]


def test_what_a_page_does_to_its_rows_is_its_own(reader: Reader) -> None:
    with reader.reading() as one:
        one.rows(COUNT, ["market"])[0]["n"] = -1
        assert one.rows(COUNT, ["market"])[0]["n"] > 0


def test_a_statement_that_takes_too_long_ends_and_the_next_one_is_not_hit(reader: Reader) -> None:
    slow = "SELECT count(*) AS n FROM range(1000000000) a, range(1000000) b"
    with reader.reading() as one:
        begun = time.monotonic()
        with pytest.raises(Refused, match="stopped after 1 s"):
            one.rows(slow)
        assert time.monotonic() - begun < 20
        assert one.rows(COUNT, ["market"])


def test_fifty_who_ask_the_same_at_once_make_it_once() -> None:
    shelf, made, go = Shelf[str](1_000_000), list[int](), threading.Event()

    def make() -> str:
        made.append(1)
        go.wait(10)
        return "made"

    with ThreadPoolExecutor(50) as pool:
        found = [pool.submit(shelf.made, "key", make, len) for _ in range(50)]
        time.sleep(0.1)
        go.set()
        assert {one.result() for one in found} == {"made"}
    assert made == [1]


def test_a_failure_is_everybodys_and_is_not_kept() -> None:
    shelf = Shelf[str](1_000_000)

    def fail() -> str:
        raise Refused(408, "too_long", "stopped")

    with pytest.raises(Refused):
        shelf.made("key", fail, len)
    assert shelf.made("key", lambda: "made", len) == "made"


def test_a_shelf_has_an_end() -> None:
    shelf = Shelf[int](80)
    for key in range(10):
        shelf.put(key, key, 10)
        assert shelf.get(0) == 0  # whoever is asked for stays
    assert [key for key in range(10) if shelf.get(key) is not None] == [0, 3, 4, 5, 6, 7, 8, 9]
    shelf.put("large", 1, 11)
    assert shelf.get("large") is None
    shelf.put(0, 5, 1)
    assert shelf.get(0) == 5


def test_only_what_is_late_is_interrupted() -> None:
    class One:
        times = 0

        def interrupt(self) -> None:
            self.times += 1

    watch, soon, late, late_again = Watch(0.2), One(), One(), One()
    with watch.over(soon):
        pass
    with watch.over(late):
        time.sleep(0.45)
        with watch.over(soon):
            pass
    seen = late.times
    time.sleep(0.2)
    assert late.times == seen > 1
    assert soon.times == 0
    with watch.over(late_again):  # it waits for nobody now, and hears of the next all the same
        time.sleep(0.4)
    assert late_again.times > 0
    watch.close()
