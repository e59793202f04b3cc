"""Files that hold keys: nobody else's to read, written in one step, durable on return."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Those bytes in place of whatever the file held; killed anywhere, it holds the one or the other.
    mode: of a file that is no secret, and others read."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.fchmod(file, mode)
        os.write(file, data)
        os.fsync(file)
    finally:
        os.close(file)
    os.replace(draft, path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Return when a power cut can't take back what the file holds, or which names the folder has."""
    held = os.open(path, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
