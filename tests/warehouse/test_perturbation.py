"""Numbers are moved by a few, the same way for the same people, and as statistics offices do it."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from cell_key_perturbation.create_perturbed_table import create_perturbed_table
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.pseudonym import Keyring
from tests.warehouse import plain
from tests.warehouse.crowd import Crowd, Row, person, whole
from tests.warehouse.test_properties import CROWDS, Said, _rows, bytes_of, columns, crowd, few
from warehouse import report as reports
from warehouse.checks.tables import _ABSURD
from warehouse.perturbation import BOUND, bound, draw, perturb, ptable
from warehouse.recordkeys import EPOCH, MANY, RecordKeys
from warehouse.relations import hold
from warehouse.report import OTHER
from warehouse.settings import Warehouse

KEYS = RecordKeys(0x1234_5678_9ABC_DEF0, 0x0FED_CBA9_8765_4321)
#: Record keys of the first eight persons under these.
GOLDEN = [227, 80, 118, 15, 143, 80, 99, 165]


@pytest.mark.parametrize("most", range(1, BOUND + 1))
def test_the_table_moves_nothing_in_the_mean_and_nothing_too_far(most: int) -> None:
    table = ptable(most)
    assert table.shape == (most + 1, MANY)
    assert (table.sum(axis=1) == 0).all()
    assert abs(table).max() <= most
    assert (table + np.arange(most + 1)[:, None] >= 0).all(), "nothing becomes negative"
    assert not table[0].any(), "zero stays zero"
    if most == BOUND:
        assert round(float(table[BOUND].var()), 2) == 3.78, "as it is documented"
    assert [bound(k) for k in (1, 2, 4, 9, 10, 50)] == [0, 1, 2, 4, 5, 5]


def test_a_record_key_is_the_same_forever() -> None:
    """Another version of the database must not give every number new noise unseen."""
    with duckdb.connect() as connection:
        numbers = ", ".join(f"({person(number)}::UBIGINT)" for number in range(8))
        rows = connection.execute(f"SELECT {KEYS.sql()} FROM (VALUES {numbers}) AS p(person)").fetchall()
    assert [key for (key,) in rows] == GOLDEN


def test_the_keys_of_a_folder_stay_and_tell_nothing(tmp_path: Any) -> None:
    keys = RecordKeys.open(tmp_path)
    assert RecordKeys.open(tmp_path) == keys
    assert keys == RecordKeys.of(Keyring.open(tmp_path / "keys.json").derived("record", EPOCH))
    assert keys.fingerprint != KEYS.fingerprint
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT {keys.sql('hash(range)')} FROM range(20_000)").fetchnumpy()
    counts = np.bincount(next(iter(rows.values())), minlength=MANY)
    assert counts.min() > 30
    assert counts.max() < 140, "all keys are as frequent"


@pytest.mark.requirement("M54")
def test_every_cell_is_what_the_statistics_office_makes_of_it() -> None:
    """The same microdata and table, given to the package of the UK's Office for National Statistics."""
    chance = random.Random(5)
    micro = [
        (person(n), chance.choice("ABC"), chance.choice("xyz"), chance.choice("pqrs")) for n in range(3000)
    ]
    micro += [(person(n + 5000), "D", chance.choice("xy"), "p") for n in range(9)]
    with duckdb.connect() as connection:
        schema = pa.schema([("person", pa.uint64()), *((name, pa.string()) for name in "abc")])
        hold(connection, "micro", pa.table(list(zip(*micro, strict=True)), schema=schema))
        ours = connection.sql(
            f"SELECT a, b, c, count(*) AS people, sum({KEYS.sql()})::BIGINT AS key FROM micro GROUP BY ALL"
        ).df()
        theirs = connection.sql(f"SELECT a, b, c, {KEYS.sql()} AS record_key FROM micro").df()
    ours["count"] = ours.people + draw(ours.people.to_numpy(), ours.key.to_numpy(), BOUND)
    table = ptable(BOUND)
    rows = [(n, key, int(table[min(n, BOUND), key])) for n in range(1, 751) for key in range(MANY)]
    made = create_perturbed_table(
        theirs,
        pd.DataFrame(rows, columns=["pcv", "ckey", "pvalue"]),
        ["a"],
        ["b", "c"],
        "record_key",
        threshold=0,
    )
    both = made.merge(ours, on=["a", "b", "c"])
    assert len(both) == len(ours) > 30
    assert (both["count_x"] == both["count_y"]).all()
    assert (both["count_x"] != both["people"]).mean() > 0.5


@few(2)
@given(CROWDS, st.integers(4, 10), st.sampled_from([2, 7]))
def test_buckets_never_show_in_what_is_moved(said: Said, k: int, of: int) -> None:
    with crowd(_rows(said)) as one:
        how = Warehouse(min_group=k)
        assert bytes_of(one.release(how, of=of, keys=KEYS)) == bytes_of(one.release(how, keys=KEYS))


@pytest.mark.requirement("M54", "S1")
@few(3)
@given(CROWDS, st.integers(2, 10))
def test_the_same_people_are_moved_the_same_in_whatever_report(said: Said, k: int) -> None:
    """By no more than is said; and numbers agree with each other as before."""
    rows = _rows(said)
    how = Warehouse(min_group=k, dominance=100)
    with crowd(rows) as one:
        exact, moved = one.release(how), one.release(how, keys=KEYS)
    facts = [whole(row) for row in rows if "reason" not in row]
    for fact in facts:
        fact["day"] = date(1970, 1, 1) + timedelta(days=fact["day"])
    by: dict[frozenset[Any], set[int]] = defaultdict(set)
    for name, report in reports.load().items():
        before, after = exact[name].to_pylist(), moved[name].to_pylist()
        assert [[row[key] for key in report.keys] for row in before] == [
            [row[key] for key in report.keys] for row in after
        ]
        if not report.people:
            assert before == after
            continue
        cells = plain.daily(report, facts, facts) if report.grain == "day" else {}
        for old, new in zip(before, after, strict=True):
            off = new["people"] - old["people"]
            assert abs(off) <= bound(k)
            assert new["people"] >= report.least(k)
            keys = tuple(old[key] for key in report.keys)
            who = {} if OTHER in keys else cells.get(keys, {})  # it has others in it, too
            for place, number in enumerate(report.sums):
                most = max((sums[place] for sums in who.values()), default=old[number])
                assert new[number] >= 0
                assert abs(new[number] - old[number]) <= most
                assert new[number] == 0 or old[number], "zero stays zero"
            # Whom a cap has put into another row is not counted here.
            if len(who) == old["people"] and new["people"] > report.least(k):
                by[frozenset(who)].add(off)
        for names, absurd in _ABSURD.items():
            if set(names) <= set(columns(name)):
                with duckdb.connect() as connection:
                    connection.register("made", moved[name])
                    assert not connection.execute(f"FROM made WHERE {absurd}").fetchall(), (name, absurd)
        if report.nested:
            around: dict[Any, int] = {}
            for row in after:
                at = tuple(row[key] for key in report.within)
                assert row["people"] <= around.get(at, row["people"]), name
                if report.nested == "previous" or at not in around:
                    around[at] = row["people"]
    assert all(len(offs) == 1 for offs in by.values())


def test_one_who_dominates_is_not_told_by_a_total_less_its_parts() -> None:
    """Cut in a small country, they are in the day's total in full: exact, the difference is theirs."""
    crowd_of: list[Row] = [{"person": n, "country": "DE"} for n in range(500) for _ in range(3)]
    crowd_of += [{"person": n, "country": "AT"} for n in range(500, 511) for _ in range(3)]
    crowd_of += [{"person": 600, "country": "AT"} for _ in range(100)]
    one, chosen = Crowd(crowd_of), [reports.load()[name] for name in ("traffic_day", "countries")]

    def guess(keys: RecordKeys | None) -> int:
        made = one.release(Warehouse(), chosen=chosen, keys=keys)
        views = {row["country"]: row["views"] for row in made["countries"].to_pylist()}
        assert views["AT"] < 60, "nobody is more than a tenth"
        ((total,),) = (made["traffic_day"]["views"].to_pylist(),)
        return int(total - views["DE"] - 33)

    assert guess(None) == 100
    near = [abs(guess(RecordKeys(seed, 7)) - 100) <= 20 for seed in range(16)]
    one.close()
    assert sum(near) <= 10


def test_what_has_no_people_is_not_moved() -> None:
    one = reports.load()["devices"]
    numbers = {"people": [0, 0], "views": [0, 0], "events": [0, 0]}
    inner = {"_people": [7, 255], "_views": [0, 0], "_events": [0, 0]}
    assert perturb(one, pa.table(numbers | inner), BOUND, 0).to_pydict() == numbers | inner


def test_the_largest_part_is_the_largest_of_all_buckets() -> None:
    """By it sums move: added up over buckets instead, they would move further with more of them."""
    rows: list[Row] = [{"person": n, "country": "DE"} for n in range(600) for _ in range(3 + n % 5)]
    one, chosen = Crowd(rows), [reports.load()["countries"]]
    for seed in range(4):
        moved = [one.release(Warehouse(), of=of, chosen=chosen, keys=RecordKeys(seed, 3)) for of in (1, 7)]
        assert bytes_of(moved[0]) == bytes_of(moved[1])
    one.close()
