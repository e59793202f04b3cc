"""Looking after facts: merge small files, null ids that no retry can repeat, delete what is over, clean up.

An element is a group of files; it writes new ones, which then stand for the old ones in one transaction.
Killed anywhere, it leaves the facts as they were, and files that the next run sweeps away.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.fields import FACTS
from consent_filter.policy import load
from ingest import imports
from pipelines.beamio import each
from pipelines.settings import Pipelines
from warehouse import compact
from warehouse.lake import Lake

#: Commits after which the small tables of the lake are summed up, and seconds between looks for old rows.
SETTLE, HOUR = 256, 3600.0


class Expired(Struct):
    """What a run did: files merged into others, files they became, rows deleted, files removed from disk."""

    merged: int = 0
    written: int = 0
    deleted: int = 0
    removed: int = 0


class _Task(NamedTuple):
    data: str
    group: compact.Group
    rule: compact.Rule
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
    rule = compact.Rule(moment, {}, settings.open_files, settings.file_rows)
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
        rule = compact.Rule(moment, _keep(lake, packs), settings.open_files, settings.file_rows)
        groups = compact.plan(
            compact.files(lake), rule, compact.expired(lake, rule) if look else frozenset(), tidy=look
        )
        done = _rewrite(data, lake, groups, rule, settings) if groups else Expired()
        if look:
            # A line may not come in again while a fact of it may still be there.
            imports.forget(data / "imports.sqlite", round((moment - FACTS.total_seconds()) * 1000))
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
        return compact.forget(lake, moment - settings.grace_minutes * 60)
    finally:
        lake.close()


def _keep(lake: Lake, packs: Collection[str]) -> dict[str, int]:
    """Days that facts are kept, by `policy` as rows name it: in every version as the newest says.

    A pack that is neither a site's nor ships leaves the longest time; of two of one name the shorter holds.
    """
    days: dict[str, int] = {}
    for pack in map(load, packs):
        days[pack.name] = min(pack.facts_days, days.get(pack.name, pack.facts_days))
    found = lake.connection.execute("SELECT DISTINCT policy FROM lake.events WHERE policy IS NOT NULL")
    keep = {}
    for (policy,) in found.fetchall():
        name = policy.rpartition("/")[0]
        with suppress(Misconfigured):
            keep[policy] = days[name] if name in days else load(name).facts_days
    return keep


def _rewrite(
    data: Path, lake: Lake, groups: list[compact.Group], rule: compact.Rule, settings: Pipelines
) -> Expired:
    folder, prefix = lake.room()
    notes = lake.folder / "work"
    notes.mkdir(exist_ok=True)
    tasks = [
        _Task(str(data), group, rule, f"{prefix}-{k}", str(notes / f"{prefix}-{k}.note"))
        for k, group in enumerate(groups)
    ]
    try:
        each(tasks, partial(_work, folder=str(folder)), settings)
        made = [pickle.loads(Path(task.note).read_bytes()) for task in tasks]
        over = compact.over(lake, groups, rule)
        compact.replace(lake, groups, made, over)
    except BaseException:
        with suppress(OSError):
            for file in folder.glob(f"{prefix}-*"):
                file.unlink(missing_ok=True)
        raise
    finally:
        for task in tasks:
            with suppress(OSError):
                Path(task.note).unlink(missing_ok=True)
    return Expired(sum(len(group.paths) for group in groups), sum(map(len, made)), over)


def _work(task: _Task, folder: str) -> None:
    """One element: a group's rows in new files, and a note of them."""
    lake = Lake.open(Path(task.data))
    assert lake is not None
    try:
        made = compact.rewrite(lake, task.group, task.rule, Path(folder), task.name)
    finally:
        lake.close()
    Path(task.note).write_bytes(pickle.dumps(made))
