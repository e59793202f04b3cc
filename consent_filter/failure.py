"""What may be said of an exception: our own words in full, of others' only the kind and the place.

A library's message may hold the value it choked on, and that value may be a visitor's.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from consent_filter.errors import Broken, Misconfigured, Refused

_ROOT = Path(__file__).resolve().parent.parent


def describe(error: BaseException) -> str:
    """One line for a log or a status file."""
    if isinstance(error, (Broken, Misconfigured, Refused)):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if Path(f.filename).is_relative_to(_ROOT) and ".venv" not in f.filename]
    where = f" at {Path(ours[-1].filename).relative_to(_ROOT)}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}{where}"
