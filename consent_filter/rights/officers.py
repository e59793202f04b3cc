"""Officers who are signed in at the console: by a token that is printed once, then by a session."""

from __future__ import annotations

import secrets
from hashlib import blake2b

from consent_filter.errors import Refused
from consent_filter.rights.docket import Docket

#: Milliseconds that a printed token, and a session, may be used.
TOKEN, SESSION = 15 * 60_000, 8 * 3_600_000
#: Characters of a name.
NAME = 64


class Officers:
    """Who is signed in. Names stand in clear: who did what is recorded under them (Art. 5(2))."""

    def __init__(self, docket: Docket) -> None:
        self._docket = docket

    def token(self, name: str) -> str:
        """A token for the console, good once and for a quarter of an hour."""
        name = " ".join(name.split())
        if not 0 < len(name) <= NAME or not name.isprintable():
            raise Refused(400, "officer", f"an officer has a name of 1 to {NAME} characters")
        return self._add(name, False, TOKEN)

    def enter(self, token: str) -> str:
        """The session that a token is exchanged for. Raises Refused for one that is used, over, or none."""
        with self._docket.store.transaction() as database:
            name = self._find(token, False)
            if name is None:
                raise Refused(403, "console_token", "this token is unknown, used or over: print another")
            database.execute("DELETE FROM officer WHERE hash = ?", (_hash(token),))
            return self._add(name, True, SESSION)

    def name(self, session: str) -> str | None:
        """Whose session that is; None where it is over."""
        return self._find(session, True) if session else None

    def leave(self, session: str) -> None:
        """Sign out."""
        with self._docket.store.transaction() as database:
            database.execute("DELETE FROM officer WHERE hash = ?", (_hash(session),))

    def _add(self, name: str, session: bool, lives: int) -> str:
        made = secrets.token_urlsafe(24)
        with self._docket.store.transaction() as database:
            until = self._docket.now() + lives
            database.execute("INSERT INTO officer VALUES (?, ?, ?, ?)", (_hash(made), name, session, until))
        return made

    def _find(self, said: str, session: bool) -> str | None:
        found = self._docket.store.rows(
            "SELECT name FROM officer WHERE hash = ? AND session = ? AND until > ?",
            _hash(said), session, self._docket.now(),
        )  # fmt: skip
        return str(found[0]["name"]) if found else None


def _hash(said: str) -> bytes:
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=32, person=b"rights officer").digest()
