"""One import, also as a process of its own for tests that kill it.

python -m tests.ingest.import_once DATA FILE CHUNK
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from pathlib import Path as File

from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.site import Site
from ingest.enrich import Enrich
from ingest.enrich.place import Places
from ingest.imports import Imports
from ingest.log.segment import SegmentLog
from ingest.path import Path
from ingest.settings import Sites
from ingest.weblog import CHUNK, PARTITION, ImportResult, import_file

SITES = Sites([Site(id=id, pack="workallies-2024") for id in ("shop", "other")])
ENRICH = Enrich(SITES, Places.open().look)


def once(
    data: File, file: File, *, chunk: int = CHUNK, format: str = "auto", site: str = "shop"
) -> ImportResult:
    """Everything opened, one file imported, everything closed: as the command does."""
    with ExitStack() as stack:
        keys = Keyring.open(data / "keys.json")
        keys.importing()
        ledger = stack.enter_context(closing(Ledger.open(data / "ledger.sqlite", keys, read_only=True)))
        log = stack.enter_context(closing(SegmentLog(data / "log", PARTITION)))
        imports = Imports(data / "imports.sqlite", log.end().get(PARTITION, 0))
        stack.enter_context(closing(imports))
        path = Path(SITES, ENRICH, Packs(SITES), ledger, keys, bounded=False)
        return import_file(file, SITES[site], format, path, log, imports, chunk=chunk)


if __name__ == "__main__":
    print("ready", flush=True)
    once(File(sys.argv[1]), File(sys.argv[2]), chunk=int(sys.argv[3]))
    print("done", flush=True)
