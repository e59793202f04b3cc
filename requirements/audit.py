"""Which locked distributions have a known weakness: the lock held against a copy of the advisories of OSV.

    python -m requirements.audit [--advisories all.zip] [--fetch]

OSV publishes all advisories for PyPI in one file (`SOURCE`). A copy of it is all that is asked: no name of
ours goes anywhere, the audit can be done again off-line, and it answers with the age of what it knew. Three
answers, so that none passes for another: 0 nothing known, 1 something found, 2 not audited.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from requirements.locked import LOCK, Locked, named, read

SOURCE = "https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip"
COPY = LOCK.parent.parent / "dist/advisories.zip"
#: What somebody has looked at and lives with: id → why, until when.
ACCEPTED = LOCK.with_name("accepted.toml")
#: Days after which a copy of the advisories is no answer any more.
OLD = 7
CLEAN, FOUND, NOT_AUDITED = 0, 1, 2


def advisories(copy: Path) -> Iterator[dict[str, Any]]:
    """Every advisory of a copy: a zip as OSV publishes it. Raises ValueError where there is none in it."""
    with zipfile.ZipFile(copy) as whole:
        names = [name for name in whole.namelist() if name.endswith(".json")]
        if not names:
            raise ValueError("no advisory is in it")
        for name in names:
            yield json.loads(whole.read(name))


def hit(one: Locked, said: dict[str, Any]) -> bool:
    """Whether this version is among those that the advisory names, or in one of its ranges (OSV schema 1.6,
    "Evaluation"). A version that can't be compared counts as hit: somebody has to look."""
    if said.get("withdrawn"):
        return False
    for of in said.get("affected", ()):
        package = of.get("package", {})
        if package.get("ecosystem") != "PyPI" or named(package.get("name", "")) != one.name:
            continue
        try:
            here = Version(one.version)
            if any(Version(listed) == here for listed in of.get("versions", ()) if _version(listed)):
                return True
            if any(_within(here, r.get("events", ())) for r in of.get("ranges", ()) if r["type"] != "GIT"):
                return True
        except (InvalidVersion, KeyError):
            return True
    return False


def _version(said: str) -> bool:
    """Old releases have names that are no versions; none of ours is one of those."""
    try:
        Version(said)
    except InvalidVersion:
        return False
    return True


def _within(here: Version, events: Iterable[dict[str, str]]) -> bool:
    inside = False
    for event in sorted(events, key=lambda one: _at(next(iter(one.values())))):
        ((kind, said),) = event.items()
        if kind == "introduced" and here >= _at(said):
            inside = True
        elif (kind == "fixed" and here >= _at(said)) or (kind == "last_affected" and here > _at(said)):
            inside = False
    return inside


def _at(said: str) -> Version:
    return Version("0.dev0" if said == "0" else said)


def accepted(file: Path, today: str) -> dict[str, str]:
    """Advisories that are lived with, id → why. What is over, or has no reason, counts no more."""
    if not file.exists():
        return {}
    return {id: one["why"] for id, one in tomllib.loads(file.read_text()).items()
            if one.get("why") and str(one.get("until", "")) >= today}  # fmt: skip


def audit(locked: Iterable[Locked], known: Iterable[dict[str, Any]]) -> list[str]:
    """A line for each distribution that an advisory hits: name, version, id and its other names."""
    by_name: dict[str, list[Locked]] = {}
    for one in locked:
        by_name.setdefault(one.name, []).append(one)
    found = []
    for said in known:
        for name in {named(of.get("package", {}).get("name", "")) for of in said.get("affected", ())}:
            for one in by_name.get(name, ()):
                if hit(one, said):
                    ids = " ".join([said["id"], *said.get("aliases", ())])
                    found.append(f"{one.name} {one.version}: {ids}: {said.get('summary', '')}".rstrip(": "))
    return sorted(set(found))


def fetch(to: Path) -> None:
    """Replace the copy by today's."""
    to.parent.mkdir(exist_ok=True)
    draft = to.with_suffix(".new")
    with urllib.request.urlopen(SOURCE, timeout=30) as answer, draft.open("wb") as out:
        while piece := answer.read(1 << 20):
            out.write(piece)
    draft.replace(to)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="audit", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--advisories", type=Path, default=COPY, help="a copy of OSV's file")
    parser.add_argument("--fetch", action="store_true", help="get today's copy first")
    parser.add_argument("--lock", type=Path, default=LOCK)
    of = parser.parse_args(arguments)
    try:
        if of.fetch:
            fetch(of.advisories)
        age = (time.time() - of.advisories.stat().st_mtime) / 86400
        if age > OLD:
            raise ValueError(f"the copy is {age:.0f} days old, {OLD} is the most")
        known = list(advisories(of.advisories))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        print(f"NOT AUDITED: {of.advisories}: {error}", file=sys.stderr)
        return NOT_AUDITED
    locked = read(of.lock)
    lived = accepted(ACCEPTED, time.strftime("%Y-%m-%d"))
    found = [line for line in audit(locked, known) if not lived.keys() & set(line.replace(":", "").split())]
    print(
        "\n".join(found) or f"nothing known: {len(locked)} pins, {len(known)} advisories, {age:.1f} days old"
    )
    return FOUND if found else CLEAN


if __name__ == "__main__":
    sys.exit(main())
