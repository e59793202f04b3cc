"""What a store that may hold somebody's data must be able to say and do: one for each, listed by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec import Struct

from pipelines.settings import Pipelines
from warehouse.erase import Anew
from warehouse.facts import Absent
from warehouse.lake import Lake


class Found(NamedTuple):
    """A place that holds somebody: the file (relative to the data folder), and how many rows of it."""

    file: str
    rows: int


class Kept(Struct, frozen=True):
    """What stays, why it may, and until when (M85)."""

    what: str
    why: str
    until: str


class Changed(Struct):
    """What a store did, or with `dry_run` would do. waits: what must happen before nothing is left, ""
    when nothing is."""

    holder: str
    searched: int = 0
    found: int = 0
    removed: list[str] = []
    kept: list[Kept] = []
    waits: str = ""


class Task(NamedTuple):
    """One removal: in which folder, of whom, when (seconds), and how long readers are waited for.

    note: told of files that were written anew just before they take the old ones' place.
    """

    data: Path
    absent: Absent
    settings: Pipelines
    now: float
    note: Callable[[Lake, Sequence[Anew]], None] = lambda lake, anew: None


class Holder(Protocol):
    """`find` changes nothing. `change` may be killed anywhere and done again."""

    name: str

    def find(self, task: Task) -> list[Found]: ...
    def change(self, task: Task, *, dry_run: bool = False) -> Changed: ...
