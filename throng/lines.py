"""What long-running parts say, as lines of JSON where `[operations] lines` asks for it.

A line of text is `{"at", "part", "says"}`; what has numbers of its own (a pass) adds them as members. No line
holds more than the text did: no message of ours has a visitor's value.
"""

from __future__ import annotations

import io
import json
import sys
import time
from typing import Any, TextIO, cast


class Lines(io.TextIOBase):
    """Stands before a stream, and writes each line that is whole as one object."""

    def __init__(self, part: str, to: TextIO) -> None:
        self._part, self._to, self._begun = part, to, ""

    def write(self, text: str) -> int:
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            if line.strip():
                self.say(says=line.strip())
        return len(text)

    def say(self, **members: Any) -> None:
        """One object, written whole: parts of `throng up` share a stream."""
        said = {"at": round(time.time(), 3), "part": self._part, **members}
        self._to.write(json.dumps(said, ensure_ascii=False, default=str) + "\n")
        self._to.flush()

    def flush(self) -> None:
        self._to.flush()

    def fileno(self) -> int:
        return self._to.fileno()


def begin(part: str, form: str) -> None:
    """From now on this process says what it says in that form: "text" or "json"."""
    if form == "json":
        sys.stdout = cast("TextIO", Lines(part, sys.stdout))
        sys.stderr = cast("TextIO", Lines(part, sys.stderr))


def numbers(event: str, **members: Any) -> None:
    """Something with numbers happened. Only said in JSON: as text it stands in status.json."""
    to: object = sys.stderr
    if isinstance(to, Lines):
        to.say(event=event, **members)
