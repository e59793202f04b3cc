"""Versions of the rules by which an advert's event is invalid, read from their files and checked."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from consent_filter.errors import Misconfigured

FOLDER = Path(__file__).parent
_ID = re.compile(r"[a-z][a-z0-9_]{2,39}")
#: A condition is an expression: nothing that would end it, comment it out or read another table.
_UNFIT = re.compile(r"[;\"\\]|--|/\*|\b(select|from|read_\w+)\b", re.IGNORECASE)

Ground = Literal["general", "sophisticated"]


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """`id`: the reason. `ground`: by lists and parameters, or by how rows go together (MRC). `when`: SQL over
    the columns that `judging` names. `doc`: a sentence for who reads the number. `source`: who says so."""

    id: str
    ground: Ground
    when: str
    doc: str
    source: str


class Rules(Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """A version: in force for days from `since` on, until a newer one is, or `rejudge` says another."""

    version: int
    since: date
    rules: tuple[Rule, ...]

    @property
    def grounds(self) -> dict[str, Ground]:
        """Each reason and its ground."""
        return {rule.id: rule.ground for rule in self.rules}


def parse(where: str, text: str) -> Rules:
    """A version from the text of its file. Raises Misconfigured, naming the file by `where`."""
    try:
        found = msgspec.convert(tomllib.loads(text), Rules)
    except (ValueError, msgspec.ValidationError) as error:
        raise Misconfigured(where, "its rules", str(error)) from None
    ids = [rule.id for rule in found.rules]
    if len(set(ids)) < len(ids):
        raise Misconfigured(f"{where}: rules", sorted(ids), "ids that are all different")
    for rule in found.rules:
        if not _ID.fullmatch(rule.id):
            raise Misconfigured(f"{where}: id", rule.id, "small letters, digits and _")
        if _UNFIT.search(rule.when):
            raise Misconfigured(f"{where}: when of {rule.id}", rule.when, "one expression of SQL")
    return found


@cache
def load() -> dict[int, Rules]:
    """Every version there is, by number. Raises Misconfigured."""
    found = {}
    for file in FOLDER.glob("rules-*.toml"):
        rules = parse(f"warehouse/invalid/{file.name}", file.read_text())
        if file.name != f"rules-{rules.version}.toml":
            raise Misconfigured(f"warehouse/invalid/{file.name}: version", rules.version, "its file's number")
        found[rules.version] = rules
    return dict(sorted(found.items()))


def grounds() -> dict[str, Ground]:
    """Each reason of any version and its ground; the newest version says it where two do."""
    return {reason: ground for one in load().values() for reason, ground in one.grounds.items()}


def in_force(day: date, judged: Mapping[date, int] | None = None) -> Rules:
    """The version that judges a day: what `rejudge` has said, else the newest that is in force from then on.

    Raises Misconfigured where a day is to be judged by a version that there is none of.
    """
    versions = load()
    said = (judged or {}).get(day)
    if said is not None:
        if said not in versions:
            raise Misconfigured(
                "rules of invalid traffic", said, f"one of {', '.join(map(str, versions))}: restore its file"
            )
        return versions[said]
    return max(
        (one for one in versions.values() if one.since <= day),
        key=lambda one: one.version,
        default=next(iter(versions.values())),
    )
