"""What the lock holds: every distribution with its version, its marker and the hashes it may have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

LOCK = Path(__file__).with_name("lock.txt")
_PIN = re.compile(r"([A-Za-z0-9_.-]+)==(\S+)(?:\s*;\s*(.*?))?\s*\\?")
_HASH = re.compile(r"\s+--hash=sha256:([0-9a-f]{64})\s*\\?")


class Locked(NamedTuple):
    """One pin. Two of one name differ in their marker."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


def named(name: str) -> str:
    """A name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(file: Path = LOCK) -> list[Locked]:
    """Every pin of the file. Raises ValueError at a line that is neither a pin nor a hash, or a pin without
    one: what is not understood here would be missing from a bill and from an audit, and nobody would see."""
    found: list[tuple[str, str, str, list[str]]] = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if found and (of := _HASH.fullmatch(line)):
            found[-1][3].append(of[1])
        elif pin := _PIN.fullmatch(line):
            found.append((named(pin[1]), pin[2], pin[3] or "", []))
        else:
            raise ValueError(f"{file.name}:{number} is neither a pin nor a hash")
    if bare := [name for name, _, _, hashes in found if not hashes]:
        raise ValueError(f"{file.name}: without a hash: {', '.join(bare)}")
    return [Locked(name, version, marker, tuple(hashes)) for name, version, marker, hashes in found]
