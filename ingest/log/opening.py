"""The log of a data folder, as its settings say: everything that reads or trims one opens it here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from consent_filter.one_table import table
from ingest.log import Lasting
from ingest.log.segment import SegmentLog
from ingest.log.settings import LogSettings
from ingest.log.together import Together

_alone = False


def settings(data: Path) -> LogSettings:
    """The `[log]` table of a data folder. Raises Misconfigured."""
    return table(data, "log", LogSettings)


def opened(data: Path, writer: str | None = None) -> Lasting:
    """The log, for reading and trimming; `writer` names who writes: "collector".

    Raises Misconfigured where settings are wrong.
    """
    told = settings(data)
    if told.kind == "segments":
        return SegmentLog(data / "log", writer)
    if writer is None and _alone:
        return SegmentLog(data / "log")
    from ingest.log.kafka import KafkaLog  # nobody else needs the client: 0.1 s

    topic = KafkaLog(told, data)
    return topic if writer is not None else Together(SegmentLog(data / "log"), topic)


@contextmanager
def folder_only() -> Iterator[None]:
    """Until the end of it, this process sees what the folder itself holds: the log of brokers is another's
    while a copy of the folder is made ready."""
    global _alone
    _alone = True
    try:
        yield
    finally:
        _alone = False
