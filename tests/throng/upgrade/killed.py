"""Opens every store of an earlier version's folder in processes that end themselves at a line of the opening.

    python -m tests.throng.upgrade.killed ROOM

Each store is killed at every line that runs for the first time in the code that lays it out, one after
another on the same copy, and then opened for good: it must be like one that was opened once. One JSON line.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any

import consent_filter.departed
import consent_filter.ledger
import consent_filter.rights.store
import consent_filter.shared
import dashboards.accounts.store
import warehouse.lake
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.rights.store import Store as Register
from dashboards.accounts.door import Door
from dashboards.accounts.settings import AccountSettings
from tests.throng.upgrade.before import unpack
from tests.warehouse.killed import apart
from warehouse.lake import TABLES, Lake

_FILES = {
    module.__file__
    for module in (
        *(consent_filter.departed, consent_filter.ledger, consent_filter.shared),
        *(consent_filter.rights.store, dashboards.accounts.store, warehouse.lake),
    )
}


def ledger(data: Path) -> object:
    path = data / "ledger.sqlite"
    with closing(Ledger.open(path, Keyring.open(data / "keys.json"))) as one:
        assert one.verify()
    return _laid(path)


def requests(data: Path) -> object:
    with closing(Register.open(data)):
        pass
    return _laid(data / "rights.sqlite")


def accounts(data: Path) -> object:
    with closing(Door(data, AccountSettings())) as door:
        door.open()
    return _laid(data / "accounts.sqlite")


def lake(data: Path) -> object:
    one = Lake.open(data, write=True)
    assert one is not None
    with closing(one):
        columns = one.connection.execute(
            "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = 'lake'"
        ).fetchall()
        return [sorted(map(list, columns)), one.balance()]


STORES: dict[str, Callable[[Path], object]] = {
    "ledger": ledger,
    "requests": requests,
    "accounts": accounts,
    "lake": lake,
}


def _laid(path: Path) -> object:
    """Every table with its columns and how many rows it has. The order of columns is of no account."""
    with closing(sqlite3.connect(path)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return sorted(
            [
                name,
                sorted(row[1] for row in database.execute(f"PRAGMA table_info({name})")),
                database.execute(f"SELECT count(*) FROM {name}").fetchone()[0],
            ]
            for name in names
        )


def traced(work: Callable[[Path], object], data: Path, last: int | None) -> list[tuple[str, int]]:
    """Do it, and be killed before a line; the lines of laying out that ran."""
    seen: list[tuple[str, int]] = []

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            if last is not None and len(seen) == last:
                os.kill(os.getpid(), signal.SIGKILL)
            seen.append((frame.f_code.co_filename, frame.f_lineno))
        return local

    sys.settrace(lambda frame, event, argument: local if frame.f_code.co_filename in _FILES else None)
    try:
        work(data)
    finally:
        sys.settrace(None)
    return seen


def main(room: Path) -> None:
    wrong, kills = [], dict[str, int]()
    for name, work in STORES.items():
        whole, cut = unpack(room / name / "whole"), unpack(room / name / "cut")
        _, said = apart(lambda work=work, whole=whole: traced(work, whole, None))  # type: ignore[misc]
        lines = json.loads(said)
        _, wanted = apart(lambda work=work, whole=whole: work(whole))  # type: ignore[misc]
        points = [n for n in range(len(lines)) if lines[n] not in lines[:n]]
        if name != "ledger":  # the others are one transaction each
            points = points[::3]
        if name == "lake":  # each of its columns is a transaction: also in the midst of them
            points += [n for n in range(len(lines)) if n % 40 == 20]
        kills[name] = len(points)
        for point in sorted(points):
            status, said = apart(lambda work=work, cut=cut, point=point: traced(work, cut, point))  # type: ignore[misc]
            if status not in (signal.SIGKILL, 0):  # what was laid out before needs fewer lines
                wrong.append(f"{name}, line {point}: {said}")
        _, got = apart(lambda work=work, cut=cut: work(cut))  # type: ignore[misc]
        if got != wanted:
            wrong.append(f"{name}: {got[:300]} and not {wanted[:300]}")
        shutil.rmtree(room / name)
    print(json.dumps({"kills": kills, "wrong": wrong, "columns": len(TABLES["events"])}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
