"""Ids given to a command: one said, or one a line on standard input. No error repeats any."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from consent_filter.errors import Refused

#: As `PUT /consent` has it.
_LONGEST = 256


def ids(said: str, form: Callable[[str], str] | None = None) -> Iterator[str | Refused]:
    """Each id; in place of one that cannot be, why. `-` is standard input, whose empty lines are no ids.

    form: makes of an id what is looked up, or raises Refused.
    """
    for number, id in _said(said):
        try:
            yield id if isinstance(id, Refused) or form is None else form(id)
        except Refused as error:
            yield Refused(error.status, error.code, f"line {number}: {error.message}")


def _said(said: str) -> Iterator[tuple[int, str | Refused]]:
    if said != "-":
        yield 1, _checked(said, "this")
        return
    stream, number = sys.stdin.buffer, 0
    while line := stream.readline(8 * _LONGEST):
        number += 1
        text = line
        while not line.endswith(b"\n") and line:  # of one that is far too long only as much as shows it
            line = stream.readline(1 << 16)
        text = text.removesuffix(b"\n").removesuffix(b"\r")
        if not text:
            continue
        try:
            yield number, _checked(text.decode(), f"line {number}")
        except UnicodeDecodeError:
            yield number, Refused(400, "user_id", f"line {number} is not UTF-8")


def _checked(id: str, where: str) -> str | Refused:
    if 0 < len(id) <= _LONGEST:
        return id
    return Refused(400, "user_id", f"{where} is no id: 1 to {_LONGEST} characters")
