"""What `throng check` says of brokers: whether they listen, let us in, and keep what a topic is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from msgspec import structs

from consent_filter.errors import Misconfigured
from consent_filter.failure import describe
from ingest.log.settings import LogSettings
from throng import lock

#: Seconds that brokers have to answer whoever only looks.
_PATIENCE = 5.0


def found(data: Path, told: LogSettings) -> Iterator[tuple[str, str]]:
    """What there is, and how to mend what is wrong with it ("" where nothing is). Makes no topic."""
    if told.kind != "kafka":
        return
    from ingest.log import cluster, topic  # nobody else needs the client: 0.1 s

    there = tuple(filter(cluster.listens, told.bootstrap))
    for one in told.bootstrap:
        if one not in there:
            yield f"nobody listens at {one}", "start that broker, or correct [log] bootstrap"
    if not there:
        return
    quick = structs.replace(told, bootstrap=there, timeout_s=min(told.timeout_s, _PATIENCE))
    with closing(cluster.Cluster(quick, data)) as brokers:
        try:
            with brokers.admin() as admin:
                topics = set(admin.list_topics())
            for name in filter(None, (told.topic, told.ledger)):
                if name not in topics:
                    yield _missing(data, name)
            if told.topic in topics:
                topic.demand(brokers)
                yield f"they let us in; the topic {told.topic} keeps what is not folded", ""
        except Misconfigured as error:
            yield str(error), "correct it in throng.toml, or at the brokers (docs/kafka.md)"
        except OSError as error:
            yield describe(error), "see what the brokers' own log says"


def _missing(data: Path, name: str) -> tuple[str, str]:
    says = f"they let us in; there is no topic {name}, or we may not see it"
    if lock.running(data):
        return says, "start the collector again, which makes it; if there was one, what it held is lost"
    return f"{says}: the collector makes what is missing", ""
