"""A partner sees rows of who came by links that name it, late and in groups, and no other's (M53)."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from consent_filter import signing
from consent_filter.errors import Misconfigured
from consent_filter.signing import Signer
from tests.dashboards.asking import Asking, asking
from tests.days import within_one
from tests.warehouse.tables import fill_published
from throng.main import main
from warehouse import budget, link, own_rows
from warehouse.recipient import Recipient, Terms
from warehouse.release_settings import Release

OUTSIDE = "https://numbers.example"
TERMS = Terms(id="T-1", permitted_use="To see what its links bring.")
SETTINGS = """
[[site]]
id = "market"
region = "EU"
[folder]
region = "EU"
[[recipient]]
name = "acme"
kind = "partner"
region = "{region}"
until = 2099-01-01
sources = ["newsletter", "(other)"]
terms = {{ id = "T-1", permitted_use = "To see what its links bring." }}
"""


def partner(name: str, *sources: str, until: date = date(2099, 1, 1), kind: str = "partner") -> Recipient:
    return Recipient(name=name, kind=kind, terms=TERMS, region="EU", until=until, sources=sources)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    one = tmp_path_factory.mktemp("partners")
    fill_published(one, days=12, sites=("market",), last=datetime.now(UTC).date())
    Signer(one / signing.FILE).key()
    return one


@pytest.fixture(scope="module")
def market(data: Path) -> Iterator[Asking]:
    known = [
        partner("acme", "newsletter", "(other)"),
        partner("gone", "google", until=date(2020, 1, 1)),
        partner("none", "(other)"),
        Recipient(name="fund", kind="investor", terms=TERMS, region="EU", until=date(2099, 1, 1)),
    ]
    with asking(data, recipients=known) as one:
        yield one


def word(data: Path, name: str, kind: bytes = link.PARTNER) -> str:
    return link.make(Signer(data / signing.FILE).key(), name, round(time.time() * 1000) + 60_000, kind)


@pytest.mark.requirement("M53", "M89", "S9")
def test_a_partner_sees_its_own_rows_and_no_other(market: Asking, data: Path) -> None:
    """What was folded is nobody's, also where a source is called so. Planted: the key not asked for."""
    within_one(30)
    own = word(data, "acme")
    page = market.get(f"/partner/{own}", base=OUTSIDE)
    assert page.status_code == 200
    assert "newsletter" in page.text
    assert "google" not in page.text
    answer = market.get(f"/partner/{own}/campaigns.csv", base=OUTSIDE)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["utm_source"] for row in rows} == {"newsletter"}
    assert all(int(row["people"]) >= own_rows.LEAST for row in rows)
    last = datetime.now(UTC).date() - timedelta(days=own_rows.DELAY)
    assert max(date.fromisoformat(row["day"]) for row in rows) == last
    assert {name for month in budget.accounts(data, Release()) for name in month.told} == {"campaigns"}


@pytest.mark.requirement("M53")
@pytest.mark.parametrize(
    ("name", "kind", "status"),
    [
        ("gone", link.PARTNER, 410),
        ("none", link.PARTNER, 404),
        ("fund", link.PARTNER, 404),
        ("nobody", link.PARTNER, 404),
        ("acme", link.ADVERTISER, 404),
        ("acme", link.PACK, 404),
    ],
)
def test_who_is_none_has_none(name: str, kind: bytes, status: int, market: Asking, data: Path) -> None:
    for path in ("", "/campaigns.csv"):
        assert market.get(f"/partner/{word(data, name, kind)}{path}", base=OUTSIDE).status_code == status


def test_a_link_of_a_partner_opens_no_other_table(market: Asking, data: Path) -> None:
    own = word(data, "acme")
    for name in ("sources", "traffic_day", "adverts", "delivery", "restatements"):
        assert market.get(f"/partner/{own}/{name}.csv", base=OUTSIDE).status_code == 404, name
    assert market.get(f"/advertiser/{own}", base=OUTSIDE).status_code == 404


def test_sources_are_a_partners() -> None:
    with pytest.raises(Misconfigured, match="partner"):
        partner("fund", "newsletter", kind="investor")


@pytest.mark.requirement("M100")
def test_a_link_is_made_where_the_region_allows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ["partners", "link", "acme", "--at", OUTSIDE, "--data", str(tmp_path)]
    (tmp_path / "throng.toml").write_text(SETTINGS.format(region="EU"))
    assert main(ask) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"acme: newsletter\n{OUTSIDE}/partner/acme.")
    (tmp_path / "throng.toml").write_text(SETTINGS.format(region="IN"))
    assert main(ask) != 0
    assert "region" in capsys.readouterr().err
