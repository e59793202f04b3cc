"""Two people in one event: each has their own part, and what happens to one leaves the other's alone (S14).

Graphs of bids are generated; who bids is on one side, whose task it is on the other, and some are on both.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.counterpart import TYPE, narrow
from consent_filter.counts import Counts
from consent_filter.events import join
from ingest.log.segment import SegmentLog
from pipelines import facts as job
from pipelines.settings import Pipelines
from tests.warehouse.sample import NOON, Event, record
from tests.warehouse.test_erase import remove
from warehouse import erase, facts
from warehouse.lake import Lake
from warehouse.recent import Recent

PEOPLE = st.integers(1, 6)
BIDS = st.lists(
    st.builds(
        Event,
        st.none() | st.integers(0, 6),
        PEOPLE,
        st.integers(-200_000, 200_000),
        other=st.none() | PEOPLE.map(lambda n: n + 3),
    ),
    max_size=12,
)


def numbers(sent: list[Event], rows: Any) -> Counter[tuple[int, bool]]:
    events = record(sent).events
    return Counter(zip(events.numbers["person"][rows].tolist(), narrow(events)[rows].tolist(), strict=True))


@pytest.mark.requirement("M18", "S14", "S15")
@given(BIDS, st.sets(st.integers(0, 6), max_size=3), st.sets(PEOPLE, max_size=2))
def test_a_retry_takes_both_sides_and_an_erasure_one(
    sent: list[Event], seen: set[int], erased: set[int]
) -> None:
    one, known = record(sent), Recent(np.array(sorted(seen), np.uint64))
    sifted = facts.sift(one.events, one.counts, known, lambda persons: np.isin(persons, list(erased)))
    expected, had, gone = Counter[tuple[int, bool]](), set(seen), set[int]()
    for event in sent:
        if event.person in erased:
            if event.other is not None and event.other not in erased and event.id not in seen | gone:
                expected[event.other, True] += 1
            gone.add(-1 if event.id is None else event.id)
            continue
        if event.id is None or event.id not in had:
            expected[event.person, False] += 1
            if event.other is not None and event.other not in erased:
                expected[event.other, True] += 1
            had.add(-1 if event.id is None else event.id)
    assert numbers(sent, sifted.fresh) == expected
    stored = sum(n for key, n in sifted.counts.items() if key.outcome == "stored")
    assert stored == sum(n for (_, beside), n in expected.items() if not beside)


def fill(data: Path, sent: list[Event]) -> None:
    log = SegmentLog(data / "log", "collector")
    log.append(record(sent))
    log.turn(0)
    log.close()
    job.run(data, Pipelines(), NOON)


def bundles(data: Path) -> dict[int, list[dict[str, Any]]]:
    """What an access request of each person shows of the facts, and the balance under 0."""
    lake = Lake.open(data)
    assert lake is not None
    found = {
        person: [row for part in erase.rows(lake, np.array([person], np.uint64)) for row in part.to_pylist()]
        for person in range(1, 10)
    }
    found[0] = [lake.balance()]
    lake.close()
    return {person: sorted(rows, key=repr) for person, rows in found.items()}


@pytest.mark.requirement("M18", "M114", "S14")
def test_erasing_any_node_changes_nobody_elses_bundle(tmp_path: Path) -> None:
    """One node after the other: on the one side, on the other, and on both."""
    dice = random.Random()
    bids = [Event(n, dice.randint(1, 6), 60 * n, other=dice.choice([None, 4, 5, 7, 8])) for n in range(40)]
    fill(tmp_path, bids)
    before = bundles(tmp_path)
    assert any(row["type"] == TYPE for rows in before.values() for row in rows if "type" in row)
    for who in (dice.randint(1, 3), dice.randint(7, 8), dice.randint(4, 5)):
        remove(tmp_path, np.array([who], np.uint64))
        after = bundles(tmp_path)
        assert after[who] == []
        for person in range(1, 10):
            assert person == who or after[person] == before[person]
            assert {row["person"] for row in after[person]} <= {person}  # nobody's bundle names another
        (balance,), (was,) = after[0], before[0]
        own = sum(row["type"] != TYPE for row in before[who])
        assert balance["received"] == was["received"] == balance["stored"] + sum(balance["refused"].values())
        assert balance["stored"] == was["stored"] - own
        before = after


@pytest.mark.requirement("M20")
def test_no_fact_joins_the_two_sides(tmp_path: Path) -> None:
    """Neither by an id, nor by the moment: the other side's row knows the day."""
    fill(tmp_path, [Event(n, 10 + n, 3600 * n + 7, other=20 + n) for n in range(5)])
    lake = Lake.open(tmp_path)
    assert lake is not None
    (found,) = erase.rows(lake, np.arange(10, 30, dtype=np.uint64))
    rows = found.to_pylist()
    lake.close()
    own, beside = ([r for r in rows if (r["type"] == TYPE) is side] for side in (False, True))
    assert len(own) == len(beside) == 5
    shared = ("time", "received", "event_id", "person")
    for name in shared:
        assert not {r[name] for r in own} & {r[name] for r in beside} - {None}
    days = {tuple(r[name] for name in ("site", "day", "name", "value", "props")) for r in own}
    assert {tuple(r[name] for name in ("site", "day", "name", "value", "props")) for r in beside} == days


def test_two_sides_of_one_batch_and_of_two_are_folded_alike() -> None:
    sent = [Event(n % 4, n, other=n + 50) for n in range(8)]
    whole = facts.sift(record(sent).events, record(sent).counts, Recent())
    parts, counts = [record(sent[:3]), record(sent[3:])], Counts()
    for one in parts:
        counts.update(one.counts)
    cut = facts.sift(join([one.events for one in parts]), counts, Recent())
    assert cut.fresh.tolist() == whole.fresh.tolist()
    assert cut.counts == whole.counts
