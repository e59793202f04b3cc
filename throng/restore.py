"""`throng restore`: a backup becomes the data folder again, and whoever was erased since stays away (S2).

The copy is made beside the folder and cleaned there: words that were said since hold, tombstones of the
newest list and of the standing ledger are applied, facts and log are rid of whoever must be gone. Only then
does it take the folder's place, so that nobody can read it before. Killed anywhere,
the folder is the old one or the new one, and the command can be given again.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from argparse import Namespace
from contextlib import closing
from pathlib import Path

from consent_filter import keyfile
from consent_filter.errors import Broken, Misconfigured, Refused
from consent_filter.ledger import Ledger
from consent_filter.one_table import FILE
from consent_filter.pseudonym import Keyring
from ingest.log.opening import folder_only
from ingest.log.segment import SegmentLog
from pipelines import facts, rights, stones
from pipelines.settings import Backup, Pipelines
from throng import backup, jobs, lock, placing
from throng.settings import load
from warehouse import budget, followed, lake_settings, opened, relocation

#: Goes with the log, whose end it knows.
_OF_THE_COPY = ("imports.sqlite",)


def run(source: Path, data: Path, region: str | None = None) -> dict[str, object]:
    """Restore; what was done. `region`: where the folder lies, if it does not say so itself. Raises Refused
    where Throng runs there, the backup is another's, or its rows may not be read there (M100)."""
    if not (source / backup.MANIFEST).exists():
        source = _newest(source)
    before, draft = _beside(data, "before"), _beside(data, "restoring")
    if before.exists() and not data.exists():
        os.rename(before, data)  # killed between the two renames
    if data.exists() and lock.running(data):
        raise Refused(409, "running", "Throng runs in this folder: stop `throng up`, or its parts, first")
    for folder in (source / "data", data):
        if not lake_settings.settings(folder).local:
            raise Refused(
                409, "lake_elsewhere", "facts are in a database or a bucket, which no backup holds: put these"
                " back by their own means (docs/lake.md); the folder stays as it is"
            )  # fmt: skip
    if relocation.noted(data) is not None:
        raise Refused(409, "left", "a move has left a copy of the facts: `throng lake drop` first")
    said = backup.check(source)
    here = _here(data, said.get("region", ""), region)
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(source / "data", draft, symlinks=True)
    try:
        placing.held(draft, load(draft), "a restore", here)
    except Refused:
        shutil.rmtree(draft)
        raise
    standing = data if (data / "ledger.sqlite").exists() else None
    if standing is not None:
        _own(data, draft, said["whose"])
    lists = [one for place in _places(source, data) if (one := stones.parse(place / stones.NAME))]
    own = [one for one in lists if one.whose == said["whose"]]
    words = _remember(draft, own)
    _destroy(draft, {id for one in own for id in one.destroyed})
    if spent := {one for some in own for one in some.spent}:
        budget.remember(draft, sorted(spent))
    asked = [mark for one in own for mark in one.opened]
    opened.remember(draft, opened.newest([*asked, *(opened.marks(data) if standing else ())]))
    spending = [one for some in own for one in some.followed]
    followed.remember(draft, [*spending, *(followed.paid(data) if standing else ())])
    (draft / "erasures" / "vetted.json").unlink(missing_ok=True)
    placing.move(draft, here)
    with folder_only():  # what stands with brokers is the folder's that will be, and no copy's to trim
        removed = _clean(draft)
    with lock.pipeline(draft):
        jobs.reports(draft)
        jobs.publish(draft)
    _only_current(draft)
    shutil.rmtree(before, ignore_errors=True)
    if data.exists():
        os.rename(data, before)
    os.rename(draft, data)
    shutil.rmtree(before, ignore_errors=True)
    return {
        "backup": source.name,
        "kept_words": standing is not None,
        "erased_since": words,
        "removed": removed,
    }


def _newest(place: Path) -> Path:
    found = sorted(one for one in place.glob(f"{backup.PREFIX}*") if (one / backup.MANIFEST).exists())
    if not found:
        raise Refused(404, "no_backup", "there is no whole backup of Throng")
    return found[-1]


def _here(data: Path, there: str, said: str | None) -> str:
    """Where the folder lies, as it or the command says; `there`: where the backup does."""
    here = load(data).folder.region if (data / FILE).exists() and not said else said or ""
    if there and not here:
        raise Refused(409, "region", f"the backup lies in region {there}: say where this is, with --region")
    return here


def _beside(data: Path, what: str) -> Path:
    return data.resolve().with_name(f".{data.resolve().name}.{what}")


def leftovers(data: Path) -> list[Path]:
    """What a killed restore has left beside the folder; the next one removes it."""
    return [one for what in ("restoring", "before") if (one := _beside(data, what)).exists()]


def _places(source: Path, data: Path) -> list[Path]:
    return [source.parent, *(Path(place) for place in load(data).backup.places)]


def _own(data: Path, draft: Path, whose: str) -> None:
    """The folder's ledger is newer than the backup's: refusals and erasures since then hold (M83)."""
    if stones.whose(Keyring.open(data / "keys.json")) != whose:
        raise Refused(
            409, "another", "the folder holds another installation's data: restore into an empty folder"
        )
    _replace(data / "ledger.sqlite", draft / "ledger.sqlite")
    keyfile.write(draft / "keys.json", (data / "keys.json").read_bytes())
    for over in (draft / "erasures").glob("*.open"):
        over.unlink()
    # What people said and asked only ever grows: of two, the folder's own holds. Of keys, too.
    for file in data.iterdir():
        if file.name in ("erasures", "releases"):
            shutil.copytree(file, draft / file.name, dirs_exist_ok=True)
        elif file.suffix == ".sqlite" and file.name not in ("ledger.sqlite", *_OF_THE_COPY):
            _replace(file, draft / file.name)
        elif file.suffix == ".key":
            keyfile.write(draft / file.name, file.read_bytes())


def _replace(file: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
    target.chmod(0o600)


def _remember(draft: Path, lists: list[stones.Stones]) -> int:
    """Whoever was erased since the copy was made is erased in it; how many."""
    if not lists:
        return 0
    whole, now, n = stones.merge(lists), time.time_ns() // 1_000_000, 0
    with closing(
        Ledger.open(draft / "ledger.sqlite", Keyring.open(draft / "keys.json"), gives=False)
    ) as ledger:
        for key, since in whole.keys:
            subject = ledger.subject(key)
            # Who agreed anew after having been erased, and before the copy, is not erased by an older list.
            if not subject.word.erased and (subject.since or 0) <= since:
                ledger.erase_key(key, "restore", now)
                n += 1
        ledger.remember(whole.tombstones)
    return n


def _destroy(draft: Path, ids: set[str]) -> None:
    """Keys that were destroyed since the copy was made are destroyed in it. Whoever is under one there has
    left since, or become somebody else: found when they ask, and nobody can make their pseudonym again."""
    keys = Keyring.open(draft / "keys.json")
    back = {life.id for life in keys.lives() if life.destroyed is None} & ids
    if not back:
        return
    with closing(Ledger.open(draft / "ledger.sqlite", keys, gives=False)) as ledger:
        ledger.part(back)
    keys.destroy(back)


def _clean(draft: Path) -> int:
    """Nothing is left of whoever must be gone before anybody can read; how many removals it took.

    Nobody has the copy open: there is no grace to wait for.
    """
    settings = load(draft)
    alone = Pipelines(grace_minutes=0, threads=settings.pipelines.threads)
    for partition in (draft / "log").glob("*"):
        log = SegmentLog(draft / "log", partition.name)
        log.turn(-1.0)  # finds the true end, and lets everything before be trimmed
        log.close()
    packs = {site.pack for site in settings.site}
    certified: list[str] = []
    with lock.pipeline(draft):
        facts.run(draft, settings.pipelines, packs=packs)
        for _ in range(3):
            done = rights.run(draft, alone, Backup(), time.time() + 1, at_once=True)
            certified += done.certified
            if not done.open:
                return len(certified)
    raise Broken(f"the copy could not be rid of those who were erased: {'; '.join(done.waits)}")


def _only_current(draft: Path) -> None:
    """Generations of before count people who have left since."""
    published = draft / "published"
    current = os.readlink(published / "current") if (published / "current").is_symlink() else None
    for old in published.glob("[0-9]*"):
        if old.name != current:
            shutil.rmtree(old)


def main(arguments: Namespace) -> int:
    if arguments.data.is_symlink():
        raise Misconfigured("--data", str(arguments.data), "the folder itself, not a link to it")
    print(json.dumps(run(arguments.source, arguments.data, arguments.region)))
    return 0
