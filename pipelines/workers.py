"""The pool of workers beside a task manager: a process for each job that the task manager asks one for.

Beam's own pool listens on every interface, and whoever reaches it has functions of theirs run here; it also
imports everything anew for each job (5 seconds of processor). This one listens where it is told, takes work
from this machine only, and forks workers that have imported what they need.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from typing import Any

import grpc  # type: ignore[import-untyped]

from consent_filter.errors import Misconfigured
from pipelines import options  # noqa: F401  which keeps Beam quiet while it is imported

from apache_beam.portability.api import beam_fn_api_pb2 as _fn_api  # isort: skip
from apache_beam.portability.api import beam_fn_api_pb2_grpc as _services  # isort: skip

#: What every job imports.
_NEEDED = ["pipelines.facts", "pipelines.reports", "pipelines.trends", "pipelines.rights", "pyarrow.dataset"]
_HERE = ("localhost", "127.0.0.1", "::1")
#: Seconds that a worker has to end by itself.
_PATIENCE = 10.0


class _Pool(_services.BeamFnExternalWorkerPoolServicer):
    """What a task manager calls: start one, stop one."""

    def __init__(self) -> None:
        self._fork = multiprocessing.get_context("forkserver")
        self._fork.set_forkserver_preload(_NEEDED)
        forkserver.ensure_running()  # the first job need not wait for the imports
        self._workers: dict[str, ForkServerProcess] = {}
        self._lock = threading.Lock()

    def StartWorker(self, request: Any, context: Any) -> Any:
        """A worker that serves the task manager at `control_endpoint` until that ends."""
        at = request.control_endpoint.url
        if not here(at):
            return _fn_api.StartWorkerResponse(error="a worker serves a task manager of its own machine")
        one = self._fork.Process(target=_serve, args=(at, request.worker_id), daemon=True)
        with self._lock:
            self._workers = {name: other for name, other in self._workers.items() if other.is_alive()}
            one.start()
            self._workers[request.worker_id] = one
        return _fn_api.StartWorkerResponse()

    def StopWorker(self, request: Any, context: Any) -> Any:
        """The job is over, or its task manager believes so."""
        with self._lock:
            one = self._workers.pop(request.worker_id, None)
        if one is not None:
            _end(one)
        return _fn_api.StopWorkerResponse()

    def close(self) -> None:
        """No worker outlives the pool."""
        for one in self._workers.values():
            one.kill()


def here(at: str) -> bool:
    """Whether host:port is of this machine, by its name for itself."""
    return at.rpartition(":")[0].strip("[]") in _HERE


def _end(one: ForkServerProcess) -> None:
    one.terminate()
    one.join(_PATIENCE)
    if one.is_alive():
        one.kill()


def _serve(control: str, name: str) -> None:
    """One worker, in a process of its own, until the task manager ends the connection."""
    from apache_beam.runners.worker.sdk_worker import SdkHarness

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the pool
    # The harness would print what failed in full; the job says what may be said (told.py).
    logging.disable(logging.CRITICAL)
    with suppress(grpc.RpcError):  # the task manager is gone
        SdkHarness(control, worker_id=name, state_cache_size=0, data_buffer_time_limit_ms=0).run()


def run(at: str) -> None:
    """Serve task managers of this machine at host:port until SIGTERM or Ctrl-C. Raises Misconfigured where
    nobody can listen there."""
    pool, over = _Pool(), threading.Event()
    server = grpc.server(ThreadPoolExecutor(8))
    _services.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    try:
        bound = server.add_insecure_port(at)
    except RuntimeError:
        bound = 0
    if not bound:
        raise Misconfigured("--at", at, "host:port of this machine that nobody else listens on")
    server.start()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: over.set())
    print(f"workers wait at {at} for task managers of this machine", file=sys.stderr, flush=True)
    over.wait()
    server.stop(0)
    pool.close()
