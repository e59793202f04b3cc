"""Update: the same table before and after. What became less is who left, unless others came meanwhile.

How many can have come follows from what is published, too: an event that came is in the balance of its day.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from warehouse.attack.evidence import ONE_EACH, Evidence, Finding, Sheet, Sure, named, place

_LEFT = "since an earlier version it lost a group too small"


def update(evidence: Evidence) -> Iterator[Finding]:
    """Every pair of the tables now and of a version before: rows, and totals less rows, that lost a few."""
    for one in evidence.daily():
        if f"was_{one.name}" in evidence.there:
            yield from _rows(evidence, one)
    for coarse, fine in evidence.pairs():
        if (
            coarse.people
            and "events" in coarse.sums
            and {f"was_{coarse.name}", f"was_{fine.name}"} <= evidence.there
        ):
            yield from _rests(evidence, coarse, fine)


def _rows(evidence: Evidence, one: Sheet) -> Iterator[Finding]:
    """Rows that are shown in both. "(other)" is of others each time."""
    keys = ", ".join(one.keys)
    numbers = ["people", *(name for name in ("events",) if name in one.sums)]
    less = ", ".join(f"w.{name} - o.{name} AS {name}" for name in numbers)
    some = " OR ".join(f"w.{name} > o.{name}" for name in numbers)
    for row in evidence.rows(
        f"SELECT {keys}, stands, w._version, {less}, {_came(evidence)} AS came"
        f" FROM (SELECT *, row_number() OVER (ORDER BY {keys}) AS stands FROM now_{one.name}) o"
        f" JOIN was_{one.name} w USING ({keys}) {_balances(evidence)}"
        f" WHERE {named(one.fold, 'o.')} AND ({some})"
    ):
        for number in numbers:
            off = 2 * one.off(number)
            if row[number] > off and row[number] + 2 * row["came"] + off < evidence.k:
                sure = _sure(evidence, row)
                yield Finding("update", one.name, place(row, one.keys, row["stands"]), _LEFT, sure)
                break


def _rests(evidence: Evidence, coarse: Sheet, fine: Sheet) -> Iterator[Finding]:
    """Totals less the rows that are shown in both versions."""
    by, keys = ", ".join(coarse.keys), ", ".join(fine.keys)
    one_each = {*fine.keys} - {*coarse.keys} <= ONE_EACH
    numbers = [name for name in ("people", "events") if name in coarse.numbers and name in fine.numbers]
    less = ", ".join(
        f"any_value(cw.{name} - c.{name}) - sum(w.{name} - o.{name})::BIGINT AS {name}" for name in numbers
    )
    for row in evidence.rows(
        f"SELECT {by}, w._version, count(*)::BIGINT AS parts, {less}, any_value({_came(evidence)}) AS came"
        f" FROM now_{fine.name} o JOIN was_{fine.name} w USING ({keys}) JOIN now_{coarse.name} c USING ({by})"
        f" JOIN was_{coarse.name} cw USING ({by}, _version) {_balances(evidence)}"
        f" WHERE {named(fine.keys, 'o.')} GROUP BY {by}, w._version"
    ):
        for number in numbers:
            off = 2 * (coarse.off(number) + row["parts"] * fine.off(number))
            if number == "people" and not one_each:
                continue
            if row[number] > off and row[number] + 2 * row["came"] + off < evidence.k:
                says = f"of its total in {coarse.name}, what is not shown lost a group too small"
                yield Finding("update", fine.name, place(row, coarse.keys), says, _sure(evidence, row))
                break


def _balances(evidence: Evidence) -> str:
    if {"now_balance", "was_balance"} <= evidence.there:
        return (
            "LEFT JOIN (SELECT b.site, b.day, v._version, greatest(b.received - v.received, 0) AS came"
            " FROM now_balance b JOIN was_balance v USING (site, day)) b USING (site, day, _version)"
        )
    return ""


def _came(evidence: Evidence) -> str:
    """At most how many people came since; where no balance is shown, none are known to."""
    return "coalesce(b.came, 0)" if _balances(evidence) else "0"


def _sure(evidence: Evidence, row: Mapping[str, Any]) -> Sure:
    """Corrections and logins change a few rows, too, and are not batched: only a restatement is certain."""
    since = evidence.before[row["_version"]].since
    if since is None:
        return Sure.CERTAIN
    return Sure.CERTAIN if "restated" in since.get((row["site"], row["day"]), ()) else Sure.POSSIBLE
