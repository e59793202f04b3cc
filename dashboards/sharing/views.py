"""Saved views: the address of a page, kept under a name. A view is its address, and nothing else.

Whoever opens one asks for that page as themselves, so it shows them what their own rights allow, and the
numbers of now. Where they may not open its page, or see its site, it is not in their list either.
"""

from __future__ import annotations

import re
import secrets
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from consent_filter.errors import Refused
from dashboards.accounts.people import named
from dashboards.accounts.store import Store
from dashboards.rights import rule
from dashboards.who import Role, Who

#: Characters of an address, and views that one account keeps.
LONGEST, MOST = 2_000, 200
#: A path and a query of ours: one slash first, nothing that a browser reads as another host (RFC 3986, 4.2).
_ADDRESS = re.compile(r"/(?![/\\])[^\s\\\x00-\x1f\x7f]*")
#: Pages that show no numbers by themselves: files, and what programs ask.
_NO_PAGE = ("/api/", "/csv/", "/files/")


class View(NamedTuple):
    """house: everybody of the house has it in their list. account: who has kept it."""

    id: str
    account: str
    name: str
    address: str
    house: bool
    made: int

    @property
    def query(self) -> dict[str, str]:
        """The parts of its address."""
        return query(self.address)

    @property
    def path(self) -> str:
        return urlsplit(self.address).path


def query(address: str) -> dict[str, str]:
    """The parts of an address; of a name that stands twice, the first (as pages read it)."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(urlsplit(address).query, keep_blank_values=True):
        found.setdefault(name, value)
    return found


def placed(said: str) -> str:
    """An address as it is kept: path and query, also of one that was copied whole. Raises Refused."""
    text = said.strip()
    if text.startswith(("http://", "https://")):
        parts = urlsplit(text)
        text = parts.path + (f"?{parts.query}" if parts.query else "")
    text = text.partition("#")[0]
    if len(text) > LONGEST or not _ADDRESS.fullmatch(text):
        raise Refused(
            400, "address", "an address begins with / and has at most {longest} characters", longest=LONGEST
        )
    path = urlsplit(text).path
    one = rule(path)
    numbers = one is not None and one.roles is not None and Role.ANALYST in one.roles and not one.post
    if not numbers or path.startswith(_NO_PAGE):
        raise Refused(400, "address", "a view is the address of a page of numbers: copy it from there")
    return text


def opens(address: str, who: Who) -> bool:
    """Whether that page would show that person anything."""
    one, site = rule(urlsplit(address).path), query(address).get("site")
    if one is None or one.roles is None or not who.has(*one.roles):
        return False
    return not (one.every_site and who.sites is not None) and (site is None or who.sees(site))


class Views:
    """Those of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self, who: Who) -> list[View]:
        """One's own and the house's, of what one may see; by name."""
        rows = self._store.rows("SELECT * FROM view WHERE account = ? OR house", who.account)
        found = [_view(row) for row in rows]
        return sorted((one for one in found if opens(one.address, who)), key=lambda one: one.name.casefold())

    def get(self, id: str, who: Who) -> View:
        """Raises Refused where there is none for them."""
        found = next((one for one in self.all(who) if one.id == id), None)
        if found is None:
            raise Refused(404, "no_such_view", "there is no such view, or it is not for you")
        return found

    def keep(self, who: Who, name: str, address: str, *, house: bool) -> View:
        """A new one. Raises Refused."""
        name, address = named(name, "name"), placed(address)
        if not opens(address, who):
            raise Refused(403, "address", "that page, or its site, is not for you")
        made = View("V" + secrets.token_hex(6), who.account, name, address, house, self._store.now())
        with self._store.transaction() as database:
            ((n,),) = database.execute("SELECT count(*) FROM view WHERE account = ?", (who.account,))
            if n >= MOST:
                raise Refused(409, "full", "{most} views are kept already: remove one", most=MOST)
            database.execute("INSERT INTO view VALUES (?, ?, ?, ?, ?, ?)", made)
        return made

    def change(self, id: str, who: Who, name: str, *, house: bool) -> None:
        """Another name, or for others. Raises Refused where it is not theirs."""
        one, name = self._mine(id, who), named(name, "name")
        with self._store.transaction() as database:
            database.execute("UPDATE view SET name = ?, house = ? WHERE id = ?", (name, house, one.id))

    def remove(self, id: str, who: Who) -> None:
        """Raises Refused where it is not theirs."""
        one = self._mine(id, who)
        with self._store.transaction() as database:
            database.execute("DELETE FROM view WHERE id = ?", (one.id,))

    def _mine(self, id: str, who: Who) -> View:
        one = self.get(id, who)
        if not owns(who, one.account):
            raise Refused(403, "not_yours", "only who has kept it, or an administrator, changes it")
        return one


def owns(who: Who, account: str) -> bool:
    """Whether they may change what that account has kept for the house."""
    return who.account == account or who.has(Role.ADMINISTRATOR)


def _view(row: object) -> View:
    said = {name: row[name] for name in View._fields}  # type: ignore[index]
    return View(**{**said, "house": bool(said["house"])})
