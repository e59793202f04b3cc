"""A few short runs of faults; hundreds on demand (`python -m tests.faults 1..200`)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.run import runs


@pytest.mark.timeout(300)
def test_nothing_is_lost_nor_twice_whatever_fails(tmp_path: Path) -> None:
    seed = random.randrange(1 << 31)
    (outcome,) = runs(tmp_path, [seed], 5, kafka=False, tell=print)
    assert outcome.wrong == [], f"python -m tests.faults --faults 5 {outcome.seed}"
    assert outcome.acknowledged > 100


@pytest.mark.needs("kafka")
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nor_with_two_collectors_over_a_broker_that_fails_too(tmp_path: Path) -> None:
    seed = random.randrange(1 << 31)
    (outcome,) = runs(tmp_path, [seed], 6, kafka=True, tell=print)
    assert outcome.wrong == [], f"python -m tests.faults --kafka --faults 6 {outcome.seed}"
