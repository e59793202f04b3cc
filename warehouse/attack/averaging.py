"""Averaging: the same question asked again has the same answer, or its noise is averaged away."""

from __future__ import annotations

from collections.abc import Iterator

from warehouse.attack.evidence import Evidence, Finding, Sure, place

#: Rows of a day that differ, and which share of them: fewer may be a correction or a login.
_ROWS, _SHARE = 4, 0.5


def averaging(evidence: Evidence) -> Iterator[Finding]:
    """Days on which nothing came and which nobody left, and most of whose numbers changed all the same."""
    if not {"now_balance", "was_balance"} <= evidence.there:
        return
    for one in evidence.daily():
        if f"was_{one.name}" not in evidence.there:
            continue
        numbers = [f"o.{name} IS DISTINCT FROM w.{name}" for name in one.numbers]
        for row in evidence.rows(
            "SELECT site, day, _version, count(*)::BIGINT AS rows, sum(differs::INT)::BIGINT AS other"
            f" FROM (SELECT site, day, _version, {' OR '.join(numbers)} AS differs FROM now_{one.name} o"
            f" JOIN was_{one.name} w USING ({', '.join(one.keys)})) SEMI JOIN (SELECT b.site, b.day,"
            " v._version FROM now_balance b JOIN was_balance v USING (site, day, received, stored))"
            " USING (site, day, _version) GROUP BY site, day, _version HAVING other > 0"
        ):
            why = (evidence.before[row["_version"]].since or {}).get((row["site"], row["day"]), frozenset())
            if why & {"restated", "returned", "rules"}:
                continue
            many = row["rows"] >= _ROWS and row["other"] >= row["rows"] * _SHARE
            says = f"the same was counted, and {'most' if many else 'some'} numbers are others than before"
            sure = Sure.CERTAIN if many else Sure.POSSIBLE
            yield Finding("averaging", one.name, place(row, ("site", "day")), says, sure)


def exact(evidence: Evidence) -> Iterator[Finding]:
    """A number that is exact in one table and noisy in another: a total gives the sum of its parts' noise,
    and a part that is known otherwise the noise of the others."""
    for coarse in evidence.declared.values():
        for fine in evidence.declared.values():
            if coarse.name == fine.name or coarse.purpose != fine.purpose:
                continue
            if not set(coarse.keys) & set(fine.keys) or coarse.people != fine.people:
                continue
            for number in coarse.numbers:
                if number in fine.numbers and not coarse.off(number) and fine.off(number):
                    says = f"{number} is exact here and noisy in {fine.name}"
                    yield Finding("exact", coarse.name, "the whole table", says, Sure.CERTAIN)
