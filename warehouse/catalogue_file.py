"""The catalogue of adverts as a file: written in one step, with who changed it, when and what; all stay.

DATA/adverts.toml is the one in use; DATA/adverts/ has every edition, by its number. What somebody wrote by
hand in between becomes an edition of its own, so that nothing that was in use is ever lost.
"""

from __future__ import annotations

import fcntl
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import fields

from consent_filter import keyfile
from consent_filter.errors import Refused
from warehouse import catalogue
from warehouse.catalogue import Catalogue
from warehouse.catalogue_rows import KINDS

#: Characters of who and what.
LONGEST = 120
_HEAD = re.compile(r"# edition (\d+) · (\S+) · ([^·\n]*) · ([^\n]*)\n")
BY_HAND = "by hand"


class Edition(NamedTuple):
    """at: UTC, to the second. number 0: there is no file, or one that somebody wrote by hand."""

    number: int = 0
    at: str = ""
    who: str = ""
    what: str = ""


def text(found: Catalogue) -> str:
    """The catalogue as TOML, without what is as it would be anyway; reading it gives the same."""
    lines = []
    for kind in KINDS:
        for row in found.rows(kind):
            lines.append(f"[[{kind}]]")
            for field in fields(row):
                value = getattr(row, field.name)
                if value is not None and value != field.default:
                    lines.append(f"{field.name} = {_value(value)}")
            lines.append("")
    return "\n".join(lines)


def edition(path: Path) -> Edition:
    """What the file in use says of itself."""
    return _said(path.read_text(errors="replace")) if path.exists() else Edition()


def history(path: Path) -> list[Edition]:
    """Every edition, the oldest first."""
    return [_said(file.read_text()) for file in sorted(_folder(path).glob("*.toml"), key=_number)]


def write(
    path: Path, found: Catalogue, who: str, what: str, *, expect: int | None = None, now: float | None = None
) -> Edition:
    """Put a catalogue in use; durable on return. `expect`: the edition that it was made from. Raises Refused
    where another is in use by now, Misconfigured where it is not as it must be."""
    catalogue.check(found)
    with _alone(path):
        current = edition(path)
        if expect is not None and expect != current.number:
            raise Refused(409, "edition", f"edition {current.number} is in use by now: look at it first")
        current = _kept(path, current, now)
        made = Edition(current.number + 1, _moment(now), _plain(who), _plain(what))
        body = f"{_head(made)}\n{text(found)}"
        keyfile.write(_folder(path) / f"{made.number}.toml", body.encode())
        keyfile.write(path, body.encode())
        return made


def _kept(path: Path, current: Edition, now: float | None) -> Edition:
    """What was in use, as an edition: where the file is not the one that was written last, one by hand."""
    kept = max((_number(file) for file in _folder(path).glob("*.toml")), default=0)
    if not path.exists():
        return current._replace(number=kept)
    body = path.read_text(errors="replace")
    own = _folder(path) / f"{current.number}.toml"
    if own.exists() and own.read_text() == body:
        return current._replace(number=kept)
    made = Edition(kept + 1, _moment(now), BY_HAND, "the file was edited")
    keyfile.write(_folder(path) / f"{made.number}.toml", (_head(made) + _HEAD.sub("", body, 1)).encode())
    return made


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One who writes at a time, in whatever process."""
    _folder(path).mkdir(parents=True, exist_ok=True)
    with (_folder(path) / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _folder(path: Path) -> Path:
    return path.with_suffix("")


def _number(file: Path) -> int:
    return int(file.stem) if file.stem.isdecimal() else 0


def _head(one: Edition) -> str:
    return f"# edition {one.number} · {one.at} · {one.who} · {one.what}\n"


def _said(body: str) -> Edition:
    found = _HEAD.match(body)
    return Edition(int(found[1]), *found.groups()[1:]) if found else Edition()


def _moment(now: float | None) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


def _plain(said: str) -> str:
    """One line of it, without what divides a head."""
    return " ".join("".join(c if c.isprintable() and c != "·" else " " for c in said).split())[:LONGEST]


def _value(value: Any) -> str:
    """A value as TOML has it. A basic string's escapes are JSON's; names have no control characters."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
