"""Where it is kept: tables of the accounts' file (`accounts/store.py`), so that one backup and one key do."""

from __future__ import annotations

import sqlite3

_DAY = 86_400_000
#: Days that what alerts have found is kept.
_KEPT = 90
TABLES = """
CREATE TABLE IF NOT EXISTS view (
  id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, address TEXT NOT NULL,
  house INTEGER NOT NULL, made INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (
  id TEXT PRIMARY KEY, site TEXT NOT NULL, day TEXT NOT NULL, text TEXT NOT NULL, account TEXT NOT NULL,
  made INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS share (
  id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, address TEXT NOT NULL, password BLOB,
  frames TEXT NOT NULL, made INTEGER NOT NULL, until INTEGER NOT NULL, ended INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS opening (
  share TEXT NOT NULL, minute INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (share, minute)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alert (
  id TEXT PRIMARY KEY, account TEXT NOT NULL, site TEXT NOT NULL, what TEXT NOT NULL, key TEXT NOT NULL,
  value TEXT NOT NULL, kind TEXT NOT NULL, line REAL NOT NULL, mail INTEGER NOT NULL, made INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS mailing (
  id TEXT PRIMARY KEY, account TEXT NOT NULL, view TEXT NOT NULL, every TEXT NOT NULL, made INTEGER NOT NULL,
  last TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS finding (
  alert TEXT NOT NULL, day TEXT NOT NULL, found REAL NOT NULL, low REAL, high REAL, at INTEGER NOT NULL,
  sent INTEGER NOT NULL, PRIMARY KEY (alert, day)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shown (n INTEGER NOT NULL);
INSERT INTO shown SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM shown);
"""
#: What counts `shown` up: whatever pages of numbers show that is kept here, whoever changes it. Names stand
#: beside notes.
TRIGGERS = tuple(
    f"CREATE TRIGGER IF NOT EXISTS shown_{name} AFTER {what} BEGIN UPDATE shown SET n = n + 1; END"
    for name, what in (
        ("by_note", "INSERT ON note"), ("without_note", "DELETE ON note"), ("note", "UPDATE ON note"),
        ("by_account", "INSERT ON account"), ("without_account", "DELETE ON account"),
        ("account", "UPDATE OF sealed ON account"),
    )
)  # fmt: skip


def end(database: sqlite3.Connection, account: str, now: int) -> None:
    """What an account leaves when it ends: the house keeps its views, its own go, and so do its links."""
    database.execute(
        "DELETE FROM finding WHERE alert IN (SELECT id FROM alert WHERE account = ?)", (account,)
    )
    database.execute("DELETE FROM alert WHERE account = ?", (account,))
    database.execute("DELETE FROM mailing WHERE account = ?", (account,))
    database.execute("DELETE FROM view WHERE account = ? AND NOT house", (account,))
    database.execute("UPDATE share SET ended = ? WHERE account = ? AND ended IS NULL", (now, account))


def tidy(database: sqlite3.Connection, now: int, log_days: int) -> None:
    """Take away links, and when they were opened, that are as long over as the log is kept."""
    oldest = now - log_days * _DAY
    database.execute("DELETE FROM share WHERE min(until, coalesce(ended, until)) < ?", (oldest,))
    database.execute("DELETE FROM finding WHERE at < ?", (now - _KEPT * _DAY,))
    database.execute("DELETE FROM opening WHERE minute < ?", (oldest // 60_000,))
