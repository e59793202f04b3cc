"""Questions asked of a process of their own, that can be ended whatever it does.

DuckDB can be interrupted between batches of rows only: one call such as levenshtein() on two long texts ran
95 seconds past its interrupt, and repeat() took 6 GB beside `memory_limit`. A process has hard limits, and
may have rights of its own.
"""

from __future__ import annotations

import io
import json
import resource
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa

from consent_filter.errors import Broken, Misconfigured, Refused

#: Address space of the process, beyond which its own allocations fail: libraries, threads and the query.
ADDRESS_SPACE = 4 << 30
#: Seconds that the process is given to stop by itself before it is ended.
_PATIENCE = 2.0
#: Seconds that it may take to start, on a machine with much else to do; that is not the question's time.
_START = 60.0
_GREETING = b"ready\n"
#: Seconds without a question after which nothing is held for the next one.
_REST = 600.0


class Apart:
    """One question at a time, in a process that is kept for the next one, or ended when it hangs. `command`:
    what it is started with; `seconds`: how long a question may take."""

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command, self._seconds = command, seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._greeted = False

    def put(self, said: Mapping[str, Any]) -> tuple[pa.Table, dict[str, Any]]:
        """The answer, and what is said of it. Raises Refused."""
        if not self._lock.acquire(timeout=self._seconds + _PATIENCE):
            raise Refused(503, "busy", "another question is being answered; ask again in a moment")
        try:
            return self._answer(json.dumps(said).encode())
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
        """End the process; the next question would start another."""
        self._end()

    def _end(self) -> None:
        process, self._process = self._process, None  # whoever closes may meet whoever waits for an answer
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):  # what was not written yet has nobody to read it
                        pipe.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._greeted = False
        return self._process

    def _answer(self, said: bytes) -> tuple[pa.Table, dict[str, Any]]:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            self._greet(process)
            process.stdin.write(said + b"\n")
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], self._seconds + _PATIENCE)
            if not ready:
                raise Refused(
                    408, "too_long", "stopped after {seconds} s: ask for less, or group first",
                    seconds=f"{self._seconds:g}",
                )  # fmt: skip
            head = json.loads(process.stdout.readline() or b"null")
            if head is None:
                raise Refused(
                    413, "too_large", "this needs more memory than a query may take: group or filter first"
                )
            if "status" in head:
                raise Refused(head["status"], head["code"], head["message"], **head.get("parts", {}))
            with pa.ipc.open_stream(process.stdout.read(head.pop("bytes"))) as stream:
                return stream.read_all(), head
        except Refused as error:
            if error.code in ("too_long", "too_large"):
                self._end()
            raise
        except OSError:
            self._end()
            raise Refused(503, "busy", "the question could not be asked; ask again") from None
        except BaseException:
            self._end()  # what is left unread would be taken for the answer to the next question
            raise

    def _greet(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until it has started. Raises Refused where it has not; OSError where it has ended instead."""
        assert process.stdout is not None
        if self._greeted:
            return
        if not select.select([process.stdout], [], [], _START)[0]:
            raise Refused(503, "busy", "what answers questions is still starting; ask again in a moment")
        if process.stdout.readline() != _GREETING:
            raise OSError("it ended at its start")
        self._greeted = True


def serve(
    answer: Callable[[dict[str, Any]], tuple[pa.Table, dict[str, Any]]],
    rest: Callable[[], None] | None = None,
    space: int = ADDRESS_SPACE,
) -> None:
    """Read questions as JSON lines, write answers as Arrow streams, until the input ends. `rest` is called
    when none has come for a while. space: bytes of addresses that the process may have."""
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.buffer.write(_GREETING)
    sys.stdout.buffer.flush()
    while line := _line(rest):
        out = io.BytesIO()
        head: dict[str, Any]
        try:
            table, said = answer(json.loads(line))
            with pa.ipc.new_stream(out, table.schema) as stream:
                stream.write_table(table)
            head = {**said, "bytes": out.tell()}
        except Refused as error:
            head, out = {"status": error.status, "code": error.code, "message": error.text}, io.BytesIO()
            head["parts"] = error.parts
        except (Misconfigured, Broken) as error:
            head, out = {"status": 503, "code": "not_open", "message": str(error)}, io.BytesIO()
        except Exception as error:  # never its message: a library's may hold the value it choked on
            says = f"the question could not be answered ({type(error).__name__})"
            head, out = {"status": 500, "code": "failed", "message": says}, io.BytesIO()
        sys.stdout.buffer.write(json.dumps(head, default=str).encode() + b"\n" + out.getvalue())
        sys.stdout.buffer.flush()


def _line(rest: Callable[[], None] | None) -> bytes:
    """The next question; nothing at the end. Whoever asks waits for the answer, so that none lies waiting."""
    if rest is not None and not select.select([sys.stdin.fileno()], [], [], _REST)[0]:
        rest()
    return sys.stdin.buffer.readline()
