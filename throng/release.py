"""`throng release`: drafts of what leaves the house, what they cost, and what is left (S9)."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from throng import __version__, lock
from throng.jobs import vet
from throng.release_options import WHERE
from throng.settings import load

if TYPE_CHECKING:
    from warehouse.disclosure import Plan
    from warehouse.followed import Spent
    from warehouse.period import Period


def main(arguments: Namespace) -> int:
    where = WHERE[arguments.what]
    if where != __name__:
        return int(import_module(where).main(arguments))
    return {"draft": _draft, "list": _list, "show": _show, "budget": _budget}[arguments.what](arguments)


def _draft(arguments: Namespace) -> int:
    from ingest.settings import Sites
    from pipelines import drafting, drawing
    from warehouse import period

    settings = load(arguments.data)
    when = period.read(arguments.period)
    if arguments.price:
        return _price(arguments, drawing.price(arguments.audience, settings.release), when)
    sites = [Sites(settings.site).named(name) for name in arguments.sites]
    with lock.pipeline(arguments.data):  # what is being erased is not drafted
        vet(arguments.data)
        made = drafting.run(
            arguments.data,
            arguments.audience,
            when,
            settings.site,
            settings.release,
            settings.pipelines,
            sites=sites,
            again=arguments.again,
            version=__version__,
        )
    return _say(arguments, made)


def _price(arguments: Namespace, plans: Mapping[str, Plan], when: Period) -> int:
    """What a draft would cost and give, whatever the facts are: noise hangs on caps and budget alone."""
    from warehouse import mechanism

    rho, delta = sum(how.rho for how in plans.values()), load(arguments.data).release.delta
    if arguments.format == "json":
        each = {
            name: {"rho": how.rho, "from_people": how.least, "sigma": how.sigmas}
            for name, how in plans.items()
        }
        print(json.dumps({"months": when.months, "rho": rho, "trends": each}))
        return 0
    rows: list[list[object]] = [["table", "rho", "from people", "numbers"]]
    for name, how in plans.items():
        numbers = ", ".join(f"{number} ±{2 * sigma:.0f}" for number, sigma in how.sigmas.items())
        rows.append([name, f"{how.rho:.4f}", how.least, numbers])
    _table(rows)
    print(
        f"\nrho {rho:.4f} of each of {', '.join(when.months)}, of each site (epsilon"
        f" {mechanism.epsilon(rho, delta):.2f} at delta {delta:g}). Nothing is drawn, nothing is spent."
    )
    return 0


def _show(arguments: Namespace) -> int:
    from warehouse import draft

    made = draft.read(arguments.data, arguments.draft)
    if not arguments.table:
        return _say(arguments, made)
    if arguments.table not in {one.name for one in made.tables}:
        from consent_filter.errors import Refused

        raise Refused(404, "table", f"that draft has: {', '.join(one.name for one in made.tables)}")
    rows = draft.table(arguments.data, arguments.draft, arguments.table).to_pylist()
    if arguments.format == "json":
        print(json.dumps(rows))
    else:
        _table([list(rows[0]) if rows else ["(no row is shown)"], *(list(row.values()) for row in rows)])
    return 0


def _list(arguments: Namespace) -> int:
    from warehouse import budget, draft

    found = []
    for name, state in reversed(budget.states(arguments.data).items()):
        if state == budget.MADE:
            made = draft.read(arguments.data, name)
            rho = made.made_of.get("rho", 0.0)
            found.append([name, _when(made.made_at), ", ".join(made.sites), len(made.tables), f"{rho:.4f}"])
        else:
            found.append([name, state, "", "", ""])
    if arguments.format == "json":
        names = ("id", "made", "sites", "tables", "rho_a_month")
        print(json.dumps([dict(zip(names, row, strict=True)) for row in found]))
    else:
        _table([["draft", "made", "sites", "tables", "rho a month"], *found])
    return 0


def _budget(arguments: Namespace) -> int:
    from warehouse import budget, exits, followed, mechanism

    whole = load(arguments.data)
    settings, found = whole.release, budget.accounts(arguments.data, whole.release)
    funnels = followed.spending(arguments.data, whole.warehouse.funnel_rho_month)
    if arguments.format == "json":
        print(msgspec.json.encode({"packs": found, "funnels": funnels}).decode())
        return 0
    rows: list[list[object]] = [
        ["site", "month", "limit", "spent", "left", "epsilon", "numbers", "left of them", "by"]
    ]
    for one in found:
        eps = mechanism.epsilon(one.spent, settings.delta)
        by = [f"{name} {rho:.4f}" for name, rho in one.by.items()]
        by += [f"{report} {figures:,}" for report, figures in one.told.items()]
        rows.append(
            [one.site, one.month, f"{one.limit:g}", f"{one.spent:.4f}", f"{one.left:.4f}", f"{eps:.2f}",
             sum(one.told.values()), one.may_tell, ", ".join(by)]
        )  # fmt: skip
    _table(rows)
    eps = mechanism.epsilon(settings.rho_month, settings.delta)
    year = mechanism.epsilon(settings.rho_year, settings.delta)
    print(
        f"\nlimit, spent and left in zCDP (rho); epsilon at delta {settings.delta:g}. What is spent stays"
        f" spent. A month of which nothing was drawn has {settings.rho_month:g} (epsilon {eps:.2f}); the"
        f" months of a year together {settings.rho_year:g} ({year:.2f}).\nnumbers: in how many numbers of"
        " the month one person can be at most by what left without such a cost (own rows of advertisers and"
        " partners, share"
        f" links, segments): their noise is bounded, drawn once, and has no epsilon. A month has"
        f" {settings.figures_month:,}. Pages and queries, which stay inside, have all tables there are:"
        f" {exits.inside('2026-01'):,} in a month of 31 days."
    )
    if funnels:
        _funnels(funnels, settings.delta)
    return 0


def _funnels(accounts: Sequence[Spent], delta: float) -> None:
    from warehouse import mechanism

    print("\nFunnels of one's own have accounts of theirs (docs/funnels.md); who holds both holds the sum.")
    rows: list[list[object]] = [["site", "month", "limit", "spent", "left", "epsilon", "funnels"]]
    for one in accounts:
        rho = [f"{one.limit:g}", f"{one.spent:.4f}", f"{one.left:.4f}"]
        rows.append([one.site, one.month, *rho, f"{mechanism.epsilon(one.spent, delta):.2f}", one.funnels])
    _table(rows)


def _say(arguments: Namespace, made: Any) -> int:
    if arguments.format == "json":
        print(msgspec.json.encode(made).decode())
        return 0
    print(f"draft     {made.id}\nmade      {_when(made.made_at)}\nsites     {', '.join(made.sites)}")
    spent = made.made_of.get("rho", 0.0)
    print(f"cost      rho {spent:.4f} of each month (zCDP)\nintervals {made.confidence:.0%}\n")
    rows: list[list[object]] = [["table", "rows", "held back", "from people", "numbers"]]
    for one in made.tables:
        numbers = ", ".join(f"{number.name} ±{2 * number.scale:.0f}" for number in one.numbers)
        rows.append(
            [one.name, one.rows, "not told" if one.held_back is None else one.held_back, one.least, numbers]
        )
    _table(rows)
    return 0


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _table(rows: Sequence[Sequence[object]]) -> None:
    """Columns side by side, the first row their names."""
    texts = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
