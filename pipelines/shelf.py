"""What elements of a run need and no job may carry, since a runner writes its jobs down: pseudonyms, keys.

In this process it stays in memory. For workers elsewhere it stands in one file of the data folder, which they
share, and which goes with the run.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.settings import Pipelines

_SUFFIX = ".shelf"
_held: dict[Path, Any] = {}


@contextmanager
def laid(work: Path, name: str, what: Any, settings: Pipelines) -> Iterator[Path]:
    """Lay it where elements find it (`taken`) until the block ends. `work`: a folder of the data folder."""
    place = work / f"{name}{_SUFFIX}"
    if settings.here:
        _held[place] = what
    else:
        with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            pickle.dump(what, out)
    try:
        yield place
    finally:
        _held.pop(place, None)
        place.unlink(missing_ok=True)


def taken(place: Path) -> Any:
    """What lies there."""
    return _held[place] if place in _held else pickle.loads(place.read_bytes())


def clear(work: Path) -> None:
    """Remove what runs that were killed have left. Only under pipeline.lock."""
    for file in work.glob(f"*{_SUFFIX}"):
        file.unlink(missing_ok=True)
