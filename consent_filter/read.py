"""What a ledger says to who only reads its file: the pipeline and the pages, in processes of their own."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from consent_filter.departed import Persons
from consent_filter.ledger import Ledger
from consent_filter.links import Linked


def withdrawn(path: Path) -> Persons:
    """Everyone whose rows no report may count any more."""
    with closing(Ledger.open(path, read_only=True)) as ledger:
        return ledger.withdrawn()


def removing(path: Path) -> Persons:
    """Everyone whose rows must leave the disk."""
    with closing(Ledger.open(path, read_only=True)) as ledger:
        return ledger.removing()


def restricted(path: Path) -> Persons:
    """Everyone of whom nothing may be deleted while it stands."""
    with closing(Ledger.open(path, read_only=True)) as ledger:
        return ledger.restricted()


def linked(path: Path) -> Linked:
    """Every login that stands."""
    with closing(Ledger.open(path, read_only=True)) as ledger:
        return ledger.linked()


def unlinked(path: Path) -> Linked:
    """Every login that stood until it was undone."""
    with closing(Ledger.open(path, read_only=True)) as ledger:
        return ledger.unlinked()
