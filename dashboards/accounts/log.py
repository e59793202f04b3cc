"""The log of who read what, and who changed what: only ever added to, and linked, so that a gap shows (M126).

It holds accounts, addresses of pages and what they were narrowed to: nothing of a visitor, since no page that
is logged shows one, and no text that somebody typed. The chain is that of the consent ledger
(`consent_filter/chain.py`): what is older than it may be is emptied, and the links stay.
"""

from __future__ import annotations

import json
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
