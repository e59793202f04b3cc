"""The reports job: facts → released tables. Only touched days are made anew.

What is to be made is cut into elements (`pipelines/element.py`), which a runner maps; what they made is taken
into the store in one change.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import time
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.read import linked
from pipelines import leaving
from pipelines.beamio import careful, made, running
from pipelines.element import CATALOGUE, Work, at_hand, elements, make, over_all
from pipelines.options import beam
from pipelines.settings import Pipelines
from warehouse import batches, catalogue, echoes, effects, links
from warehouse import report as reports
from warehouse.batches import Moment
from warehouse.finest import standing
from warehouse.footprint import EVENTS
from warehouse.invalid.judged import since
from warehouse.lake import Lake
from warehouse.purges import Mark, coarse
from warehouse.recordkeys import RecordKeys
from warehouse.relations import hold
from warehouse.release import explain
from warehouse.released import Store
from warehouse.settings import Warehouse


class Made(Struct):
    """What a run did. `waiting`: reports over all days are yet to be made (see `idle_share`). `catalogue`:
    what is wrong with the catalogue of adverts; the last one that was right is in use."""

    commit: int = 0
    days: int = 0
    changed: list[str] = []
    waiting: bool = False
    seconds: float = 0.0
    catalogue: str = ""


def run(
    data: Path,
    settings: Warehouse,
    where: Pipelines = Pipelines(),  # noqa: B008
    *,
    force: bool = False,
    live: bool = False,
    buckets: int | None = None,
    now: float | None = None,
    adverts: Path | None = None,
) -> Made:
    """Bring the released tables up to date with the lake. The caller holds pipeline.lock.

    `where`: the runner. `force`: every day anew. `live`: reports over all days may rest a while
    (`idle_share`), as they do in the loop of `throng up`. `buckets`: how many, where it should not follow
    from the number of rows. `now`: seconds since 1970, by which days that people have left wait.
    `adverts`: the catalogue of adverts, unless it is DATA/adverts.toml.
    """
    begun, now = time.monotonic(), time.time() if now is None else now
    lake = Lake.open(data, threads=settings.threads)
    if lake is None:
        return Made()
    store = Store.open(data)
    try:
        rule, rows = _rule(settings, data), lake.rows()
        number, n = lake.number(), sum(rows.values())
        whole_of = buckets or over_all(n)
        leaving.noted(store, lake, data, settings, now, whole_of)
        logins = links.table(linked(data / "ledger.sqlite"))
        listed, wrong = _listed(store, adverts or data / CATALOGUE)
        other, renamed = store.get("rule") != rule, (store.get("catalogue") or "") != listed
        anew = force or other or renamed
        touched = _touched(lake, store, logins)
        echo = echoes.find(store, lake.connection, rows if anew else touched, rows)
        orders = echo.refunded - touched - echo.later
        touched |= batches.owed(store) | echo.refunded | echo.later
        again = batches.due(store, now)
        owed = bool(touched or again) or anew or store.get("waiting") == "True"
        rests = live and owed and not anew and not _rested(store, settings)
        if not rests:
            touched |= again
        days = rows if anew else {day: rows.get(day, 0) for day in touched}
        if not owed or (rests and not days):
            return Made(number, waiting=rests, catalogue=wrong)
        making = data / "released" / "making"
        shutil.rmtree(making, ignore_errors=True)
        room = making / secrets.token_hex(8)  # no element of an earlier run writes there
        room.mkdir(parents=True)
        (room / CATALOGUE).write_text(listed)
        at_hand[str(room)] = lake
        works = elements(data, room, days, settings, buckets, where.element_rows)
        whole = [] if rests else [Work(str(data), str(room), (), n, whole_of, settings)]
        pq.write_table(store.published(rows if anew else days), room / "published.parquet")
        batches.lay_out(store, room, days, Moment(now, sorted(days), go=other, still=rests))
        took = _map(works, whole, where)
        with store.change():
            marks, why = list(coarse(lake.connection)), "rules" if other or renamed else "new_events"
            anew_judged = since(lake.connection, int(store.get("commit") or 0))
            why_days = {"refunds": orders, "verdicts": set(anew_judged)}
            changed = _take(store, room, works, whole, settings, anew, marks, why, why_days)
            echoes.keep(store, echo)
            made_by = msgspec.json.encode(settings).decode()
            store.put(commit=number, snapshot=lake.snapshot(), rule=rule, waiting=rests)
            store.put(made_by=made_by, catalogue=listed)
            store.join(logins)
            if whole:
                store.put(rested_at=time.time() + took * settings.idle_share)
        shutil.rmtree(making)
        return Made(number, len(days), changed, rests, round(time.monotonic() - begun, 3), wrong)
    finally:
        at_hand.clear()
        store.close()
        lake.close()


def _map(works: list[Work], whole: list[Work], where: Pipelines) -> float:
    """By day first; then, knowing which days are published, over all days. Returns seconds of the latter."""

    with running(where) as job:
        days = job | made(works, where, "days") | "by day" >> beam.Map(careful(make, where))
        if whole:
            waits = beam.pvalue.AsList(days)
            after = careful(lambda work, labels: make(work), where)
            _ = job | made(whole, where, "all days") | "over all" >> beam.Map(after, waits)
    return sum(float(Path(one.room, one.place, "all.seconds").read_text()) for one in whole)


def _take(
    store: Store,
    room: Path,
    works: list[Work],
    whole: list[Work],
    settings: Warehouse,
    anew: bool,
    marks: list[Mark],
    reason: str,
    besides: Mapping[str, Collection[date]],
) -> list[str]:
    """Move what was made into the store; returns the names of the reports that are different now.

    `marks`: where facts have become coarse. What they don't say any more stays as it was published.
    `besides`: see `batches.tell`.
    """
    changed = []
    settled = batches.decided(room, settings)
    _, stand = batches.guard_over_all(room, settled)
    dark = batches.settle(store, settled, batches.found(room), settings.min_group, bool(whole))
    for one in reports.load().values():
        mine = works if one.grain == "day" else whole
        if not mine:
            continue
        table = pa.concat_tables(
            pq.read_table(room / work.place / f"{one.name}@{work.label}.parquet") for work in mine
        )
        days = None if anew or one.grain == "all" else [day for work in mine for day in work.days]
        still = set(settled.still) if one.grain == "day" and one.people else set(stand.get(one.name, ()))
        if batches.measured(one):
            table = batches.without(store, one, table, dark)
        if store.replace(one, days, table, explain(one, settings), standing(one, marks), still):
            changed.append(one.name)
    for work in (*works, *whole):
        days = None if anew or not work.days else list(work.days)
        said = [pq.read_table(room / work.place / f"{work.label}.{what}") for what in ("effects", "audited")]
        effects.keep(store.connection, [one.name for one in reports.load().values() if
                     (one.grain == "day") == bool(work.days)], days, *said)  # fmt: skip
    batches.tell(store, reason, besides)
    store.drop(reports.load())
    return changed


def _listed(store: Store, file: Path) -> tuple[str, str]:
    """The text of the catalogue of adverts, and what is wrong with the file: then the text is the last one
    that was right, because a slip in a list of names must not stop every report."""
    try:
        text = file.read_bytes() if file.exists() else b""
        catalogue.parse(text, file.name)
        return text.decode(), ""
    except Misconfigured as error:
        return store.get("catalogue") or "", str(error)


def _rule(settings: Warehouse, data: Path) -> str:
    """What every row depends on besides facts and withdrawals: the reports, how they are released, and by
    which record keys they are moved."""
    names = ("min_group", "max_cells", "max_sum", "max_hours", "dominance")
    noise = RecordKeys.open(data).fingerprint if settings.perturb else ""
    how = ([getattr(settings, name) for name in names], noise, sorted(reports.load().items()))
    return hashlib.blake2b(repr(how).encode(), digest_size=16).hexdigest()


def _touched(lake: Lake, store: Store, logins: pa.Table) -> set[date]:
    """Days of new commits, and of visits that a login has joined to an account, or an undone one to their
    browser again, since the last run."""
    days = {day for _, day in lake.touched(int(store.get("commit") or 0))}
    joined, undone = store.turned(logins)
    days |= {day + timedelta(days=by) for day in undone for by in (-1, 0, 1)} & lake.rows().keys()
    if joined.num_rows:
        hold(lake.connection, "turned", joined)
        found = lake.connection.execute(
            f"SELECT DISTINCT day FROM {EVENTS} JOIN (SELECT device AS person, moment FROM turned)"
            " USING (person) WHERE day BETWEEN CAST(moment AS DATE) - 1 AND CAST(moment AS DATE) + 1"
        )
        days |= {day for (day,) in found.fetchall()}
    return days


def _rested(store: Store, settings: Warehouse) -> bool:
    """Whether reports over all days have rested enough; also when the clock has stepped back."""
    until = float(store.get("rested_at") or 0)
    return not time.time() < until <= time.time() + 3600
