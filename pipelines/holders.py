"""The stores that hold, or could hold, somebody's data, and how each is rid of it."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np

from consent_filter import accounts, holds
from consent_filter.departed import Persons
from consent_filter.errors import Broken, Misconfigured, Refused
from consent_filter.failure import describe
from ingest.log import Lasting, frame
from ingest.log.opening import opened
from pipelines import shelf
from pipelines.attempts import apart, keep, say
from pipelines.beamio import each
from pipelines.holder import Changed, Found, Holder, Kept, Task
from warehouse import compact, erase, released, relocation
from warehouse.catalog import Catalog
from warehouse.depot import Depot
from warehouse.lake import Lake


class Facts:
    """Files of facts, those that only older snapshots still name, and the catalog."""

    name = "facts"

    def find(self, task: Task) -> list[Found]:
        left = erase.left(task.data, task.absent)
        return [Found(f"lake/{file}", n) for file, n in left.items()]

    def change(self, task: Task, *, dry_run: bool = False) -> Changed:
        done = Changed(self.name)
        lake = Lake.open(task.data, write=not dry_run)
        if lake is None:
            return done
        try:
            if not dry_run:
                shelf.clear(lake.folder / "work")
            persons = erase.strangers(lake, task.absent)
            files = erase.held(lake, persons)
            rows = sum(files.values())
            done.found = rows
            if files:
                done.removed = [f"{rows} rows in {len(files)} files"]
            if dry_run:
                return done
            if files:
                self.rewrite(task, lake, list(files), persons)
            compact.forget(lake, task.now - task.settings.grace_minutes * 60)
        finally:
            lake.close()
        left = self.find(task)
        done.searched = sum(file.endswith(".parquet") for file in Depot.of(task.data).files())
        try:
            relocation.drop(task.data)
        except (OSError, Misconfigured, Refused) as error:
            done.waits = f"what a move has left is not deleted: {describe(error)}"
            return done
        if left:
            grace = f"{task.settings.grace_minutes:g} minutes"
            done.waits = f"{len(left)} replaced files stay for readers, for {grace} in all"
        elif not Catalog.of(task.data).wipe():
            done.waits = "a reader has the catalog open"
        return done

    def rewrite(
        self,
        task: Task,
        lake: Lake,
        files: Sequence[str],
        persons: erase.Persons,
        set: dict[str, str] | None = None,
    ) -> None:
        """These files anew: without the persons, or with `set` in their rows. One commit."""
        folder, prefix = lake.room()
        work = lake.folder / "work"
        work.mkdir(exist_ok=True)
        anew: list[erase.Anew] = []
        try:
            with shelf.laid(work, prefix, (persons, set or {}), task.settings) as lies:
                ones = [
                    _Anew(str(task.data), file, lies, work / f"{prefix}-{number}.note")
                    for number, file in enumerate(files)
                ]
                each(ones, _write, task.settings)
            anew = [pickle.loads(one.note.read_bytes()) for one in ones]
            task.note(lake, anew)
            erase.replace(lake, anew, persons, corrected=bool(set))
        except BaseException:
            anew = []
            raise
        finally:
            with suppress(OSError, Misconfigured, Broken):
                keep(prefix, {PurePath(new.file).name for one in anew for new in one.new}, work, folder)


class _Anew(NamedTuple):
    """One element: a file to be written anew. `rule`: where it lies whose rows, and which values are put
    right, since those who must be gone are named nowhere else."""

    data: str
    file: str
    rule: Path
    note: Path


def _write(one: _Anew) -> None:
    persons, set = shelf.taken(one.rule)
    lake = Lake.open(Path(one.data))
    assert lake is not None
    try:
        made = erase.write(lake, one.file, persons, lake.depot.room(), apart(one.note.stem), set)
    finally:
        lake.close()
    say(one.note, pickle.dumps(made))


class Log:
    """Segments of the log: what is folded is trimmed, and what is not is kept out when it is."""

    name = "log"

    def find(self, task: Task) -> list[Found]:
        log = opened(task.data)
        found: dict[str, int] = {}
        for offset, record in log.read({}):
            distinct, where = np.unique(record.events.numbers["person"], return_inverse=True)
            n = int(task.absent(distinct)[where].sum())
            if n:
                file = log.where(offset)
                found[file] = found.get(file, 0) + n
        log.close()
        return [Found(file, n) for file, n in found.items()]

    def change(self, task: Task, *, dry_run: bool = False) -> Changed:
        log = opened(task.data)
        try:
            return self._change(task, log, dry_run)
        finally:
            log.close()

    def _change(self, task: Task, log: Lasting, dry_run: bool) -> Changed:
        found = self.find(task)
        done = Changed(self.name, log.pieces())
        done.found = sum(one.rows for one in found)
        if aside := sum(1 for _ in (task.data / "log").rglob(f"*{frame.SET_ASIDE}")):
            what = f"{aside} damaged segments that an operator has set aside"
            why = "nobody can read them; what is mended and put back is kept out by the tombstones"
            done.kept = [Kept(what, why, "they are deleted by hand")]
        if minutes := math.ceil(log.lingers() / 60):
            what = "messages that were trimmed, in files that the brokers have still to delete"
            why = "no client can read them; a broker deletes whole files, when they are closed"
            done.kept += [Kept(what, why, f"{minutes} minutes after this, by the brokers' usual settings")]
        if not found:
            return done
        done.removed = [f"{done.found} events in {len(found)} segments"]
        if dry_run:
            return done
        lake = Lake.open(task.data)
        folded = lake.offsets() if lake is not None else {}
        if lake is not None:
            lake.close()
        log.let_go({one.file.split("/")[1] for one in found})
        log.trim(folded)
        if self.find(task):
            done.waits = "segments that are not folded yet, or that the collector is still writing"
        return done


class Released:
    """Released tables name nobody; beside them stands whom they were made without."""

    name = "released"

    def find(self, task: Task) -> list[Found]:
        n = released.subtracted_of(task.data, task.absent)
        return [Found("released/work.duckdb", n)] if n else []

    def change(self, task: Task, *, dry_run: bool = False) -> Changed:
        done = Changed(self.name, 1 if (task.data / "released" / "work.duckdb").exists() else 0)
        done.found = sum(one.rows for one in self.find(task))
        if done.found:
            done.removed = [f"{done.found} entries of whom the tables were made without"]
            if not dry_run:
                released.forget(task.data, task.absent)
        done.kept = [
            Kept(
                "published tables, Parquet files and the documents of checks",
                "they count groups of people and name nobody; they are made anew without whoever left",
                "the next publication",
            )
        ]
        return done


class Keeping:
    """Holds that have ended, and closed accounts: both name pseudonyms."""

    name = "holds and closed accounts"

    def find(self, task: Task) -> list[Found]:
        found = [(holds.FILE, self._held(task)), (accounts.FILE, self._closed(task))]
        return [Found(file, len(persons)) for file, persons in found if len(persons)]

    def change(self, task: Task, *, dry_run: bool = False) -> Changed:
        done = Changed(self.name, sum((task.data / one).exists() for one in (holds.FILE, accounts.FILE)))
        held, closed = self._held(task), self._closed(task)
        done.found = len(held) + len(closed)
        if done.found:
            done.removed = [f"{len(held)} persons of holds, {len(closed)} of closed accounts"]
        if len(held) and not dry_run:
            with holds.Holds.open(task.data) as open_:
                open_.forget(held)
        if len(closed) and not dry_run:
            with accounts.Closed.open(task.data) as all_:
                all_.forget(closed.tolist())
        return done

    def _held(self, task: Task) -> Persons:
        if not (task.data / holds.FILE).exists():
            return np.zeros(0, np.uint64)
        with holds.Holds.open(task.data) as open_:
            persons = open_.mentioned()
        return persons[task.absent(persons)]

    def _closed(self, task: Task) -> Persons:
        persons = np.unique(np.array([one.person for one in accounts.closed(task.data)], np.uint64))
        return persons[task.absent(persons)]


class Standing:
    """What stays on purpose, and says so."""

    name = "standing"

    def find(self, task: Task) -> list[Found]:
        return []

    def change(self, task: Task, *, dry_run: bool = False) -> Changed:
        return Changed(
            self.name,
            kept=[
                Kept(
                    "the keyed hash of the id, and tombstones (keyed hashes of pseudonyms), in the ledger",
                    "late events, replays and restored copies are refused by them (GDPR Art. 17(3)(b), 5(2))",
                    "the ledger's end",
                ),
                Kept(
                    "commitments in the ledger's chain, whose contents are deleted",
                    "the chain must still verify; nobody can tell whose they were (GDPR Art. 7(1))",
                    "the ledger's end",
                ),
                Kept(
                    "the request itself, with the id given to make it: sealed, under a key of its own",
                    "we must be able to answer for it (GDPR Art. 5(2), 12(3))",
                    "it is emptied `[rights] answer_days` after its answer",
                ),
                Kept(
                    "keyed fingerprints of imported log lines",
                    "an import that is repeated must add nothing; they name no person",
                    "760 days after the import",
                ),
            ],
        )


#: Every store. One that is missing here is found by `throng rights prove`.
HOLDERS: tuple[Holder, ...] = (Facts(), Log(), Released(), Keeping(), Standing())
