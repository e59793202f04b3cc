"""`throng lake`: where facts are, and moving them from the data folder to servers and back (docs/lake.md)."""

from __future__ import annotations

import json
import os
import re
import time
import tomllib
from argparse import Namespace
from pathlib import Path
from typing import Any

from consent_filter import keyfile
from consent_filter.errors import Misconfigured, Refused
from consent_filter.one_table import FILE
from throng import lock
from throng.settings import load, read
from warehouse import relocation
from warehouse.lake import Lake
from warehouse.lake_settings import LakeSettings

_BEGINS = re.compile(r"[ \t]*\[[ \t]*lake[ \t]*\][ \t]*(#.*)?\n?")
_ANOTHER = re.compile(r"[ \t]*\[")


def named(told: LakeSettings) -> str:
    """Where a lake is, in words."""
    files = f"{told.endpoint}/{told.bucket}/{told.prefix}" if told.files == "s3" else "the data folder"
    if not told.shared:
        return "the data folder" if told.files == "folder" else f"{files}, catalog in the data folder"
    return f"{files}, catalog in the database {told.database} at {told.host}:{told.port}"


def show(data: Path) -> dict[str, Any]:
    """facts, files, bytes of the lake in use; how many files are not encrypted as its settings say (0, where
    they say nothing); and the place that a move has left."""
    told, found = load(data).lake, {"at": "", "facts": 0, "files": 0, "bytes": 0, "unlike": 0, "left": ""}
    lake = Lake.open(data)
    if lake is not None:
        try:
            files = lake.files()
            found |= {"facts": lake.count(), "files": len(files), "bytes": sum(files.values())}
            found["unlike"] = lake.depot.unlike(files)
        finally:
            lake.close()
    gone = relocation.left(data)
    return found | {"at": named(told), "left": named(gone) if gone else ""}


def move(data: Path, table: str, now: float) -> dict[str, Any]:
    """Move it to where this `[lake]` table says, and let the settings say so; what was moved."""
    file = (data / FILE).resolve()
    with lock.pipeline(data):
        before = file.read_bytes() if file.exists() else b""
        wanted = _instead(before.decode(), table)
        new = read(wanted.encode()).lake
        if not os.access(file.parent, os.W_OK):
            raise Refused(409, "settings", f"{file} can't be replaced: make {file.parent} writable")

        def switch() -> None:
            if (file.read_bytes() if file.exists() else b"") != before:
                raise Refused(409, "settings", f"{file} was changed meanwhile; nothing was switched")
            # With the mode that it had.
            keyfile.write(file, wanted.encode(), file.stat().st_mode & 0o7777 if file.exists() else 0o644)

        done = relocation.move(data, new, switch, now)
    return {"at": named(new), "facts": done.rows, "files": done.files, "bytes": done.bytes}


def table_of(file: Path) -> str:
    """The `[lake]` table of a file, as it is written there. Raises Misconfigured."""
    try:
        text = file.read_text()
        said = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured("FILE", str(file), f"TOML with a [lake] table ({type(error).__name__})") from None
    lines, (start, stop) = text.splitlines(keepends=True), _span(text)
    found = "".join(lines[start:stop])
    if not found or tomllib.loads(found) != {"lake": said.get("lake")}:
        raise Misconfigured("FILE", str(file), "TOML with a table that begins with a line [lake]")
    return found


def _span(text: str) -> tuple[int, int]:
    """The lines of the table, and of nothing that belongs to the next one."""
    lines = text.splitlines(keepends=True)
    start = next((at for at, line in enumerate(lines) if _BEGINS.fullmatch(line)), len(lines))
    stop = next((at for at in range(start + 1, len(lines)) if _ANOTHER.match(lines[at])), len(lines))
    while stop > start + 1 and (not lines[stop - 1].strip() or lines[stop - 1].lstrip().startswith("#")):
        stop -= 1
    return start, min(stop, len(lines))


def _instead(text: str, table: str) -> str:
    """Settings with this table for their own, and all else as it stands. Raises Misconfigured where the text
    is written so that they can't be told apart."""
    before = tomllib.loads(text)
    lines, (start, stop) = text.splitlines(keepends=True), _span(text)
    kept = "".join([*lines[:start], *lines[stop:]]).rstrip("\n")
    wanted = f"{kept}\n\n{table.rstrip()}\n".lstrip("\n") if table else f"{kept}\n".lstrip("\n")
    said = tomllib.loads(wanted) if _parses(wanted) else {}
    rest = {name: value for name, value in before.items() if name != "lake"}
    if said != rest | (tomllib.loads(table) if table else {}):
        raise Misconfigured(FILE, "[lake]", "a table of its own, which can be replaced")
    return wanted


def _parses(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def main(arguments: Namespace) -> int:
    data, said = arguments.data, dict[str, Any]()
    if arguments.action == "show":
        said = show(data)
    elif arguments.action == "move":
        said = move(data, "" if arguments.here else table_of(arguments.to), time.time())
        gone = relocation.left(data)
        said["left"] = named(gone) if gone else ""
    else:
        with lock.pipeline(data):
            gone = relocation.drop(data)
        said = {"dropped": named(gone) if gone else ""}
    if arguments.format == "json":
        print(json.dumps(said))
    elif "at" in said:
        print(f"{said['facts']:,} facts in {said['files']:,} files ({said['bytes']:,} bytes): {said['at']}")
        if said.get("unlike"):
            print(
                f"{said['unlike']:,} of them are not encrypted as [lake] encrypt says, as they were there"
                " before; move the lake to another prefix to write them anew"
            )
        if said["left"]:
            print(f"a copy is left: {said['left']}; delete it with `throng lake drop`")
    else:
        print(f"deleted: {said['dropped']}" if said["dropped"] else "nothing is left of a move")
    return 0
