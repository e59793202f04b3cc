"""Accounts: who there is, with which roles, for which sites."""

from __future__ import annotations

import json
import secrets
import unicodedata
from collections.abc import Iterable
from typing import Any, NamedTuple

from consent_filter.errors import Refused
from dashboards.accounts import log, password
from dashboards.accounts.store import Store
from dashboards.languages import LANGUAGES
from dashboards.sharing import tables
from dashboards.who import Role, Who

_SELECT = (
    "SELECT account.*, EXISTS (SELECT 1 FROM passkey WHERE passkey.account = account.id) AS passkey"
    " FROM account"
)
#: Characters of a name.
_NAME = 100
_DAY = 86_400_000


class Account(NamedTuple):
    """who: as the pages know it. login: what is typed at the door; "" once it has ended. ended: when. second:
    what it has for a second factor, of `code` (TOTP) and `passkey`."""

    who: Who
    login: str
    made: int
    ended: int | None
    has_password: bool
    second: frozenset[str]


class People:
    """The accounts of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def any(self) -> bool:
        """Whether there is one that can be used."""
        return self.store.row("SELECT 1 FROM account WHERE ended IS NULL") is not None

    def add(
        self, login: str, name: str, roles: Iterable[Role], sites: Iterable[str] | None = None, by: str = "",
        advertisers: Iterable[str] = (), recipients: Iterable[str] = (),
    ) -> Account:  # fmt: skip
        """A new one, that nobody can sign in to before a link of it was used. Raises Refused."""
        login, name = named(login, "login"), named(name or login, "name")
        id = "A" + secrets.token_hex(8)
        said: dict[str, Any] = {"name": name, "login": login}
        said |= {"advertisers": sorted(advertisers), "recipients": sorted(recipients)}
        with self.store.transaction() as database:
            if self._find(login):
                raise Refused(409, "login", "there is an account of that name")
            database.execute(
                "INSERT INTO account VALUES (?, ?, ?, ?, ?, NULL, NULL, 0, ?, NULL)",
                (id, self._hash(login), self._seal(id, said), *_rights(roles, sites), self.store.now()),
            )
            one = self.get(id)
            log.note(self.store, by, "account added", **_shown(one))
        return one

    def change(
        self, id: str, roles: Iterable[Role], sites: Iterable[str] | None, by: str,
        advertisers: Iterable[str] = (), recipients: Iterable[str] = (),
    ) -> Account:  # fmt: skip
        """Other rights, from the next request on. Raises Refused where nobody could administer any more."""
        with self.store.transaction() as database:
            one, roles = self.get(id), frozenset(roles)
            self._keep_one(one, roles)
            said: dict[str, Any] = {"name": one.who.name, "login": one.login, "language": one.who.language}
            said |= {"advertisers": sorted(advertisers), "recipients": sorted(recipients)}
            database.execute(
                "UPDATE account SET sealed = ?, roles = ?, sites = ? WHERE id = ? AND ended IS NULL",
                (self._seal(id, said), *_rights(roles, sites), id),
            )
            now = self.get(id)
            log.note(self.store, by, "account changed", **_shown(now), before=_shown(one))
        return now

    def speak(self, id: str, language: str) -> None:
        """The language of its pages; "" is what the browser asks for. Raises Refused."""
        if language and language not in LANGUAGES:
            raise Refused(
                400, "language", "language is one of {languages}, or nothing", languages=", ".join(LANGUAGES)
            )
        with self.store.transaction() as database:
            who = self.get(id).who
            said: dict[str, Any] = {"name": who.name, "login": self.get(id).login, "language": language}
            said |= {"advertisers": sorted(who.advertisers), "recipients": sorted(who.recipients)}
            database.execute(
                "UPDATE account SET sealed = ? WHERE id = ? AND ended IS NULL", (self._seal(id, said), id)
            )
            log.note(self.store, id, "language chosen")

    def end(self, id: str, by: str) -> None:
        """Nobody signs in to it again, and whatever it had is gone; its name stays for the log."""
        with self.store.transaction() as database:
            one = self.get(id)
            self._keep_one(one, frozenset())
            for table in ("link", "session", "recovery", "passkey", "api_key"):
                database.execute(f"DELETE FROM {table} WHERE account = ?", (id,))
            tables.end(database, id, self.store.now())
            sealed = self._seal(id, {"name": one.who.name, "login": "", "advertisers": [], "recipients": []})
            database.execute(
                "UPDATE account SET login = ?, sealed = ?, roles = '[]', sites = '[]', password = NULL,"
                " totp = NULL, ended = ? WHERE id = ?",
                (secrets.token_bytes(16), sealed, self.store.now(), id),
            )
            log.note(self.store, by, "account ended", of=id)

    def _keep_one(self, one: Account, roles: frozenset[Role]) -> None:
        if Role.ADMINISTRATOR not in one.who.roles or Role.ADMINISTRATOR in roles:
            return
        others = [
            other for other in self.list()
            if other.who.account != one.who.account and other.who.has(Role.ADMINISTRATOR)
        ]  # fmt: skip
        if not others:
            raise Refused(
                409, "last_administrator", "nobody could administer accounts any more: name another"
            )

    def forget(self, keep_days: int) -> None:
        """Names of accounts that ended so long ago that no log speaks of them any more."""
        with self.store.transaction() as database:
            oldest = self.store.now() - (keep_days + 1) * _DAY
            database.execute("DELETE FROM account WHERE ended < ?", (oldest,))

    def get(self, id: str) -> Account:
        """Raises Refused where there is none; one that has ended has no roles."""
        row = self.store.row(f"{_SELECT} WHERE id = ?", id)
        if row is None:
            raise Refused(404, "no_such_account", "there is no such account")
        return self._account(row)

    def list(self, *, ended: bool = False) -> list[Account]:
        """By name."""
        rows = self.store.rows(f"{_SELECT} WHERE (ended IS NOT NULL) = ?", ended)
        return sorted((self._account(row) for row in rows), key=lambda one: one.who.name.casefold())

    def names(self) -> dict[str, str]:
        """The name of every account that a log may speak of."""
        return {one.who.account: one.who.name for ended in (False, True) for one in self.list(ended=ended)}

    def find(self, login: str) -> Account | None:
        """The account of that login; None where there is none."""
        try:
            row = self._find(named(login, "login"))
        except Refused:
            return None
        return self._account(row) if row else None

    # Passwords.

    def set_password(self, id: str, said: str) -> None:
        """Raises Refused for one that is easily guessed. Ends nothing: the caller does."""
        one = self.get(id)
        made = password.hashed(said, one.login, *one.login.replace("@", " ").split(), *one.who.name.split())
        with self.store.transaction() as database:
            sealed = self.store.vault.seal(made.encode(), f"password {id}")
            database.execute("UPDATE account SET password = ? WHERE id = ?", (sealed, id))
            log.note(self.store, id, "password set")

    def check(self, login: str, said: str) -> Account | None:
        """The account, where that is its password; as slow where there is no such account."""
        one = self.find(login)
        kept = self._password(one.who.account) if one else None
        return one if password.matches(kept, said) and one and one.ended is None else None

    def _password(self, id: str) -> str | None:
        row = self.store.row("SELECT password FROM account WHERE id = ? AND password IS NOT NULL", id)
        return self.store.vault.open(row["password"], f"password {id}").decode() if row else None

    # What a row is.

    def _find(self, login: str) -> Any:
        return self.store.row(f"{_SELECT} WHERE login = ?", self._hash(login))

    def _hash(self, login: str) -> bytes:
        return self.store.vault.hash("login", login.casefold().encode())

    def _seal(self, id: str, said: dict[str, Any]) -> bytes:
        return self.store.vault.seal(json.dumps(said).encode(), f"account {id}")

    def _account(self, row: Any) -> Account:
        id = row["id"]
        said = json.loads(self.store.vault.open(row["sealed"], f"account {id}"))
        sites = json.loads(row["sites"]) if row["sites"] is not None else None
        one = Who(
            account=id, name=said["name"], roles=frozenset(Role(role) for role in json.loads(row["roles"])),
            sites=None if sites is None else frozenset(sites),
            advertisers=frozenset(said["advertisers"]), recipients=frozenset(said["recipients"]),
            language=said.get("language", ""),
        )  # fmt: skip
        second = {
            name for name, has in (("code", row["totp"] is not None), ("passkey", row["passkey"])) if has
        }
        has = row["password"] is not None
        return Account(one, said["login"], row["made"], row["ended"], has, frozenset(second))


def named(said: str, what: str) -> str:
    """A name as it is kept. Raises Refused."""
    name = " ".join(unicodedata.normalize("NFKC", said).split())
    if not 0 < len(name) <= _NAME or not name.isprintable():
        raise Refused(400, what, "a {what} has 1 to {name} characters", what=what, name=_NAME)
    return name


def _rights(roles: Iterable[Role], sites: Iterable[str] | None) -> tuple[str, str | None]:
    some = sorted(Role(role) for role in roles)
    if not some:
        raise Refused(400, "role", "at least one role: {role}", role=", ".join(Role))
    return json.dumps(some), None if sites is None else json.dumps(sorted(set(sites)))


def _shown(one: Account) -> dict[str, Any]:
    """What the log says of rights: no name."""
    sites = None if one.who.sites is None else sorted(one.who.sites)
    return {"of": one.who.account, "roles": sorted(one.who.roles), "sites": sites}
