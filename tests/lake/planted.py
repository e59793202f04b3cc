"""Faults of a move, put into the process that moves, so that `moving.py` can be seen to notice.

    python -m tests.lake.planted '[["a table left out", DATA, FILE], …]'

DATA is a folder of its own for each, with a row in every table; FILE says where to. Prints one JSON line:
what was wrong, by fault.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from consent_filter import keyfile
from tests.lake.moving import Move, unsigned
from tests.warehouse.killed import apart
from warehouse import relocation
from warehouse.lake import TABLES, Lake


class Plant(NamedTuple):
    """back: the move that brings it to light is the one into the data folder; at: and a kill where that
    function begins. says: what must be said of it."""

    does: Callable[[], None]
    says: str
    back: bool = False
    at: str = ""


def _a_table_left_out() -> None:
    """The new catalog is made and compared by a list that lacks one."""
    relocation.TABLES = {name: of for name, of in TABLES.items() if name != "purges"}  # type: ignore[attr-defined]


def _a_file_left_out() -> None:
    files = relocation._files
    relocation._files = lambda lake: files(lake)[:-1]


def _not_synced(which: Callable[[Path], bool]) -> Callable[[], None]:
    def plant() -> None:
        sync = keyfile.sync
        keyfile.sync = lambda path: None if which(path) else sync(path)

    return plant


def _believed() -> None:
    """A file that is there already is taken for carried, whoever was killed when it was written."""
    one, digest = relocation._one, relocation.digest

    def trusting(source: Any, target: Any, file: str) -> int:
        goal, held = target.at(target.whole(source.short(file))), relocation._held(source, file)[0]
        if goal.exists() and digest(goal) == relocation.hashlib.sha256(held).hexdigest():
            return len(held)
        return one(source, target, file)

    relocation._one = trusting


def _switched_early() -> None:
    """The settings say the new place while its catalog is still to be made."""
    move, anew = relocation.move, relocation._anew

    def early(data: Path, new: Any, switch: Callable[[], None], now: float) -> Any:
        def first(*how: Any) -> None:
            switch()
            anew(*how)

        relocation._anew = first
        return move(data, new, lambda: None, now)

    relocation.move = early


def _unnoted() -> None:
    relocation._note = lambda *how: None  # type: ignore[assignment]


def _numbered_anew() -> None:
    """Snapshots of the new catalog begin at its own first one."""
    Lake.snapshot = lambda self: -1  # type: ignore[method-assign]


PLANTS = {
    "a table left out": Plant(_a_table_left_out, "after the move: another lake"),
    "a file left out": Plant(_a_file_left_out, "the copy of `events` is not the same"),
    "files not synced": Plant(_not_synced(Path.is_file), "after a power cut: ", back=True),
    "folders not synced": Plant(
        _not_synced(lambda path: path.name == "files"), "after a power cut: ", back=True
    ),
    "a killed one's file believed": Plant(_believed, "after a power cut: ", back=True, at="unsynced"),
    "switched before the copy is whole": Plant(_switched_early, "after a kill: ", at="_opened"),
    "no note": Plant(_unnoted, "nothing says what", at="_compare"),
    "snapshots numbered anew": Plant(_numbered_anew, "after the move: older than it was"),
}


def _unsynced() -> None:
    """Be killed when a file is written and not yet synced."""
    sync = keyfile.sync

    def killed(path: Path) -> None:
        if path.suffix == ".parquet":
            os.kill(os.getpid(), signal.SIGKILL)
        sync(path)

    keyfile.sync = killed


def tried(name: str, data: Path, file: str) -> list[str]:
    """What is said of that fault, or of none ("")."""
    plant = PLANTS.get(name, Plant(lambda: None, ""))
    if plant.back:
        assert Move(data, file).attempt() == 0
        assert apart(lambda: relocation.drop(data) and None)[0] == 0
    move = Move(data, "-" if plant.back else file, plant.does)
    if plant.at == "unsynced":
        move.plant = _unsynced
        assert move.attempt() == 9
        move.plant = plant.does
    elif plant.at:
        move.attempt(at=plant.at)
    if not move.wrong and move.attempt() == 0 and plant.back:
        move.power_cut()
    return move.wrong


def fill(data: Path) -> None:
    """A row in every table that has none, so that one which is left out is missed."""
    lake = Lake.open(data, write=True)
    assert lake is not None
    with closing(lake):
        for table, columns in TABLES.items():
            if not lake._row(f"SELECT count(*) FROM lake.{table}")[0]:
                marks = ", ".join(f"CAST('{_word(kind)}' AS {kind})" for kind in columns.values())
                lake.connection.execute(f"INSERT INTO lake.{table} ({', '.join(columns)}) VALUES ({marks})")


def _word(kind: str) -> str:
    return {"DATE": "2026-09-01", "TIMESTAMP": "2026-09-01 00:00:00"}.get(kind, "7")


def main(asked: list[list[str]]) -> None:
    """The first one's folder is what the others are copies of."""
    first = Path(asked[0][1])
    assert apart(lambda: fill(first))[0] == 0
    said = {}
    for name, data, file in reversed(asked):
        if data != str(first):
            shutil.copytree(first, data, dirs_exist_ok=True)
        said[name] = tried(name, Path(data), file)
    print(json.dumps(said))


if __name__ == "__main__":
    unsigned()
    main(json.loads(sys.argv[1]))
