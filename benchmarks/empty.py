"""The collector's own HTTP server without a collector: every event is answered 204 at once.

    python -m benchmarks.empty PORT

What the collector's benchmark is measured against: the same parser, headers and limits, and nothing behind.
"""

from __future__ import annotations

import gc
import sys

import uvicorn

from ingest import fast
from ingest.gather import Tell
from ingest.metrics import Metrics
from ingest.request import Answer, Request
from ingest.settings import Ingest

_EMPTY = Answer(204, b"")


class Nothing:
    """Stands where `ingest.gather.Gather` stands."""

    def add(self, request: Request, tell: Tell) -> None:
        tell(_EMPTY)


async def _none(scope: object, receive: object, send: object) -> None:
    raise NotImplementedError


def main() -> None:
    settings = Ingest(trusted_proxies=("127.0.0.1/32",))
    fast.EventProtocol.collecting = fast.Collecting(settings, Nothing(), Metrics())  # type: ignore[arg-type]
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    uvicorn.run(
        _none, port=int(sys.argv[1]), http=fast.EventProtocol, loop="uvloop", ws="none", lifespan="off",
        access_log=False, log_config=None, server_header=False, date_header=False, proxy_headers=False,
        backlog=4096,
    )  # fmt: skip


if __name__ == "__main__":
    main()
