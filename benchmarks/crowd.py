"""A believable crowd at any size: EVENT batches in the order of receipt, the same for the same seed.

People have a country, a browser and a consent choice of their own, come more or less often, and walk through
Zipf-popular pages in visits. Everything is numpy: a million events take about two seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter.fields import EVENT

#: Rows of a batch, at most.
BATCH = 65_536
_DAY = 86_400_000
_SITES = ["market", "market-in", "help"]
_OFFSETS = np.array([120, 330, 0], np.int16)
_ALL = (
    "US IN DE GB PH PL FR BR PK UA NG CA ES IT NL AU BD KE MX RO ID VN TR EG AR SE PT CZ GR ZA"
    " HU CH AT BE DK IE NO FI RS BG CO CL PE MA LK NP GE AM SG MY TH JP KR NZ IL AE SA HR SK LT"
)
COUNTRIES = _ALL.split()
CONTINENT = {"US": "NA", "CA": "NA", "MX": "NA", "BR": "SA", "AR": "SA", "IN": "AS", "PH": "AS", "NG": "AF"}
_OPT_OUT = ("US", "CA")
_AGREE = "DE GB PL FR BR IN ES IT NL RO SE PT CZ GR HU CH AT BE DK IE NO FI BG HR SK LT"
_OPT_IN = frozenset(_AGREE.split())
_BROWSERS = [
    ("Chrome", "Windows", "10", "desktop", 30),
    ("Chrome Mobile", "Android", None, "mobile", 28),
    ("Mobile Safari", "iOS", "18", "mobile", 16),
    ("Safari", "Mac OS X", None, "desktop", 8),
    ("Edge", "Windows", "10", "desktop", 7),
    ("Firefox", "Linux", None, "desktop", 4),
    ("Samsung Internet", "Android", None, "mobile", 4),
    ("Opera", "Windows", "10", "desktop", 2),
    ("Mobile Safari", "iOS", "18", "tablet", 1),
]
_TYPES = ["page_view", "engagement", "click", "event", "ad_impression", "ad_viewable", "ad_click"]
_MIX = [0.46, 0.24, 0.07, 0.05, 0.11, 0.06, 0.01]
_NAMES = ["sign_up", "post_project", "bid_placed", "hired", "search", "filter"]
_SOURCES = [
    ("google.com", "search"),
    (None, "direct"),
    ("bing.com", "search"),
    ("linkedin.com", "social"),
    ("t.co", "social"),
    ("facebook.com", "social"),
    ("mail.google.com", "mail"),
    *((f"blog-{k}.example", "referral") for k in range(200)),
]
_PLANS = [f'{{"category":"c{k % 30}","plan":"{("free", "pro")[k % 2]}"}}' for k in range(60)]


class _People(NamedTuple):
    weight: NDArray[np.float64]
    person: NDArray[np.uint64]
    lasting: NDArray[np.bool_]
    site: NDArray[np.int64]
    country: NDArray[np.int64]
    agent: NDArray[np.int64]
    version: NDArray[np.int64]
    network: NDArray[np.int64]
    advert: NDArray[np.bool_]


def events(
    n: int, people: int, days: int, seed: int = 1, first: date = date(2026, 9, 1)
) -> Iterator[pa.RecordBatch]:
    """About `n` events (within 2 %) of `people` people over `days` days of receipt, from `first` on."""
    chance = np.random.default_rng(seed)
    crowd = _people(chance, people)
    start = (first - date(1970, 1, 1)).days
    busy = np.array([1.0 if (start + d + 3) % 7 < 5 else 0.6 for d in range(days)])
    for day, share in enumerate(busy / busy.sum()):
        table = _day(chance, crowd, round(n * share), start + day)
        for at in range(0, table.num_rows, BATCH):
            yield table.slice(at, BATCH)


def mix(values: NDArray[np.uint64], key: int) -> NDArray[np.uint64]:
    """Uniform 64-bit numbers for a key and numbers (splitmix64): stands in for the keyed hash."""
    x = values + np.uint64((key * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _zipf(chance: np.random.Generator, kinds: int, n: int, power: float = 1.0) -> NDArray[np.int64]:
    weight = 1.0 / np.arange(1, kinds + 1) ** power
    return np.searchsorted(np.cumsum(weight / weight.sum())[:-1], chance.random(n))


def _people(chance: np.random.Generator, n: int) -> _People:
    weight = np.cumsum(chance.lognormal(0, 0.8, n))
    shares = np.array([b[-1] for b in _BROWSERS], float)
    return _People(
        weight / weight[-1],
        mix(np.arange(n, dtype=np.uint64), 1),
        chance.random(n) < 0.55,
        chance.choice(3, n, p=[0.8, 0.14, 0.06]),
        _zipf(chance, len(COUNTRIES), n),
        chance.choice(len(_BROWSERS), n, p=shares / shares.sum()),
        chance.geometric(0.35, n).clip(1, 20),
        chance.choice(4, n, p=[0.6, 0.25, 0.1, 0.05]),
        chance.random(n) < 0.45,
    )


def _day(chance: np.random.Generator, crowd: _People, n: int, day: int) -> pa.RecordBatch:
    """One day of receipt, in UTC."""
    length = chance.geometric(1 / 7, max(n // 7, 1))
    visit = np.repeat(np.arange(len(length)), length)
    n = len(visit)
    who = np.minimum(np.searchsorted(crowd.weight, chance.random(len(length))), len(crowd.weight) - 1)[visit]
    begins = np.concatenate([[0], np.cumsum(length)[:-1]])
    opening = np.zeros(n, np.bool_)
    opening[begins] = True
    kind = chance.choice(len(_TYPES), n, p=_MIX)
    kind[opening] = 0
    kind[(kind >= 4) & ~crowd.advert[who]] = 0
    hour = np.clip(chance.normal(14, 4.5, len(length)), 0, 23.2) * 3_600_000
    gap = np.where(opening, 0, chance.lognormal(9.4, 1.3, n)).astype(np.int64).clip(0, 1_500_000)
    since = np.cumsum(gap)
    time = (day * _DAY + hour.astype(np.int64))[visit] + since - since[begins][visit]
    received = time + chance.lognormal(5.2, 0.7, n).astype(np.int64).clip(20, 30_000)
    order = np.argsort(received, kind="stable")
    view = np.maximum.accumulate(np.where(kind == 0, np.arange(n), 0))
    page = _zipf(chance, 20_000, n, 0.95)[view]
    source = np.where(opening, _zipf(chance, len(_SOURCES), n, 1.1), len(_SOURCES))
    campaign = np.where((chance.random(len(length)) < 0.12)[visit] & opening, _zipf(chance, 300, n), -1)
    codes = {
        "who": who, "kind": kind, "time": time, "received": received, "page": page, "source": source,
        "campaign": campaign,
    }  # fmt: skip
    return _batch(chance, crowd, {name: column[order] for name, column in codes.items()})


def _texts(values: Sequence[Any], codes: NDArray[Any], shown: NDArray[np.bool_] | None = None) -> pa.Array:
    index = pa.array(codes, pa.int32(), mask=None if shown is None else ~shown)
    return pa.array(values, pa.string()).take(index)


def _batch(chance: np.random.Generator, crowd: _People, rows: dict[str, NDArray[Any]]) -> pa.RecordBatch:
    who, kind, time, source = rows["who"], rows["kind"], rows["time"], rows["source"]
    n = len(who)
    site, country, agent, lasting = crowd.site[who], crowd.country[who], crowd.agent[who], crowd.lasting[who]
    offset = _OFFSETS[site]
    day = ((time + offset.astype(np.int64) * 60_000) // _DAY).astype(np.int32)
    advert = kind >= 4
    person = np.where(lasting, crowd.person[who], mix(crowd.person[who] ^ day.astype(np.uint64), 2))
    person = np.where(advert, mix(person, 3), person)
    regime = np.array([(1, 0, 2)[(c in _OPT_IN) + 2 * (c in _OPT_OUT)] for c in COUNTRIES])[country]
    chosen = lasting
    granted = np.array([1, 5, 21])[regime] * ~advert | 8 * crowd.advert[who]
    tagged, campaign = (rows["campaign"] >= 0) & ~advert, rows["campaign"]
    custom, engaged = kind == 3, kind == 1
    named = [f"{'project' if k % 3 else 'projects'}/page-number-{k}" for k in range(20_000)]
    browsers = [[b[i] for b in _BROWSERS] for i in range(4)]
    hosts = [*(s[0] for s in _SOURCES), "market.example"]
    groups = [*(s[1] for s in _SOURCES), "internal"]
    rules = [
        f"workallies-2024.{r}.{w}" for r in ("opt_in", "notice", "opt_out") for w in ("exempt", "agreed")
    ]
    made: dict[str, pa.Array] = {
        "site": _texts(_SITES, site),
        "time": pa.array(time).cast(pa.timestamp("ms")),
        "received": pa.array(rows["received"]).cast(pa.timestamp("ms")),
        "type": _texts(_TYPES, kind),
        "protocol": _texts(["beacon", "advert"], advert),
        "day": pa.array(day).cast(pa.date32()),
        "offset_min": pa.array(offset),
        "event_id": pa.array(chance.integers(0, 1 << 64, n, np.uint64)),
        "person": pa.array(person),
        "treatment": _texts(["cookieless", "identified"], lasting),
        "purposes": pa.array(granted, pa.uint32()),
        "because": _texts(rules, regime * 2 + chosen),
        "signal": _texts(["none", "choice"], chosen),
        "basis": _texts(["exempt", "consent"], chosen),
        "policy": _texts(["workallies-2024/1"], np.zeros(n)),
        "name": _texts(_NAMES, _zipf(chance, len(_NAMES), n), custom),
        "path": _texts([f"/{p}" for p in named], rows["page"]),
        "utm_source": _texts(["news", "google", "linkedin", "partner"], campaign % 4, tagged),
        "utm_medium": _texts(["email", "cpc", "social"], campaign % 3, tagged),
        "utm_campaign": _texts([f"autumn-{k}" for k in range(300)], campaign, tagged),
        "referrer_host": _texts(hosts, source, ~advert),
        "referrer_group": _texts(groups, source),
        "browser": _texts(browsers[0], agent),
        "browser_version": _texts([str(150 - k) for k in range(21)], crowd.version[who]),
        "os": _texts(browsers[1], agent),
        "os_version": _texts(browsers[2], agent),
        "device": _texts(browsers[3], agent),
        "continent": _texts([CONTINENT.get(c, "EU") for c in COUNTRIES], country),
        "country": _texts(COUNTRIES, country),
        "network": _texts(["residential", "mobile", "business", "hosting"], crowd.network[who], ~advert),
        "duration_ms": pa.array(chance.lognormal(9.5, 1.2, n).clip(0, 1e7), mask=~engaged).cast(
            pa.int32(), safe=False
        ),
        "scroll": pa.array(chance.integers(0, 21, n) * 5, pa.int16(), mask=~engaged),
        "value": pa.array(chance.integers(5, 200, n) * 5.0, mask=~(custom & (chance.random(n) < 0.3))),
        "props": _texts(_PLANS, _zipf(chance, len(_PLANS), n), custom),
        "ad_slot": _texts(["top", "side", "list", "footer"], rows["page"] % 4, advert),
        "ad_creative": _texts([f"c{k}" for k in range(40)], _zipf(chance, 40, n), advert),
        "ad_campaign": _texts(["autumn", "hire", "pro", "partner"], rows["page"] % 4, advert),
    }
    return pa.record_batch(
        [made[f.name] if f.name in made else pa.nulls(n, f.type) for f in EVENT], schema=EVENT
    )
