"""Margin: a total less the parts of it that are published is what is not.

A total and its parts may be of different tables: any two whose keys contain each other (countries and
consent_mix, a day and its hours). People of several rows overlap, so that a total less its parts is at least
so many people; and they are at most as many as the events that are left.
"""

from __future__ import annotations

from collections.abc import Iterator

from warehouse.attack.evidence import EVERYONE, ONE_EACH, Evidence, Finding, Sheet, Sure, named, place

_SAYS = "the total in {} less the rows that are shown is a group too small"


def margin(evidence: Evidence) -> Iterator[Finding]:
    """Totals whose hidden rest is of a few."""
    for coarse, fine in evidence.pairs():
        yield from _rests(evidence, coarse, fine)


def _rests(evidence: Evidence, coarse: Sheet, fine: Sheet) -> Iterator[Finding]:
    by = ", ".join(coarse.keys)
    shared = [name for name in coarse.numbers if name in fine.numbers]
    left = ", ".join(f"any_value(c.{n}) - sum(f.{n})::BIGINT AS {n}" for n in shared)
    for row in evidence.rows(
        f"SELECT {by}, count(*)::BIGINT AS parts, {left} FROM now_{coarse.name} c JOIN now_{fine.name} f"
        f" USING ({by}) WHERE {named(coarse.keys, 'c.')} GROUP BY {by}"
    ):
        sure = judge(evidence, coarse, fine, row, row["parts"])
        if sure:
            says = _SAYS.format(coarse.name)
            yield Finding("margin", fine.name, place(row, coarse.keys), says, sure)


def judge(evidence: Evidence, coarse: Sheet, fine: Sheet, left: dict[str, int], parts: int) -> Sure | None:
    """How sure it is that what is left (number → total less so many parts) is of a few."""
    off = {n: coarse.off(n) + parts * fine.off(n) for n in coarse.numbers}
    sizes = EVERYONE if coarse.people else coarse.sums[:1]
    for number in sizes:
        # Each of the people who are left has one at least: so they are some, and fewer than these.
        if number in left and left[number] - off[number] > 0 and left[number] + off[number] < evidence.k:
            return Sure.CERTAIN
    one_each = coarse.people and {*fine.keys} - {*coarse.keys} <= ONE_EACH
    if one_each and left["people"] - off["people"] > 0 and left["people"] + off["people"] < evidence.k:
        return Sure.LIKELY
    return None
