"""Looking after facts: merge small files, null ids that no retry can repeat, delete what is over, make
coarser what may not be as fine any more, clean up, and say what was taken away.

An element is a group of files; it writes new ones, which then stand for the old ones in one transaction.
Killed anywhere, it leaves the facts as they were, and files that the next run sweeps away.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path, PurePath
from typing import NamedTuple

from msgspec import Struct

from consent_filter.errors import Broken, Misconfigured
from consent_filter.fields import FACTS
from ingest import imports
from pipelines import keeping, shelf
from pipelines.attempts import apart, keep, say
from pipelines.beamio import each
from pipelines.settings import Pipelines
from warehouse import compact, cuts, decay, purges, relocation
from warehouse.decay import Due
from warehouse.lake import Lake
from warehouse.purges import Purged

#: Commits after which the small tables of the lake are summed up, and seconds between looks for old rows.
SETTLE, HOUR = 256, 3600.0


class Expired(Struct):
    """What a run did: files merged into others, files they became, rows deleted, files removed from disk; and
    by reason what was taken away (`purges.REASONS`)."""

    merged: int = 0
    written: int = 0
    deleted: int = 0
    removed: int = 0
    purged: dict[str, Purged] = {}


class _Task(NamedTuple):
    """`rule`: where it lies, since pseudonyms are in it."""

    data: str
    group: compact.Group
    rule: Path
    name: str
    note: str


class _Clock:
    """When this process last looked, by data folder. A clock that stepped back makes it look at once."""

    def __init__(self) -> None:
        self.looked: dict[Path, float] = {}
        self.forgot: dict[Path, float] = {}
        self.settled: dict[Path, int] = {}


_clock = _Clock()


def when_due(
    data: Path,
    settings: Pipelines = Pipelines(),  # noqa: B008
    now: float | None = None,
    packs: Collection[str] = (),
) -> int:
    """What a refresh does besides folding: merge where files are many, the rest now and then."""
    moment = time.time() if now is None else now
    hourly = not 0 <= moment - _clock.looked.get(data, -HOUR) < HOUR
    lake = Lake.open(data)
    if lake is None:
        return 0
    number = lake.number()
    rule = compact.Rule(moment, Due(_day(moment)), settings.open_files, settings.file_rows)
    many = bool(compact.plan(compact.files(lake), rule))
    lake.close()
    done = run(data, settings, moment, packs, look=hourly) if hourly or many else Expired()
    if number - _clock.settled.setdefault(data, number) >= SETTLE:
        settle(data)
    if not 0 <= moment - _clock.forgot.get(data, -HOUR) < 60:
        done.removed += forget(data, settings, moment)
    return done.merged


def run(
    data: Path,
    settings: Pipelines = Pipelines(),  # noqa: B008
    now: float | None = None,
    packs: Collection[str] = (),
    *,
    look: bool = True,
) -> Expired:
    """Merge, null and delete what is due now. `look` for rows whose time is over. Under pipeline.lock.

    `packs`: of the sites, as they are named there; facts are kept for as long as theirs say.
    """
    moment = time.time() if now is None else now
    lake = Lake.open(data, write=True)
    assert lake is not None
    try:
        found, over = compact.files(lake), frozenset[str]()
        rule = compact.Rule(moment, Due(_day(moment)), settings.open_files, settings.file_rows)
        groups = compact.plan(found, rule)
        if not look and not groups:
            return Expired()
        paths = None if look else [path for group in groups for path in group.paths]
        due, waiting = keeping.due(data, lake, packs, moment, paths)
        decay.offer(lake.connection, due)
        rule = rule._replace(due=due)
        if look:
            over = compact.expired(lake, rule, found, waiting)
            groups = compact.plan(found, rule, over, tidy=True)
        done = Expired()
        if groups:
            keeping.note(data, due)
            done = _rewrite(data, lake, groups, rule, settings)
        if look:
            # A line may not come in again while a fact of it may still be there.
            imports.forget(data / "imports.sqlite", round((moment - FACTS.total_seconds()) * 1000))
            keeping.settle(data, due, moment)
            relocation.lapse(data, moment)
            cuts.destroy(lake.folder, due.today)
            _clock.looked[data] = moment
        return done
    finally:
        lake.close()


def settle(data: Path) -> None:
    """Sum up counts, offsets and touched days."""
    lake = Lake.open(data, write=True, inline=False)
    assert lake is not None
    try:
        compact.settle(lake)
        _clock.settled[data] = lake.number()
    finally:
        lake.close()


def forget(data: Path, settings: Pipelines = Pipelines(), now: float | None = None) -> int:  # noqa: B008
    """Remove from the disk what was replaced or deleted longer ago than readers may need it."""
    moment = time.time() if now is None else now
    lake = Lake.open(data, write=True)
    assert lake is not None
    try:
        _clock.forgot[data] = moment
        before = lake.files()
        removed = compact.forget(lake, moment - settings.grace_minutes * 60)
        if removed:
            gone = before.keys() - lake.files().keys()
            purged = Purged(files=len(gone), bytes=sum(before[path] for path in gone))
            purges.write(lake.connection, moment, {"removed": purged}, ())
        return removed
    finally:
        lake.close()


def _day(moment: float) -> date:
    return datetime.fromtimestamp(moment, UTC).date()


def _rewrite(
    data: Path, lake: Lake, groups: list[compact.Group], rule: compact.Rule, settings: Pipelines
) -> Expired:
    paths = [path for group in groups for path in group.paths]
    what = purges.account(lake.connection, paths, rule.due)
    rule = rule._replace(due=rule.due._replace(cuts=cuts.keys(lake.folder, what.cuts)))
    folder, prefix = lake.room()
    notes = lake.folder / "work"
    notes.mkdir(exist_ok=True)
    made: list[list[tuple[str, int]]] = []
    try:
        with shelf.laid(notes, prefix, rule, settings) as lies:
            tasks = [
                _Task(str(data), group, lies, f"{prefix}-{k}", str(notes / f"{prefix}-{k}.note"))
                for k, group in enumerate(groups)
            ]
            each(tasks, _work, settings)
        made = [pickle.loads(Path(task.note).read_bytes()) for task in tasks]
        compact.replace(lake, groups, made, what, rule.now)
    except BaseException:
        made = []
        raise
    finally:
        with suppress(OSError, Misconfigured, Broken):
            keep(prefix, {PurePath(path).name for one in made for path, _ in one}, notes, folder)
    return Expired(
        sum(len(group.paths) for group in groups), sum(map(len, made)), what.over, purged=what.purged
    )


def _work(task: _Task) -> None:
    """One element: a group's rows in new files, and a note of them."""
    lake = Lake.open(Path(task.data))
    assert lake is not None
    try:
        rule = shelf.taken(task.rule)
        made = compact.rewrite(lake, task.group, rule, lake.depot.room(), apart(task.name))
    finally:
        lake.close()
    say(Path(task.note), pickle.dumps(made))
