"""Removals under way: whom they are about, what was done so far, and the certificate in the end.

A removal takes in everybody who is to leave at that moment, and stays open until nothing of them is left in
any store: readers of older snapshots have their grace, and the collector closes its segment. Whom it is about
stands in it as tombstones only. Killed anywhere, the next pass goes on: what a store does may be done again.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from consent_filter import certificate, signing
from consent_filter.certificate import FactFile, Remains, Rewritten, Searched
from pipelines.holder import Changed, Holder, Task
from pipelines.settings import Backup, Pipelines
from warehouse import erase
from warehouse.facts import Absent
from warehouse.lake import Lake

FOLDER = "erasures"
_DAY = 86_400


class Removal(Struct):
    """One that is open, as it stands in DATA/erasures/<id>.open. `begun`: UTC seconds; marks: tombstones.

    before, rows_before, snapshot: the files of facts just before those in `rewritten` took others' place.
    """

    id: str
    begun: float
    marks: list[str]
    requests: list[str]
    reasons: list[str]
    before: list[FactFile] = []
    rows_before: int = 0
    snapshot: int = 0
    rewritten: list[Rewritten] = []
    found: dict[str, int] = {}
    removed: dict[str, list[str]] = {}


def begin(
    data: Path, marks: Sequence[bytes], requests: Sequence[str], reasons: Sequence[str], now: float
) -> Removal:
    """Note whom it is about before anything is changed."""
    one = Removal(
        f"E-{secrets.token_hex(8)}", now, [mark.hex() for mark in marks], list(requests), list(reasons)
    )
    save(data, one)
    return one


def opened(data: Path) -> list[Removal]:
    """Those that are not finished, oldest first."""
    found = [msgspec.json.decode(file.read_bytes(), type=Removal) for file in (data / FOLDER).glob("*.open")]
    return sorted(found, key=lambda one: (one.begun, one.id))


def save(data: Path, one: Removal) -> None:
    _write(data / FOLDER / f"{one.id}.open", msgspec.json.encode(one))


def step(
    data: Path, one: Removal, absent: Absent, settings: Pipelines, now: float, holders: Sequence[Holder]
) -> list[Changed]:
    """Let every store do what it can now; all that wait say for what."""

    def note(lake: Lake, anew: Sequence[erase.Anew]) -> None:
        one.before, one.rows_before = [_file(part) for part in erase.listing(lake)], lake.count()
        one.rewritten = [Rewritten(_file(of.old), tuple(map(_file, of.new))) for of in anew]
        one.snapshot = lake.snapshot()
        save(data, one)

    done = [holder.change(Task(data, absent, settings, now, note)) for holder in holders]
    for changed in done:
        if changed.removed:
            one.found[changed.holder] = one.found.get(changed.holder, 0) + changed.found
            one.removed[changed.holder] = [*one.removed.get(changed.holder, []), *changed.removed]
    save(data, one)
    return done


def certify(
    data: Path, one: Removal, absent: Absent, settings: Pipelines, backup: Backup, now: float,
    done: Sequence[Changed], holders: Sequence[Holder],
) -> bytes | None:  # fmt: skip
    """Look once more in every store, and draw the certificate, which stands in DATA/erasures/<id>.json.

    None where something is left after all.
    """
    task = Task(data, absent, settings, now)
    left = {holder.name: sum(found.rows for found in holder.find(task)) for holder in holders}
    if any(left.values()):
        return None
    lake, snapshot = Lake.open(data), one.snapshot + 1
    if lake is not None:
        if not one.rewritten:
            one.before, one.rows_before = [_file(part) for part in erase.listing(lake)], lake.count()
            snapshot = lake.snapshot()
        lake.close()
    gone = sum(of.old.rows - sum(new.rows for new in of.new) for of in one.rewritten)
    line = certificate.draw(
        signing.Signer(data / signing.FILE).key(),
        id=one.id,
        requests=sorted(one.requests),
        people=len(one.marks),
        reasons=sorted(set(one.reasons)),
        begun=round(one.begun * 1000),
        done=round(now * 1000),
        before=one.before,
        rows_before=one.rows_before,
        rewritten=one.rewritten,
        rows_after=one.rows_before - gone,
        rewritten_at=snapshot,
        searched=[
            Searched(of.holder, of.searched, one.found.get(of.holder, 0), left[of.holder],
                     tuple(one.removed.get(of.holder, ())))
            for of in done
        ],
        remains=[Remains(kept.what, kept.why, kept.until) for of in done for kept in of.kept],
        copies_until=round((now + backup.keep_days * _DAY) * 1000),
    )  # fmt: skip
    _write(data / FOLDER / f"{one.id}.json", line)
    return line


def close(data: Path, one: Removal) -> None:
    """It is finished."""
    (data / FOLDER / f"{one.id}.open").unlink(missing_ok=True)


def _file(part: erase.Part) -> FactFile:
    return FactFile(part.file, part.rows, part.sha256)


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(exist_ok=True)
    draft = file.with_name(file.name + ".new")
    with open(draft, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    os.replace(draft, file)


def said(line: bytes) -> dict[str, Any]:
    """A certificate as JSON has it."""
    found: dict[str, Any] = json.loads(line)
    return found
