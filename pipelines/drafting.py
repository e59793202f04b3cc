"""A draft of what may leave the house: asked for, refused or paid for, drawn once, written down (M54, S9).

Nothing is drawn before its price is on the disk (`budget.py`), and what was drawn is drawn again only for a
new price: to ask for a draft that is there gives that one, and a month of a site that was drawn for another
audience or period is the same in the next. So nobody can learn more by putting together several of them.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.parquet as pq

from consent_filter.errors import Refused
from consent_filter.policy import Packs
from consent_filter.site import Site
from pipelines.drawing import drawn, price, table, together
from pipelines.settings import Pipelines
from pipelines.trends import exact
from warehouse import budget, draft, totals
from warehouse.draft import Draft
from warehouse.lake import Lake
from warehouse.period import Period
from warehouse.release_settings import Release
from warehouse.trend import load

_EPOCH = date(1970, 1, 1)


def run(
    data: Path,
    audience: str,
    period: Period,
    declared: Sequence[Site],
    settings: Release,
    where: Pipelines | None = Pipelines(),  # noqa: B008
    *,
    sites: Sequence[str] = (),
    again: bool = False,
    buckets: int | None = None,
    version: str = "",
    now: float | None = None,
) -> Draft:
    """The draft of a period for an audience: the one that there is, or a new one, which spends budget on what
    was not drawn of its months and sites yet.

    declared: the sites of the settings; sites: those that are meant, all of them unless said. again: all of
    it anew. Raises Refused where the period is not over, nothing is drafted for that
    audience, or too little is left.
    """
    now = time.time() if now is None else now
    plans = price(audience, settings)
    chosen = [load()[name] for name in plans]
    if not period.closed(datetime.fromtimestamp(now, UTC).date(), settings.lateness_days):
        raise Refused(
            409,
            "period_open",
            f"{period.name} is not closed: it ends on {period.last}, and events may come late for"
            f" {settings.lateness_days} days more",
        )
    known, where_of = {site.id: site for site in declared}, _sites(data, declared, sites)
    with budget.drafting(data):
        request = (audience, period.name, *where_of)
        done, times = budget.made(data, request)
        if done and not again:
            return draft.read(data, done)
        name = _name(request, times)
        there = {} if again else drawn(data)
        costs = {
            (site, month): together(plans[one.name] for one in chosen if (one.name, site, month) not in there)
            for site in where_of
            for month in period.months
        }
        budget.afford(data, costs, settings)
        new = [one for one in chosen if any((one.name, *account) not in there for account in costs)]
        cells = exact(data, period, where_of, new, where, buckets) if new else {}
        if new and not cells:
            raise Refused(409, "no_facts", f"there are no facts of {period.name} yet")
        snapshot, refused = _state(data, period, where_of)
        made_of = {
            "snapshot": snapshot, "version": version, "rho": max(cost.rho for cost in costs.values()),
            "delta": max(cost.delta for cost in costs.values()),
            "trends": {one.name: one.sha256 for one in chosen},
            "drawn_in": {
                one.name: sorted({there[at][0] for account in costs if (at := (one.name, *account)) in there})
                for one in chosen
            },
        }  # fmt: skip
        budget.reserve(data, name, request, costs, settings, now)
        into = draft.folder(data) / name
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        tables = [
            table(data, into, one, cells.get(one.name), there, period, where_of, plans[one.name], settings)
            for one in chosen
            if one.name in cells or one not in new
        ]
        of = {one.name: one for one in tables}
        activity = pq.read_table(into / "activity.parquet") if "activity" in of else None
        if activity is not None:
            most = load()["activity"].parts[-1].most
            tables.append(totals.write(into, of["activity"], activity, refused, where_of, period, most,
                                       plans["activity"].least, settings.confidence))  # fmt: skip
        policies, transfers = _policies(known, where_of, period)
        made = Draft(
            id=name, audience=audience, period=period.name, sites=where_of, made_at=now,
            confidence=settings.confidence, tables=tuple(tables), policies=policies,
            mix=totals.mix(activity, refused, where_of), transfers=transfers,
            made_of=made_of,
        )  # fmt: skip
        draft.write(data, made)
        budget.settle(data, name)
        return made


def _name(request: Sequence[str], times: int) -> str:
    digest = hashlib.blake2b(repr((tuple(request), times)).encode(), digest_size=4).hexdigest()
    return f"{request[0]}-{request[1]}-{digest}"


def _policies(
    known: Mapping[str, Site], sites: Sequence[str], period: Period
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Which policies were in force, and the transfer mechanisms that they name and that held then."""
    found, held = dict[str, tuple[str, ...]](), set[str]()
    for name in sites:
        of = Packs({name: known.get(name) or Site(id=name)}).history(name)
        days = range((period.first - _EPOCH).days, (period.last - _EPOCH).days + 1)
        packs = [of.eras[n].pack for n in sorted({of.at(day) for day in days})]
        found[name] = tuple(f"{pack.name}/{pack.version}" for pack in packs)
        held |= {
            one.mechanism
            for pack in packs
            for one in pack.transfers
            if (one.since or period.first) <= period.last and (one.until or date.max) > period.first
        }
    return found, tuple(sorted(held))


def _sites(data: Path, declared: Sequence[Site], sites: Sequence[str]) -> tuple[str, ...]:
    """The sites that are meant."""
    known = {site.id for site in declared}
    found = tuple(sorted(set(sites) or known or _seen(data)))
    if not found or (known and not set(found) <= known):
        raise Refused(404, "site", "there is no such site in the settings")
    return found


def _seen(data: Path) -> set[str]:
    """The sites that anything was received of, where none is declared."""
    lake = Lake.open(data)
    if lake is None:
        return set()
    try:
        found = lake.connection.execute("SELECT DISTINCT site FROM lake.received WHERE site <> ''").fetchall()
        return {site for (site,) in found}
    finally:
        lake.close()


def _state(data: Path, period: Period, sites: Sequence[str]) -> tuple[int, dict[tuple[str, str, str], int]]:
    """The snapshot of the facts; and refused requests by (site, month, reason), of which nothing is kept that
    could say whose they were."""
    lake = Lake.open(data)
    if lake is None:
        return 0, {}
    try:
        rows = lake.connection.execute(
            "SELECT site, strftime(day, '%Y-%m'), reason, sum(n)::BIGINT FROM lake.received"
            " WHERE outcome = 'refused' AND day BETWEEN ? AND ? GROUP BY ALL ORDER BY ALL",
            [period.first, period.last],
        ).fetchall()
        return lake.snapshot(), {(at, month, why): n for at, month, why, n in rows if at in sites}
    finally:
        lake.close()
