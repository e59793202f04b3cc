"""Stretches of the log as Beam elements, and elements worked on side by side.

Nothing but names travels: an element says where its input stands, and its work leaves files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ingest.log import Lasting, Offsets
from pipelines.options import beam, pipeline
from pipelines.settings import Pipelines
from pipelines.told import as_it_was, telling


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
    with running(settings) as job:
        _ = (
            job
            | made(elements, settings)
            | beam.ParDo(_SideBySide(careful(work, settings), settings.threads))
        )


def made(elements: Iterable[Any], settings: Pipelines, name: str = "elements") -> beam.PTransform:
    """Elements of a job, each of which may go to another worker where there are several. In this process
    they come at once: each step of a job takes Beam as long as what it does to a handful of names."""
    listed = list(elements)
    if settings.here:
        return name >> (beam.Impulse() | beam.FlatMap(lambda _: listed))
    return name >> beam.Create(listed, reshuffle=True)


def careful(work: Callable[..., Any], settings: Pipelines) -> Callable[..., Any]:
    """The same work; elsewhere than in this process its failure says only what may be said."""
    return work if settings.here else telling(work)


@contextmanager
def running(settings: Pipelines) -> Iterator[beam.Pipeline]:
    """A job, which is done when the block ends. Raises Misconfigured where the runner is not there."""
    try:
        with pipeline(settings) as job:
            yield job
    except Exception as error:
        told = as_it_was(error, settings)
        if told is error:
            raise
        raise told from (error if settings.here else None)
