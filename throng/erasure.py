"""`throng rights run|preview|prove|access|certificate`: what the officer does and shows about erasure."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from consent_filter import signing
from consent_filter.certificate import Certificate, after, check
from consent_filter.errors import Misconfigured, Refused
from consent_filter.ledger import Ledger, Subject
from consent_filter.pseudonym import Keyring
from consent_filter.read import linked
from consent_filter.signing import PublicKey, SigningKey
from pipelines import access
from pipelines.holder import Task
from pipelines.holders import HOLDERS
from throng import jobs, lock, prove, restore
from throng.checking_key import given
from throng.ids import ids
from throng.settings import load
from warehouse import erase
from warehouse import report as reports
from warehouse.counted import counted
from warehouse.depot import Depot
from warehouse.lake import Lake


def main(arguments: Namespace) -> int:
    return {
        "run": _run,
        "preview": _preview,
        "prove": _prove,
        "certificate": _certificate,
        "access": _access,
    }[arguments.what](arguments)


def _run(arguments: Namespace) -> int:
    """Carry out what is pending, now."""
    with lock.pipeline(arguments.data):
        done = jobs.rights(arguments.data, at_once=True)
    print(json.dumps(done))
    return 1 if done["unreached"] else 0


def _id(arguments: Namespace) -> str:
    """The id; - is standard input, so that it stands in no history of a shell."""
    for id in ids(arguments.id):
        if isinstance(id, Refused):
            raise id
        return id
    raise Refused(400, "id", "there is no id on standard input")


def _subject(arguments: Namespace) -> Subject:
    if not (arguments.data / "ledger.sqlite").exists():
        raise Refused(404, "no_ledger", "there is no ledger: nobody has said anything in this data folder")
    keys = Keyring.open(arguments.data / "keys.json")
    with closing(Ledger.open(arguments.data / "ledger.sqlite", keys, read_only=True)) as ledger:
        return ledger.subject(ledger.key(arguments.site, arguments.kind, _id(arguments)))


def _preview(arguments: Namespace) -> int:
    """What an erasure would take away, and each released figure that counts them; nothing is changed."""
    data, subject = arguments.data, _subject(arguments)
    persons = np.sort(np.array(_persons(data, subject, minor=arguments.minor), np.uint64))
    task = Task(data, lambda some: np.isin(some, persons), load(data).pipelines, time.time())
    said: dict[str, Any] = {"linked": len(subject.linked), "pseudonyms": len(persons), "stores": {}}
    with lock.pipeline(data):  # a pass that is under way has the released tables for itself
        for holder in HOLDERS:
            changed = holder.change(task, dry_run=True)
            said["stores"][holder.name] = {"found": changed.found, "would_remove": changed.removed}
        said["releases"] = _releases(data, persons)
        figures = counted(data, persons.tolist(), linked(data / "ledger.sqlite"))
    said["figures"] = [access.figure(row) for row in figures.to_pylist()]
    print(json.dumps(said, default=str, indent=1))
    return 0


def _persons(data: Path, subject: Subject, *, minor: bool) -> list[int]:
    """Pseudonyms that go: of a minor also those of every id that a login has joined."""
    found = [one.person for one in subject.persons]
    if minor and subject.linked:
        keys = Keyring.open(data / "keys.json")
        with closing(Ledger.open(data / "ledger.sqlite", keys, read_only=True)) as ledger:
            found += [one.person for key in subject.linked for one in ledger.subject(key).persons]
    return found


def _releases(data: Path, persons: erase.Persons) -> dict[str, Any]:
    """Days whose released tables are made anew, and the reports that are."""
    lake = Lake.open(data)
    if lake is None:
        return {"days": [], "reports": []}
    days = sorted({str(day) for batch in erase.rows(lake, persons) for day in batch["day"].to_pylist()})
    lake.close()
    return {"days": days, "reports": sorted(reports.load()) if days else []}


def _prove(arguments: Namespace) -> int:
    """Every place where something of that person is; 1 if any of it may not stay."""
    whom = prove.whom(arguments.data, arguments.site, arguments.kind, _id(arguments))
    with lock.pipeline(arguments.data):
        places = [*arguments.backup, *restore.leftovers(arguments.data)]
        found = list(prove.run(arguments.data, whom, places))
    left = [one for one in found if one.allowed is None]
    for one in found:
        text = one.allowed or "MUST NOT BE THERE"
        said = {"file": one.file, "found": one.what, "allowed": one.allowed}
        print(json.dumps(said) if arguments.format == "json" else f"{one.file}: {one.what}: {text}")
    if arguments.format != "json":
        print(f"{len(found)} places, {len(left)} of them must not be" if found else "nothing is left")
    return 1 if left else 0


def _certificate(arguments: Namespace) -> int:
    """Whether certificates are true: their signature, their sums, and with --data the folder itself."""
    keys = [*_keys(arguments)]
    wrong = 0
    for name in arguments.certificate:
        try:
            one = check(Path(name).read_bytes(), keys)
            if arguments.against is not None:
                against(one, arguments.against)
            said = {"certificate": "valid", "id": one.id, "people": one.people, "requests": one.requests}
        except Refused as error:
            wrong, said = 1, {"certificate": "invalid", "why": error.code, "says": error.message}
        except OSError as error:
            wrong, said = 1, {"certificate": "invalid", "why": "unreadable", "says": str(error.strerror)}
        print(json.dumps({"file": name, **said}))
    return wrong


def _keys(arguments: Namespace) -> Iterator[PublicKey]:
    if arguments.key:
        yield given(arguments.key)
        return
    file = (arguments.against or arguments.data) / signing.FILE
    if not file.exists():
        raise Misconfigured("--key", None, "needed, as the data folder has no key of its own")
    yield SigningKey.read(file).public


def against(one: Certificate, data: Path) -> None:
    """Hold a certificate against a data folder. Raises Refused where they contradict each other.

    Files that were there when it was drawn, and still are, must be listed in it with the same bytes; what it
    says was replaced must not be there.
    """
    listed = {file.file: file for file in after(one)}
    depot = Depot.of(data)
    for rewritten in one.rewritten:
        if depot.at(depot.whole(rewritten.old.file)).exists():
            raise Refused(400, "still_there", "a file that was replaced is still on the disk")
    lake = Lake.open(data)
    if lake is None:
        return
    try:
        for part, snapshot in erase.since(lake):
            if snapshot > one.rewritten_at:
                continue
            known = listed.get(part.file)
            if known is None:
                raise Refused(400, "left_out", "the catalog names a file that the certificate leaves out")
            if known.sha256 != part.sha256:
                raise Refused(400, "differs", "a file is not the one that the certificate speaks of")
    finally:
        lake.close()


def _access(arguments: Namespace) -> int:
    """Write the access bundle of one person: a zip."""
    with lock.pipeline(arguments.data):
        bundle = access.bundle(arguments.data, _subject(arguments), time.time_ns() // 1_000_000)
    if arguments.out == "-":
        sys.stdout.buffer.write(access.packed(bundle))
        return 0
    Path(arguments.out).write_bytes(access.packed(bundle))
    print(f"{arguments.out}: {bundle.rows} rows, {len(bundle.said['records'])} records")
    return 0
