"""What a ledger says to who only reads its file: the pipeline and the pages, in processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from consent_filter.departed import Persons
from consent_filter.ledger import Ledger
from consent_filter.links import Linked

T = TypeVar("T")


def withdrawn(path: Path) -> Persons:
    """Everyone whose rows no report may count any more."""
    return _read(path, Ledger.withdrawn)


def removing(path: Path) -> Persons:
    """Everyone whose rows must leave the disk."""
    return _read(path, Ledger.removing)


def restricted(path: Path) -> Persons:
    """Everyone of whom nothing may be deleted while it stands."""
    return _read(path, Ledger.restricted)


def linked(path: Path) -> Linked:
    """Every login that stands."""
    return _read(path, Ledger.linked)


def unlinked(path: Path) -> Linked:
    """Every login that stood until it was undone."""
    return _read(path, Ledger.unlinked)


def _read(path: Path, what: Callable[[Ledger], T]) -> T:
    with closing(Ledger.open(path, read_only=True)) as ledger:
        return what(ledger)
