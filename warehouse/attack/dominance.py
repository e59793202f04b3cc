"""Dominance: a number that one person made nearly alone says what that person did."""

from __future__ import annotations

from collections.abc import Iterator

from warehouse.attack.evidence import Evidence, Finding, Sure, place

#: The most of a number that one person may have made.
SHARE = 0.1
#: Numbers of a row → another that is a part of it for everyone. `net_x` is of `x`.
PARTS = {"visits": "bounces", "impressions": "measured", "measured": "viewable"}


def dominance(evidence: Evidence) -> Iterator[Finding]:
    """Numbers of which one person made more than a tenth. Only internal counts know: what is published is
    compared with the largest part (`Evidence.largest`)."""
    for name in evidence.largest:
        one = evidence.declared[name]
        keys = ", ".join(one.keys)
        there = {row["column_name"] for row in evidence.rows(f"DESCRIBE largest_{name}")}
        for number in (number for number in one.sums if number in there):
            for row in evidence.rows(
                f"SELECT o.* FROM (SELECT *, row_number() OVER (ORDER BY {keys}) AS stands FROM now_{name}) o"
                f" JOIN largest_{name} l USING ({keys})"
                f" WHERE l.{number} > {SHARE} * o.{number}"
            ):
                says = f"one person made more than a tenth of {number}"
                yield Finding("dominance", name, place(row, one.keys, row["stands"]), says, Sure.CERTAIN)


def few_acts(evidence: Evidence) -> Iterator[Finding]:
    """Numbers that are smaller than a group, in rows of a whole group: at most so many of it did that."""
    for one in evidence.daily():
        keys = ", ".join(one.keys)
        for number in one.sums if not one.off("people") else ():
            for row in evidence.rows(
                f"FROM (SELECT *, row_number() OVER (ORDER BY {keys}) AS stands FROM now_{one.name})"
                f" WHERE {number} > 0 AND {number} < {evidence.k}"
            ):
                says = f"fewer than a group made what is in {number}"
                yield Finding("few_acts", one.name, place(row, one.keys, row["stands"]), says, Sure.CERTAIN)


def less(evidence: Evidence) -> Iterator[Finding]:
    """A number of a row less one that is a part of it: the acts of a few (visits that did not bounce). Of a
    group of people, as for `few_acts`: not whose they are."""
    for one in evidence.daily():
        keys = ", ".join(one.keys)
        pairs = [(whole, part) for whole, part in PARTS.items() if {whole, part} <= set(one.sums)]
        pairs += [(name, f"net_{name}") for name in one.sums if f"net_{name}" in one.sums]
        for whole, part in pairs if not one.off("people") else ():
            for row in evidence.rows(
                f"FROM (SELECT *, row_number() OVER (ORDER BY {keys}) AS stands FROM now_{one.name})"
                f" WHERE {whole} > {part} AND {whole} - {part} < {evidence.k}"
            ):
                says = f"fewer than a group made what is in {whole} and not in {part}"
                yield Finding("less", one.name, place(row, one.keys, row["stands"]), says, Sure.CERTAIN)
