"""The log of who read what, and who changed what: only ever added to, and linked, so that a gap shows (M126).

It holds accounts, addresses of pages and what they were narrowed to: nothing of a visitor, since no page that
is logged shows one, and no text that somebody typed. The chain is that of the consent ledger
(`consent_filter/chain.py`): what is older than it may be is emptied, and the links stay.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Any, NamedTuple

from consent_filter import chain
from consent_filter.errors import Broken
from dashboards.accounts.store import Store

_DAY = 86_400_000


class Entry(NamedTuple):
    """at: milliseconds since 1970. account: whose, "" where nobody was signed in. what: read, or what was
    done. where: the page. detail: what it was narrowed to, or what was changed."""

    number: int
    at: int
    account: str
    what: str
    where: str
    status: int
    key: str
    detail: dict[str, Any]


def note(
    store: Store, account: str, what: str, where: str = "", *, status: int = 200, key: str = "", **detail: Any
) -> None:
    """One more, durable on return unless within the caller's transaction."""
    said = {"at": store.now(), "what": what, "where": where, "status": status, "key": key, "detail": detail}
    with store.transaction() as database:
        chain.add(database, account.encode(), json.dumps(said, separators=(",", ":"), sort_keys=True))


class Scribe:
    """Writes entries of many threads, and those that wait together at once: each transaction is synced
    several times, which takes as long for one entry as for fifty. store: gives the store that is open."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store
        self._lock, self._pen = Lock(), Lock()
        self._waiting: list[tuple[Callable[[Store], None], Future[None]]] = []

    def note(
        self, account: str, what: str, where: str = "", *, status: int = 200, key: str = "", **detail: Any
    ) -> None:
        """As `note`, not within a transaction. Raises Refused where it can't be written."""
        done = Future[None]()
        with self._lock:
            self._waiting.append(
                (lambda store: note(store, account, what, where, status=status, key=key, **detail), done)
            )
        with self._pen:  # whoever has waited for it finds, as a rule, that theirs is written
            with self._lock:
                taken, self._waiting = self._waiting, []
            if taken:
                self._write(taken)
        done.result()

    def _write(self, taken: list[tuple[Callable[[Store], None], Future[None]]]) -> None:
        try:
            store = self._store()
            with store.transaction():
                for write, _ in taken:
                    write(store)
        except BaseException as error:  # each of them must know that nothing was written
            for _, done in taken:
                done.set_exception(error)
            return
        for _, done in taken:
            done.set_result(None)


def entries(
    store: Store, *, account: str = "", what: str = "", where: str = "", before: int = 0, most: int = 200
) -> list[Entry]:
    """The newest first; of one account, of one kind, or of one page. `before`: only older ones."""
    like = f'%"what":{json.dumps(what)}%' if what else "%"
    found = store.rows(
        "SELECT seq, key, text FROM content WHERE (? = '' OR key = CAST(? AS BLOB)) AND text LIKE ?"
        " AND (? = '' OR instr(text, ?) > 0) AND (? = 0 OR seq < ?) ORDER BY seq DESC LIMIT ?",
        account, account, like, where, f'"where":{json.dumps(where)}', before, before, most,
    )  # fmt: skip
    return [_entry(row["seq"], row["key"], row["text"]) for row in found]


def _entry(number: int, account: bytes, text: str) -> Entry:
    said = json.loads(text)
    return Entry(
        number, said["at"], account.decode(), said["what"], said["where"], said["status"], said["key"],
        said["detail"],
    )  # fmt: skip


def empty(store: Store, keep_days: int) -> int:
    """Take away what is older; how many. What is left still shows that there was something."""
    oldest = store.now() - keep_days * _DAY
    with store.transaction() as database:
        last = 0
        for row in database.execute("SELECT seq, text FROM content ORDER BY seq"):
            if json.loads(row["text"])["at"] >= oldest:
                break
            last = row["seq"]
        return database.execute("DELETE FROM content WHERE seq <= ?", (last,)).rowcount if last else 0


def verify(store: Store) -> int:
    """How many entries there ever were. Raises Broken where one was changed or taken out."""
    with store.transaction() as database:
        if not chain.verify(database):
            raise Broken("the log of accounts was altered: compare it with a backup")
        return chain.length(database)
