"""An advertiser sees its own rows and no way to another's; the page of orders, by every rule (M52, M53)."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from consent_filter import signing
from consent_filter.errors import Refused
from consent_filter.signing import Signer
from dashboards.attribution import MODELS
from dashboards.settings import Dashboards
from dashboards.who import Role
from tests.dashboards.asking import Asking, asking
from tests.dashboards.browsing import house
from tests.days import within_one
from tests.test_ways_out import GIVES
from tests.warehouse.crowd import person
from tests.warehouse.tables import fill_published, put, table
from throng.advertisers import given
from throng.reconciling import read, reconcile, write
from warehouse import budget, link, own_rows
from warehouse import report as reports
from warehouse.release_settings import Release
from warehouse.released import Store
from warehouse.report import OTHER
from warehouse.settings import Warehouse
from warehouse.snapshot import publish

OUTSIDE = "https://numbers.example"
LISTED = """
[[advertiser]]
id = "acme"
[[campaign]]
id = "autumn"
advertiser = "acme"
[[campaign]]
id = "freelancers"
advertiser = "rival"
[[campaign]]
id = "(other)"
advertiser = "acme"
[[campaign]]
id = "house"
"""
#: Reports that are told by campaign, of people who allowed it.
OURS = {name for name, one in reports.load().items() if {"ad_campaign", "day"} <= {*one.keys} and one.people}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    one = tmp_path_factory.mktemp("adverts")
    fill_published(one, days=20, sites=("market",), last=datetime.now(UTC).date())
    (one / "adverts.toml").write_text(LISTED)
    Signer(one / signing.FILE).key()
    return one


@pytest.fixture(scope="module")
def market(data: Path) -> Iterator[Asking]:
    with asking(data) as one:
        yield one


@pytest.fixture
def word(data: Path) -> str:
    return given(data, "acme", 1, OUTSIDE)[0].rsplit("/", 1)[1]


@pytest.mark.requirement("M53")
def test_an_advertiser_sees_its_own_rows_and_no_other(market: Asking, word: str) -> None:
    """Late, of fifty people and more; what was folded is nobody's, also where a campaign is called so."""
    within_one(30)
    page = market.get(f"/advertiser/{word}", base=OUTSIDE)
    assert page.status_code == 200
    assert "autumn" in page.text
    assert "freelancers" not in page.text
    for name in OURS:
        answer = market.get(f"/advertiser/{word}/{name}.csv", base=OUTSIDE)
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert rows, name
        assert {row["ad_campaign"] for row in rows} == {"autumn"}, name
        assert all(int(row["people"]) >= own_rows.LEAST for row in rows), name
        last = datetime.now(UTC).date() - timedelta(days=own_rows.DELAY)
        assert max(date.fromisoformat(row["day"]) for row in rows) == last, name


@pytest.mark.requirement("M53", "M126")
def test_an_account_of_an_advertiser_opens_its_own_pages_and_no_other(data: Path, market: Asking) -> None:
    """By the name for outsiders, too; what an account is not for, it can't even learn to be there."""
    with house(data, dashboards=Dashboards(outside=("numbers.example",))) as place:
        place.account("acme", Role.ADVERTISER, advertisers=["acme"])
        place.account("fund", Role.INVESTOR, recipients=["fund"])
        browser = place.browser(OUTSIDE)
        assert browser.sign_in("acme").headers["location"] == "/mine"
        assert "rival" not in browser.text("/mine")
        to = browser.get("/mine/adverts/acme")
        assert to.status_code == 303
        assert "autumn" in browser.text(to.headers["location"])
        for path in ("/mine/adverts/rival", "/mine/adverts/none", "/mine/packs/D1", "/", "/accounts", "/log"):
            assert browser.get(path).status_code == 404, path
        for path in ("/sql", "/adverts", "/csv/pages.csv", "/accounts", "/log"):
            inside = place.browser()
            inside.sign_in("acme")
            assert inside.get(path).status_code == 403, path
        investor = place.browser(OUTSIDE)
        investor.sign_in("fund")
        assert investor.get("/mine/adverts/acme").status_code == 404


@pytest.mark.requirement("M53", "M89")
def test_no_way_leads_to_another_advertisers_rows(market: Asking, data: Path, word: str) -> None:
    """By the name for outsiders: no page but what the link opens, no other report, and no other word."""
    for route in GIVES["dashboards"]:
        path = route.replace("{word:str}", word).replace("{name:str}", "conversions")
        path = path.replace("{id:str}", "1")
        for query in ("", "?site=market&q=FROM+adverts&ad_campaign=freelancers&advertiser=rival"):
            answer = market.get(path + query, base=OUTSIDE)
            assert "freelancers" not in answer.text, path
            ours = ("/sign-", "/enter/", "/mine", "/account", "/unlock/")
            if path.startswith("/accounts") or not path.startswith(
                ("/advertiser/", "/packs/", "/static", "/favicon", "/health", *ours)
            ):
                assert answer.status_code == 404, path
    for name in (*(reports.load().keys() - OURS), "conversions; DROP TABLE x", "restatements", "reports"):
        assert market.get(f"/advertiser/{word}/{name}.csv", base=OUTSIDE).status_code == 404, name
    key, later = Signer(data / signing.FILE).key(), round(time.time() * 1000) + 60_000
    for bad, status in (
        (word.replace("acme", "rival"), 404),
        (link.make(key, "acme", later), 404),  # a word for a pack opens no page of an advertiser
        (link.make(key, "acme", 1000, link.ADVERTISER), 410),
        (link.make(key, "nobody", later, link.ADVERTISER), 404),
        (link.make(key, "", later, link.ADVERTISER), 404),
    ):
        assert market.get(f"/advertiser/{bad}", base=OUTSIDE).status_code == status, bad


@pytest.mark.requirement("S18", "M89")
def test_the_totals_that_are_exchanged_are_released_rows_and_hold_no_id(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "totals.csv"
    write(data, ["autumn"], file)
    found = list(read(file))
    assert {one.campaign for one in found} == {"autumn"}
    assert reconcile(file, file) == 0, "nothing differs from itself"
    # What the collector refused is in it by the hour, too: rounded, and nothing of a few.
    refused = [one for one in found if one.counted_as == "consent"]
    assert refused
    assert all(one.n >= own_rows.LEAST and one.n % own_rows.ROUND == 0 for one in refused)
    assert file.read_text().splitlines()[0] == "campaign,deed,hour,counted_as,n"
    assert file.stat().st_mode & 0o077 == 0
    # Whoever knows every id there may be finds none of them, by whatever hash: nothing is made of ids.
    text = file.read_text()
    for number in range(2000):
        id = str(number).encode()
        for how in ("md5", "sha1", "sha256", "blake2b"):
            assert hashlib.new(how, id).hexdigest()[:10] not in text
        assert str(person(number)) not in text or not number
    assert re.fullmatch(
        r"(?:[a-z]+,[a-z]+,(?:hour|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}),[a-z_ ]+,\w+\n)+", text
    )


@pytest.mark.parametrize("model", MODELS)
def test_the_page_of_orders_shows_every_rule(market: Asking, model: str) -> None:
    page = market.get(f"/attribution?site=market&period=28&model={model}&goal=buy")
    assert page.status_code == 200
    assert f'<option value="{model}" selected>' in page.text
    assert "No campaign" in page.text
    assert "autumn" in page.text
    assert "of 100 people" in page.text


def test_the_page_of_orders_knows_its_rules(market: Asking) -> None:
    assert market.get("/attribution?model=mine").status_code == 400
    assert market.get("/attribution?goal=%27%29+OR+1%3D1").status_code == 200


def test_of_days_that_are_hidden_in_part_no_lift_is_told(data: Path, tmp_path: Path) -> None:
    """Days on which few of those held out ordered would be missing, and exposing would look the better."""
    rows = table(reports.load()["holdout"], 5, ("market",), date(2026, 11, 20))
    folded = [
        row | ({"stage": OTHER} if row["stage"] == "ordered" and row["day"].day == 18 else {})
        for row in rows.to_pylist()
    ]
    for some, says in ((rows.to_pylist(), "of 100 people"), (folded, "too few people a day to say")):
        shutil.copytree(data, tmp_path / says, symlinks=True)
        store = Store.open(tmp_path / says)
        put(store, reports.load()["holdout"], pa.Table.from_pylist(some, rows.schema))
        publish(tmp_path / says, Warehouse(), store)
        store.close()
        with asking(tmp_path / says) as one:
            page = one.get("/attribution?site=market&first=2026-11-16&last=2026-11-20")
        assert says in page.text


@pytest.mark.requirement("S9")
def test_own_rows_and_totals_are_entered_and_where_a_month_is_spent_none_leave(
    data: Path, tmp_path: Path, word: str
) -> None:
    one = tmp_path / "data"
    shutil.copytree(data, one)
    shutil.rmtree(one / "releases", ignore_errors=True)
    with asking(one) as market:
        assert market.get(f"/advertiser/{word}/delivery.csv").status_code == 200
    told = budget.accounts(one, Release())
    assert told
    assert {*told[0].told} == {"delivery"}
    settings = Release(figures_month=max(sum(month.told.values()) for month in told))
    with asking(one, release=settings) as market:
        page = market.get(f"/advertiser/{word}")
        assert page.status_code == 409
        assert "budget_spent" in page.text
        assert market.get(f"/advertiser/{word}/delivery.csv").status_code == 200, "it has that already"
    (one / "throng.toml").write_text(f"[release]\nfigures_month = {settings.figures_month}\n")
    with pytest.raises(Refused, match="no more may be told outside"):
        write(one, ["autumn"], tmp_path / "ours.csv")
    assert not (tmp_path / "ours.csv").exists()
