"""Whoever was erased stays away, by all seven ways back in, in random order, with crashes (S2)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: People erased, and times that all seven ways are gone. The full form: THRONG_COMEBACK="1000 3".
PEOPLE, ROUNDS = os.environ.get("THRONG_COMEBACK", "10 1").split()


@pytest.mark.timeout(1200)
@pytest.mark.requirement("M83", "M110", "S2")
def test_no_way_back_in_brings_anybody_back(tmp_path: Path) -> None:
    seed = os.environ.get("THRONG_SEED", "1")
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.comeback", str(tmp_path), seed, PEOPLE, ROUNDS],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["wrong"] == []
    assert said["people"] == int(PEOPLE)
    assert said["before"] >= 1  # they were there
    assert said["certificates"] >= 2
    assert any("killed" in one for one in said["tried"])
