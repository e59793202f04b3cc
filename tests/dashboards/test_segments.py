"""Segments for the ad server: released rows of groups, to who has the key, and nothing of a person."""

from __future__ import annotations

import asyncio
import hashlib
import io
import shutil
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from consent_filter.errors import Misconfigured
from dashboards.app import create
from dashboards.settings import Dashboards
from tests.warehouse.tables import fill_published
from warehouse.release_settings import Release
from warehouse.settings import Warehouse
from warehouse.snapshot import folder

KEY = "k-17-of-the-ad-server"


class Server:
    """What an ad server does."""

    def __init__(self, data: Path, key: str = KEY, release: Release = Release()) -> None:  # noqa: B008
        said = hashlib.sha256(key.encode()).hexdigest() if key else ""
        self._app = create(data, Dashboards(segments=said), Warehouse(), release=release)

    def get(self, path: str, key: str | None = KEY, **head: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            headers = head | ({"authorization": f"Bearer {key}"} if key is not None else {})
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8601") as client:
                return await client.get(path, headers=headers)

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    one = tmp_path_factory.mktemp("segments")
    fill_published(one, days=9)
    return one


@pytest.fixture(scope="module")
def server(data: Path) -> Server:
    return Server(data)


@pytest.mark.requirement("M45", "M46")
def test_segments_are_sums_of_the_rows_that_were_released(data: Path, server: Server) -> None:
    """The file that is published has the same rows, by day; every one is about a group."""
    rows = pq.read_table(folder(data) / "current" / "interest.parquet").to_pylist()
    assert rows
    assert min(row["people"] for row in rows) >= Warehouse().min_group
    expected: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        at = (row["category"], row["country"], row["device"])
        old = expected.setdefault(at, [0, 0, 0])
        expected[at] = [
            n + row[name] for n, name in zip(old, ("impressions", "viewable", "clicks"), strict=True)
        ]
    answer = server.get("/segments/market?period=28")
    found = {
        (row["category"], row["country"], row["device"]): [row["impressions"], row["viewable"], row["clicks"]]
        for row in answer.json()
    }
    assert found == expected
    assert {name for row in answer.json() for name in row} == {
        "category", "country", "device", "impressions", "viewable", "clicks", "index",
    }  # fmt: skip


@pytest.mark.requirement("M46")
def test_an_index_compares_with_the_site_and_is_none_where_too_few_clicked(server: Server) -> None:
    rows: list[dict[str, Any]] = server.get("/segments/market").json()
    mean = sum(row["clicks"] for row in rows) / sum(row["impressions"] for row in rows)
    for row in rows:
        own = row["clicks"] / row["impressions"]
        assert row["index"] == (pytest.approx(100 * own / mean, abs=1) if row["clicks"] else None)


@pytest.mark.requirement("M46", "M89")
@pytest.mark.parametrize(
    ("path", "key", "status", "code"),
    [
        ("/segments/market", None, 401, "key"),
        ("/segments/market", "", 401, "key"),
        ("/segments/market", KEY + "8", 401, "key"),
        ("/segments/none", KEY, 404, "no_such_site"),
        ("/segments/market?format=xml", KEY, 400, "format"),
        ("/segments/market?period=2", KEY, 400, "period"),
    ],
)
def test_who_has_no_key_and_who_asks_wrongly_is_refused(
    path: str, key: str | None, status: int, code: str, server: Server
) -> None:
    answer = server.get(path, key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_without_a_key_in_the_settings_there_are_no_segments(data: Path) -> None:
    assert Server(data, key="").get("/segments/market").status_code == 404
    with pytest.raises(Misconfigured, match="64 hexadecimal digits") as error:
        Dashboards(segments="the key itself")
    assert "itself" not in str(error.value)


def test_an_ad_server_that_has_them_is_told_so(server: Server) -> None:
    first = server.get("/segments/market?format=parquet")
    assert pq.read_table(io.BytesIO(first.content)).num_rows
    again = server.get("/segments/market?format=parquet", **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert server.get("/segments/market?format=csv").text.startswith('"category","country","device"')


@pytest.mark.requirement("S9")
def test_segments_are_entered_into_the_months_account_and_refused_where_it_is_spent(data: Path) -> None:
    shutil.rmtree(data / "releases", ignore_errors=True)  # what was told before stays open
    server = Server(data, release=Release(figures_month=10))
    answer = server.get("/segments/market?period=7")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "budget_spent")
