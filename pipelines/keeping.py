"""What looking after facts must know today: the policies of the rows, holds, closed accounts, withdrawals."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter import holds, read
from consent_filter.accounts import Account, Closed, closed
from consent_filter.errors import Misconfigured
from consent_filter.policy import Pack, load
from consent_filter.retention import Class, lasting, running
from warehouse.decay import Due, kinds, schedule
from warehouse.lake import Lake

#: Days that a closed account of which no row is left is remembered, should its hold have ended meanwhile.
REMEMBERED = 7


def left_out(data: Path, now: int | None = None) -> NDArray[np.uint64]:
    """Everyone whom no report counts: withdrawn, being removed, restricted (the ledger) or held. Sorted.
    `now`: UTC milliseconds; None is the clock's."""
    found: NDArray[np.uint64] = np.union1d(
        read.withdrawn(data / "ledger.sqlite"), holds.persons(data, now)
    ).astype(np.uint64)
    return found


def due(
    data: Path, lake: Lake, packs: Collection[str], now: float, paths: Collection[str] | None = None
) -> tuple[Due, NDArray[np.uint64]]:
    """What is due at that time (UTC seconds), and the persons of whom something was kept back that no hold or
    restriction stands for any more. `packs`: of the sites, as they are named there. `paths`: the files that
    are to be written anew, where nobody looks for others."""
    today, at = datetime.fromtimestamp(now, UTC).date(), round(now * 1000)
    found = kinds(lake.connection, "lake.events", paths)
    known = _packs({policy for policy, _, _ in found}, packs)
    rules, most = schedule(found, known)
    restricted = read.restricted(data / "ledger.sqlite")
    kept, waiting = pa.concat_tables([holds.periods(data, at), holds.always(restricted)]), restricted[:0]
    if (data / holds.FILE).exists():
        with holds.Holds.open(data) as held:
            waiting = held.waiting(kept)
    accounts, sets = _closed(data, {pack.name: pack for pack in known.values()}, load_all(packs), today)
    gone = np.setdiff1d(read.withdrawn(data / "ledger.sqlite"), restricted)
    return Due(today, rules, most, kept, accounts, sets, gone), waiting


def note(data: Path, done: Due) -> None:
    """Remember what is kept back before files are written that say that all is done in them."""
    if done.held is not None and done.held.num_rows:
        with holds.Holds.open(data) as held:
            held.note(done.held)


def settle(data: Path, done: Due, now: float) -> None:
    """What waited has been done: forget whom ended holds were about, and accounts that have nothing left."""
    assert done.held is not None
    if (data / holds.FILE).exists() or done.held.num_rows:
        with holds.Holds.open(data) as held:
            held.settle(done.held, round(now * 1000))
    if done.closed is None:
        return
    kept = {*done.held["person"].to_pylist()}
    over = [
        one["person"]
        for one in done.closed.to_pylist()
        if one["state"] < 0
        and one["changed"] + timedelta(days=REMEMBERED) <= done.today
        and one["person"] not in kept
    ]
    if over:
        with Closed.open(data) as accounts:
            accounts.forget(over)


def load_all(packs: Collection[str]) -> dict[str, Pack]:
    """Packs by the name that rows have; of two of one name that which keeps facts for less."""
    found: dict[str, Pack] = {}
    for pack in map(load, packs):
        known = found.get(pack.name)
        if known is None or pack.facts_days < known.facts_days:
            found[pack.name] = pack
    return found


def _packs(policies: Collection[str], packs: Collection[str]) -> dict[str, Pack]:
    """The pack of each `policy` that rows name: in every version as the newest says.

    A pack that is neither a site's nor ships is left out.
    """
    ours = load_all(packs)
    found = {}
    for policy in policies:
        name = policy.rpartition("/")[0]
        with suppress(Misconfigured):
            found[policy] = ours[name] if name in ours else load(name)
    return found


def _closed(
    data: Path, named: dict[str, Pack], ours: dict[str, Pack], today: date
) -> tuple[pa.Table | None, tuple[frozenset[str], ...]]:
    """The closed accounts as `Due` has them. Of packs that differ the shortest time of a class holds."""
    accounts = closed(data)
    if not accounts:
        return None, ()
    classes: dict[str, Class] = {}
    for pack in (named | ours).values():
        for name, one in pack.retention.closed.items():
            if name not in classes or one.days < classes[name].days:
                classes[name] = one
    sets: list[frozenset[str]] = []
    states, changed = [], []
    for account in accounts:
        columns = lasting(running(classes, account.classes, account.since, today))
        if columns is not None and columns not in sets:
            sets.append(columns)
        states.append(-1 if columns is None else sets.index(columns))
        changed.append(
            _changed(account, {n: classes[n].days for n in account.classes if n in classes}, today)
        )
    table = pa.table(
        {
            "person": pa.array([account.person for account in accounts], pa.uint64()),
            "state": pa.array(states, pa.int32()),
            "changed": pa.array(changed, pa.date32()),
        }
    )
    return table, tuple(sets)


def _changed(account: Account, days: dict[str, int], today: date) -> date:
    """The last day on which what stays of an account became less."""
    ends = [account.since + timedelta(days=n - 1) for n in days.values()]
    return max([account.since, *(end for end in ends if end <= today)])
