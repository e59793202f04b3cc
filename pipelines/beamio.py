"""Stretches of the log as Beam elements, and elements worked on side by side.

Nothing but names travels: an element says where its input stands, and its work leaves files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from consent_filter.errors import Broken, Misconfigured, Refused
from ingest.log import Lasting, Offsets
from pipelines.options import beam, pipeline
from pipelines.settings import Pipelines


class Stretch(NamedTuple):
    """One element: the records of one partition between two positions; `data` is the data folder."""

    data: str
    partition: str
    start: int
    stop: int


def stretches(data: Path, log: Lasting, start: Offsets, stop: Offsets, size: int) -> Iterator[Stretch]:
    """What stands between, in parts of about `size` bytes."""
    for partition, begun, end in log.cuts(start, stop, size):
        yield Stretch(str(data), partition, begun, end)


class _SideBySide(beam.DoFn):
    """Runs `work` on a bundle's elements in threads: Arrow, Parquet and DuckDB leave Python's lock alone."""

    def __init__(self, work: Callable[[Any], None], threads: int) -> None:
        self._work, self._threads = work, threads

    def start_bundle(self) -> None:
        self._pool = ThreadPoolExecutor(self._threads)
        self._running: list[Future[None]] = []

    def process(self, element: Any) -> None:
        self._running.append(self._pool.submit(self._work, element))

    def finish_bundle(self) -> None:
        try:
            for one in self._running:
                one.result()
        finally:
            self._pool.shutdown(cancel_futures=True)


def each(elements: Iterable[Any], work: Callable[[Any], None], settings: Pipelines) -> None:
    """Run `work` on every element as a Beam job. One of our own errors in it is raised as what it is."""
    try:
        with pipeline(settings) as job:
            _ = (
                job
                | beam.Create(list(elements), reshuffle=False)
                | beam.ParDo(_SideBySide(work, settings.threads))
            )
    except Exception as error:
        found: BaseException | None = error
        while found is not None:
            if isinstance(found, Broken | Misconfigured | Refused | OSError):
                raise found from error
            found = found.__cause__ or found.__context__
        raise
