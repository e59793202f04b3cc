"""A lake is moved in processes that are killed, one after another, until one gets through; then power fails.

    python -m tests.lake.moving DATA FILE STEP

Each is killed STEP lines of ours after the one before (1: at every line); a FILE of "-" moves back into the
data folder. Prints one JSON line: how many were killed, and what was wrong after any of them.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from consent_filter.errors import Refused
from tests.warehouse.killed import apart, ended
from throng import lake as command
from throng.settings import read
from warehouse import relocation
from warehouse.extensions import OFFLINE
from warehouse.lake import TABLES, Lake
from warehouse.lake_settings import LakeSettings, settings

_OURS = {command.__file__, relocation.__file__}


def state(data: Path) -> tuple[str, int]:
    """What is in the lake, wherever it is: every table; and its snapshot's number."""
    lake = Lake.open(data)
    assert lake is not None, "no lake"
    with closing(lake):
        of = [f"(SELECT (count(*), sum(hash({name}))) FROM lake.{name})" for name in TABLES]
        return str(lake.connection.execute(f"SELECT {', '.join(of)}").fetchall()), lake.snapshot()


def unknown(data: Path, was: LakeSettings, new: LakeSettings) -> str:
    """What lies at the place that is not in use, and no note names."""
    if relocation.noted(data) is not None:
        return ""
    if relocation.place(settings(data)) == relocation.place(new):
        return "nothing says what is left"
    try:
        relocation._vacant(data, was, new)
    except Refused:
        return "nothing says what an attempt has left"
    return ""


class Move:
    """One move, by as many processes as it takes. `plant`: what is wrong in each of them."""

    def __init__(self, data: Path, file: str, plant: Callable[[], object] = lambda: None) -> None:
        self.data, self.plant, self.wrong = data, plant, list[str]()
        self.table = "" if file == "-" else command.table_of(Path(file))
        self.was, self.new = settings(data), read(self.table.encode()).lake
        self._synced = data.with_name(f"{data.name}.synced")
        self._whole, self._number = self._look()

    def attempt(self, after: int | None = None, at: str = "") -> int:
        """Its status; killed after so many lines of ours, or where that function begins."""
        status, said = ended(self._work, _OURS, after, at)
        if status not in (0, 9):
            self.wrong.append(said)
        self._judge("a kill" if status else "the move")
        return status

    def power_cut(self) -> None:
        """Of files that were carried into the folder only those are left that were synced, under names that
        were. (SQLite syncs what is its own.)"""
        (_, before), (_, carried) = relocation.place(self.was), relocation.place(self.new)
        if carried or not before:
            return  # nothing was
        lake, known = self.data / "lake", set(self._synced.read_text().splitlines())
        for file in [one for one in (lake / "files").rglob("*") if one.is_file()]:
            path = [file, *(one for one in file.parents if one.is_relative_to(lake) and one != lake)]
            names = {f"{one.parent.stat().st_ino} {one.name}" for one in path}
            if not known.issuperset({str(file.stat().st_ino), *names}):
                file.unlink()
        self._judge("a power cut")

    def _work(self) -> None:
        self.plant()
        fsync = os.fsync

        def noted(held: int) -> None:
            fsync(held)
            at = os.fstat(held)
            names = [f" {name}" for name in os.listdir(held)] if stat.S_ISDIR(at.st_mode) else [""]
            with self._synced.open("a") as out:
                out.writelines(f"{at.st_ino}{name}\n" for name in names)

        os.fsync = noted  # type: ignore[assignment]
        command.move(self.data, self.table, time.time())

    def _look(self) -> tuple[str, int]:
        """In a process of its own: one that has used a lake can't be forked."""
        status, said = apart(lambda: state(self.data))
        assert status == 0, said
        whole, number = json.loads(said)
        return whole, number

    def _judge(self, when: str) -> None:
        try:
            whole, number = self._look()
        except AssertionError as error:
            whole, number = str(error), self._number
        left = apart(lambda: unknown(self.data, self.was, self.new))[1]
        for wrong, says in (
            (whole != self._whole, "another lake"),
            (number < self._number, "older than it was"),
            (left != '""', left),
        ):
            if wrong:
                self.wrong.append(f"after {when}: {says}")


def unsigned() -> None:
    """Load DuckDB's extensions as they lie there: checking who signed them takes 0.3 s each, in each fork,
    and is not what is tried here."""
    OFFLINE["allow_unsigned_extensions"] = "true"


def run(data: Path, file: str, step: int) -> dict[str, Any]:
    """Until one gets through."""
    move, after = Move(data, file), step - 1
    while move.attempt(after) and not move.wrong and settings(data) == move.was:
        after += step
    if settings(data) != move.was:
        move.power_cut()
    return {"killed": after // step, "wrong": move.wrong}


if __name__ == "__main__":
    unsigned()
    print(json.dumps(run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
