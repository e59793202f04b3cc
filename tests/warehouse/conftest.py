"""A made-up market's tables, published once for all tests that only read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.warehouse.tables import fill
from warehouse.released import Store
from warehouse.settings import Warehouse
from warehouse.snapshot import publish


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a publication. Nobody may change it."""
    data = tmp_path_factory.mktemp("market")
    fill(data, days=40, sites=("market", "blog"))
    store = Store.open(data)
    publish(data, Warehouse(), store)
    store.close()
    return data
