"""Where it is kept: tables of the accounts' file (`accounts/store.py`), so that one backup and one key do."""

from __future__ import annotations

import sqlite3

_DAY = 86_400_000
TABLES = """
CREATE TABLE IF NOT EXISTS view (
  id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, address TEXT NOT NULL,
  house INTEGER NOT NULL, made INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (
  id TEXT PRIMARY KEY, site TEXT NOT NULL, day TEXT NOT NULL, text TEXT NOT NULL, account TEXT NOT NULL,
  made INTEGER NOT NULL
) WITHOUT ROWID;
"""


def end(database: sqlite3.Connection, account: str) -> None:
    """What an account leaves when it ends: what was for the house stays, its own goes."""
    database.execute("DELETE FROM view WHERE account = ? AND NOT house", (account,))
