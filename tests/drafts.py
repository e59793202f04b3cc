"""Drafts made by hand: a marketplace that grows, as the job of the warehouse would have drafted it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from warehouse import draft, period
from warehouse.draft import Draft, Number, Table

#: name → title, keys besides site and the month, their values with weights, numbers (says, per person)
_SHAPES: dict[str, tuple[str, dict[str, dict[str, float]], dict[str, tuple[str, float]]]] = {
    "growth": (
        "Growth of the user base",
        {},
        {
            "people": ("known people, and passers-by of each day", 1.0),
            "known": ("people with an identifier who came in that month", 0.34),
            "fresh": ("those of them who were never seen before", 0.12),
        },
    ),
    "activity": (
        "Activity",
        {},
        {"people": ("people", 1.0), "views": ("page views", 7.4), "visits": ("visits", 1.9)},
    ),
    "liquidity": (
        "Liquidity",
        {"step": {"task_posted": 0.022, "bid_placed": 0.031, "bid_accepted": 0.011}},
        {"people": ("people who did so in that month", 1.0), "done": ("how often", 2.3)},
    ),
    "countries": (
        "Geography",
        {"country": {"DE": .24, "US": .19, "GB": .12, "FR": .09, "IN": .08, "ES": .05, "PL": .05, "NL": .04,
                     "IT": .04, "BR": .03, "AT": .02, "SE": .02, "ZZ": .03}},
        {"people": ("people seen there", 1.0), "views": ("page views", 7.4)},
    ),
    "devices": (
        "Devices",
        {"device": {"mobile": 0.55, "desktop": 0.38, "tablet": 0.06, "tv": 0.003}},
        {"people": ("people who used one", 1.0), "views": ("page views", 7.4)},
    ),
    "sources": (
        "Acquisition",
        {"source": {"search": 0.38, "direct": 0.26, "social": 0.14, "mail": 0.09, "referral": 0.06,
                    "campaign": 0.12}},
        {"people": ("people who came from there", 1.0), "visits": ("visits that began there", 1.6)},
    ),
    "adverts": (
        "Advert business",
        {},
        {
            "people": ("people who were shown one", 0.41),
            "impressions": ("impressions begun to render", 5.2),
            "viewable": ("impressions that were viewable", 3.3),
            "clicks": ("clicks on adverts", 0.05),
        },
    ),
    "retention": ("Retention", {"cohort": {}}, {"people": ("people of the cohort who came then", 1.0)}),
}  # fmt: skip


def make(
    data: Path, name: str = "investors-2026-Q3-1", *, audience: str = "investors", of: str = "2026-Q3",
    sites: Sequence[str] = ("market",), size: float = 48_000, seed: int = 1, only: Sequence[str] = (),
    **more: Any,
) -> Draft:  # fmt: skip
    """Write one into a data folder. `size`: people of the first month of a site."""
    dice, span = np.random.default_rng(seed), period.read(of)
    where = draft.folder(data) / name
    where.mkdir(parents=True, exist_ok=True)
    tables = [_table(where, kind, span.months, sites, size, dice) for kind in only or _SHAPES]
    made = {
        "policies": dict.fromkeys(sites, ("workallies-2024/1",)),
        "mix": {site: {"stored": 1_110_332, "consent": 398_000, "robot": 51_000} for site in sites},
        "made_of": {
            "snapshot": 4711,
            "code": "0.1.0",
            "definitions": {one.name: "ab" * 32 for one in tables},
        },
    }
    one = Draft(
        id=name, audience=audience, period=of, sites=tuple(sites), made_at=1_791_000_000.0, confidence=0.95,
        tables=tuple(tables), **(made | more),
    )  # fmt: skip
    draft.write(data, one)
    return one


def _table(
    where: Path,
    name: str,
    months: Sequence[str],
    sites: Sequence[str],
    size: float,
    dice: np.random.Generator,
) -> Table:
    title, spaces, numbers = _SHAPES[name]
    rows: list[dict[str, Any]] = []
    for site in sites:
        for at, month in enumerate(months):
            for keys, share in _cells(name, spaces, month):
                people = size * share * 1.035**at * dice.normal(1, 0.012)
                rows.append({"site": site, "month": month, **keys})
                for number, (_, each) in numbers.items():
                    exact, half = people * each, 1.96 * 30 * each**0.5
                    seen = max(0, round(exact + dice.normal(0, half / 3)))
                    rows[-1] |= {number: seen, f"{number}_low": max(0, round(seen - half)),
                                 f"{number}_high": round(seen + half)}  # fmt: skip
    table = pa.Table.from_pylist(rows)
    table = table.sort_by([(key, "ascending") for key in ("site", "month", *spaces)]) if rows else table
    pq.write_table(table, where / f"{name}.parquet")
    sha = hashlib.sha256((where / f"{name}.parquet").read_bytes()).hexdigest()
    return Table(
        name=name, title=title, doc=f"{title}: made by hand, for tests.",
        method="Counted per person, capped, and given noise of the discrete Gaussian mechanism (zCDP).",
        purpose="ad_measurement" if name == "adverts" else "measurement",
        keys=("site", "month", *spaces),
        numbers=tuple(Number(name=one, says=says, most=max(1, round(each * 5)), scale=30 * each**0.5,
                             clipped=0.0 if one == "people" else 0.0131)
                      for one, (says, each) in numbers.items()),
        rows=len(rows), held_back=2 if name == "countries" else 0, cells=max(1, len(spaces) * 2),
        least=50, rho=0.01, delta=1e-9, sha256=sha,
    )  # fmt: skip


def _cells(name: str, spaces: dict[str, dict[str, float]], month: str) -> list[tuple[dict[str, str], float]]:
    if name == "retention":
        number = int(month[:4]) * 12 + int(month[5:]) - 1
        cohorts = [f"{at // 12}-{at % 12 + 1:02d}" for at in range(number - 5, number + 1)]
        return [({"cohort": one}, 0.12 / (1 + 1.3 * (5 - age))) for age, one in enumerate(cohorts)]
    if not spaces:
        return [({}, 1.0)]
    ((key, values),) = spaces.items()
    return [({key: value}, share) for value, share in values.items()]
