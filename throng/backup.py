"""`throng backup`: a whole, consistent copy of the data folder while everything runs; old ones are deleted.

Not in it: keys that must die on time (the day chain, the import key), locks, and what is made anew. Facts and
log first, the ledger last: what was said is never older than the events it rules. The list of who was erased
(`pipelines/stones.py`) lies beside the backups and is newer than any of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from consent_filter import keyfile, security
from consent_filter.errors import Broken, Misconfigured, Refused
from consent_filter.pseudonym import Keyring, lasting
from ingest.log import frame
from ingest.log.segment import SegmentLog
from pipelines import stones
from throng import __version__, lock, placing
from throng.settings import load
from warehouse import lake_settings, relocation
from warehouse.catalog import FILE
from warehouse.lake import Lake

MANIFEST = "manifest.json"
PREFIX = "throng-"
_DAY = 86_400
#: Made anew by whoever runs, or of no use elsewhere.
_LEFT_OUT = (
    "pipeline.lock",
    "up.lock",
    "pages.lock",
    "status.json",
    "metrics.prom",
    "output.txt",
    "vetted.json",
    "writer",
    "end",
    security.FILE,
    relocation.NOTE,
)
_PASSING = (".new", "-wal", "-shm", "-journal", ".tmp")
_CHUNK = 1 << 20


def make(
    data: Path, place: Path, keep_days: int, now: float | None = None, region: str | None = None
) -> Path:
    """A new backup in that folder, and the list of the erased beside it. `region`: where the place is, if not
    where the settings say. Raises Refused where there is nothing to copy or rows may not go there,
    Misconfigured where the place is inside the data folder."""
    moment = time.time() if now is None else now
    if not (data / "keys.json").exists():
        raise Refused(404, "nothing", "there is nothing to copy yet: this is no data folder in use")
    if place.resolve().is_relative_to(data.resolve()):
        raise Misconfigured("TO", str(place), "a folder outside of the data folder, best on another disk")
    settings = load(data)
    where = region or settings.backup.region or settings.folder.region
    placing.held(data, settings, "a backup", where)
    place.mkdir(parents=True, exist_ok=True)
    for leftover in place.glob(f"{PREFIX}*.new"):
        shutil.rmtree(leftover)
    name = PREFIX + time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))
    draft = place / f"{name}.new"
    draft.mkdir(mode=0o700)
    with lock.pipeline(data, quiet=True):
        _copy(data, draft / "data")
    files = {str(file.relative_to(draft)): digest(file) for file in _files(draft)}
    made = {
        "schema": "throng-backup/1", "time": moment, "version": __version__,
        "whose": stones.whose(Keyring.open(data / "keys.json")),
        "delete_after": moment + keep_days * _DAY, "region": where, "files": files,
    }  # fmt: skip
    keyfile.write(draft / MANIFEST, json.dumps(made, indent=1).encode())
    os.rename(draft, place / name)
    stones.spread(data, [str(place)])
    prune(place, moment)
    return place / name


def _copy(data: Path, into: Path) -> None:
    """Under pipeline.lock: the lake stands still, and nothing is trimmed from the log."""
    folded, told = {}, lake_settings.settings(data)
    # What a move from here has left is no lake any more.
    old = (*(("files",) if told.files != "folder" else ()), *((FILE,) if told.shared else ()))
    lake = Lake.open(data)
    if lake is not None:
        folded = lake.offsets()
        lake.close()
    imports = into / "imports.sqlite"
    into.mkdir(parents=True)
    if (data / imports.name).exists():
        _database(data / imports.name, imports)
    _log(data / "log", into / "log", _imported(imports, folded.get("import", 0)))
    last = [data / "rights.sqlite", data / "ledger.sqlite", data / "keys.json"]
    for file in _files(data):
        where = file.relative_to(data)
        if where.parts[0] == "log" or file.name in _LEFT_OUT or file == data / imports.name or file in last:
            continue
        if where.name.endswith(_PASSING):
            continue
        if where.parts[0] == "lake" and where.parts[1] in ("work", *old):
            continue
        target = into / where
        target.parent.mkdir(parents=True, exist_ok=True)
        if where.suffix == ".sqlite":
            _database(file, target)
        else:
            try:
                shutil.copy2(file, target)
            except FileNotFoundError:  # a generation that had its time
                continue
    for link in (data / "published").glob("*"):
        if link.is_symlink():
            (into / "published").mkdir(exist_ok=True)
            (into / "published" / link.name).symlink_to(os.readlink(link))
    # No key is made or destroyed meanwhile: the copy has every key that its ledger names.
    with Keyring.open(data / "keys.json").standing() as keys:
        for file in last[:2]:
            if file.exists():
                _database(file, into / file.name)
        keyfile.write(into / "keys.json", json.dumps(lasting(json.loads(keys))).encode())


def _database(file: Path, target: Path) -> None:
    """A SQLite file as it stands between two transactions, whoever writes it."""
    with (
        closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=60)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE")
    target.chmod(0o600)


def _imported(imports: Path, folded: int) -> int | None:
    """Where the import's partition must end, so that the copy of its ledger and the log agree."""
    if not imports.exists():
        return None
    with closing(sqlite3.connect(imports)) as database:
        ((known, intent),) = database.execute(
            "SELECT (SELECT coalesce(max(position), 0) FROM confirmed),"
            " (SELECT coalesce(max(before), 0) FROM seen)"
        ).fetchall()
    return max(int(known), int(intent), folded)


def _log(folder: Path, into: Path, imported: int | None) -> None:
    """Every segment up to the durable end."""
    log = SegmentLog(folder)
    ends = log.end()
    log.close()
    for partition, end in ends.items():
        stop = min(end, imported) if partition == "import" and imported is not None else end
        (into / partition).mkdir(parents=True)
        known = frame.bases(folder / partition)
        for base, following in zip(known, [*known[1:], stop], strict=True):
            if base > stop:
                continue
            size = frame.HEADER + min(following, stop) - base
            with (
                open(folder / partition / frame.name(base), "rb") as old,
                open(into / partition / frame.name(base), "xb") as new,
            ):
                while size and (part := old.read(min(size, _CHUNK))):
                    new.write(part)
                    size -= len(part)


def digest(file: Path) -> str:
    with open(file, "rb") as one:
        return hashlib.file_digest(one, "sha256").hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    yield from (file for file in sorted(folder.rglob("*")) if file.is_file() and not _linked(file, folder))


def _linked(file: Path, folder: Path) -> bool:
    while file != folder:
        if file.is_symlink():
            return True
        file = file.parent
    return False


def manifest(backup: Path) -> dict[str, Any]:
    """What a backup says of itself. Raises Refused where it is none."""
    try:
        found = json.loads((backup / MANIFEST).read_bytes())
        if found["schema"] != "throng-backup/1":
            raise ValueError
    except (OSError, ValueError, KeyError):
        raise Refused(404, "no_backup", "that is no whole backup of Throng") from None
    assert isinstance(found, dict)
    return found


def check(backup: Path) -> dict[str, Any]:
    """The manifest, once every file is found to be what it says. Raises Broken where one is not."""
    found = manifest(backup)
    there = {str(file.relative_to(backup)) for file in _files(backup)} - {MANIFEST}
    if there != set(found["files"]):
        raise Broken(f"the backup has {len(there)} files and lists {len(found['files'])}: take another one")
    if any(digest(backup / file) != said for file, said in found["files"].items()):
        raise Broken("a file of the backup is not what was written: take another one")
    return found


def prune(place: Path, now: float) -> int:
    """Delete backups that have had their time (M83); how many."""
    gone = 0
    for backup in sorted(place.glob(f"{PREFIX}*")):
        if (backup / MANIFEST).exists() and manifest(backup)["delete_after"] <= now:
            shutil.rmtree(backup)
            gone += 1
    return gone


def main(arguments: Namespace) -> int:
    settings = load(arguments.data).backup
    places = [arguments.to] if arguments.to else [Path(place) for place in settings.places]
    if not places:
        raise Misconfigured("TO", None, "a folder, or [backup] places in throng.toml")
    for place in places:
        made = make(arguments.data, place, settings.keep_days)
        until = time.strftime("%Y-%m-%d", time.gmtime(manifest(made)["delete_after"]))
        print(f"{made}: whole; `throng backup` deletes it after {until}")
    if not lake_settings.settings(arguments.data).local:
        print("facts are in a database or a bucket, and so not in it: see docs/lake.md", file=sys.stderr)
    return 0
