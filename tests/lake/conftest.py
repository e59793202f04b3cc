"""A database and a storage for all tests of a process, and a lake of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import certificates
from tests.lake import servers
from tests.lake.servers import Postgres, Storage
from tests.ports import free_ports

_names = itertools.count()


class Servers(NamedTuple):
    """Both, as they run; `safe` speaks TLS alone. `certificate`: of whoever does."""

    postgres: Postgres
    storage: Storage
    safe: Storage
    certificate: Path


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers."""
    folder = tmp_path_factory.mktemp("lake")
    certificates.make(folder)
    pem, ports = folder / "tls.pem", free_ports(3)
    found = Servers(
        Postgres(ports, pem), Storage(folder / "s3", ports + 1), Storage(folder / "s3", ports + 2, pem), pem
    )
    for one in found[:3]:
        one.start()
    yield found
    for one in reversed(found[:3]):
        one.stop()
    found.postgres.remove()


@pytest.fixture
def made(both: Servers) -> Callable[..., Path]:
    """Make a data folder whose lake is a database and a bucket that nobody else has."""

    def make(data: Path, site: str = "shop", **more: object) -> Path:
        name = f"lake{next(_names)}"
        both.postgres.database(name)
        (both.storage.data / name).mkdir()
        return again(data, name, site, **more)

    def again(data: Path, name: str, site: str, **more: object) -> Path:
        data.mkdir(parents=True)
        (data / "pg").write_text(f"{servers.PASSWORD}\n")
        (data / "s3").write_text(f"{servers.SECRET}\n")
        told = servers.lake(both.postgres, both.storage, name, name, **more)
        (data / "throng.toml").write_text(f'[[site]]\nid = "{site}"\n{told}')
        return data

    return make
