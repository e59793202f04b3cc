"""The path on one core: from JSON bytes to what the log gets, in batches of every size that occurs."""

from __future__ import annotations

import gc
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from benchmarks.line import emit
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Place
from consent_filter.site import Site
from ingest.enrich import Enrich
from ingest.path import Path
from ingest.request import Browser, Request
from ingest.settings import Sites

_CHROMIUM = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0"
_AGENTS = [
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROMIUM} Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 10; K) {_CHROMIUM} Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.0 Mobile/15E%d Safari/604.1",
]
_COUNTRIES = ["DE", "US", "IN", "GB", "FR", "BR", "PL", "UA", "PH", "NG"]


def sites() -> Sites:
    """One marketplace, as a settings file would declare it."""
    return Sites(
        [
            Site(
                id="market",
                origins=("https://market.example",),
                timezone="Europe/Berlin",
                paths=("/u/{user}", "/project/{project}"),
                props=("plan", "step", "category"),
            )
        ]
    )


def look(address: str) -> Place:
    """A place without a database, so that the path alone is measured."""
    return Place("EU", _COUNTRIES[sum(map(ord, address)) % len(_COUNTRIES)], None, "unknown")


def path() -> Path:
    """The whole path with keys and a ledger in memory."""
    measured, keys = sites(), Keyring.memory()
    return Path(measured, Enrich(measured, look), Packs(measured), Ledger.memory(keys), keys)


def bodies(count: int, events: int, now: int, seed: int = 1, kind: str = "") -> list[bytes]:
    """Different bodies of a beacon: one event of about 560 bytes, or a list of them from one visitor. `kind`:
    all of one type."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        device = f"{chance.getrandbits(128):032x}"
        found = [_event(chance, device, now, kind) for _ in range(events)]
        made.append(json.dumps(found[0] if events == 1 else found, separators=(",", ":")).encode())
    return made


def _event(chance: random.Random, device: str, now: int, kind: str = "") -> dict[str, Any]:
    page = int(chance.paretovariate(0.9)) % 20_000
    event: dict[str, Any] = {
        "site": "market",
        "type": kind or chance.choice(["page_view"] * 6 + ["engagement", "click", "ad_impression", "event"]),
        "url": f"https://market.example/project/build-a-website-number-{page}?utm_source=news&utm_medium=email"
        f"&utm_campaign=autumn-{page % 7}",
        "id": f"{chance.getrandbits(96):024x}",
        "time": now - chance.randrange(3000),
        "referrer": chance.choice(
            ["https://www.google.com/", "https://market.example/projects", "https://t.co/x"]
        ),
        "title": "Build a website, posted today, open for bids until the month ends: the market, projects",
        "consent": {"measurement": True, "ad_measurement": chance.random() < 0.5},
    }
    if chance.random() < 0.6:
        event["device_id"] = device
    if event["type"] == "event":
        event |= {
            "name": "bid_placed",
            "props": {"plan": chance.choice(["free", "pro"]), "step": chance.randrange(4)},
        }
    if event["type"] == "ad_impression":
        event["ad"] = {"slot": "top", "creative": f"c{chance.randrange(20)}", "campaign": "autumn"}
    if kind == "ad_impression":  # as the tag sends it, of somebody who allows it
        event["consent"]["ad_measurement"] = True
        event["ad"] |= {
            "id": f"{chance.getrandbits(128):032x}", "placement": "home-top", "width": 300, "height": 250,
            "frequency": chance.choice(["1", "2", "3", "4-6", "7+"]),
        }  # fmt: skip
    if event["type"] == "engagement":
        event |= {"duration": chance.randrange(60_000), "scroll": chance.randrange(101)}
    return event


def requests(count: int, events: int, now: int, kind: str = "") -> list[Request]:
    """One request for each body, from many addresses and a hundred agents."""
    chance = random.Random(2)
    clients = [".".join(str(chance.randrange(1, 224)) for _ in range(4)) for _ in range(max(count, 2000))]
    browsers = [
        Browser((agent % version, ("", "", ""), None), origin="https://market.example")
        for agent in _AGENTS
        for version in range(100, 150)
    ]
    return [
        Request("beacon", "POST", b"", body, chance.choice(clients), chance.choice(browsers), now)
        for body in bodies(count, events, now, kind=kind)
    ]


def rate(
    work: Callable[[Sequence[Request]], Any], waiting: Sequence[Request], gather: int, events: int
) -> float:
    """Events a second of processor time, the median of five rounds, `gather` requests at a time.

    Processor time, because what else runs on the machine is no part of one core's work.
    """
    batches = [waiting[start : start + gather] for start in range(0, len(waiting), gather)]
    rounds = []
    for _ in range(5):
        begun = time.process_time()
        for batch in batches:
            work(batch)
        rounds.append(len(waiting) * events / (time.process_time() - begun))
    return statistics.median(rounds)


def _shapes(now: int) -> Iterator[tuple[str, int, int, list[Request]]]:
    single = requests(8192, 1, now)
    for gather in (32, 64, 512, 4096):
        yield f"path_single_events_gather_{gather}", gather, 1, single
    fifty = requests(512, 50, now)
    for gather in (8, 64):
        yield f"path_50_events_gather_{gather}", gather, 50, fifty


def main() -> None:
    """Each line against decoding the same bodies with msgspec and doing nothing else."""
    now = int(time.time() * 1000)
    run = path().run
    decode = msgspec.json.Decoder().decode
    gc.collect()
    gc.freeze()
    gc.disable()
    for bench, gather, events, waiting in _shapes(now):
        plain = rate(lambda batch: [decode(request.body) for request in batch], waiting, gather, events)
        value = rate(run, waiting, gather, events)
        emit(bench, value, "events/s", against="msgspec decode alone", ratio=value / plain, n=5)
    for gather, events, count in ((64, 1, 8192), (4096, 1, 8192), (64, 50, 512)):
        views, shown = (
            rate(run, requests(count, events, now, kind), gather, events)
            for kind in ("page_view", "ad_impression")
        )
        bench = f"path_impressions_{events}_gather_{gather}"
        emit(bench, shown, "events/s", against="page views", ratio=shown / views, n=5)
    gc.enable()


if __name__ == "__main__":
    main()
