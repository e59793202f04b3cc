"""A crowd's events as a person would list them, and every report of them as the real job releases it."""

from __future__ import annotations

import csv
import sqlite3
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from consent_filter.advert import COUNTED
from consent_filter.counterpart import TYPE
from consent_filter.counts import COMPARED, DEEDS, RECEIVED, REFUSED, STORED, Counts, Key
from consent_filter.events import Events
from consent_filter.fields import EVENT
from consent_filter.ledger import Ledger
from consent_filter.links import Linked
from consent_filter.purpose import Purpose
from consent_filter.site import local
from warehouse import facts, links
from warehouse import report as reports
from warehouse.build import build
from warehouse.catalogue import NOTHING, Catalogue
from warehouse.lake import TABLES, Lake
from warehouse.recent import Recent
from warehouse.recordkeys import RecordKeys
from warehouse.relations import Bucket, Days, History, hold, offer_withdrawn
from warehouse.report import Report
from warehouse.restatement import Guard
from warehouse.settings import Warehouse

Row = Mapping[str, Any]

#: What a row of `facts.csv` has where it says nothing: noon (UTC) of a Tuesday, one allowed page view of `/`.
#: An advert's event is allowed for advert measurement instead. All columns that aren't here are null.
DEFAULTS: dict[str, Any] = {
    "site": "market",
    "time": "2026-09-01 12:00",
    "type": "page_view",
    "protocol": "beacon",
    "person": 1,
    "treatment": "identified",
    "policy": "workallies-2024/1",
    "path": "/",
    "country": "DE",
}
#: Counted and not stored: the reason and its detail. Columns of `facts.csv`, not of facts.
NOT_STORED = ("reason", "detail")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def person(number: int) -> int:
    """The pseudonym of a number: over all of 64 bits, as a keyed hash is, so that all buckets get some."""
    return (number * 0x9E37_79B9_7F4A_7C15) % (1 << 64)


def read(file: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows and settings of a `facts.csv`.

    Lines at its head: `# why the case exists`, and `#: ` with TOML: `zone` (UTC unless said), `withdrawn`
    (numbers of persons), or fields of `[warehouse]`; `min_group` is 1 unless said. A `person` is a number,
    or `1-12` for the same event of each of twelve. `time` is UTC.
    """
    lines = file.read_text().splitlines()
    assert lines[0].startswith("# "), f"{file}: its first line says why the case exists"
    said = tomllib.loads("\n".join(line.removeprefix("#:") for line in lines if line.startswith("#:")))
    rows = []
    for row in csv.DictReader(line for line in lines if line.strip() and not line.startswith("#")):
        first, _, last = (row.pop("person", None) or "1").partition("-")
        for number in range(int(first), int(last or first) + 1):
            rows.append({name: value for name, value in row.items() if value} | {"person": number})
    return rows, said


def events(rows: Iterable[Row], zone: str = "UTC") -> pa.RecordBatch:
    """Rows that were stored, as EVENT."""
    full = [whole(row, zone) for row in rows if "reason" not in row]
    return pa.record_batch(
        [pa.array([row.get(field.name) for row in full], field.type) for field in EVENT], schema=EVENT
    )


def whole(row: Row, zone: str = "UTC") -> dict[str, Any]:
    """A row with all that it doesn't say; `time` in UTC milliseconds, `day` in days since 1970."""
    adverts = str(row.get("type", "")).startswith("ad_")
    purposes = Purpose.AD_MEASUREMENT if adverts else Purpose.MEASUREMENT
    full = DEFAULTS | {"purposes": int(purposes)} | dict(row)
    numbers = ("event_id", "purposes", "duration_ms", "scroll", *COUNTED)
    full |= {name: int(full[name]) for name in numbers if full.get(name) is not None}
    if full.get("value") is not None:
        full["value"] = float(full["value"])
    at = milliseconds(full["time"])
    day, offset = _local(full.get("zone", zone), at)
    full |= {
        "time": at,
        "received": milliseconds(full.get("received", at)),
        "day": day,
        "offset_min": offset,
    }
    return full | {"person": person(int(full["person"]))}


@cache
def _local(zone: str, at: int) -> tuple[int, int]:
    """The day in a zone, and minutes east of UTC: of many rows of one moment asked once."""
    days, offsets = local(zone, np.array([at], np.int64))
    return int(days[0]), int(offsets[0])


@cache
def milliseconds(time: str | int) -> int:
    """UTC milliseconds of `2026-09-01 12:00` or `2026-09-01 12:00:00`; a number is one already."""
    if isinstance(time, int):
        return time
    return round((datetime.fromisoformat(time).replace(tzinfo=UTC) - _EPOCH) / timedelta(milliseconds=1))


def counts(rows: Iterable[Row], zone: str = "UTC") -> Counts:
    """What the collector counts of rows, stored and not."""
    found: Counts = Counter()
    for row in rows:
        full = whole(row, zone)
        if full["type"] == TYPE:  # the other side of an event is none
            continue
        shown = (full["type"], row.get("ad_campaign") or "") if full["type"].startswith("ad_") else ("", "")
        where = full["site"], full["day"], full["protocol"], full["country"] or "ZZ", *shown
        found[Key.at(where, RECEIVED)] += 1
        if "reason" in row:
            refused = Key.at(where, REFUSED, row["reason"], row.get("detail", ""))
            found[refused] += 1
            if full["type"] in DEEDS and row["reason"] in COMPARED:
                found[refused.hourly(full["time"] // 3_600_000)] += 1
        else:
            found[Key.at(where, STORED)] += 1
    return found


def lay(data: Path, rows: Sequence[Row], zone: str = "UTC") -> None:
    """Put rows into the lake of a data folder, as one stretch of the log is folded."""
    lake = Lake.open(data, write=True)
    assert lake is not None
    try:
        room, prefix = lake.room()
        written = facts.fold(Events.of(events(rows, zone)), counts(rows, zone), Recent(), room, prefix)
        lake.commit([Path(file) for file in written.files], {}, written.counts, written.rows)
    finally:
        lake.close()


def withdraw(data: Path, numbers: Iterable[int]) -> None:
    """Say in the ledger of a data folder that these persons have withdrawn, and nobody else."""
    Ledger.open(data / "ledger.sqlite").close()
    signed = np.array([person(number) for number in numbers], np.uint64).view(np.int64).tolist()
    with closing(sqlite3.connect(data / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("DELETE FROM withdrawn")
        ledger.executemany("INSERT INTO withdrawn (person, since) VALUES (?, 0)", [(one,) for one in signed])


def login(
    data: Path,
    logins: Iterable[tuple[int, int, str | int]],
    undone: Iterable[tuple[int, int, str | int]] = (),
) -> None:
    """Say in the ledger of a data folder that these logins stand, and no others; and that those did once."""
    Ledger.open(data / "ledger.sqlite").close()
    with closing(sqlite3.connect(data / "ledger.sqlite")) as ledger, ledger:
        for name, some in (("link", logins), ("undone", undone)):
            met = linked(some)
            device, account = (one.view(np.int64).tolist() for one in (met.device, met.account))
            ledger.execute(f"DELETE FROM {name}")
            ledger.executemany(
                f"INSERT INTO {name} VALUES (?, ?, ?, ?, ?)",
                [
                    (b"%d" % browser, b"%d" % owner, at, browser, owner)
                    for at, browser, owner in zip(met.at.tolist(), device, account, strict=True)
                ],
            )


def linked(logins: Iterable[tuple[int, int, str | int]]) -> Linked:
    """Logins (numbers of the device and the account, and when) as the ledger has them."""
    rows = [(person(device), person(account), milliseconds(at)) for device, account, at in logins]
    device, account, at = zip(*rows, strict=True) if rows else ((), (), ())
    return Linked(np.array(device, np.uint64), np.array(account, np.uint64), np.array(at, np.int64))


class Crowd:
    """Rows in memory, to be released again and again. `rows` may be in any order."""

    def __init__(self, rows: Sequence[Row], zone: str = "UTC") -> None:
        self._connection = duckdb.connect(config={"threads": 1})
        kinds = {"day": pa.int32(), "n": pa.int64()}
        keys = [(*key, n) for key, n in counts(rows, zone).items()]
        received = pa.table(
            {
                name: pa.array([key[place] for key in keys], kinds.get(name, pa.string()))
                for place, name in enumerate(TABLES["received"])
            }
        )
        received = received.set_column(1, "day", received["day"].cast(pa.date32()))
        hold(self._connection, "balance_of", received)
        hold(self._connection, "facts_of", pa.Table.from_batches([events(rows, zone)]))
        found = self._connection.execute(
            "SELECT DISTINCT day FROM facts_of UNION SELECT day FROM balance_of"
        ).fetchall()
        self._days = sorted(day for (day,) in found)

    def release(
        self,
        settings: Warehouse,
        *,
        of: int = 1,
        withdrawn: Iterable[int] = (),
        logins: Iterable[tuple[int, int, str | int]] = (),
        held: bool = True,
        chosen: Iterable[Report] | None = None,
        keys: RecordKeys | None = None,
        seen: list[pa.Table] | None = None,
        catalogue: Catalogue = NOTHING,
        guard: Guard | None = None,
    ) -> dict[str, pa.Table]:
        """Every report, of people in so many buckets. `held`: facts are small enough to be
        copied once. `logins`: device, account, time. `keys`: perturbed by these.
        `seen`: what the audit finds is put there. `guard`: what reports by day must mind."""
        con, buckets = self._connection, [Bucket(number, of) for number in range(of)]
        offer_withdrawn(con, np.array([person(number) for number in withdrawn], np.uint64))
        met = linked(logins)
        facts_of = links.offer(con, "facts_of", met)
        wanted = list(reports.load().values() if chosen is None else chosen)
        rows, many = 0 if held else 1 << 40, settings.max_cells
        days = Days(con, facts_of, "balance_of", self._days, rows=rows, many=many, catalogue=catalogue)
        daily = [one for one in wanted if one.grain == "day"]
        found = {
            one.name: made.table
            for one, made in build(con, days, daily, settings, buckets, keys, guard, seen)
        }
        whole = [one for one in wanted if one.grain == "all"]
        if whole:
            none = pa.table({"site": pa.array([], pa.string()), "day": pa.array([], pa.date32())})
            published = found.get("traffic_day", none)
            history = History(con, facts_of, "balance_of", published, buckets, min_group=settings.min_group)
            found |= {
                one.name: made.table for one, made in build(con, history, whole, settings, buckets, keys)
            }
        return found

    def close(self) -> None:
        self._connection.close()
