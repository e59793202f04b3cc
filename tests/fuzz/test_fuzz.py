"""A bounded throw at every parser with each run of the suite, and the proof that a fault would be found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ingest.protocols import PROTOCOLS
from ingest.protocols.logline import READERS
from tests.fuzz.run import ROOT
from tests.fuzz.targets import TARGETS

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="atheris comes for Linux on x86-64; to enable: run there"
)


def fuzz(keep: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.run", *more, "--keep", str(keep)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_no_parser_raises_what_it_does_not_say(tmp_path: Path) -> None:
    """`make fuzz` is the long one."""
    ran = fuzz(tmp_path, "--together", "--runs", "2000", "--seconds", "40", "--seed", "1")
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-4000:]
    assert "nothing found in tcf" in ran.stdout


def test_a_planted_fault_is_found(tmp_path: Path) -> None:
    planted = ("--targets", "tests.fuzz.planted", "--seconds", "60", "--seed", "1", "--runs", "100000")
    ran = fuzz(tmp_path, "told", *planted)
    assert ran.returncode == 1
    assert "IndexError" in ran.stdout + ran.stderr
    (file,) = (tmp_path / "told").glob("crash-*")
    again = fuzz(tmp_path, "told", *planted, "--again", str(file))
    assert again.returncode == 1
    assert "IndexError" in again.stderr


def test_every_protocol_and_every_seed_is_there() -> None:
    assert PROTOCOLS.keys() <= TARGETS.keys()
    assert READERS
    for name, target in TARGETS.items():
        assert list(target.corpus()), name
