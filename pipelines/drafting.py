"""A draft of what may leave the house: asked for, refused or paid for, drawn once, written down (M54, S9).

Nothing is drawn before its price is on the disk (`budget.py`), and what was drawn is drawn again only for a
new price: to ask for a draft that is there gives that one, and a table that another audience has got is the
same file for the next. So nobody can learn more by putting together what several have received.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from consent_filter.errors import Misconfigured, Refused
from consent_filter.policy import Packs
from consent_filter.site import Site
from pipelines.settings import Pipelines
from pipelines.trends import exact
from warehouse import budget, disclosure, draft, totals
from warehouse.budget import Cost
from warehouse.disclosure import Plan
from warehouse.draft import Draft, Table
from warehouse.lake import Lake
from warehouse.period import Period
from warehouse.release_settings import Release
from warehouse.trend import Trend, load

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
    """The draft of a period for an audience: the one that there is, or a new one, which spends budget on the
    tables that were not drawn of that period and these sites yet.

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
        there = {} if again else drawn(data, period, where_of)
        new = [one for one in chosen if one.name not in there]
        each = Cost(sum(plans[one.name].rho for one in new), sum(plans[one.name].delta for one in new))
        costs = {(site, month): each for site in where_of for month in period.months}
        budget.afford(data, costs, settings)
        cells = exact(data, period, where_of, new, where, buckets) if new else {}
        if new and not cells:
            raise Refused(409, "no_facts", f"there are no facts of {period.name} yet")
        snapshot, refused = _state(data, period, where_of)
        made_of = {
            "snapshot": snapshot, "version": version, "rho": each.rho, "delta": each.delta,
            "trends": {one.name: one.sha256 for one in chosen},
            "drawn_in": {one.name: there[one.name][0] for one in chosen if one.name in there},
        }  # fmt: skip
        budget.reserve(data, name, request, costs, settings, now)
        into = draft.folder(data) / name
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        tables = [
            _same(data, into, *there[one.name])
            if one.name in there
            else _table(into, one, cells[one.name], period, where_of, plans[one.name], settings)
            for one in chosen
            if one.name in there or one.name in cells
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


def price(audience: str, settings: Release) -> dict[str, Plan]:
    """What a draft would cost each month of any period, by trend: `rho_draft` shared by weight among all
    trends there are, whomever they are for."""
    weights = {one.name: _share(one, settings) * sum(part.weight for part in one.parts)
               for one in load().values()}  # fmt: skip
    chosen = [one for one in load().values() if audience in one.audiences and weights[one.name]]
    if not chosen:
        raise Refused(400, "audience", f"no trend is for {audience}: see `audiences` in warehouse/trends")
    whole = sum(weights.values())
    found = {
        one.name: disclosure.plan(one, settings.rho_draft * weights[one.name] / whole, settings)
        for one in chosen
    }
    risk = sum(how.delta for how in found.values())
    if risk > settings.delta:
        raise Misconfigured(
            "release.delta", settings.delta, f"at least {risk:g}: what private selection risks"
        )
    return found


def drawn(data: Path, period: Period, sites: Sequence[str]) -> dict[str, tuple[str, Table]]:
    """Tables that were drawn of that period and these sites, by trend as it is now: the draft, the table."""
    found: dict[str, tuple[str, Table]] = {}
    for name, state in budget.states(data).items():
        made = draft.read(data, name) if state == budget.MADE else None
        if made is None or (made.period, made.sites) != (period.name, tuple(sorted(sites))):
            continue
        for one in made.tables:
            trend = load().get(one.name)
            if trend is not None and made.made_of["trends"].get(one.name) == trend.sha256:
                found[one.name] = (made.made_of["drawn_in"].get(one.name, name), one)
    return found


def _same(data: Path, into: Path, name: str, one: Table) -> Table:
    shutil.copyfile(draft.folder(data) / name / f"{one.name}.parquet", into / f"{one.name}.parquet")
    return one


def _table(
    into: Path,
    one: Trend,
    cells: pa.Table,
    period: Period,
    sites: tuple[str, ...],
    how: Plan,
    settings: Release,
) -> Table:
    shown = disclosure.disclose(one, cells, period, sites, how, settings.confidence)
    return draft.table_of(
        into, shown.table, name=one.name, title=one.title, doc=one.doc, method=shown.method,
        purpose=one.purpose, keys=one.keys, numbers=shown.numbers, held_back=shown.held_back,
        cells=one.cells * len(period.months), least=settings.min_group * one.times, rho=how.rho,
        delta=how.delta,
    )  # fmt: skip


def _share(one: Trend, settings: Release) -> float:
    return settings.shares.get(one.name, 1.0)


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
