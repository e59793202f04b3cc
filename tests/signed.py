"""Somebody who is signed in, for tests that ask for pages: a real account with a real session.

The pages look it up in the same file, whether they run in this process or in another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from dashboards.accounts.door import Door
from dashboards.accounts.settings import AccountSettings
from dashboards.who import Role

ALL = tuple(Role)


def cookie(
    data: Path, *roles: Role, sites: Iterable[str] | None = None, name: str = "Ann Lee"
) -> tuple[str, str]:
    """The name and the value of the cookie of a new session; of an account with those roles (all of them)."""
    with closing(Door(data, AccountSettings())) as door:
        people = door.open().people
        login = f"{name} {' '.join(roles)} {sites}"
        one = people.find(login[:100]) or people.add(login[:100], name, roles or ALL, sites)
        word = door.open().sessions.begin(one.who.account, "password")
        return door.open().cookie, word


def head(
    data: Path, *roles: Role, sites: Iterable[str] | None = None, name: str = "Ann Lee"
) -> dict[str, str]:
    """The same as a header of a request, in clear or encrypted."""
    named, value = cookie(data, *roles, sites=sites, name=name)
    return {"cookie": f"{named}={value}; __Host-{named}={value}"}


def word(data: Path, head: dict[str, str]) -> str:
    """What our own pages put into the forms of that session."""
    with closing(Door(data, AccountSettings())) as door:
        value = head["cookie"].partition("=")[2].partition(";")[0]
        return door.open().store.vault.hash("word", value.encode()).hex()


def browser(context: object, data: Path, address: str, *roles: Role, name: str = "Ann Lee") -> None:
    """Signs in a context of Chromium."""
    named, value = cookie(data, *roles, name=name)
    context.add_cookies([{"name": named, "value": value, "url": address}])  # type: ignore[attr-defined]
