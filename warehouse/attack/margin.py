"""Margin: a total less the parts of it that are published is what is not.

A total and its parts may be of different tables: any two whose keys contain each other (countries and
consent_mix, a day and its hours). People of several rows overlap, so that a total less its parts is at least
so many people; and they are at most as many as the events that are left. Of other totals a report's header
says where they stand (`elsewhere`): variants of an experiment beside its events by day.
"""

from __future__ import annotations

from collections.abc import Iterator

from warehouse.attack.evidence import EVERYONE, ONE_EACH, Evidence, Finding, Sheet, Sure, named, place

_SAYS = "the total in {} less the rows that are shown is a group too small"


def margin(evidence: Evidence) -> Iterator[Finding]:
    """Totals whose hidden rest is of a few."""
    for coarse, fine in evidence.pairs():
        yield from _rests(evidence, coarse, fine)
    for one in evidence.sheets.values():
        if one.elsewhere and one.equals == 1 and one.elsewhere["report"] in evidence.sheets:
            yield from _aside(evidence, one, evidence.sheets[one.elsewhere["report"]])


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


def _aside(evidence: Evidence, parts: Sheet, total: Sheet) -> Iterator[Finding]:
    """Events of a total by day, from the first day of the parts, less those of the first rows that are shown.

    People of several days overlap, events do not. They are exact where nobody can have been capped: whoever
    was adds the cap, and each of the others one at least. Nothing follows where what one person adds is cut
    down to a share of the row (`dominance`), where a day may be in "(other)", and of several experiments at
    once, as an event may be of each.
    """
    says = f"its total in {total.name} less the rows that are shown is a group too small"
    words = {key: word for key, word in parts.elsewhere.items() if key != "report"}
    is_total = " AND ".join(f"{key} = ?" for key in words)
    rest = ", ".join(key for key in parts.keys if key not in parts.within)
    for row in evidence.rows(
        f"WITH firsts AS (FROM now_{parts.name} QUALIFY row_number()"
        f" OVER (PARTITION BY {', '.join(parts.within)} ORDER BY {rest}) = 1),"
        f" shown AS (SELECT site, min(begins) AS begins, sum(events) AS events, sum({_unsure(parts)}) AS off"
        f" FROM firsts GROUP BY site HAVING count(DISTINCT ({', '.join(parts.beside or ('site',))})) = 1),"
        f" days AS (SELECT site, day, any_value(events) FILTER ({is_total}) AS events,"
        f" any_value({_unsure(total)}) FILTER ({is_total}) AS off,"
        f" bool_or(NOT ({named(total.fold)})) AS folded FROM now_{total.name} GROUP BY site, day)"
        " FROM (SELECT s.site, s.begins, (sum(d.events) - any_value(s.events))::BIGINT AS rest,"
        " sum(d.off) + any_value(s.off) AS off, bool_or(d.events IS NULL AND folded) AS hidden"
        " FROM shown s JOIN days d ON d.site = s.site AND d.day >= s.begins GROUP BY s.site, s.begins)"
        " WHERE NOT hidden AND rest > off AND rest < ? - off",
        [*words.values(), *words.values(), evidence.k],
    ):
        yield Finding("margin", parts.name, place(row, ("site", "begins")), says, Sure.LIKELY)


def _unsure(one: Sheet) -> str:
    """At most how far the events of a row are from the exact ones: an expression of SQL."""
    most = one.off("events")
    capped = f"CASE WHEN events < {most} + people - 1 THEN 0 ELSE {most} END"
    return str(most) if one.off("people") else capped


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
