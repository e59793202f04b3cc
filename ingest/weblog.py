"""Import a web server's log: the same path and the same filter, then the log's `import` partition.

It can be killed at any point and run again: `ingest.imports` says how each line counts once.
"""

from __future__ import annotations

import time as clock
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path as File

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from consent_filter.counts import REFUSED, STORED, Counts
from consent_filter.errors import Broken, Refused
from consent_filter.site import Site
from ingest.imports import Fingerprints, Imports, Prints
from ingest.log import Log
from ingest.logfile import LogFile
from ingest.path import Path
from ingest.protocols.logline import READERS, Line, Reader, recognised
from ingest.protocols.weblog import Own, own, parse, times

PARTITION = "import"
#: Lines in one record of the log, and in one set of fingerprints.
CHUNK = 8192
#: Lines that tell the format, and whose pages tell the site's own host.
_TELLING = 200

Progress = Callable[[int, int, int], None]


class ImportResult(Struct):
    """What became of one file. `lines` = `known` (imported before) + `received` = stored + refused.

    `first`, `last`: UTC milliseconds of the events stored or refused in this run. `host`: the site's own host
    where the log names none. `cut`: the file is damaged or unfinished, and the rest could not be read.
    `unfinished`: the last line has no end yet and is left for another time.
    """

    format: str = ""
    lines: int = 0
    known: int = 0
    received: int = 0
    stored: int = 0
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: int | None = None
    last: int | None = None
    host: str | None = None
    cut: bool = False
    unfinished: bool = False


def import_file(
    file: File,
    site: Site,
    format: str,
    path: Path,
    log: Log,
    imports: Imports,
    progress: Progress = lambda read, size, lines: None,
    *,
    chunk: int = CHUNK,
    now: Callable[[], float] = clock.time,
) -> ImportResult:
    """Import the lines that are new. `path` must not be bounded, its keys must be importing, and `log` must
    hold the import partition's lock.

    `progress` is told bytes read, bytes in all, and lines, after each record. Raises Refused where the file
    can't be read, or is in no known format, or the log can't be written.
    """
    result = ImportResult()
    source = LogFile(file)
    prints = Fingerprints(path.keys.state("lines"), site.id)
    read: Reader | None = None
    host: Own | None = None
    try:
        for lines in source.chunks(chunk):
            text = b"\n".join(lines).decode(errors="replace").split("\n")
            if read is None:
                result.format, read = _reader(format, text, file)
            rows = [read(line) for line in text]
            if source.unfinished and rows[-1] is None:  # the server is writing it: next time
                del rows[-1], lines[-1]
                result.unfinished = True
            if result.lines == 0:
                host = own(rows)
                result.host = host and host.host
            result.lines += len(rows)
            time = times(rows)
            _import(
                rows, time, prints.of(lines, time), site, host, path, log, imports, result, int(now() * 1000)
            )
            progress(source.read, source.size, result.lines)
        imports.confirm(log.end().get(PARTITION, 0))
        result.cut = source.cut
    finally:
        source.close()
    return result


def _import(
    rows: Sequence[Line | None],
    time: NDArray[np.int64],
    prints: Prints,
    site: Site,
    host: Own | None,
    path: Path,
    log: Log,
    imports: Imports,
    result: ImportResult,
    received: int,
) -> None:
    """One chunk: intent, then record; the next intent confirms it."""
    new = imports.unseen(site.id, prints, time)
    fresh = int(new.sum())
    result.known += len(rows) - fresh
    if not fresh:
        return
    which = np.flatnonzero(new)
    time = time[new]
    record = path.keep(parse([rows[row] for row in which.tolist()], time, site, received, host))
    before = log.end().get(PARTITION, 0)
    imports.intend(site.id, prints[new], time, received, before)
    try:
        log.append(record)
    except OSError as error:
        why = error.strerror or "it can't be written"
        raise Refused(
            503, "log_unwritable", f"the log can't be written ({why}); run it again and it goes on"
        ) from None
    _add(result, record.counts, fresh)
    dated = time[time >= 0]
    if len(dated):
        result.first = min(int(dated.min()), received if result.first is None else result.first)
        result.last = max(int(np.minimum(dated.max(), received)), result.last or 0)


def _add(result: ImportResult, counts: Counts, fresh: int) -> None:
    stored = refused = 0
    for key, n in counts.items():
        if key.outcome == STORED:
            stored += n
        elif key.outcome == REFUSED:
            refused += n
            result.refused[key.reason, key.detail] += n
    if stored + refused != fresh:
        raise Broken(f"{fresh} lines were read, {stored} stored and {refused} refused")
    result.received += fresh
    result.stored += stored


def _reader(format: str, lines: Sequence[str], file: File) -> tuple[str, Reader]:
    """The format that was asked for, or the one that the first lines are in."""
    first = lines[:_TELLING]
    name = recognised(first) if format == "auto" else format
    if name is None or not any(READERS[name](line) for line in first):
        wanted = "combined, common and JSON lines" if format == "auto" else format
        raise Refused(
            400,
            "unknown_format",
            f"{file}: none of its first {len(first)} lines is in a format that is read here ({wanted}); see "
            "docs/weblogs.md for the fields that are understood",
        )
    return name, READERS[name]
