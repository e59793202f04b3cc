"""A lake moves: from the data folder to a database and a bucket, back, or half of it.

Facts are copied to where nothing was, and held against the old ones; only then do the settings say the new
place, in one step that is the caller's. DATA/lake/moved.json names both from before the first byte is
written: whichever of them the settings do not name is what a move, or a killed one, has left, and `drop`
empties it. A job that makes somebody be gone does so, too. The caller holds pipeline.lock; collectors go on.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from consent_filter import keyfile
from consent_filter.errors import Broken, Refused
from warehouse.blur import blur
from warehouse.bucket import Object
from warehouse.catalog import META, Catalog
from warehouse.depot import Depot, digest, reading
from warehouse.extensions import quote
from warehouse.lake import TABLES, Lake, overtaken
from warehouse.lake_settings import LakeSettings, settings

NOTE = "moved.json"
#: Days after which what a move has left is removed in any case: what is kept there does not age.
KEPT_DAYS = 7
_DAY = 86_400
#: Files that are carried side by side: each is in memory as a whole.
_AT_ONCE = 4


class Moved(Struct, frozen=True):
    """Both places of a move, which began `at` (UTC seconds)."""

    was: LakeSettings
    new: LakeSettings
    at: float


class Carried(Struct, frozen=True):
    """What stands at the new place: facts, their files, and the bytes of these."""

    rows: int
    files: int
    bytes: int


def place(told: LakeSettings) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """Where a catalog and files are, apart from how they are reached."""
    catalog = (told.host, told.port, told.database) if told.shared else ()
    return catalog, (told.endpoint, told.bucket, told.prefix) if told.files == "s3" else ()


def noted(data: Path) -> Moved | None:
    """The move that has left something, or is not finished."""
    try:
        return msgspec.json.decode((data / "lake" / NOTE).read_bytes(), type=Moved)
    except FileNotFoundError:
        return None


def left(data: Path) -> LakeSettings | None:
    """What is not in use of a move's two places. Raises Refused where neither is: the settings were changed
    by hand since."""
    note, told = noted(data), settings(data)
    if note is None:
        return None
    if place(told) == place(note.new):
        return note.was
    if place(told) == place(note.was):
        return note.new
    raise Refused(
        409, "elsewhere", f"the settings name neither place of the last move (lake/{NOTE}): put [lake] back,"
        " or delete by hand what lies at both, and that file"
    )  # fmt: skip


def move(data: Path, new: LakeSettings, switch: Callable[[], None], now: float) -> Carried:
    """Carry the lake there, compare, and `switch` the settings. Killed anywhere, it may be called again.

    Raises Refused where there is something already (`not_empty`), where an earlier move has left something
    (`left`), or another machine has committed meanwhile (`overtaken`); Broken, with nothing switched, where
    the copy is not the same.
    """
    was, before = settings(data), noted(data)
    if place(was) == place(new):
        raise Refused(409, "there", "the lake is there already")
    if before is not None and (place(before.was), place(before.new)) != (place(was), place(new)):
        if place(before.new) == place(was):
            raise Refused(409, "left", "the last move has left its copy: `throng lake drop` first")
        drop(data)
        before = None
    lake = Lake.open(data, write=True)
    assert lake is not None
    with closing(lake):
        if before is None:
            _vacant(data, was, new)
            _note(data, Moved(was, new, now))
        seen = lake.snapshot()
        other = place(was)[0] != place(new)[0]
        files = _files(lake) if other else [file for file in lake.files() if file.endswith(".parquet")]
        size = _carry(data, lake.depot, new, files, moved=place(was)[1] != place(new)[1])
        if other:
            _anew(data, lake, new, seen)
        rows = _compare(data, lake, new)
        with lake.transaction():
            if lake.snapshot() != seen:
                raise overtaken()
            switch()
    return Carried(rows, len(files), size)


def drop(data: Path) -> LakeSettings | None:
    """Empty what a move has left; where that was. Raises Refused as `left` does."""
    gone = left(data)
    if gone is None:
        return None
    stays, depot = settings(data), Depot(data, gone)
    if place(gone)[1] != place(stays)[1]:
        depot.each(lambda file: depot.at(file).unlink(missing_ok=True), list(depot.files()))
        if gone.files == "folder":
            shutil.rmtree(data / "lake" / "files", ignore_errors=True)
    if place(gone)[0] != place(stays)[0]:
        Catalog(data, gone).raze()
    (data / "lake" / NOTE).unlink()
    return gone


def lapse(data: Path, now: float) -> LakeSettings | None:
    """The same when its days are over."""
    note = noted(data)
    return drop(data) if note is not None and not 0 <= now - note.at < KEPT_DAYS * _DAY else None


def _vacant(data: Path, was: LakeSettings, new: LakeSettings) -> None:
    """Nothing that is there already may be taken for a copy, or deleted as one."""
    (catalog, files), (to, into) = place(was), place(new)
    what = []
    if to != catalog and not Catalog(data, new).vacant():
        what.append("a catalog")
    if into != files and next(iter(Depot(data, new).files()), None):
        what.append("files")
    if files and into and files != into and files[:2] == into[:2]:
        one, other = f"{files[2]}/", f"{into[2]}/"
        if one.startswith(other) or other.startswith(one):
            what.append("the lake itself")
    if what:
        raise Refused(
            409, "not_empty", f"there is already {' and '.join(what)} at the new place: choose another"
        )


def _note(data: Path, one: Moved) -> None:
    keyfile.write(data / "lake" / NOTE, msgspec.json.encode(one))


def _files(lake: Lake) -> list[str]:
    rows = lake.connection.execute(
        "SELECT data_file, delete_file FROM ducklake_list_files('lake', 'events')"
    ).fetchall()
    if any(marked for _, marked in rows):
        raise Broken("facts were deleted without their file having been written anew")
    return [file for file, _ in rows]


def _carry(data: Path, source: Depot, new: LakeSettings, files: list[str], *, moved: bool) -> int:
    """Every file to its new place under its own name; how many bytes they have."""
    if not moved:
        if new.shared and any(_held(source, file)[1] for file in files):
            raise Refused(
                409, "early_files", "some files are of a version that named pseudonyms at their end, which a"
                " database would keep: move the files with the catalog"
            )  # fmt: skip
        return sum(len(_held(source, file)[0]) for file in files)
    target = Depot(data, new)
    target.check()
    wanted = {target.whole(source.short(file)) for file in files}
    # What an earlier attempt has left and is no fact any more.
    target.each(
        lambda file: target.at(file).unlink(missing_ok=True),
        [one for one in target.files() if one not in wanted],
    )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        size = sum(pool.map(partial(_one, source, target), files))
    if new.files == "folder":
        lake = (data / "lake").resolve()
        # A file is there after a power cut if each folder on the way to it knows the next one.
        for folder in {one for file in wanted for one in Path(file).parents if one.is_relative_to(lake)}:
            keyfile.sync(folder)
    return size


def _held(source: Depot, file: str) -> tuple[bytes, bool]:
    """The bytes of a file with the ranges of persons rounded, and whether they were not."""
    with reading(source.at(file)) as one:
        data = one.read()
    assert data is not None
    held = io.BytesIO(data)
    blur(held)
    return held.getvalue(), held.getvalue() != data


def _one(source: Depot, target: Depot, file: str) -> int:
    data, _ = _held(source, file)
    goal, said = target.at(target.whole(source.short(file))), hashlib.sha256(data).hexdigest()
    try:
        there = digest(goal) == said and target.like(str(goal))
    except FileNotFoundError:
        there = False
    if isinstance(goal, Object):
        if not there:
            goal.put(data)
    else:
        if not there:
            goal.parent.mkdir(parents=True, exist_ok=True)
            goal.write_bytes(data)
        # Also one that was there: whoever wrote it may have been killed before it was on the disk.
        keyfile.sync(goal)
    if not there and digest(goal) != said:
        raise Broken("a file was written and is not what was written")
    return len(data)


def _anew(data: Path, source: Lake, new: LakeSettings, seen: int) -> None:
    """A catalog of the same facts and counts. Its snapshots count on from those of the old one, since tables
    and certificates name snapshots by their numbers."""
    Catalog(data, new).raze()
    with closing(_opened(data, new, write=True)) as target:
        for table in ("ducklake_snapshot", "ducklake_snapshot_changes"):
            where = f"{META}.{table}"
            target.connection.execute(
                f"DELETE FROM {where} WHERE snapshot_id < (SELECT max(snapshot_id) FROM {where})"
            )
            target.connection.execute(f"UPDATE {where} SET snapshot_id = snapshot_id + {seen + 1}")
    with closing(_opened(data, new, write=True)) as target, target.transaction():
        if files := _files(source):
            names = ", ".join(f"'{quote(target.depot.whole(source.depot.short(one)))}'" for one in files)
            target.connection.execute(
                f"CALL ducklake_add_data_files('lake', 'events', [{names}], allow_missing => true,"
                " ignore_extra_columns => true)"
            )
        for table, columns in TABLES.items():
            if table == "events":
                continue
            listed = ", ".join(columns)
            rows = source.connection.execute(f"SELECT {listed} FROM lake.{table}").to_arrow_table()
            if rows.num_rows:
                target.connection.register("carried", rows)
                target.connection.execute(f"INSERT INTO lake.{table} ({listed}) SELECT {listed} FROM carried")
                target.connection.unregister("carried")


def _opened(data: Path, told: LakeSettings, *, write: bool = False) -> Lake:
    lake = Lake.open(data, write=write, told=told)
    if lake is None:
        raise Broken("the new lake is not there")
    return lake


def _compare(data: Path, source: Lake, new: LakeSettings) -> int:
    """Every row and value of every table, as readers will have them; how many facts. Raises Broken."""
    with closing(_opened(data, new)) as target:
        for table, columns in TABLES.items():
            row = f"hash({', '.join(columns)})"
            asked = f"SELECT count(*), sum({row}), bit_xor({row}) FROM lake.{table}"
            mine, theirs = (one.connection.execute(asked).fetchone() for one in (source, target))
            if mine != theirs:
                raise Broken(f"the copy of `{table}` is not the same; nothing was switched")
        return target.count()
