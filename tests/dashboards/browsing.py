"""Somebody at a browser without a window: keeps cookies, fills in forms as they stand on the page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from starlette.applications import Starlette

from dashboards.accounts import password
from dashboards.accounts.door import Door
from dashboards.accounts.settings import AccountSettings
from dashboards.app import create
from dashboards.settings import Dashboards
from warehouse.settings import Warehouse

_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)"[^>]* value="([^"]*)"')
PASSWORD = "a boat upon the water"


class Browser:
    """One jar of cookies over the pages. `from_`: where it seems to come from."""

    def __init__(self, app: Starlette, runner: asyncio.Runner, base: str, from_: str) -> None:
        transport = httpx.ASGITransport(app, client=(from_, 1))
        self._runner = runner
        self.http = httpx.AsyncClient(transport=transport, base_url=base, headers={"accept": "text/html"})

    def get(self, path: str, **head: str) -> httpx.Response:
        return self._runner.run(self.http.get(path, headers=head))

    def post(self, path: str, said: dict[str, Any], **head: str) -> httpx.Response:
        return self._runner.run(self.http.post(path, data=said, headers=head))

    def form(self, path: str) -> dict[str, str]:
        """The hidden fields of a page's first form of its own."""
        page = self.get(path)
        assert page.status_code == 200, (path, page.status_code)
        found = page.text.partition("<main")[2]
        return dict(_HIDDEN.findall(found))

    def send(self, path: str, at: str = "", **said: Any) -> httpx.Response:
        """A form of that page, filled in; `at`: where it is sent, if not to the page itself."""
        return self.post(at or path, {"word": self.form(path)["word"]} | said)

    def text(self, path: str) -> str:
        page = self.get(path)
        assert page.status_code == 200, (path, page.status_code, page.text[:300])
        return unescape(page.text)

    def sign_in(self, login: str, password: str = PASSWORD, **more: str) -> httpx.Response:
        return self.send("/sign-in", login=login, password=password, **more)


class House:
    """Dashboards over a folder, and what lets people in. now: a clock that tests turn."""

    def __init__(self, data: Path, settings: AccountSettings, dashboards: Dashboards) -> None:
        self.data, self.runner = data, asyncio.Runner()
        self.app = create(data, dashboards, Warehouse(explore_ahead=0), accounts=settings)
        self.door = Door(data, settings)
        self.people, self.sessions = self.door.open().people, self.door.open().sessions
        self.store = self.door.open().store

    def browser(self, base: str = "http://127.0.0.1:8601", from_: str = "127.0.0.1") -> Browser:
        return Browser(self.app, self.runner, base, from_)

    def account(self, login: str, *roles: Any, **more: Any) -> str:
        """One that can sign in with PASSWORD; its id."""
        made = self.people.add(login, more.pop("name", ""), roles, **more).who.account
        self.people.set_password(made, PASSWORD)
        return made

    def close(self) -> None:
        async def end() -> None:
            async with self.app.router.lifespan_context(self.app):
                pass

        self.runner.run(end())
        self.runner.close()
        self.door.close()


@contextmanager
def house(
    data: Path, settings: AccountSettings | None = None, dashboards: Dashboards | None = None
) -> Iterator[House]:
    one, costs = House(data, settings or AccountSettings(), dashboards or Dashboards()), password._HASHER
    # Cheap, or most of what these tests take would be argon2; the costs in use have a test of their own.
    password._HASHER = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    password._NOBODYS.clear()
    try:
        yield one
    finally:
        password._HASHER = costs
        password._NOBODYS.clear()
        one.close()
