"""Each check of the harness, shown to fail: a harness that finds nothing must be known to look."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from tests.faults.checks import Seen, naming, wrong
from tests.faults.plan import STEPS, World, plan
from tests.faults.tally import kind, table

DAY = date(2026, 9, 1)
#: Events 0 to 5 of persons 10 to 12 are stored, 1 came twice; 6 was of person 1, who had refused; 7 was
#: theirs, and earlier.
SOUND = Seen(
    answers=Counter({0: 1, 1: 2, 2: 1, 3: 1, 4: 1, 5: 1, 6: 2, 7: 1}), tries=11,
    acknowledged=set(range(6)), unwanted={6},
    people={0: 10, 1: 11, 2: 12, 3: 10, 4: 11, 5: 11, 6: 1, 7: 1}, out={1}, stepped=False,
    facts=Counter({(n, DAY, 0): 1 for n in (0, 1, 2, 3, 4, 5, 7)}),
    balance={"received": 10, "stored": 7, "refused": {"duplicate": 1, "consent": 2}},
    pages=[(DAY, "/p0", 2, 1), (DAY, "/p1", 2, 1), (DAY, "/p2", 2, 2)], lag={"bytes": 0}, named=[],
)  # fmt: skip


def less(n: int) -> Counter[tuple[int, date, int]]:
    return SOUND.facts - Counter({(n, DAY, 0): 1})


def more(*fact: int) -> Counter[tuple[int, date, int]]:
    return SOUND.facts + Counter({(fact[0], DAY, fact[1]): 1})


def balance(received: int, stored: int = 7, **refused: int) -> dict[str, object]:
    return {"received": received, "stored": stored, "refused": refused}


def test_nothing_is_wrong_where_nothing_is() -> None:
    assert wrong(SOUND) == []
    # What was sent on a clock behind an agreement is of nobody, and counts.
    pages = [(DAY, "/p0", 2, 1), (DAY, "/p1", 3, 2), (DAY, "/p2", 2, 2)]
    late = Seen(*SOUND)._replace(stepped=True, facts=less(7) + Counter({(7, DAY, 99): 1}), pages=pages)
    assert wrong(late) == []
    left = Seen(*SOUND)._replace(
        facts=less(7), pages=SOUND.pages, balance=balance(10, 6, duplicate=1, consent=2, erased=1)
    )
    assert wrong(left) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"facts": less(2)}, "was acknowledged, and is not stored: 1 (2)"),
        ({"facts": more(2, 0)}, "is stored more than once: 1 (2)"),
        ({"facts": more(6, 0)}, "was refused before it was sent, and is stored: 1 (6)"),
        ({"facts": more(-1, 0)}, "an event that nobody has sent"),
        ({"facts": less(7) + Counter({(7, DAY, 99): 1})}, "without the identifier that was agreed to: 1 (7)"),
        ({"balance": balance(10, duplicate=1, consent=1)}, "received is not stored and refused"),
        ({"balance": balance(9, duplicate=1, consent=1)}, "1 are said to be refused by consent"),
        ({"balance": balance(9, consent=2)}, "0 are said to be refused by duplicate, and at least 1"),
        ({"balance": balance(12, duplicate=1, consent=4)}, "12 are said to be received; 10 were"),
        ({"balance": balance(11, duplicate=1, consent=2, late=1)}, "1 are said to be refused by late"),
        ({"balance": balance(13, duplicate=1, consent=2, erased=3)}, "3 are said to be refused by erased"),
        ({"balance": balance(10, 6, duplicate=1, consent=3)}, "6 are said to be stored, and 7 are"),
        ({"pages": SOUND.pages[:2]}, "the report says"),
        ({"pages": [*SOUND.pages[:2], (DAY, "/p2", 2, 3)]}, "/p2: 2 of 3, and should say"),
        ({"lag": {"bytes": 7}}, "not folded: 7 bytes"),
        ({"named": ["a/log"]}, "a visitor is named in a/log"),
    ],
)  # fmt: skip
def test_each_check_fails_where_something_is(change: dict[str, object], says: str) -> None:
    assert [one for one in wrong(SOUND._replace(**change)) if says in one], wrong(SOUND._replace(**change))


def test_a_visitor_is_found_in_any_file(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one").write_bytes(b"\0\0visitor-7-3\0")
    (tmp_path / "two").write_bytes(b"visitor")
    assert naming([tmp_path], ["visitor-7-"]) == [str(tmp_path / "deep" / "one")]
    assert naming([tmp_path / "two"], ["visitor"]) == [str(tmp_path / "two")]


def test_a_seed_is_a_plan() -> None:
    """The same again, on any machine: whoever replays a seed sees what was seen."""
    whole = World(kafka=True, lake=True)
    assert plan(7, 50, whole) == plan(7, 50, whole)
    assert plan(7, 50, whole)[:8] == plan(7, 8, whole)
    assert plan(7, 8, whole) != plan(8, 8, whole)
    steps = plan(7, 2000, whole)
    assert {one.kind for one in steps} == set(whole.kinds)
    assert {one.by for one in steps if one.kind.startswith("clock")} == set(STEPS)
    assert not [one for one in plan(7, 500, World(clock=False)) if one.kind.startswith("clock")]
    assert str(plan(1, 1, World())[0]) == str(plan(1, 1, World())[0])


def test_runs_are_counted_by_what_they_have_shown() -> None:
    """One that the harness could not finish is nobody's success."""
    done = {"with": "", "acknowledged": 60, "faults": [str(one) for one in plan(7, 40, World())], "wrong": []}
    lines = [done, {**done, "wrong": ["lost"]}, {"with": "", "seed": 3, "harness": "Traceback"}]
    lines.append({**done, "with": "--kafka", "faults": ["broker cut (0, at 0.10, for 0.20 s)"]})
    said = table(map(json.dumps, lines)).splitlines()
    assert said[1].split() == ["embedded", "3", "1", "1", "1", "120"]
    assert said[2].split() == ["--kafka", "1", "1", "0", "0", "60"]
    assert ["broker", "cut", "0", "1"] in [line.split() for line in said]
    assert {kind(str(one)) for one in plan(7, 2000, World())} == set(World().kinds)
