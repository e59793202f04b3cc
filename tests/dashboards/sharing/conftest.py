"""A house with two published sites, one for the tests of a file, and who works in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboards.settings import Dashboards
from dashboards.who import Role
from tests.dashboards.browsing import House, house
from tests.warehouse.tables import fill_published

#: The newest day that is published: over, and late enough for whoever is outside.
LAST = datetime.now(UTC).date() - timedelta(days=3)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder to make copies of."""
    data = tmp_path_factory.mktemp("published")
    fill_published(data, days=70, sites=("market", "blog"), last=LAST)
    return data


@pytest.fixture(scope="module")
def market(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """ann may see all sites, and so may bob; carl may see the blog, dora is no analyst."""
    data = tmp_path_factory.mktemp("sharing") / "data"
    shutil.copytree(published, data)
    with house(data, dashboards=Dashboards(outside=("numbers.example",))) as one:
        one.account("ann@shop.example", Role.ANALYST, name="Ann Lee")
        one.account("bob", Role.ANALYST)
        one.account("carl", Role.ANALYST, sites=["blog"])
        one.account("dora", Role.PRIVACY_OFFICER)
        yield one
