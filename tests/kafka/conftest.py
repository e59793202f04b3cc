"""One broker for all tests of a process: it takes four seconds to start."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import certificates
from tests.kafka.broker import Broker
from tests.ports import free_ports


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running broker, which speaks in clear on one port and TLS with SASL on another."""
    folder = tmp_path_factory.mktemp("kafka")
    certificates.make(folder)
    both = folder / "both.pem"
    both.write_bytes((folder / "tls.key").read_bytes() + (folder / "tls.pem").read_bytes())
    one = Broker(folder / "broker", free_ports(3), pem=both)
    one.start()
    yield one
    one.stop()


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """No client outlives its test, to call a broker that the next one kills."""
    yield
    from ingest.log.cluster import close_all

    close_all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the client leaves sockets of failed calls to Python to close
        gc.collect()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"
