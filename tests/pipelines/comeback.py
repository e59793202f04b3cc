"""People are erased, then brought back in every way there is, in random order, in processes that are killed.

    python -m tests.pipelines.comeback FOLDER SEED PEOPLE ROUNDS

Prints one JSON line: what was tried, where it was killed, and what was wrong in the end. Every step runs in a
process of its own (a fork, so that nothing need be imported again), the first time killed with SIGKILL at a
random line of ours, the second time to its end.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas  # noqa: F401  each fork would import these anew
import pyarrow.dataset  # noqa: F401

from consent_filter.decide import MEASUREMENT
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Place
from consent_filter.site import Site
from ingest.enrich import Enrich
from ingest.enrich.agent import Agents
from ingest.log import frame
from ingest.log.opening import opened
from ingest.log.segment import SegmentLog
from ingest.path import Path as Way
from ingest.request import Browser, Request
from ingest.settings import Ingest, Sites
from pipelines import facts, holders, removal, reports, requests, rights, stones
from pipelines.settings import Backup, Pipelines
from tests.warehouse.killed import apart, ended
from throng import backup, restore
from warehouse import erase, released
from warehouse.checks import expectations
from warehouse.lake import Lake
from warehouse.released import Store
from warehouse.settings import Warehouse

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SITE = Site(id="shop")
OPEN = Warehouse(min_group=1)
#: Where a process may be killed.
OURS = {module.__file__ for module in (backup, erase, facts, holders, released, removal, requests, restore,
                                       rights, stones)}  # fmt: skip
AFTER = 700.0  # seconds: the grace of readers is over


def collect(
    data: Path, ids: list[str], partition: str, numbers: list[int], now: float, site: Site = SITE, **said: Any
) -> None:
    """What the collector would do with one page view of each id and number: filter, flush, append. `said`:
    by each event besides."""
    keys = Keyring.open(data / "keys.json")
    sites = Sites([site])
    with closing(Ledger.open(data / "ledger.sqlite", keys)) as ledger:
        place = Place("EU", "DE", None, "residential")
        way = Way(
            sites, Enrich(sites, lambda address: place, Agents()), Packs(sites), ledger, keys, limits=Ingest()
        )
        sent = [
            Request("beacon", "POST", b"", json.dumps({
                "site": "shop", "type": "page_view", "url": f"https://shop.example/{number % 3}",
                "id": f"{id}-{number}", "user_id": id, "consent": {"measurement": True},
            } | said).encode(), "192.0.2.2", Browser((AGENT, ("", "", ""), None)), round(now * 1000))
            for number in numbers for id in ids
        ]  # fmt: skip
        record, _ = way.run(sent)
        ledger.flush()
        with closing(opened(data, partition)) as log:
            log.append(record)
            log.turn(-1.0)


def whole_pass(data: Path, now: float, places: tuple[str, ...] = ()) -> list[str]:
    """As the loop does, until nothing is open; certificates drawn."""
    made = []
    for ahead in (0.0, AFTER):
        done = rights.run(data, Pipelines(), Backup(places=places), now + ahead, at_once=True)
        facts.run(data, Pipelines(), now + ahead)
        made += done.certified
    done = rights.run(data, Pipelines(), Backup(places=places), now + 2 * AFTER, at_once=True)
    reports.run(data, OPEN)
    return [*made, *done.certified]


def persons(data: Path, ids: list[str]) -> list[int]:
    keys = Keyring.open(data / "keys.json")
    with closing(Ledger.open(data / "ledger.sqlite", keys, read_only=True)) as ledger:
        return [one.person for id in ids for one in ledger.subject(ledger.key("shop", "user", id)).persons
                if one.purpose == MEASUREMENT]  # fmt: skip


def left(folder: Path, gone: list[int]) -> list[str]:
    """Files that hold one of these pseudonyms: eight bytes anywhere, digits anywhere, a row, a cell."""
    wanted = np.array(sorted(gone), np.uint64)
    both = np.sort(np.concatenate([wanted, wanted.byteswap()]))
    found = set()
    for file in folder.rglob("*"):
        if not file.is_file() or file.is_symlink():
            continue
        data = file.read_bytes()
        for at in range(8):
            some = (
                np.frombuffer(data, "<u8", max(len(data) - at, 0) // 8, at) if len(data) > at else wanted[:0]
            )
            if np.isin(some, both).any():
                found.add(str(file.relative_to(folder)))
        if any(int(text) in set(gone) for text in re.findall(rb"\d{12,20}", data)):
            found.add(str(file.relative_to(folder)))
        if file.suffix == ".parquet" and erase.rows_of(file, lambda some: np.isin(some, wanted)):
            found.add(str(file.relative_to(folder)))
    for data in {file.parent for file in folder.rglob("keys.json")}:
        if released.subtracted_of(data, lambda some: np.isin(some, wanted)):
            found.add("released/work.duckdb: subtracted")
    return sorted(found)


def answers(data: Path) -> dict[str, Any]:
    """What is known of the others."""
    lake = Lake.open(data)
    assert lake is not None
    balance = lake.balance()
    rows = lake.count()
    lake.close()
    store = Store.open(data)
    day = store.connection.execute("SELECT site, people, views FROM traffic_day ORDER BY ALL").fetchall()
    pages = store.connection.execute("SELECT path, people, views FROM pages ORDER BY ALL").fetchall()
    store.close()
    adds_up = balance["received"] == balance["stored"] + sum(balance["refused"].values())
    return {"rows": rows, "stored": balance["stored"], "adds_up": adds_up, "day": day, "pages": pages}


def killed(work: Callable[[], object], after: int) -> int:
    """Do it in a process that ends itself at that line of ours; its status."""
    return ended(work, OURS, after)[0]


def done(work: Callable[[], Any]) -> Any:
    status, said = apart(work)
    assert status == 0, said
    return json.loads(said) if said else None


class Ways:
    """The seven ways back in. Each may be killed anywhere and done again."""

    def __init__(self, data: Path, place: Path, kept: Path, ids: list[str]) -> None:
        self.data, self.place, self.kept, self.ids, self.n = data, place, kept, ids, 0

    def replay(self) -> None:
        """The lake forgets how far it is, and the log has its old segments again."""
        for old in (self.kept / "log" / "collector").glob("*.log"):
            if not (self.data / "log" / "collector" / old.name).exists():
                shutil.copy2(old, self.data / "log" / "collector" / old.name)
        lake = Lake.open(self.data, write=True)
        assert lake is not None
        lake.connection.execute("DELETE FROM lake.offsets WHERE log_partition = 'collector'")
        lake.close()
        facts.run(self.data)

    def reimport(self) -> None:
        """Records of an old log are appended again, under another name."""
        self._again("again")

    def late(self) -> None:
        """Beacons that come after the erasure."""
        self.n += 1
        collect(self.data, self.ids, "collector", [1000 + self.n], time.time())

    def backfill(self) -> None:
        """An old lake is put in place of the standing one."""
        shutil.rmtree(self.data / "lake")
        shutil.copytree(self.kept / "lake", self.data / "lake")

    def older_backup(self) -> None:
        restore.run(self.place, self.data)

    def move(self) -> None:
        """On another server there is nothing but the backup, and the list beside it."""
        other = self.data.with_name("other")
        shutil.rmtree(other, ignore_errors=True)
        restore.run(self.place, other)
        shutil.rmtree(self.data)
        os.rename(other, self.data)

    def reprocess(self) -> None:
        """A stretch that had been set aside is mended and put back."""
        self._again("mended")

    def _again(self, partition: str) -> None:
        records = SegmentLog(self.kept / "log")
        log = SegmentLog(self.data / "log", partition)
        for _, record in records.read({}):
            log.append(record)
        log.turn(-1.0)
        log.close()
        records.close()

    @property
    def all(self) -> list[Callable[[], None]]:
        return [
            self.replay,
            self.reimport,
            self.late,
            self.backfill,
            self.older_backup,
            self.move,
            self.reprocess,
        ]


def run(folder: Path, seed: int, people: int, rounds: int) -> dict[str, Any]:
    dice, data, place, kept = random.Random(seed), folder / "data", folder / "backups", folder / "kept"
    gone, others = [f"canary-{n}" for n in range(people)], [f"other-{n}" for n in range(2 * people)]
    place.mkdir(parents=True)
    now = time.time()

    def fill(where: Path, ids: list[str]) -> None:
        where.mkdir(parents=True)
        (where / "throng.toml").write_text(
            f'[[site]]\nid = "shop"\n[warehouse]\nmin_group = 1\n[backup]\nplaces = ["{place}"]\n'
        )
        collect(where, ids, "collector", [0, 1, 2, 3], now)

    def keep() -> None:
        shutil.copytree(data / "log", kept / "log")
        facts.run(data)
        reports.run(data, OPEN)
        shutil.copytree(data / "lake", kept / "lake")
        backup.make(data, place, 30)

    def oracle() -> dict[str, Any]:
        fill(folder / "oracle", others)
        whole_pass(folder / "oracle", now)
        return answers(folder / "oracle")

    def forget() -> None:
        with closing(
            Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"), gives=False)
        ) as one:
            for id in gone:
                one.erase("shop", "user", id, "test", round(time.time() * 1000))
        reports.run(data, OPEN)  # notes whom the tables were made without

    done(lambda: fill(data, gone + others))
    whose = done(lambda: persons(data, gone))
    done(keep)
    expected = done(oracle)
    before = done(lambda: left(data, whose))
    done(forget)
    tried: list[str] = []
    wrong: list[str] = []
    drawn = set[str]()  # a move to another server leaves those of before behind

    def settle(why: str) -> None:
        status = 0
        if not tried or dice.random() < 0.5:
            status = killed(lambda: whole_pass(data, time.time(), (str(place),)), dice.randrange(500))
        tried.append(f"{why}{'' if status == 0 else ', then killed'}")

        def whole() -> tuple[list[str], dict[str, Any]]:
            whole_pass(data, time.time(), (str(place),))
            return left(data, whose), answers(data)

        found, held = done(whole)
        drawn.update(one.name for one in (data / "erasures").glob("E-*.json"))
        if found:
            wrong.append(f"after {why}: in {found}")
        if (held["day"], held["pages"]) != (expected["day"], expected["pages"]) or not held["adds_up"]:
            wrong.append(f"after {why}: {held}, not {expected}")

    settle("erase")
    ways = Ways(data, place, kept, gone)
    for _ in range(rounds):
        order = ways.all
        dice.shuffle(order)
        while order:
            some = [order.pop() for _ in range(min(dice.randint(2, 4), len(order)))]
            for way in some:
                if dice.random() < 0.5:
                    tried.append(f"{way.__name__} killed: {killed(way, dice.randrange(300)) != 0}")
                done(way)
            settle(", ".join(way.__name__ for way in some))
    return {"people": len(whose), "before": len(before), "tried": tried, "wrong": wrong,
            "certificates": len(drawn), "bases": len(frame.bases(data / "log" / "collector"))}  # fmt: skip


if __name__ == "__main__":
    Agents()  # the forks have its parser
    expectations.warm()  # ten seconds, which each restored copy would take again
    print(json.dumps(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
