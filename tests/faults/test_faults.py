"""A few short runs of faults; hundreds on demand (`python -m tests.faults 1..200`)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults import clock
from tests.faults.plan import World
from tests.faults.run import Outcome, Runs


def one(folder: Path, faults: int, world: World) -> Outcome:
    """A run of a seed that nobody has chosen, and how to see it again."""
    seed = random.randrange(1 << 31)
    with Runs(folder, world) as runs:
        outcome = runs.one(seed, faults)
    again = " ".join(["python -m tests.faults", *world.options, f"--faults {faults} --replay {seed}"])
    assert outcome.wrong == [], again
    return outcome


@pytest.mark.timeout(600)
def test_nothing_is_lost_nor_twice_whatever_fails(tmp_path: Path) -> None:
    assert one(tmp_path, 5, World(clock=clock.ready())).acknowledged > 100


@pytest.mark.needs("kafka")
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nor_with_two_collectors_over_a_broker_that_fails_too(tmp_path: Path) -> None:
    one(tmp_path, 6, World(kafka=True, clock=clock.ready()))
