"""The list of who was erased, kept beside backups: a restored copy of an older day brings nobody back (S2).

It holds keyed hashes only: of erased ids, and of removed pseudonyms; names of keys that were destroyed,
what was spent of the budgets of releases and of funnels (S9), and which days were asked about
(`warehouse/opened.py`). Whoever restores reads it first.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from consent_filter import keyfile
from consent_filter.departed import Tombstones, load
from consent_filter.errors import Broken
from consent_filter.pseudonym import Keyring
from warehouse import budget
from warehouse.budget import Spent
from warehouse.followed import Paid, paid
from warehouse.opened import Mark, marks, newest

NAME = "erased.throng"
_SCHEMA = "throng-erased/1"


class Stones(NamedTuple):
    """keys: (keyed hash of an erased id, since). tombstones: (hash of a removed pseudonym, since).
    Times are UTC milliseconds. whose: the installation, as the thumbprint of its ledger key. destroyed: names
    of keys that may not come back either. spent: of what months of sites may give away. opened: days that
    were asked about, and a mark of the people that was answered of. followed: what funnels have cost
    (`warehouse/followed.py`)."""

    whose: str
    keys: tuple[tuple[bytes, int], ...]
    tombstones: tuple[tuple[bytes, int], ...]
    destroyed: tuple[str, ...] = ()
    spent: tuple[Spent, ...] = ()
    opened: tuple[Mark, ...] = ()
    followed: tuple[Paid, ...] = ()


def whose(keys: Keyring) -> str:
    """Tells one installation's lists and backups from another's, and says nothing about its keys."""
    return keys.derived("ledger", b"installation").hex()[:32]


def read(data: Path) -> Stones:
    """Who was erased, or is being, as a data folder's ledger has it."""
    keys = Keyring.open(data / "keys.json")
    with closing(sqlite3.connect(f"{(data / 'ledger.sqlite').resolve().as_uri()}?mode=ro", uri=True)) as one:
        erased = one.execute("SELECT key, since FROM choice WHERE erased ORDER BY key").fetchall()
        stones = load(Tombstones.read(one, keys).dump())
    gone = sorted(life.id for life in keys.lives() if life.destroyed is not None)
    spent, opened, followed = budget.spending(data), marks(data), paid(data)
    return Stones(whose(keys), tuple(erased), tuple(stones), tuple(gone), spent, opened, followed)


def write(stones: Stones, place: Path) -> None:
    """Into that folder, in one step; adds to what stands there already of the same installation."""
    before = parse(place / NAME)
    if before is not None and before.whose == stones.whose:
        stones = merge([before, stones])
    text = {
        "schema": _SCHEMA,
        "whose": stones.whose,
        "keys": {key.hex(): since for key, since in stones.keys},
        "tombstones": {base64.b64encode(one).decode(): since for one, since in stones.tombstones},
        "destroyed": stones.destroyed,
        "spent": stones.spent,
        "opened": stones.opened,
        "followed": stones.followed,
    }
    keyfile.write(place / NAME, json.dumps(text, sort_keys=True).encode())


def parse(file: Path) -> Stones | None:
    """The list in that file; None where there is none. Raises Broken where it is damaged."""
    try:
        said = json.loads(file.read_bytes())
        if said["schema"] != _SCHEMA:
            raise ValueError
        return Stones(
            said["whose"],
            tuple((bytes.fromhex(key), int(since)) for key, since in said["keys"].items()),
            tuple((base64.b64decode(one), int(since)) for one, since in said["tombstones"].items()),
            tuple(map(str, said.get("destroyed", ()))),
            tuple(Spent(*one) for one in said.get("spent", ())),
            tuple(Mark(*one) for one in said.get("opened", ())),
            tuple(Paid(*one) for one in said.get("followed", ())),
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Broken(f"{file} is damaged: take it from another place of [backup] places") from None


def merge(lists: Iterable[Stones]) -> Stones:
    """All of them together; of each the first time, of days that were asked about the last."""
    keys, tombstones, destroyed, name = dict[bytes, int](), dict[bytes, int](), set[str](), ""
    spent, opened, followed = set[Spent](), list[Mark](), set[Paid]()
    for one in lists:
        name = one.whose
        destroyed.update(one.destroyed)
        spent.update(one.spent)
        opened += one.opened
        followed.update(one.followed)
        for held, more in ((keys, one.keys), (tombstones, one.tombstones)):
            for hash, since in more:
                held[hash] = min(since, held.get(hash, since))
    return Stones(
        name,
        tuple(sorted(keys.items())),
        tuple(sorted(tombstones.items())),
        tuple(sorted(destroyed)),
        tuple(sorted(spent)),
        newest(opened),
        tuple(sorted(followed)),
    )


def spread(data: Path, places: Iterable[str]) -> list[str]:
    """Bring the list in every place up to date; returns the places that can't be written."""
    if not (data / "ledger.sqlite").exists():
        return []
    stones, unreached = read(data), []
    for place in places:
        try:
            if not os.path.isdir(place):
                raise FileNotFoundError
            standing = parse(Path(place) / NAME)
            if standing is None or merge([standing, stones]) != standing:
                write(stones, Path(place))
        except OSError:
            unreached.append(place)
    return unreached
