"""What is kept to protect the site, and for nothing else: which networks spiked, by the hour (M44).

A store of its own: another file, another key, its own short time, its own role. A network is a hash under the
day's key for security, which is destroyed 48 hours after the day has begun: then nobody can ask any more
which one it was, and no other table has ever had that hash. No person, site or campaign is in it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from consent_filter.database import opened, transaction
from consent_filter.errors import Misconfigured, Refused

FILE = "security.sqlite"
#: The role that may read it (`dashboards/rights.py`).
ROLE = "security"
_HOUR, _DAY = 3600, 86_400
#: Characters of an officer's name, and days that a token is good.
_NAME, TOKEN_DAYS = 64, 90
_TABLES = """
CREATE TABLE IF NOT EXISTS spike (
  hour INTEGER NOT NULL, network BLOB NOT NULL, events INTEGER NOT NULL, peak INTEGER NOT NULL,
  PRIMARY KEY (hour, network)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS officer (
  hash BLOB PRIMARY KEY, name TEXT NOT NULL, until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS looked (moment INTEGER NOT NULL, name TEXT NOT NULL, rows INTEGER NOT NULL);
"""


class Security(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[security]`. keep_days: how long it is kept which networks sent so many advert events that it is a
    spike, as a hash of the day; 0 keeps nothing of it."""

    keep_days: int = 14

    def __post_init__(self) -> None:
        if not 0 <= self.keep_days <= 90:
            raise Misconfigured("security.keep_days", self.keep_days, "0 to 90: it is for the days after")


class Network(NamedTuple):
    """Of one hour (seconds since 1970, UTC): the hash in hexadecimal, its events, and the most in minutes."""

    hour: int
    network: str
    events: int
    peak: int


class Look(NamedTuple):
    """That an officer looked: when (seconds since 1970), who, and at how many rows."""

    moment: int
    name: str
    rows: int


def note(data: Path, spikes: Iterable[tuple[int, bytes, int, int]], keep_days: int, now: float) -> None:
    """Add what has spiked (hours since 1970, hash, events, peak), and delete what is over."""
    rows = [(hour * _HOUR, *rest) for hour, *rest in spikes] if keep_days else []
    if not rows and not (data / FILE).exists():
        return
    with opened(data / FILE, _TABLES) as database, transaction(database):
        database.executemany(
            "INSERT INTO spike VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET events = events + excluded.events, peak = max(peak, excluded.peak)",
            rows,
        )
        database.execute("DELETE FROM spike WHERE hour <= ?", (now - keep_days * _DAY,))
        database.execute("DELETE FROM looked WHERE moment <= ?", (now - TOKEN_DAYS * _DAY,))
        database.execute("DELETE FROM officer WHERE until <= ?", (now,))


def admit(data: Path, name: str, now: float) -> str:
    """A token by which that officer has the role; only its hash is kept. Raises Refused."""
    name = " ".join(name.split())
    if not 0 < len(name) <= _NAME or not name.isprintable():
        raise Refused(400, "officer", f"an officer has a name of 1 to {_NAME} characters")
    token = secrets.token_urlsafe(24)
    with opened(data / FILE, _TABLES) as database, transaction(database):
        until = int(now) + TOKEN_DAYS * _DAY
        database.execute("INSERT INTO officer VALUES (?, ?, ?)", (_hash(token), name, until))
    return token


def dismiss(data: Path, name: str) -> int:
    """Take the role from an officer; how many tokens that ends."""
    with opened(data / FILE, _TABLES) as database, transaction(database):
        return database.execute("DELETE FROM officer WHERE name = ?", (" ".join(name.split()),)).rowcount


def networks(data: Path, token: str, now: float) -> list[Network]:
    """What spiked, the newest first, for whoever has the role by a token; who looked is written down.

    Raises Refused for a token that is unknown or over.
    """
    refused = Refused(403, "role", f"this is for the role {ROLE}: throng security admit NAME gives a token")
    if not (data / FILE).exists():
        raise refused
    with opened(data / FILE, _TABLES) as database:
        found = database.execute(
            "SELECT name FROM officer WHERE hash = ? AND until > ?", (_hash(token), now)
        ).fetchone()
    if found is None:
        raise refused
    return look(data, found[0], now)


def look(data: Path, name: str, now: float) -> list[Network]:
    """The same for who is signed in with the role (`dashboards/rights.py`)."""
    if not (data / FILE).exists():
        return []
    with opened(data / FILE, _TABLES) as database, transaction(database):
        rows = database.execute(
            "SELECT hour, lower(hex(network)), events, peak FROM spike"
            " ORDER BY hour DESC, events DESC, network"
        ).fetchall()
        database.execute("INSERT INTO looked VALUES (?, ?, ?)", (int(now), name, len(rows)))
    return [Network(*row) for row in rows]


def looks(data: Path, most: int = 20) -> list[Look]:
    """Who looked, the newest first: for who has just done so."""
    with opened(data / FILE, _TABLES) as database:
        rows = database.execute(
            "SELECT moment, name, rows FROM looked ORDER BY moment DESC, rowid DESC LIMIT ?", (most,)
        ).fetchall()
    return [Look(*row) for row in rows]


def _hash(token: str) -> bytes:
    said = token.encode("utf-8", "surrogatepass")
    return blake2b(said, digest_size=32, person=b"security officer").digest()
