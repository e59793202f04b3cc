"""The command line, called as a shell would call it."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from throng.main import main


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str
    raw: bytes


Throng = Callable[..., Said]


@pytest.fixture
def throng(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Throng:
    """`throng("status")` on the data folder tmp_path / "data"; `given`: what is on standard input."""

    def run(*arguments: str, given: bytes = b"", data: Path | None = None) -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        capfdbinary.readouterr()
        try:
            code = main([*arguments, "--data", str(data or tmp_path / "data")])
        except SystemExit as end:
            code = int(end.code or 0)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Said(code, out.decode(errors="replace"), err.decode(), out)

    return run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A function that mounts a disk of that size for the test; only where `needs("disk")` is met."""
    place = tmp_path / "disk"

    def mount(size: str) -> Path:
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
        return place

    yield mount
    if place.is_mount():
        subprocess.run(["umount", "-l", str(place)], check=True)
