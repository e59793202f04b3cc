"""An element may be worked on twice at the same time, and only one of the two may count.

A cluster that has lost sight of a worker gives its elements to another; the first may only have been slow,
and go on writing when the run, or the next one, has ended. So nothing that an element writes has a name that
another attempt, or another run, writes to.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse.depot import Place


def apart(name: str) -> str:
    """A name for files of this attempt alone."""
    return f"{name}-{secrets.token_hex(4)}"


def say(file: Path, said: bytes) -> None:
    """Write a note, whole or not at all; of several attempts' the last, which names files of its own. Raises
    FileNotFoundError where the run has taken its folder away."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    draft.write_bytes(said)
    os.replace(draft, file)


def keep(prefix: str, names: Collection[str], *folders: Place) -> None:
    """Remove what a run has written there (all of it begins with its prefix), but for files of these names:
    notes, and files of attempts that don't count."""
    for folder in folders:
        for file in folder.glob(f"{prefix}-*"):
            if file.name not in names:
                file.unlink(missing_ok=True)


@contextmanager
def whole(place: Path) -> Iterator[Path]:
    """A folder to write to, which stands as `place` when all that is written in the block is there. Of
    several attempts' the first stays, and the others are nothing. Raises FileNotFoundError where the run has
    taken away the folder that `place` is in."""
    draft = Path(tempfile.mkdtemp(prefix=f"{place.name}.", suffix=".draft", dir=place.parent))
    try:
        yield draft
        try:
            draft.rename(place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
