"""The collector that the requests of one module are sent to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ingest.http.wire import SETTINGS
from tests.whole.running import Up, up


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A collector with small limits."""
    with up(tmp_path_factory.mktemp("http") / "data", "part", "collector", settings=SETTINGS) as running:
        yield running
