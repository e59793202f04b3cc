"""An analyst's statements in a process of their own, that can be ended whatever they do.

DuckDB can be interrupted between batches of rows only: one call such as levenshtein() on two long texts ran
95 seconds past its interrupt, and repeat() took 6 GB beside `memory_limit`. A process has hard limits.
"""

from __future__ import annotations

import io
import json
import resource
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from consent_filter.errors import Refused
from warehouse.query import on, published, unlock
from warehouse.settings import Warehouse

#: Address space of the process, beyond which its own allocations fail: libraries, threads and the query.
ADDRESS_SPACE = 4 << 30
#: Seconds that the process is given to stop by itself before it is ended.
_PATIENCE = 2.0
#: Seconds that it may take to start, on a machine with much else to do; that is not the question's time.
_START = 60.0
_GREETING = b"ready\n"


class Desk:
    """One statement at a time, in a process that is kept for the next one, or ended when it hangs."""

    def __init__(self, data: Path, settings: Warehouse) -> None:
        self._data, self._settings = data, settings
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._greeted = False

    def ask(self, sql: str) -> pa.Table:
        """What the statement gives on what is published now. Raises Refused."""
        file = published(self._data)
        if not self._lock.acquire(timeout=self._settings.query_seconds + _PATIENCE):
            raise Refused(503, "busy", "another question is being answered; ask again in a moment")
        try:
            return self._answer(file, sql)
        finally:
            self._lock.release()

    def ready(self) -> None:
        """Start the process now, so that the first question need not wait the second that it takes."""
        if self._lock.acquire(blocking=False):
            try:
                self._running()
            finally:
                self._lock.release()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "warehouse.analyst"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            self._greeted = False
        return self._process

    def _answer(self, file: Path, sql: str) -> pa.Table:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        said = json.dumps({"file": str(file), "sql": sql, "settings": msgspec.to_builtins(self._settings)})
        try:
            if not self._greeted and select.select([process.stdout], [], [], _START)[0]:
                self._greeted = process.stdout.readline() == _GREETING
            process.stdin.write(said.encode() + b"\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], self._settings.query_seconds + _PATIENCE)
            if not ready:
                raise Refused(
                    408,
                    "too_long",
                    f"stopped after {self._settings.query_seconds:g} s: ask for less, or group first",
                )
            head = json.loads(process.stdout.readline() or b"null")
            if head is None:
                raise Refused(
                    413, "too_large", "this needs more memory than a query may take: group or filter first"
                )
            if "status" in head:
                raise Refused(head["status"], head["code"], head["message"])
            with pa.ipc.open_stream(process.stdout.read(head["bytes"])) as stream:
                return stream.read_all()
        except (OSError, Refused) as error:
            if isinstance(error, OSError) or error.code in ("too_long", "too_large"):
                self.close()
            if isinstance(error, OSError):
                raise Refused(503, "busy", "the question could not be asked; ask again") from None
            raise


def main() -> None:
    """Read statements as JSON lines, write answers as Arrow streams, until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.buffer.write(_GREETING)
    sys.stdout.buffer.flush()
    opened: tuple[str, Any] | None = None
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        out = io.BytesIO()
        head: dict[str, object]
        try:
            settings = msgspec.convert(asked["settings"], Warehouse)
            if opened is None or opened[0] != asked["file"]:  # a generation is never changed
                if opened is not None:
                    opened[1].close()
                opened = asked["file"], unlock(Path(asked["file"]), settings)
            table = on(opened[1], asked["sql"], settings)
            with pa.ipc.new_stream(out, table.schema) as stream:
                stream.write_table(table)
            head = {"bytes": out.tell()}
        except Refused as error:
            head, out = {"status": error.status, "code": error.code, "message": error.message}, io.BytesIO()
        sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + out.getvalue())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
