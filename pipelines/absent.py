"""Who may not be stored, by whatever way their events come: whoever is being removed, or was (S2)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from consent_filter import holds
from consent_filter.departed import Tombstones
from consent_filter.pseudonym import Keyring
from consent_filter.read import removing
from warehouse.facts import Absent

Persons = NDArray[np.uint64]


def tombstones(data: Path) -> Tombstones:
    """Those of a data folder's ledger."""
    keys, path = Keyring.open(data / "keys.json"), data / "ledger.sqlite"
    if not path.exists():
        return Tombstones(keys, {})
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'tombstone'").fetchone():
            return Tombstones(keys, {})
        return Tombstones.read(database, keys)


def absent(data: Path) -> Absent:
    """Which persons may not be stored in this data folder."""
    if not (data / "ledger.sqlite").exists():
        return lambda persons: np.zeros(len(persons), np.bool_)
    gone = tombstones(data)
    # What is under a hold stays on the disk, also what comes to it now (M81).
    going = np.setdiff1d(removing(data / "ledger.sqlite"), holds.persons(data))
    return lambda persons: np.isin(persons, going) | gone.among(persons)


def marked(gone: Tombstones, marks: Iterable[bytes], known: Persons) -> Absent:
    """Which persons have one of these tombstones. `known`: pseudonyms that have, which saves the hashing."""
    held = frozenset(marks)
    if len(known) == len(held):
        return lambda persons: np.isin(persons, known)
    return lambda persons: np.fromiter((one in held for one in gone.hashes(persons)), np.bool_, len(persons))
