"""One cluster for all tests of a process: it takes ten seconds to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flink.cluster import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running cluster with one task manager of two slots, and a pool of workers beside it."""
    one = Cluster(tmp_path_factory.mktemp("flink"))
    one.ask("start")
    yield one
    one.stop()
