"""Statements and questions that analysts keep under a name and show each other: DATA/queries.json.

What is kept is what somebody typed, never an answer: whoever opens it asks anew, of what is published then.
"""

from __future__ import annotations

import json
import os
import re
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from consent_filter.errors import Refused

FILE = "queries.json"
#: Characters of a text, and texts that are kept.
LONGEST, MOST = 20_000, 500
_LOCK = threading.Lock()


class Kept(Struct, frozen=True):
    """One text. `kind`: "sql" or "explore", the page that asks it. `id`: its name as an address has it."""

    id: str
    name: str
    kind: str
    text: str
    at: str


class Saved:
    """The texts of one data folder."""

    def __init__(self, data: Path) -> None:
        self._file = data / FILE

    def all(self, kind: str) -> list[Kept]:
        """Those of one page, by name."""
        return sorted((one for one in self._read() if one.kind == kind), key=lambda one: one.name.lower())

    def get(self, kind: str, id: str) -> Kept:
        """Raises Refused where there is none."""
        found = next((one for one in self.all(kind) if one.id == id), None)
        if found is None:
            raise Refused(404, "no_such_query", "nothing is saved under that name any more")
        return found

    def put(self, kind: str, name: str, text: str) -> Kept:
        """Keep a text; one of the same name is replaced."""
        name, text = " ".join(name.split())[:80], text.strip()
        id = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        if not id:
            raise Refused(400, "name", "give it a name of letters or digits")
        if not text or len(text) > LONGEST:
            raise Refused(400, "text", "what is saved has 1 to {longest} characters", longest=LONGEST)
        with _LOCK:
            others = [one for one in self._read() if (one.kind, one.id) != (kind, id)]
            if len(others) >= MOST:
                raise Refused(409, "full", "{most} texts are saved already: remove one", most=MOST)
            made = Kept(id, name, kind, text, datetime.now(UTC).strftime("%Y-%m-%d"))
            self._write([*others, made])
        return made

    def remove(self, kind: str, id: str) -> None:
        with _LOCK:
            self._write([one for one in self._read() if (one.kind, one.id) != (kind, id)])

    def _read(self) -> list[Kept]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=list[Kept])
        except FileNotFoundError:
            return []

    def _write(self, kept: list[Kept]) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps(msgspec.to_builtins(kept), indent=1))
        os.replace(draft, self._file)
