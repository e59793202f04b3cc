"""All that lets somebody in, over one data folder: opened when it is first needed."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import NamedTuple

from dashboards.accounts import log
from dashboards.accounts.passkeys import Questions
from dashboards.accounts.people import People
from dashboards.accounts.sessions import Sessions
from dashboards.accounts.settings import AccountSettings
from dashboards.accounts.store import Store
from dashboards.accounts.throttle import Pace, Throttle
from dashboards.sharing import tables

#: Seconds between looks at what is over.
_TIDY = 3600.0


class Opened(NamedTuple):
    """The parts that share one store. cookie: its name, another for each installation, as browsers keep
    cookies of all ports of a host together."""

    store: Store
    people: People
    sessions: Sessions
    cookie: str


class Door:
    """names, places: how often somebody may try, by the name they type and by where they come from."""

    def __init__(self, data: Path, settings: AccountSettings | None = None) -> None:
        self.data, self.settings = data, settings or AccountSettings()
        self.names, self.places, self.pace = Throttle(5), Throttle(30), Pace()
        self.questions = Questions()
        self._lock = threading.Lock()
        self._opened: Opened | None = None
        self._tidied = -_TIDY

    def open(self) -> Opened:
        with self._lock:
            if self._opened is None:
                store = Store.open(self.data)
                people = People(store)
                cookie = f"throng_{store.vault.hash('cookie', b'name')[:3].hex()}"
                self._opened = Opened(store, people, Sessions(people, self.settings), cookie)
            one, now = self._opened, time.monotonic()
            due, self._tidied = now - self._tidied > _TIDY, max(self._tidied, now - _TIDY)
            if due:
                self._tidied = now
        if due:
            tidy(one.people, self.settings.log_days)
        return one

    def close(self) -> None:
        with self._lock:
            if self._opened is not None:
                self._opened.store.close()
                self._opened = None


def tidy(people: People, log_days: int) -> int:
    """Take away what is over: log entries that are old enough (how many), names, links, sessions, keys."""
    store = people.store
    with store.transaction() as database:
        for table in ("link", "session", "api_key"):
            database.execute(f"DELETE FROM {table} WHERE until <= ?", (store.now(),))
        people.forget(log_days)
        tables.tidy(database, store.now(), log_days)
        return log.empty(store, log_days)
