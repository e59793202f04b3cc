"""Clocks that step: a library that is loaded before the C library, and a file that says by how much.

libfaketime of Debian would do, but `time.sleep` of Python 3.11 fails under it (EINVAL: it sleeps until a time
of the clock that only goes forward, and that is turned about, too), so these are forty lines of C.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "throng"
LIBRARY = CACHE / "clock.so"


def ready() -> bool:
    """Whether clocks can be stepped here."""
    return shutil.which("cc") is not None


def library() -> Path:
    """The library, built where its source is newer. Raises CalledProcessError."""
    source = HERE / "clock.c"
    if not LIBRARY.exists() or LIBRARY.stat().st_mtime < source.stat().st_mtime:
        CACHE.mkdir(parents=True, exist_ok=True)
        new = LIBRARY.with_suffix(f".{os.getpid()}")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(new), str(source), "-ldl"], check=True)
        os.replace(new, LIBRARY)
    return LIBRARY


class Clock:
    """The clock of one machine: a file, which whoever is started there reads."""

    def __init__(self, file: Path) -> None:
        self.file, self.stepped = file, False
        self._write(0)

    def step(self, by: int) -> None:
        """Seconds ahead (behind, below zero) of what it would be."""
        self.stepped = True
        self._write(by)

    def _write(self, by: int) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(f"{by}\n")
        os.replace(new, self.file)

    @property
    def environment(self) -> dict[str, str]:
        """For processes of this machine."""
        return {"CLOCK_FILE": str(self.file)}
