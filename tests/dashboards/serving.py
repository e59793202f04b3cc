"""Dashboards that a browser can ask, in a thread, until done."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from tests.ports import free_ports
from tests.whole.running import until


class _Quiet(uvicorn.Server):
    def capture_signals(self) -> Any:  # in a thread: signals are the test runner's
        return nullcontext()


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The address at which the application answers."""
    port = free_ports()
    server = _Quiet(uvicorn.Config(app, port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
