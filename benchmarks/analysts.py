"""Fifty analysts on an ordinary Monday: how long each page takes while all of them click, and numbers change.

    python -m benchmarks.analysts [SECONDS] [ANALYSTS] [DATA]

Dashboards run in a process of their own, over 120 days of two made-up sites, or over a copy of the tables
that a data folder has released, of all days that they have; the pipeline's part is played by
another process that publishes a new generation again and again, in which every report has new numbers of the
newest day. Each analyst has an account, every fifth for one site alone; opens a page, reads for two seconds
in the mean, and opens another. Times are from the request to the last byte, on loopback, and those that the
dashboards' process counts, without whoever asks, who shares its cores. Processor is that process's, for each
page.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import httpx
import numpy as np
import uvicorn
from starlette.types import Receive, Scope, Send

from benchmarks.line import emit
from dashboards.app import create
from dashboards.settings import Dashboards
from dashboards.who import Role
from tests import signed
from tests.ports import free_ports
from tests.warehouse.tables import fill
from warehouse import report as reports
from warehouse.released import Store
from warehouse.settings import Warehouse
from warehouse.snapshot import publish

SECONDS, ANALYSTS, READS, DAYS = 60, 50, 2.0, 120
TOOK = "took.npy"
PAGES = (
    "/", "/live", "/sources", "/pages", "/audience", "/events", "/funnels", "/returning", "/journeys",
    "/deals", "/consent", "/adverts", "/report/countries", "/?period=90", "/sources?period=28&compare=before",
)  # fmt: skip


def serve(data: Path, port: int) -> None:
    """The dashboards, until told to end; then how long each answer took them, into TOOK."""
    app, took = create(data, Dashboards(), Warehouse()), list[float]()

    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        await app(scope, receive, send)
        if scope["type"] == "http":
            took.append(time.perf_counter() - begun)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # which uvicorn raises once more when it has ended
    try:
        uvicorn.run(timed, port=port, log_level="error", ws="none")
    finally:
        np.save(data / TOOK, took)


def change(data: Path) -> None:
    """A newer generation every few seconds, as a live day has it, until killed."""
    while True:
        time.sleep(5)
        store = Store.open(data)
        for name, one in reports.load().items():
            if "day" in one.keys:
                newest = f"day = (SELECT max(day) FROM {name})"
                store.connection.execute(
                    f"UPDATE {name} SET {one.sums[0]} = {one.sums[0]} + 1 WHERE {newest}"
                )
        store.connection.execute("UPDATE done_to SET version = version + 1")
        publish(data, Warehouse(), store)
        store.close()


async def _one(
    client: httpx.AsyncClient,
    head: dict[str, str],
    number: int,
    until: float,
    pages: list[str],
    took: dict[str, list[float]],
) -> None:
    dice = random.Random(number)
    while time.perf_counter() < until:
        await asyncio.sleep(dice.expovariate(1 / READS))
        page, begun = dice.choice(pages), time.perf_counter()
        answer = await client.get(page, headers=head)
        assert answer.status_code == 200, (page, answer.status_code)
        took[page].append(time.perf_counter() - begun)


async def _crowd(
    address: str, heads: list[dict[str, str]], seconds: float, pages: list[str]
) -> dict[str, list[float]]:
    took: dict[str, list[float]] = defaultdict(list)
    # A server closes what was idle for five seconds, and may do so just as it is asked again.
    limits = httpx.Limits(
        max_connections=len(heads), max_keepalive_connections=len(heads), keepalive_expiry=3
    )
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=60) as client:
        for page in pages:  # the first of each is the process's, not an analyst's
            (await client.get(page, headers=heads[1])).raise_for_status()
        until = time.perf_counter() + seconds
        await asyncio.gather(*(_one(client, head, n, until, pages, took) for n, head in enumerate(heads)))
    return took


def _tables(data: Path, source: Path | None) -> tuple[list[str], str]:
    """Fill a folder with released tables; the pages to ask for, and a site that some may see alone."""
    if source is None:
        fill(data, days=DAYS, sites=("market", "blog"))
    else:
        shutil.copytree(source / "released", data / "released")
    store = Store.open(data)
    publish(data, Warehouse(), store)
    run = store.connection.execute
    ((first, last),) = run("SELECT min(day)::VARCHAR, max(day)::VARCHAR FROM traffic_day").fetchall()
    site = run("SELECT site FROM traffic_day GROUP BY ALL ORDER BY sum(views) LIMIT 1").fetchall()[0][0]
    store.close()
    if source is None:
        return list(PAGES), site
    return [f"{page.partition('?')[0]}?first={first}&last={last}" for page in PAGES], site


def main(seconds: float = SECONDS, analysts: int = ANALYSTS, source: Path | None = None) -> None:
    with tempfile.TemporaryDirectory(prefix="throng-bench") as temporary:
        data, port = Path(temporary), free_ports()
        pages, alone = _tables(data, source)
        heads = [
            signed.head(data, Role.ANALYST, sites=None if n % 5 else [alone], name=f"Analyst {n}")
            for n in range(analysts)
        ]
        ours = [sys.executable, "-m", "benchmarks.analysts"]
        others = [
            subprocess.Popen([*ours, "serve", str(data), str(port)]),
            subprocess.Popen([*ours, "change", str(data)]),
        ]
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address)
            begun = _processor(others[0].pid)
            took = asyncio.run(_crowd(address, heads, seconds, pages))
            spent = _processor(others[0].pid) - begun
        finally:
            for one in others:
                one.terminate()
                one.wait()
        inside = np.load(data / TOOK)[-sum(map(len, took.values())) :] * 1000
    every = np.array([one for some in took.values() for one in some]) * 1000
    emit("analysts.pages", len(every) / seconds, "pages/s", n=len(every))
    emit("analysts.processor", 1000 * spent / len(every), "ms a page", n=len(every))
    for q in (50, 99):
        emit(f"analysts.p{q}", float(np.percentile(every, q)), "ms", n=len(every))
        emit(f"analysts.server.p{q}", float(np.percentile(inside, q)), "ms in the process", n=len(inside))
    page, slow = max(took.items(), key=lambda one: float(np.percentile(one[1], 99)))
    emit(
        f"analysts.slowest.{page}",
        float(np.percentile(slow, 99)) * 1000,
        "ms, p99 of the slowest page",
        n=len(slow),
    )


def _processor(process: int) -> float:
    """Seconds that it has had, of its own and of the system (proc(5), fields 14 and 15)."""
    said = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(said[11]) + int(said[12])) / os.sysconf("SC_CLK_TCK")


def _wait(address: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(f"{address}/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit("the dashboards did not start")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] == ["change"]:
        change(Path(sys.argv[2]))
    else:
        main(*map(int, sys.argv[1:3]), *map(Path, sys.argv[3:4]))
