"""Linkage: what everyone can see of members is what an attacker knows already (M37, M97).

A table of public facts, one a row: `user` (the name that the marketplace shows), `site`, `day`, `act`
(last_login, bid, rating, post …, as the site's events are named), `n` (how many; 1 where it is not said). It
is given by the operator and read into memory only (`public_facts`); a user's name is in no finding.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa

from consent_filter.errors import Misconfigured
from warehouse.attack.evidence import CLOSED, ONE_EACH, Evidence, Finding, Sure, place

FILE = "public.csv"
PUBLIC = pa.schema(
    [
        ("user", pa.string()),
        ("site", pa.string()),
        ("day", pa.date32()),
        ("act", pa.string()),
        ("n", pa.int64()),
    ]
)
#: An act that says of its day only that the person was there.
LAST_LOGIN = "last_login"


def public_facts(data: Path) -> pa.Table | None:
    """The facts of a data folder; None where it has none. Raises Misconfigured without a word of them."""
    file = data / FILE
    if not file.exists():
        return None
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = [
                (
                    row["user"],
                    row["site"],
                    date.fromisoformat(row["day"][:10]),
                    row["act"],
                    int(row.get("n") or 1),
                )
                for row in csv.DictReader(lines)
            ]
    except (KeyError, ValueError, TypeError):
        raise Misconfigured(FILE, "a line", "columns user, site, day (2026-09-01), act, and n") from None
    columns = [
        pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), PUBLIC.types, strict=True)
    ]
    return pa.table(columns, schema=PUBLIC) if rows else PUBLIC.empty_table()


def names(evidence: Evidence) -> Iterator[Finding]:
    """Keys in which a public user name stands: as the word, or as a part of it between / ? & = # …"""
    if evidence.public is None:
        return
    for one in evidence.sheets.values():
        for key in one.keys:
            if key in CLOSED:
                continue
            (found,) = evidence.rows(
                f"SELECT count(DISTINCT word) AS n FROM (SELECT {key}::VARCHAR AS word,"
                rf" unnest(list_append(regexp_split_to_array(lower({key}::VARCHAR), '[/?&=#,;:@ ]+'),"
                f" lower({key}::VARCHAR))) AS part FROM now_{one.name})"
                " WHERE part IN (SELECT lower(user) FROM public)"
            )
            if found["n"]:
                says = f"{found['n']} words of the key {key} are names of public members"
                yield Finding("names", one.name, f"the key {key}", says, Sure.LIKELY)


def leftover(evidence: Evidence) -> Iterator[Finding]:
    """Rows of which so many are public members that the others are a few: bids of a day, visitors of a day.

    Public is who did what on which day. The row less them is the others, and its numbers less theirs are what
    the others did.
    """
    if evidence.public is None:
        return
    for one in evidence.daily():
        if "name" in one.keys:
            on, acts = "AND act = name AND name IS NOT NULL", True
        elif one.keys == ("site", "day"):
            on, acts = "", False
        else:
            continue
        keys, off = ", ".join(f"o.{key}" for key in one.keys), one.off("people")
        for row in evidence.rows(
            f"SELECT {keys}, any_value(people) - count(DISTINCT p.user) AS less FROM now_{one.name} o"
            f" JOIN public p ON p.site = o.site AND p.day = o.day {on} GROUP BY {keys}"
        ):
            if off < row["less"] < evidence.k - off:
                says = "less the members who are public there it is a group too small"
                sure = Sure.LIKELY if acts else Sure.POSSIBLE
                yield Finding("leftover", one.name, place(row, one.keys, "?"), says, sure)


def shared(evidence: Evidence) -> Iterator[Finding]:
    """Rows that everyone of a day is in, on days on which members are publicly known to have been there."""
    if evidence.public is None or "traffic_day" not in evidence.sheets:
        return
    for one in evidence.daily():
        rest = {*one.keys} - {"site", "day"}
        if not rest or not rest <= ONE_EACH or one.off("people") or one.purpose != "measurement":
            continue
        for row in evidence.rows(
            f"SELECT o.* FROM now_{one.name} o JOIN now_traffic_day t USING (site, day)"
            " WHERE o.people = t.people AND (site, day) IN (SELECT (site, day) FROM public)"
        ):
            says = "everyone of the day is in this row, members among them who are publicly known to be there"
            yield Finding("shared", one.name, place(row, one.keys), says, Sure.LIKELY)
