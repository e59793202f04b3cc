"""Rights carried out: requests that are proved, and removals, in every pass and in `throng rights run`.

A child's first (S23). Words in the ledger bind at once; rows leave the files in the same pass, and the disk
when readers have had their grace: `waits` says what a removal waits for. Killed anywhere, the next pass goes
on, and nothing is done twice. The caller holds pipeline.lock.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from msgspec import Struct

from consent_filter import holds
from consent_filter.departed import Tombstones
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.read import removing
from pipelines import leaving, requests, stones
from pipelines.absent import Persons, marked, tombstones
from pipelines.holders import HOLDERS
from pipelines.removal import FOLDER, Removal, begin, certify, close, opened, step
from pipelines.settings import Backup, Pipelines
from warehouse import erase
from warehouse.lake import Lake
from warehouse.settings import Warehouse

#: Seconds in which those who are to leave are gathered: files are written anew for all of them together.
GATHER = 60.0
#: What was looked at: the catalog, and its number of commits.
_SEEN = "vetted.json"
#: Whether a place of backups lacks the newest list; unknown until this process has looked.
_owed: dict[Path, bool] = {}


class Done(Struct):
    """What a pass did: requests closed, removals begun, under way and certified, what they wait for, and
    places of backups whose list of the erased is not up to date."""

    closed: int = 0
    begun: int = 0
    open: int = 0
    certified: list[str] = []
    waits: list[str] = []
    unreached: list[str] = []


def run(
    data: Path,
    settings: Pipelines = Pipelines(),  # noqa: B008
    backup: Backup = Backup(),  # noqa: B008
    now: float | None = None,
    *,
    at_once: bool = False,
    warehouse: Warehouse = Warehouse(),  # noqa: B008
) -> Done:
    """Carry out what is pending. `at_once`: without gathering, as for a child. `warehouse`: by which the
    reports count those who leave, before their facts are gone (S1)."""
    moment, done = time.time() if now is None else now, Done()
    if not (data / "ledger.sqlite").exists():
        return done
    asked = requests.words(data, settings, round(moment * 1000), warehouse)
    gone, going = tombstones(data), removing(data / "ledger.sqlite")
    # What is held waits: in no report, and on the disk until the hold ends (M81).
    stay = holds.persons(data, round(moment * 1000))
    going = np.setdiff1d(going, stay)
    standing, back = opened(data), _back(data, gone)
    known = {mark for one in standing for mark in one.marks}
    fresh = [mark for mark in gone.hashes(going) if mark.hex() not in known]
    came = [mark for mark in gone.hashes(back) if mark.hex() not in known]
    since = moment - max([one.begun for one in standing], default=-1e18)
    if came or (fresh and (at_once or asked.child or not 0 <= since < GATHER)):
        reasons = [*(["came back"] if came else []), *asked.reasons]
        standing.append(begin(data, [*fresh, *came], asked.new(standing), reasons, moment))
        done.begun = 1
    if standing:
        leaving.note(data, warehouse, moment, child=asked.child)
    for one in list(standing):
        if _go_on(data, one, gone, going, stay, settings, backup, moment, done):
            done.certified.append(one.id)
            standing.remove(one)
    done.open = len(standing)
    done.closed = requests.close(data, asked, standing)
    done.waits += asked.stuck
    if done.begun or done.certified or _owed.get(data, True):
        done.unreached = stones.spread(data, backup.places)
        _owed[data] = bool(done.unreached)
    if len(gone) or done.certified:
        _vetted(data)
    return done


def _go_on(
    data: Path,
    one: Removal,
    gone: Tombstones,
    going: Persons,
    stay: Persons,
    settings: Pipelines,
    backup: Backup,
    now: float,
    done: Done,
) -> bool:
    """One step of a removal; whether it is finished."""
    held = {bytes.fromhex(mark) for mark in one.marks}
    persons = np.array(
        [person for mark, person in zip(gone.hashes(going), going, strict=True) if mark in held], np.uint64
    )
    whom = marked(gone, held - {*gone.hashes(stay)}, persons)
    changed = step(data, one, whom, settings, now, HOLDERS)
    waits = [f"{of.holder}: {of.waits}" for of in changed if of.waits]
    if waits or certify(data, one, whom, settings, backup, now, changed, HOLDERS) is None:
        done.waits += waits
        return False
    if len(persons):
        with closing(_ledger(data)) as ledger:
            ledger.removed(persons, round(now * 1000))
    close(data, one)
    return True


def _ledger(data: Path) -> Ledger:
    return Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"), gives=False)


def older(data: Path) -> bool:
    """Whether the facts are an older copy than the last pass left: then `run` looks at everybody in them.

    Every commit, and every removal, counts up: a copy of before has a lower number.
    """
    if not (data / "ledger.sqlite").exists() or not len(tombstones(data)):
        return False
    lake = Lake.open(data)
    if lake is None:
        return False
    try:
        return _older(data, lake)
    finally:
        lake.close()


def _older(data: Path, lake: Lake) -> bool:
    noted = _noted(data)
    return lake.number() < noted.get("number", 0) or lake.made() != noted.get("made")


def _back(data: Path, gone: Tombstones) -> Persons:
    """Removed persons who are in the facts again: the lake was put back from an older copy (S2)."""
    lake = Lake.open(data) if len(gone) else None
    if lake is None:
        return np.zeros(0, np.uint64)
    try:
        return erase.strangers(lake, gone.among) if _older(data, lake) else np.zeros(0, np.uint64)
    finally:
        lake.close()


def _noted(data: Path) -> dict[str, int]:
    try:
        found = json.loads((data / FOLDER / _SEEN).read_text())
        return found if isinstance(found, dict) else {}
    except (FileNotFoundError, ValueError):
        return {}


def _vetted(data: Path) -> None:
    lake = Lake.open(data)
    if lake is None:
        return
    said = {"made": lake.made(), "number": lake.number()}
    lake.close()
    if said != _noted(data):
        (data / FOLDER).mkdir(exist_ok=True)
        draft = data / FOLDER / f"{_SEEN}.new"
        draft.write_text(json.dumps(said))
        os.replace(draft, data / FOLDER / _SEEN)
