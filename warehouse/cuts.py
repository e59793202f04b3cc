"""Keys that turn a lasting pseudonym into one of a single day, and are destroyed soon after.

All rows of a person and a day must get the same new pseudonym, or one person would be counted as several; no
day's may be joined to another's, or to the lasting one. So each day, and each term, has a random key of its
own, made when the first of its rows is cut and destroyed when the last should have been.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from consent_filter.keyfile import write
from warehouse.decay import made_cuts

FILE = "cuts.json"
#: Days after the first of a day's rows are cut that its key is kept, for those received later than the day.
GRACE = 3


def keys(folder: Path, wanted: Collection[tuple[date, int]]) -> pa.Table:
    """The key of each (day, days), as `decay.Due.cuts`; those that are new are durable on return."""
    held = _read(folder)
    names = {(day, days): f"{day.isoformat()}/{days}" for day, days in wanted}
    new = {name: secrets.token_hex(32) for name in names.values() if name not in held}
    if new:
        write(folder / FILE, json.dumps(held | new).encode())
    held |= new
    return made_cuts((day, days, held[name]) for (day, days), name in names.items())


def destroy(folder: Path, today: date) -> None:
    """Destroy the keys of days whose rows have been cut."""
    held = _read(folder)
    stay = {name: key for name, key in held.items() if not _over(name, today)}
    if len(stay) < len(held):
        write(folder / FILE, json.dumps(stay).encode())


def _over(name: str, today: date) -> bool:
    day, _, days = name.partition("/")
    return date.fromisoformat(day) + timedelta(days=int(days) + GRACE) <= today


def _read(folder: Path) -> dict[str, str]:
    file = folder / FILE
    held: dict[str, str] = json.loads(file.read_bytes()) if file.exists() else {}
    return held
