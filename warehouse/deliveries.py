"""The release ledger: what was released, approved, delivered to whom, fetched, frozen and recalled (M54, S8).

    DATA/releases/ledger.sqlite

Lines are added and never changed or taken away: triggers forbid it. It names recipients and who approved, and
nobody who fetched: no address, no agent.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from consent_filter.database import opened, transaction
from consent_filter.errors import Refused
from warehouse.pack import Ground, Revision

_APPENDED = ("releases", "tables", "homes", "steps", "deliveries", "fetches")
_TABLES = """
CREATE TABLE IF NOT EXISTS releases (
    id TEXT PRIMARY KEY, audience TEXT NOT NULL, period TEXT NOT NULL, sites TEXT NOT NULL,
    version INTEGER NOT NULL, why TEXT NOT NULL, draft TEXT NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL,
    UNIQUE (audience, period, sites, version));
CREATE TABLE IF NOT EXISTS tables (
    release TEXT NOT NULL REFERENCES releases, name TEXT NOT NULL, keys TEXT NOT NULL, numbers TEXT NOT NULL,
    rows INTEGER NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (release, name));
CREATE TABLE IF NOT EXISTS homes (
    release TEXT NOT NULL REFERENCES releases, site TEXT NOT NULL, region TEXT NOT NULL,
    PRIMARY KEY (release, site, region));
CREATE TABLE IF NOT EXISTS steps (
    n INTEGER PRIMARY KEY, release TEXT NOT NULL REFERENCES releases, step TEXT NOT NULL,
    delivery TEXT NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY, release TEXT NOT NULL REFERENCES releases, recipient TEXT NOT NULL,
    at INTEGER NOT NULL, pack_sha256 TEXT NOT NULL, terms TEXT NOT NULL, region TEXT NOT NULL,
    grounds TEXT NOT NULL, expires INTEGER NOT NULL, times INTEGER NOT NULL, by TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fetches (
    n INTEGER PRIMARY KEY, delivery TEXT NOT NULL REFERENCES deliveries, at INTEGER NOT NULL);
""" + "".join(
    f"CREATE TRIGGER IF NOT EXISTS {table}_{verb.lower()} BEFORE {verb} ON {table}"
    " BEGIN SELECT RAISE(ABORT, 'the release ledger is only added to'); END;\n"
    for table in _APPENDED
    for verb in ("UPDATE", "DELETE")
)  # fmt: skip
AWAITS, APPROVED, RECALLED = "awaits approval", "approved", "recalled"


class Release(NamedTuple):
    """One version of a release; its id is that of its draft. `draft`: SHA-256 of draft.json. `by`: who has
    made it, "" where nobody said. Times are UTC milliseconds."""

    id: str
    audience: str
    period: str
    sites: tuple[str, ...]
    version: int
    why: str
    draft: str
    at: int
    by: str


class Step(NamedTuple):
    """What happened to a release: approved, recalled; or to one delivery of it: frozen, thawed."""

    release: str
    step: str
    delivery: str
    by: str
    why: str
    at: int


class Delivery(NamedTuple):
    """One pack that was given. `expires`: when its link does. `times`: how often it may be fetched."""

    id: str
    release: str
    recipient: str
    at: int
    pack_sha256: str
    terms: str
    region: str
    grounds: tuple[Ground, ...]
    expires: int
    times: int
    by: str


def file(data: Path) -> Path:
    """Where it is."""
    return data / "releases" / "ledger.sqlite"


def packed(data: Path, delivery: str) -> Path:
    """Where the pack of a delivery is."""
    return data / "releases" / "packs" / f"{delivery}.zip"


@contextmanager
def ledger(data: Path) -> Iterator[Ledger]:
    """The ledger of a data folder, made if there is none."""
    with opened(file(data), _TABLES) as database:
        yield Ledger(database)


class Ledger:
    """One open ledger. Reads are of one moment; what is looked at and then added to is in `changing`."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Nobody else adds anything meanwhile, and all of it is added, or nothing."""
        with transaction(self._database):
            yield

    # What there is.

    def releases(self) -> list[Release]:
        """The oldest first."""
        rows = self._database.execute("SELECT * FROM releases ORDER BY at, version")
        return [Release._make((*row[:3], tuple(json.loads(row[3])), *row[4:])) for row in rows]

    def release(self, id: str) -> Release:
        """Raises Refused where there is none."""
        found = next((one for one in self.releases() if one.id == id), None)
        if found is None:
            raise Refused(404, "release", "there is no release of that id: throng release log")
        return found

    def versions(self, audience: str, period: str, sites: Sequence[str]) -> list[Release]:
        """All versions of one release, the first first."""
        same = (audience, period, tuple(sorted(sites)))
        found = [one for one in self.releases() if (one.audience, one.period, one.sites) == same]
        return sorted(found, key=lambda one: one.version)

    def steps(self, release: str = "") -> list[Step]:
        rows = self._database.execute(
            "SELECT release, step, delivery, by, why, at FROM steps WHERE ? IN ('', release) ORDER BY n",
            [release],
        )
        return [Step(*row) for row in rows]

    def step(self, release: str, step: str) -> Step | None:
        """The last step of that kind."""
        return next((one for one in reversed(self.steps(release)) if one.step == step), None)

    def state(self, release: str) -> str:
        """One of AWAITS, APPROVED, RECALLED."""
        if self.step(release, "recalled"):
            return RECALLED
        return APPROVED if self.step(release, "approved") else AWAITS

    def newer(self, release: Release) -> Release | None:
        """The newest approved version after this one; None where it is the newest."""
        versions = self.versions(release.audience, release.period, release.sites)
        after = [one for one in versions if one.version > release.version]
        return next((one for one in reversed(after) if self.state(one.id) == APPROVED), None)

    def deliveries(self, release: str = "", recipient: str = "") -> list[Delivery]:
        """What was given, the oldest first."""
        rows = self._database.execute(
            "SELECT * FROM deliveries WHERE ? IN ('', release) AND ? IN ('', recipient) ORDER BY at, id",
            [release, recipient],
        )
        return [Delivery._make((*row[:7], _grounds(row[7]), *row[8:])) for row in rows]

    def delivery(self, id: str) -> Delivery | None:
        return next((one for one in self.deliveries() if one.id == id), None)

    def frozen(self, delivery: str) -> str:
        """Why a delivery is frozen; "" where it isn't."""
        of = [one for one in self.steps() if one.delivery == delivery and one.step in ("frozen", "thawed")]
        return of[-1].why if of and of[-1].step == "frozen" else ""

    def fetches(self, delivery: str) -> list[int]:
        """When its pack was fetched."""
        rows = self._database.execute("SELECT at FROM fetches WHERE delivery = ? ORDER BY n", [delivery])
        return [row[0] for row in rows]

    def tables(self, release: str) -> list[dict[str, Any]]:
        """The tables of a release: name, keys, numbers, rows, sha256 of the Parquet file in its draft."""
        rows = self._database.execute("SELECT * FROM tables WHERE release = ? ORDER BY name", [release])
        return [
            {"name": name, "keys": json.loads(keys), "numbers": json.loads(numbers), "rows": n, "sha256": sha}
            for _, name, keys, numbers, n, sha in rows
        ]

    def homes(self, release: str) -> dict[str, tuple[str, ...]]:
        """Site → the regions that its rows were of when the release was prepared."""
        found: dict[str, tuple[str, ...]] = {}
        rows = self._database.execute(
            "SELECT site, region FROM homes WHERE release = ? ORDER BY 1, 2", [release]
        )
        for site, region in rows:
            found[site] = (*found.get(site, ()), region)
        return found

    def revisions(self, release: Release) -> tuple[Revision, ...]:
        """All versions up to this one, the oldest first."""
        versions = self.versions(release.audience, release.period, release.sites)
        return tuple(
            Revision(one.version, one.id, one.draft, one.why, one.at)
            for one in versions
            if one.version <= release.version
        )

    # What is added.

    def add(
        self, one: Release, tables: Sequence[Mapping[str, Any]], homes: Mapping[str, Sequence[str]]
    ) -> None:
        """A release, its tables, and of which regions its rows are, by site."""
        self._put("releases", [*one[:3], json.dumps(sorted(one.sites)), *one[4:]])
        for table in tables:
            keys, numbers = json.dumps(list(table["keys"])), json.dumps(list(table["numbers"]))
            self._put("tables", [one.id, table["name"], keys, numbers, table["rows"], table["sha256"]])
        for site, regions in homes.items():
            for region in regions:
                self._put("homes", [one.id, site, region])

    def take(self, release: str, step: str, *, by: str = "", why: str = "", delivery: str = "") -> None:
        """A step."""
        self._put("steps", [None, release, step, delivery, by, why, now()])

    def deliver(self, one: Delivery) -> None:
        """A delivery."""
        grounds = json.dumps([[getattr(g, name) for name in g.__struct_fields__] for g in one.grounds])
        self._put("deliveries", [*one[:7], grounds, *one[8:]])

    def fetch(self, delivery: str) -> None:
        """That its pack was fetched now."""
        self._put("fetches", [None, delivery, now()])

    def _put(self, table: str, row: Sequence[Any]) -> None:
        marks = ", ".join("?" * len(row))
        self._database.execute(f"INSERT INTO {table} VALUES ({marks})", row)


def now() -> int:
    """UTC milliseconds."""
    return int(time.time() * 1000)


def _grounds(text: str) -> tuple[Ground, ...]:
    return tuple(Ground(*one) for one in json.loads(text))
