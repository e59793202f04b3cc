"""kill -9 at any moment of any job: a reader sees whole generations, the balance holds, nothing is twice."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq

from ingest.log.segment import SegmentLog
from tests.warehouse.sample import NOON, Event, found, record
from tests.whole.running import ENVIRON
from throng import balance
from warehouse.query import unlock
from warehouse.settings import Warehouse

SETTINGS = Warehouse(min_group=1)
KILLS = 9


class Reader(threading.Thread):
    """Looks at what is published, again and again: at all of it where it is new, and each fifth time.

    What is wrong, and which generations it saw."""

    def __init__(self, data: Path) -> None:
        super().__init__()
        self.data, self.wrong, self.seen, self.end = data, list[str](), list[int](), threading.Event()
        self.times = 0

    def __exit__(self, *_: object) -> None:
        self.end.set()
        self.join()

    def __enter__(self) -> Reader:
        self.start()
        return self

    def run(self) -> None:
        while not self.end.wait(0.1):
            try:
                self.look()
            except Exception as error:
                self.wrong.append(repr(error))

    def look(self) -> None:
        folder = self.data / "published" / "current"
        if not folder.exists():
            assert not self.seen, "what was published is gone"
            return
        folder = folder.resolve()
        made = json.loads((folder / "manifest.json").read_text())
        con = unlock(folder / "reports.duckdb", SETTINGS)
        try:
            assert con.execute("SELECT generation FROM published").fetchall() == [(made["generation"],)]
            assert hashlib.sha256((folder / "reports.duckdb").read_bytes()).hexdigest() == made["sha256"]
            self.times += 1
            whole = not self.seen or made["generation"] != self.seen[-1] or self.times % 5 == 0
            for name, about in made["tables"].items() if whole else ():
                file = folder / f"{name}.parquet"
                assert hashlib.sha256(file.read_bytes()).hexdigest() == about["sha256"], name
                rows = con.execute(f"FROM {name} ORDER BY ALL").to_arrow_table().to_pylist()
                assert rows == pq.read_table(file).to_pylist(), name
            ((days, pages),) = con.execute(
                "SELECT (SELECT sum(views) FROM traffic_day), (SELECT sum(views) FROM pages)"
            ).fetchall()
        finally:
            con.close()
        assert days == pages, "two tables of different facts"
        assert not self.seen or made["generation"] >= self.seen[-1]
        self.seen.append(made["generation"])


def test_jobs_killed_at_any_moment(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice, now = random.Random(seed), round(time.time() - NOON)
    (tmp_path / "throng.toml").write_text("[warehouse]\nmin_group = 1\n")
    log, sent, number, took = (
        SegmentLog(tmp_path / "log", "collector", segment=3000),
        0,
        0,
        dict[str, float](),
    )
    jobs = subprocess.Popen(
        [sys.executable, "-m", "tests.whole.jobs_apart"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=ENVIRON,
    )  # fmt: skip

    def run(name: str, seconds: float | None) -> int:
        assert jobs.stdin is not None
        assert jobs.stdout is not None
        print(json.dumps([[name, "--data", str(tmp_path)], seconds]), file=jobs.stdin, flush=True)
        return int(json.loads(jobs.stdout.readline()))

    def collect() -> None:
        nonlocal sent, number
        events = [Event(number + n, number + n, now) for n in range(20)]
        log.append(record([*events, Event(number, 0, now)], refused=3))
        sent, number = sent + 24, number + 20

    reader, killed = Reader(tmp_path), dict.fromkeys(("facts", "reports", "publish"), 0)
    with jobs:
        for _ in range(2):  # the first time waits for the imports, too
            collect()
            for name in killed:
                begun = time.monotonic()
                assert run(name, None) == 0
                took[name] = time.monotonic() - begun
        with reader:
            for nth in range(KILLS):
                name = list(killed)[nth % 3]  # each after the one before has finished
                collect()
                status = run(name, dice.uniform(0, took[name]))
                assert status in (0, signal.SIGKILL)
                killed[name] += status == signal.SIGKILL
                if status:
                    assert run(name, None) == 0
                refused = {"consent": sent // 8, "duplicate": sent // 24}
                whole = {"received": sent, "stored": number, "refused": refused}
                assert balance.whole(tmp_path) == whole, (name, status)
            for name in killed:
                assert run(name, None) == 0
            until_seen = len(reader.seen) + 1
            while len(reader.seen) <= until_seen and not reader.wrong:
                time.sleep(0.02)
    log.close()
    assert reader.wrong == []
    assert min(killed.values()) > 0, killed
    assert len(set(reader.seen)) > 3
    facts = found(tmp_path)
    assert facts.balance == whole
    assert set(facts.rows.values()) == {1}
    con = unlock((tmp_path / "published" / "current" / "reports.duckdb").resolve(), SETTINGS)
    assert con.execute("SELECT sum(views) FROM pages").fetchall() == [(number,)]
    con.close()
