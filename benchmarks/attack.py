"""Attacks on releases: what is caught, what passes, what pairs of versions give away, and how long it takes.

Worlds and planted weaknesses are those of the tests: this is their long form.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import date
from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest

from benchmarks.line import emit
from tests.warehouse.attack.test_subtract import oracle
from tests.warehouse.crowd import Crowd, milliseconds
from tests.warehouse.tables import fill
from tests.warehouse.test_release_attacks import LEAST, READS, WEAK, market
from warehouse import mechanism, snapshot
from warehouse import report as reports
from warehouse.attack import publication
from warehouse.attack.algebra import isolated
from warehouse.attack.evidence import Evidence, Version, sheet
from warehouse.attack.figures import Figure, Meaning, figures
from warehouse.attack.membership import advantage, allowed, shadow
from warehouse.attack.subtract import subtract
from warehouse.attack.suite import Attacked, attack
from warehouse.released import Store
from warehouse.settings import Warehouse

HOW = Warehouse(min_group=LEAST, perturb=False)
#: Of the reports that count everyone of a day, so that any two can be subtracted.
READ = ("traffic_day", "countries", "devices", "browsers", "consent_mix", "new_returning", "balance")
SITES = 100
#: Planted, and likely rather than sure: noted by this attack, as `docs/attacks.md` says.
NOTED = {"steps of hidden days": "spans", "cohorts of hidden days": "spans"}


def attacked(now: dict[str, pa.Table], *before: dict[str, pa.Table]) -> Attacked:
    known = reports.load()
    sheets = [sheet(known[name], LEAST, publication.off(known[name], HOW), HOW.equals) for name in now]
    evidence = Evidence(sheets, now, [Version(tables=one) for one in before], k=LEAST)
    try:
        return attack(evidence)
    finally:
        evidence.close()


def days_of(chance: random.Random, run: int) -> list[dict[str, Any]]:
    """A day of each of some sites, with few people in most corners."""
    rows = []
    for site in range(SITES):
        for number in range(chance.choice([6, 12, 25, 40])):
            who = {
                "site": f"s{site}",
                "person": run * 1_000_000 + site * 1000 + number,
                "country": chance.choice(["DE"] * 6 + ["US"] * 3 + ["FR", "AT"]),
                "device": chance.choice(["desktop"] * 4 + ["mobile"] * 3 + ["tablet"]),
                "browser": chance.choice(["Chrome"] * 5 + ["Safari"] * 2 + ["Firefox"]),
                "basis": chance.choice(["consent"] * 4 + ["exempt"]),
                "time": milliseconds("2026-09-01 10:00"),
            }
            rows += [who] * chance.choice([1, 2, 4])
    return rows


def pairs(trials: int) -> None:
    """Random days, published, and again when more people have come: any pair of tables and of versions."""
    chosen = [reports.load()[name] for name in READ]
    found, done, seconds, run = 0, 0, [], 0
    while done < trials:
        rows = days_of(random.Random(run), run)
        crowd = Crowd([row for n, row in enumerate(rows) if n % 5])
        before = crowd.release(HOW, chosen=chosen)
        crowd.close()
        crowd = Crowd(rows)
        now = crowd.release(HOW, chosen=chosen)
        crowd.close()
        begun = time.process_time()
        found += len({one.where for one in attacked(now, before).stopping})
        seconds.append(time.process_time() - begun)
        done, run = done + SITES, run + 1
    emit("attack.pairs.groups_found", found, "days", n=done)
    emit("attack.pairs.seconds", statistics.median(seconds), f"s/{SITES} days, 7 tables, 2 versions", n=run)


def planted(seeds: int) -> None:
    """Weak releases that are caught, each by its name, and whole ones that pass."""
    known, seconds, safe = reports.load(), [], 0
    caught = dict.fromkeys(WEAK, 0)
    for seed in range(seeds):
        crowd = Crowd(market(seed))
        for name, (plant, one) in WEAK.items():
            with pytest.MonkeyPatch.context() as patch:
                plant(patch)
                chosen = [reports.load()[table] for table in dict.fromkeys((*READS[one], "traffic_day"))]
                found = attacked(crowd.release(HOW, chosen=chosen))
            caught[name] += bool(found.stopping or (name in NOTED and found.noted().get(NOTED[name])))
        tables = crowd.release(HOW, chosen=known.values())
        crowd.close()
        begun = time.process_time()
        stopped = attacked(tables).stopping
        seconds.append(time.process_time() - begun)
        safe += not stopped
        if stopped:
            print(f"seed {seed}: {sorted({(one.attack, one.report) for one in stopped})}", file=sys.stderr)
    for name, n in caught.items():
        emit(f"attack.planted.{name.replace(' ', '_')}", n / seeds, "share caught", n=seeds)
    emit("attack.planted.caught", sum(caught.values()) / len(WEAK) / seeds, "share", n=len(WEAK) * seeds)
    emit("attack.safe.passed", safe / seeds, "share", n=seeds)
    emit("attack.safe.seconds", statistics.median(seconds), "s/publication of 50 days, all tables", n=seeds)


def live() -> None:
    """A new pass over a month of two sites: one day of one has changed, and five generations are kept."""
    with TemporaryDirectory() as folder:
        data, how, seconds = Path(folder), Warehouse(), []
        fill(data, days=35, sites=("market", "blog"))
        store = Store.open(data)
        for _ in range(6):
            begun = time.process_time()
            publication.before_publication(data, how, store)
            seconds.append(time.process_time() - begun)
            snapshot.publish(data, how, store)
            for name in store.versions():
                store.connection.execute(
                    f"UPDATE {name} SET {reports.load()[name].sums[-1]} = {reports.load()[name].sums[-1]} + 1"
                    + (
                        " WHERE day = '2026-11-22' AND site = 'blog'"
                        if "day" in reports.load()[name].keys
                        else ""
                    )
                )
            store.connection.execute("UPDATE done_to SET version = version + 1")
        store.close()
    emit("attack.publication.seconds", seconds[0], "s of processor, 70 days of sites, the first time", n=1)
    emit("attack.publication.again", seconds[-1], "s of processor, one of them changed, 5 generations", n=1)


def cubes(trials: int) -> None:
    """The solver against all subsets of small cubes: refused without need, and let through."""
    chance = random.Random(1)
    needless = missed = refused = 0
    for _ in range(trials):
        people = [chance.randint(0, 12) for _ in range(chance.randint(2, 7))]
        rows = [sorted({chance.randrange(len(people)) for _ in range(chance.randint(1, 5))})
                for _ in range(chance.randint(1, 7))]  # fmt: skip
        rows.sort(key=len)
        values = [float(sum(people[atom] for atom in row)) for row in rows]
        found, true = bool(list(isolated(rows, values, [0.0] * len(rows), 5))), oracle(people, rows)
        refused, needless, missed = (
            refused + found,
            needless + (found and not true),
            missed + (true and not found),
        )
    emit("attack.solver.refused", refused / trials, "share", n=trials)
    emit("attack.solver.refused_without_need", needless, "cubes", n=trials)
    emit("attack.solver.missed", missed, "cubes", n=trials)


def drafts(months: int, sigma: float = 25.0) -> None:
    """Packs of a month each, one after the other to one recipient, with the default noise."""
    chance, held, refused, seconds = random.Random(2), list[Figure](), 0, []
    first = date(2025, 1, 1)
    for n in range(months):
        name = f"{first.year + n // 12}-{n % 12 + 1:02}"
        new: list[Figure] = []
        for keys in (("country",), ("device",), ()):
            rows = [
                {"site": "s", "month": name, **{key: f"{key}{at}" for key in keys},
                 "people": round(chance.uniform(200, 5000) + chance.gauss(0, sigma))}
                for at in range(30 if keys else 1)
            ]  # fmt: skip
            meaning = Meaning("-".join(keys) or "all", ("site", "month", *keys), {"people": 2 * sigma})
            new += figures(pa.Table.from_pylist(rows), meaning)
        begun = time.process_time()
        refused += bool(subtract([*held, *new], 50))
        seconds.append(time.process_time() - begun)
        held += new
    emit("attack.deliveries.refused", refused / months, "share", n=months)
    emit("attack.deliveries.seconds", seconds[-1], f"s with {len(held):,} figures known", n=1)


def members(draws: int) -> None:
    """A person in or out, `draws` times each, with the library's noise: the best threshold and the bounds."""
    for rho in (0.02, 0.15, 0.25):
        sigma = mechanism.scale(1.0, rho)
        ins: Sequence[float] = mechanism.add([101] * draws, sigma).tolist()
        outs: Sequence[float] = mechanism.add([100] * draws, sigma).tolist()
        epsilon = mechanism.epsilon(rho, 1e-7)
        bounds = f"noise {advantage(sqrt(2 * rho)):.3f}, epsilon {allowed(epsilon, 1e-7):.3f}"
        best = shadow(ins, outs)
        by = best / advantage(sqrt(2 * rho))
        emit(f"attack.membership.rho_{rho:g}", best, "advantage", against=bounds, ratio=by, n=draws)


def main(trials: int = 10_000) -> None:
    """All of them; `trials` random days, and others in proportion."""
    cubes(trials)
    drafts(max(3, min(36, trials // 250)))
    members(trials * 2)
    live()
    pairs(trials)
    planted(max(1, trials // 500))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
