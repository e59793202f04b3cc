"""Tokens of servers: which have been made, and which are believed no more (docs/adverts.md).

A token says itself whose it is and until when (`advert_links.token`), and is kept nowhere: here stands a hash
of it, its name, use and end. One that is taken back is refused by whoever asks next, in every process.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from consent_filter.database import opened, transaction
from consent_filter.errors import Refused

FILE = "tokens.sqlite"
_TABLES = """
CREATE TABLE IF NOT EXISTS token (
  id TEXT PRIMARY KEY, use TEXT NOT NULL, name TEXT NOT NULL, made INTEGER NOT NULL, until INTEGER NOT NULL,
  ended INTEGER
) WITHOUT ROWID;
"""
_COLUMNS = "id, use, name, made, until, ended"


class Made(NamedTuple):
    """A token that was made: times in seconds since 1970, `ended` when it was taken back."""

    id: str
    use: str
    name: str
    made: int
    until: int
    ended: int | None


def id_of(token: str) -> str:
    """What a token is called in lists: nothing can be made of it."""
    return blake2b(token.encode("utf-8", "replace"), digest_size=6, person=b"server token").hexdigest()


class Tokens:
    """Those of a data folder. One thread at a time."""

    def __init__(self, data: Path) -> None:
        self._file = data / FILE
        self._asking: sqlite3.Connection | None = None

    def note(self, token: str, use: str, name: str, until: int, now: float) -> str:
        """Write down that one was made; its id."""
        with opened(self._file, _TABLES) as database, transaction(database):
            row = (id_of(token), use, name, int(now), until)
            database.execute("INSERT INTO token VALUES (?, ?, ?, ?, ?, NULL) ON CONFLICT DO NOTHING", row)
        return id_of(token)

    def listed(self) -> list[Made]:
        """All, the newest first."""
        if not self._file.exists():
            return []
        with opened(self._file, _TABLES) as database:
            rows = database.execute(f"SELECT {_COLUMNS} FROM token ORDER BY made DESC, id").fetchall()
        return [Made(*row) for row in rows]

    def end(self, id: str, now: float) -> Made:
        """Take one back. Raises Refused where none is called so, or it has been."""
        with opened(self._file, _TABLES) as database, transaction(database):
            database.execute("UPDATE token SET ended = ? WHERE id = ? AND ended IS NULL", (int(now), id))
            changed = database.execute("SELECT changes()").fetchone()[0]
            row = database.execute(f"SELECT {_COLUMNS} FROM token WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise Refused(404, "no_such_token", "no token is called that: `throng adverts tokens` lists them")
        if not changed:
            raise Refused(409, "ended", "that token has been taken back before")
        return Made(*row)

    def ended(self, token: str) -> bool:
        """Whether that one was taken back; so too while that can't be read, as nobody knows then."""
        try:
            if self._asking is None:
                if not self._file.exists():
                    return False
                # Read only, and from whichever thread is asking: the caller sees to one at a time.
                where = f"{self._file.resolve().as_uri()}?mode=ro"
                self._asking = sqlite3.connect(where, uri=True, timeout=1, check_same_thread=False)
            asked = "SELECT 1 FROM token WHERE id = ? AND ended IS NOT NULL"
            return self._asking.execute(asked, (id_of(token),)).fetchone() is not None
        except sqlite3.Error:
            self._asking = None
            return True
