"""API keys: for machines, of somebody, for some scopes and sites, so many times a minute, until a day."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from consent_filter.errors import Refused
from dashboards.accounts import log
from dashboards.accounts.people import People, named
from dashboards.accounts.store import digest, secret
from dashboards.rights import SCOPES
from dashboards.who import Who

#: How a key begins, so that one that was published by mistake can be searched for.
BEGINS = "throng_key_"
_FORM = re.compile(BEGINS + r"[A-Za-z0-9_-]{43}")
#: Days that a key lasts at most; keys of one account; times a minute at most.
LONGEST, MOST, FASTEST = 366, 20, 6000
_DAY, _HOUR = 86_400_000, 3_600_000


class Key(NamedTuple):
    """What is shown of one: never itself. sites: None for those of its owner. used: to the hour."""

    id: str
    account: str
    name: str
    scopes: tuple[str, ...]
    sites: tuple[str, ...] | None
    per_minute: int
    made: int
    until: int
    used: int | None


def make(
    people: People, owner: Who, name: str, scopes: Iterable[str], *,
    sites: Iterable[str] | None = None, per_minute: int = 60, days: int = 90,
) -> str:  # fmt: skip
    """A new key, shown this once. Raises Refused."""
    name, some, store = named(name, "name"), sorted(set(scopes)), people.store
    if not some or not set(some) <= SCOPES.keys():
        raise Refused(400, "scope", "at least one of {scopes}", scopes=", ".join(SCOPES))
    only = None if sites is None else sorted(set(sites))
    if only is not None and not all(owner.sees(site) for site in only):
        raise Refused(403, "site", "a key is for sites that its owner may see")
    if not 1 <= per_minute <= FASTEST:
        raise Refused(400, "per_minute", "1 to {fastest} times a minute", fastest=FASTEST)
    if not 1 <= days <= LONGEST:
        raise Refused(400, "days", "1 to {longest} days", longest=LONGEST)
    made, now, id = BEGINS + secret(), store.now(), "K" + secrets.token_hex(5)
    with store.transaction() as database:
        if len(listed(people, owner.account)) >= MOST:
            raise Refused(409, "keys", "an account has at most {most} keys: end one first", most=MOST)
        database.execute(
            "INSERT INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            (digest("api key", made), id, owner.account, name, json.dumps(some),
             None if only is None else json.dumps(only), per_minute, now, now + days * _DAY),
        )  # fmt: skip
        log.note(store, owner.account, "key made", of=id, scopes=some, sites=only)
    return made


def end(people: People, account: str, id: str, by: str) -> None:
    """It opens nothing any more. Raises Refused where that account has no such key."""
    with people.store.transaction() as database:
        done = database.execute("DELETE FROM api_key WHERE account = ? AND id = ?", (account, id)).rowcount
        if not done:
            raise Refused(404, "no_such_key", "there is no such key, or it has ended")
        log.note(people.store, by, "key ended", of=id)


def listed(people: People, account: str = "") -> list[Key]:
    """Those of an account, or of all; the newest first."""
    rows = people.store.rows(
        "SELECT id, account, name, scopes, sites, per_minute, made, until, used FROM api_key"
        " WHERE (? = '' OR account = ?) AND until > ? ORDER BY made DESC, id",
        account, account, people.store.now(),
    )  # fmt: skip
    return [_key(row) for row in rows]


def find(people: People, said: str) -> Who | None:
    """Who asks by that key: its owner as it is now, and never more; None where it is no key, or is over."""
    store = people.store
    if not _FORM.fullmatch(said):
        return None
    hashed, now = digest("api key", said), store.now()
    row = store.row("SELECT * FROM api_key WHERE hash = ? AND until > ?", hashed, now)
    if row is None:
        return None
    owner = people.get(row["account"])
    if owner.ended is not None:
        return None
    if row["used"] != now // _HOUR * _HOUR:
        with store.transaction() as database:
            database.execute("UPDATE api_key SET used = ? WHERE hash = ?", (now // _HOUR * _HOUR, hashed))
    sites = owner.who.sites
    if row["sites"] is not None:
        only = frozenset(json.loads(row["sites"]))
        sites = only if sites is None else only & sites
    return msgspec.structs.replace(
        owner.who, sites=sites, key=row["id"], scopes=frozenset(json.loads(row["scopes"])),
        per_minute=row["per_minute"],
    )  # fmt: skip


def _key(row: object) -> Key:
    said = {name: row[name] for name in Key._fields}  # type: ignore[index]
    said["scopes"] = tuple(json.loads(said["scopes"]))
    said["sites"] = None if said["sites"] is None else tuple(json.loads(said["sites"]))
    return Key(**said)
