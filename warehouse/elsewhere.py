"""Campaigns that are shown elsewhere: what others say of them, in sums by day, beside the visits here (M77).

A file of another party may hold rows of people. Only these columns are read, and a file with any other is
refused whole: a sum of a day by source and campaign is all that is taken in, and all that is kept.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from consent_filter import keyfile
from consent_filter.errors import Misconfigured
from warehouse.catalogue_rows import fits

#: Its name in the data folder.
FILE = "elsewhere.csv"
KEYS = ("day", "source", "campaign")
SUMS = ("impressions", "clicks", "cost")
#: What a column may be called, to be repeated: a file without a first line begins with somebody's values.
_COLUMN = re.compile(r"[a-z_]{1,24}")
#: A file of totals is short: one with more lines than that is something else.
MOST = 100_000
_ALLOWED = f"{', '.join(KEYS)} and sums: {', '.join(SUMS)}. Nothing else is taken: no ids of clicks, nobody's"


class Total(NamedTuple):
    """What a source says of a campaign on a day. cost: in the operator's own currency."""

    day: date
    source: str
    campaign: str
    impressions: int
    clicks: int
    cost: float


def parse(text: str) -> list[Total]:
    """The totals in a CSV file. Raises Misconfigured for what is no sum of a day: another column, a name that
    may be somebody's, two lines of one day, source and campaign (then they are rows, and not sums)."""
    lines = text.removeprefix("\ufeff")
    first = lines.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(lines), delimiter=max(",;\t", key=first.count), strict=True)
    names = [name.strip().lower() for name in reader.fieldnames or []]
    reader.fieldnames = names
    for name in names:
        if name not in (*KEYS, *SUMS) or names.count(name) > 1:
            raise Misconfigured("line 1", name if _COLUMN.fullmatch(name) else "…", _ALLOWED)
    if lacking := [name for name in KEYS if name not in names]:
        raise Misconfigured("line 1", ", ".join(lacking), _ALLOWED)
    found: dict[tuple[date, str, str], Total] = {}
    try:
        for said in reader:
            one = _total(said, f"line {reader.line_num}")
            if one[:3] in found:
                raise Misconfigured(
                    f"line {reader.line_num}",
                    "…",
                    "one line for each day, source and campaign: sums, not rows",
                )
            found[one[:3]] = one
            if len(found) > MOST:
                raise Misconfigured(f"line {reader.line_num}", "…", f"at most {MOST} lines")
    except csv.Error as error:
        raise Misconfigured(f"line {reader.line_num}", "…", f"CSV (RFC 4180); {error}") from None
    return list(found.values())


def _total(said: dict[Any, Any], line: str) -> Total:
    if None in said:
        raise Misconfigured(line, "…", "as many cells as the first line has")
    cells = {name: (cell or "").strip() for name, cell in said.items()}
    try:
        day = date.fromisoformat(cells["day"])
    except ValueError:
        raise Misconfigured(f"{line}: day", "…", "a day, such as 2026-03-01") from None
    for name in ("source", "campaign"):
        if not fits(cells[name]):
            raise Misconfigured(
                f"{line}: {name}", "…", "letters, digits, . _ -; nothing that may be somebody's"
            )
    sums = []
    for name, read in (("impressions", int), ("clicks", int), ("cost", float)):
        try:
            number = read(cells.get(name) or "0")
            if not 0 <= number < 1e12:
                raise ValueError
        except ValueError:
            raise Misconfigured(f"{line}: {name}", "…", "a number, 0 or more") from None
        sums.append(number)
    return Total(day, cells["source"], cells["campaign"], int(sums[0]), int(sums[1]), float(sums[2]))


def read(data: Path) -> list[Total]:
    """What was taken in so far."""
    file = data / FILE
    return parse(file.read_text()) if file.exists() else []


def add(data: Path, some: list[Total]) -> tuple[int, int]:
    """Take them in, in place of those of the same day, source and campaign. How many are new, and changed."""
    held = {one[:3]: one for one in read(data)}
    new = sum(one[:3] not in held for one in some)
    changed = sum(held.get(one[:3], one) != one for one in some)
    held |= {one[:3]: one for one in some}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*KEYS, *SUMS))
    writer.writerows(sorted(held.values()))
    keyfile.write(data / FILE, out.getvalue().encode())
    return new, changed


def beside(totals: list[Total], visits: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """A row for each campaign: what others say, the visits here that were tagged with it, and what each of
    them cost. `visits`: campaign and visits, of published tables, so of groups only."""
    here = dict(visits)
    sums: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for one in totals:
        for place, number in enumerate(one[3:]):
            sums[one.campaign][place] += number
    rows = []
    for campaign, (impressions, clicks, cost) in sorted(sums.items()):
        came = here.get(campaign)
        said = {"campaign": campaign, "impressions": int(impressions), "clicks": int(clicks)}
        each = round(cost / came, 2) if came else None
        rows.append({**said, "cost": round(cost, 2), "visits_here": came, "cost_a_visit": each})
    return rows
