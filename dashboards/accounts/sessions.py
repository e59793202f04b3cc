"""Who is signed in: sessions that end by themselves, by their owner or by an administrator; one-time links.

A session is a random word in a cookie, of which only the hash is kept. Between the first and the second
factor it is half of one, and opens nothing. A whole one is always a new word.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from consent_filter.errors import Refused
from dashboards.accounts import log
from dashboards.accounts.people import Account, People
from dashboards.accounts.settings import AccountSettings
from dashboards.accounts.store import digest, secret
from dashboards.who import Role

#: Milliseconds: half a session; since when a session is no longer fresh enough for what changes an account.
_HALF, FRESH = 5 * 60_000, 30 * 60_000
#: Wrong second factors before a half session is over; sessions of one account, the oldest goes first.
_TRIES, _MOST = 5, 10
_MINUTE = 60_000
#: Hours that a link may be used.
LINK_HOURS = 24
#: The way of those whom somebody else has let in.
ISSUER = "issuer"
#: What a link is for.
SET_UP, CHOOSE, ENTER = "set up", "choose", "enter"


class Session(NamedTuple):
    """id: its name in lists. way: how it was signed in. step: "" for a whole one, or what is missing."""

    id: str
    account: Account
    way: str
    step: str
    made: int
    seen: int
    until: int

    def fresh(self, now: int) -> bool:
        """Whether it was signed in to a moment ago."""
        return now - self.made < FRESH


class Sessions:
    """Sessions and links of one store."""

    def __init__(self, people: People, settings: AccountSettings) -> None:
        self.people, self.store, self.settings = people, people.store, settings

    def begin(self, account: str, way: str, *, half: bool = False) -> str:
        """A new one: its word, for a cookie."""
        word, now = secret(), self.store.now()
        until = now + (_HALF if half else self.settings.session_hours * 3_600_000)
        with self.store.transaction() as database:
            database.execute("DELETE FROM session WHERE until <= ?", (now,))
            database.execute(
                "INSERT INTO session VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?)",
                (digest("session", word), secrets.token_hex(6), account, way, "second" if half else "",
                 now, now, until),
            )  # fmt: skip
            old = "SELECT id FROM session WHERE account = ? ORDER BY made DESC, id LIMIT -1 OFFSET ?"
            database.execute(f"DELETE FROM session WHERE id IN ({old})", (account, _MOST))
            if not half:
                log.note(self.store, account, "signed in", by=way)
        return word

    def find(self, word: str) -> Session | None:
        """Whose it is; None where it is over, or was idle for too long."""
        if not word:
            return None
        now, hashed = self.store.now(), digest("session", word)
        row = self.store.row("SELECT * FROM session WHERE hash = ? AND until > ?", hashed, now)
        if row is None or now - row["seen"] > self.settings.idle_minutes * _MINUTE:
            return None
        account = self.people.get(row["account"])
        if account.ended is not None:
            return None
        if now - row["seen"] > _MINUTE:
            with self.store.transaction() as database:
                database.execute("UPDATE session SET seen = ? WHERE hash = ?", (now, hashed))
        return _session(row, account)

    def whole(self, word: str, way: str) -> str:
        """The other factor was right too: a new word in place of the half session's."""
        found = self.find(word)
        assert found is not None
        with self.store.transaction():
            self.leave(word)
            return self.begin(found.account.who.account, f"{found.way}, {way}")

    def wrong(self, word: str) -> None:
        """A second factor was wrong: after a few of them the half session is over."""
        hashed = digest("session", word)
        with self.store.transaction() as database:
            database.execute("UPDATE session SET tries = tries + 1 WHERE hash = ?", (hashed,))
            database.execute("DELETE FROM session WHERE hash = ? AND tries >= ?", (hashed, _TRIES))

    def list(self, account: str) -> list[Session]:
        """The whole ones of an account, the newest first."""
        now, idle = self.store.now(), self.settings.idle_minutes * _MINUTE
        rows = self.store.rows(
            "SELECT * FROM session WHERE account = ? AND step = '' AND until > ? AND seen >= ?"
            " ORDER BY seen DESC, id", account, now, now - idle,
        )  # fmt: skip
        of = self.people.get(account)
        return [_session(row, of) for row in rows]

    def leave(self, word: str) -> None:
        """Sign out."""
        with self.store.transaction() as database:
            database.execute("DELETE FROM session WHERE hash = ?", (digest("session", word),))

    def end(self, account: str, by: str, *, only: str = "", but: str = "") -> int:
        """End one session of an account (`only`), or all but one; how many that were."""
        with self.store.transaction() as database:
            n = database.execute(
                "DELETE FROM session WHERE account = ? AND (? = '' OR id = ?) AND id <> ?",
                (account, only, only, but),
            ).rowcount
            if n:
                log.note(self.store, by, "sessions ended", of=account, n=n)
        return n

    # Links that sign in once: the first account, the first password or a new one, the demo.

    def link(self, account: str, by: str, what: str = CHOOSE, hours: int = LINK_HOURS) -> str:
        """The word of a link that signs in, once. Older ones of that account are over. `what` it is for:
        SET_UP makes the first account ("" as account), CHOOSE lets choose a password, ENTER only signs in."""
        word = secret()
        with self.store.transaction() as database:
            database.execute("DELETE FROM link WHERE account = ?", (account,))
            until = self.store.now() + hours * 3_600_000
            hashed = digest("link", word)
            database.execute("INSERT INTO link VALUES (?, ?, ?, ?)", (hashed, account, what, until))
            log.note(self.store, by, "link made", of=account)
        return word

    def behind(self, word: str) -> tuple[str, Account | None]:
        """What a link is for, and whose it is. Raises Refused for one that was used, is over, or is none."""
        gone = Refused(410, "link", "this link was used, or is over: ask an administrator for another")
        row = self.store.row(
            "SELECT account, what FROM link WHERE hash = ? AND until > ?",
            digest("link", word), self.store.now(),
        )  # fmt: skip
        if row is None or (row["what"] == SET_UP and self.people.any()):
            raise gone
        if row["what"] == SET_UP:
            return SET_UP, None
        account = self.people.get(row["account"])
        if account.ended is not None:
            raise gone
        return row["what"], account

    def use(self, word: str, password: str = "") -> str:
        """Sign in by it; it is good no more. The word of the session. Whoever has a second factor needs it
        here, too: a link stands for the password alone. A new password ends what was signed in before."""
        with self.store.transaction() as database:
            what, account = self.behind(word)
            assert account is not None
            id = account.who.account
            if what == CHOOSE:
                self.people.set_password(id, password)
                self.end(id, id)
            database.execute("DELETE FROM link WHERE hash = ?", (digest("link", word),))
            return self.begin(id, "link", half=bool(account.second))

    def set_up(self, word: str, login: str, name: str, password: str) -> str:
        """The first account, by the link that was printed when there was none: signed in."""
        with self.store.transaction() as database:
            self.behind(word)
            first = self.people.add(login, name, (Role.ADMINISTRATOR, Role.ANALYST))
            self.people.set_password(first.who.account, password)
            database.execute("DELETE FROM link WHERE hash = ?", (digest("link", word),))
            return self.begin(first.who.account, "link")


def _session(row: object, account: Account) -> Session:
    names = ("id", "way", "step", "made", "seen", "until")
    id, way, step, made, seen, until = (row[name] for name in names)  # type: ignore[index]
    return Session(id, account, way, step, made, seen, until)
