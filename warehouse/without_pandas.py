"""Processes of ours begin without pandas: only the checks of a publication need it.

pyarrow imports pandas with the first array that it makes, to see whether what it was given is pandas': each
process of `throng` would begin 1.7 seconds of processor later, and be 47 MB larger, for nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Bar(MetaPathFinder):
    """Says that pandas is not installed; Beam and pyarrow take that for what it is."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError("barred: warehouse/without_pandas.py", name=name)
        return None


_BAR = _Bar()


def bar() -> None:
    """Before anything is imported that looks for it. A process that has it keeps it."""
    if "pandas" not in sys.modules and _BAR not in sys.meta_path:
        sys.meta_path.insert(0, _BAR)


def lift() -> None:
    """Whoever imports it from here on gets it."""
    if _BAR in sys.meta_path:
        sys.meta_path.remove(_BAR)
