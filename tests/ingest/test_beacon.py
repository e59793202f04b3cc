"""The script that sites load: small, made from its source, and nothing that a strict policy would refuse."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import brotli
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "ingest" / "beacon"
SHIPPED = (FOLDER / "t.js").read_bytes()


def test_it_is_at_most_two_kilobytes() -> None:
    assert len(brotli.compress(SHIPPED, quality=11)) <= 2000


def test_it_asks_for_nothing_that_a_strict_policy_refuses() -> None:
    text = SHIPPED.decode("ascii")
    for word in (r"\beval\b", r"\bFunction\b", "innerHTML", r"document\.write", "createElement", "import"):
        assert not re.search(word, text), word
    assert "cookie" not in text
    assert "sessionStorage" not in text
    assert "fingerprint" not in text
    for word in (
        "plugins",
        "hardwareConcurrency",
        "deviceMemory",
        "canvas",
        "userAgent",
        "languages",
        "screen",
    ):
        assert word not in text, f"{word} would help to tell visitors apart"


@pytest.mark.requirement("M75")
def test_it_names_no_host() -> None:
    assert not re.search(rb"https?://", SHIPPED)


def test_it_is_its_source_made_small(tmp_path: Path) -> None:
    """The very command of `make beacon`. Where Node or the package is not at hand, .ci/run is the place."""
    if shutil.which("npx") is None:
        pytest.skip("needs npx; to enable: apt-get install nodejs npm")
    command = subprocess.run(
        ["make", "-n", "-B", "beacon"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    line = next(line for line in command.stdout.splitlines() if "terser" in line)
    made = tmp_path / "t.js"
    done = subprocess.run(
        line.replace("ingest/beacon/t.js", str(made)),
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode and re.search(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|E404", done.stderr):
        pytest.skip("needs the package terser; to enable: let npm reach its registry once")
    assert done.returncode == 0, done.stderr
    assert made.read_bytes() == SHIPPED, "run `make beacon`"
