"""Files of totals: ours written from what is published, and two of them compared by reason (S18)."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from consent_filter.errors import Misconfigured, Refused
from throng.settings import load
from warehouse import exits, own_rows
from warehouse.reader import Reader
from warehouse.reconciliation import COUNTED, Finding, Total
from warehouse.reconciliation import reconcile as compare
from warehouse.report import OTHER

REPORT, REFUSALS = "advert_hours", "advert_refusals"
COLUMNS = ("campaign", "deed", "hour", "counted_as", "n")


def write(data: Path, campaigns: list[str], file: Path) -> int:
    """Write the totals of these campaigns: rows of what is published, of fifty people and more, and late; and
    of what was refused before it was stored, of fifty requests and more.

    No id is in it, nor anything made of one: there is nothing that could be tried against ids.
    """
    settings = load(data)
    reader = Reader(data, settings.warehouse)
    try:
        with reader.reading() as reading:
            today = datetime.now(UTC).date()
            found = own_rows.rows(reading, REPORT, campaigns, today)
            refused = own_rows.refusals(reading, REFUSALS, campaigns, today)
        exits.leave(data, settings.release, {REPORT: found})
    finally:
        reader.close()
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(COLUMNS)
    names = ("ad_campaign", "deed", "utc_hour", "counted_as", "n")
    sums = sorted(
        row
        for table in (found, refused)
        if table.num_rows
        for row in zip(*(table[name].to_pylist() for name in names), strict=True)
    )
    told = [row for row in sums if OTHER not in row]
    lines.writerows(told)
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as to:
            to.write(out.getvalue())
    except FileExistsError:
        raise Misconfigured("file", str(file), "a name that no file has yet") from None
    folded = sum(row[-1] for row in sums) - sum(row[-1] for row in told)
    names_of = ", ".join(campaigns)
    print(f"{len(told)} sums of {names_of}: {file}; {folded:,} events of hours with few people left out")
    return 0


def read(file: Path) -> Iterator[Total]:
    """The lines of a file of totals; where it does not say what they are counted as, all are counted. Raises
    Refused, naming the line."""
    with file.open(newline="") as text:
        for number, row in enumerate(csv.DictReader(text), 2):
            try:
                hour = f"{datetime.fromisoformat(row['hour'].removesuffix('Z')):%Y-%m-%dT%H}"
                n = int(row["n"])
                if n < 0:
                    raise ValueError
            except (KeyError, TypeError, ValueError, AttributeError):
                says = (
                    f"line {number} of {file.name} is not {','.join(COLUMNS)} with an hour like 2026-09-01T12"
                )
                raise Refused(400, "totals", says) from None
            yield Total(
                row["campaign"], row.get("deed") or "impression", hour, row.get("counted_as") or COUNTED, n
            )


def reconcile(ours: Path, theirs: Path) -> int:
    """Print what explains the difference. The exit code is 1 where more than a hundredth has no reason."""
    found = compare(read(ours), read(theirs))
    for one in found:
        print("\n".join(said(one)))
    return 0 if all(one.explained >= 0.99 for one in found) else 1


def said(one: Finding) -> Iterator[str]:
    """A finding in lines."""
    more = one.theirs - one.ours
    yield f"{one.campaign}, {one.deed}s: ours {one.ours:,}, theirs {one.theirs:,} ({more:+,})"
    for reason, n in sorted(one.reasons.items(), key=lambda it: -it[1]):
        yield f"  {n:>+12,}  {reason}: they count it, we do not" if n else f"  {0:>12}  {reason}: as we do"
    if one.clock:
        yield f"  {one.edges:>+12,}  their clock is {one.clock:+d} h: moved over the ends of these days"
    yield f"  {one.unexplained:>+12,}  unexplained ({one.explained:.1%} has a reason)"
