"""The tables of a draft, by month and site: what was drawn before as it was, the rest drawn now.

A month of a site is drawn once, whoever asks, for whatever period. So a quarter is its months, and who puts
together what several have received has nothing to average.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from consent_filter.errors import Misconfigured, Refused
from warehouse import budget, disclosure, draft
from warehouse.budget import Cost
from warehouse.disclosure import Plan
from warehouse.draft import Number, Table
from warehouse.period import Period
from warehouse.period import read as period_of
from warehouse.release_settings import Release
from warehouse.trend import Trend, load

#: (trend, site, month) → the draft that it was drawn in or came to, and its table there.
Drawn = dict[tuple[str, str, str], tuple[str, Table]]


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


def drawn(data: Path) -> Drawn:
    """What was drawn of trends as they are now, in the newest draft that has it."""
    found: Drawn = {}
    for name, state in budget.states(data).items():
        made = draft.read(data, name) if state == budget.MADE else None
        for one in made.tables if made else ():
            trend = load().get(one.name)
            if trend is not None and made and made.made_of["trends"].get(one.name) == trend.sha256:
                for site in made.sites:
                    for month in period_of(made.period).months:
                        found[one.name, site, month] = (name, one)
    return found


def together(plans: Iterable[Plan]) -> Cost:
    """What several tables cost."""
    found = list(plans)
    return Cost(sum(how.rho for how in found), sum(how.delta for how in found))


def table(
    data: Path,
    into: Path,
    one: Trend,
    cells: pa.Table | None,
    there: Drawn,
    period: Period,
    sites: tuple[str, ...],
    how: Plan,
    settings: Release,
) -> Table:
    """A table month by month: rows that were drawn before as they were, the others drawn now."""
    parts, clipped, scales, possible = list[pa.Table](), list[dict[str, float]](), list[dict[str, float]](), 0
    for month in map(period_of, period.months):
        possible += disclosure.possible(one, month, len(sites)) if not one.open else 0
        for site in sites:
            if (old := there.get((one.name, site, month.name))) is not None:
                name, earlier = old
                rows = draft.table(data, name, one.name)
                mine = [
                    row["site"] == site and one.month_of(row[one.keys[1]]) == month.name
                    for row in rows.select(list(one.keys[:2])).to_pylist()
                ]
                parts.append(rows.filter(pa.array(mine, pa.bool_())))
                clipped.append({number.name: number.clipped for number in earlier.numbers})
                scales.append({number.name: number.scale for number in earlier.numbers})
        new = [site for site in sites if (one.name, site, month.name) not in there]
        if new and cells is not None:
            shown = disclosure.disclose(one, cells, month, new, how, settings.confidence)
            parts.append(shown.table)
            clipped += [{number.name: number.clipped for number in shown.numbers}] * len(new)
            scales.append(how.sigmas)
    whole = pa.concat_tables(parts).sort_by([(key, "ascending") for key in one.keys])
    numbers = tuple(
        Number(
            name=part.name, says=part.says, most=part.most * one.cells * len(period.months),
            scale=max(scale[part.name] for scale in scales),
            clipped=round(sum(of[part.name] for of in clipped) / len(clipped), 3),
        )
        for part in one.parts
    )  # fmt: skip
    return draft.table_of(
        into, whole, name=one.name, title=one.title, doc=one.doc,
        method=disclosure.method(one, how, settings.confidence), purpose=one.purpose, keys=one.keys,
        numbers=numbers, held_back=None if one.open else possible - whole.num_rows,
        cells=one.cells * len(period.months), least=settings.min_group * one.times, rho=how.rho,
        delta=how.delta,
    )  # fmt: skip


def _share(one: Trend, settings: Release) -> float:
    return settings.shares.get(one.name, 1.0)
