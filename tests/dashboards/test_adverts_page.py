"""The page on adverts: its numbers are those of released tables, and one that is missing says why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dashboards.advert_numbers import METRICS, OFTEN, AdvertNumbers, lower
from dashboards.numbers import Numbers
from dashboards.period import Period
from dashboards.who import Role
from tests import signed
from tests.dashboards.asking import Asking, asking
from tests.warehouse.tables import LAST, fill
from warehouse.advert_settings import Adverts
from warehouse.reader import Reader
from warehouse.released import Store
from warehouse.settings import Warehouse
from warehouse.snapshot import folder, publish

WHOLE = Period(date(2026, 1, 1), LAST, "custom")
LISTED = """
[[advertiser]]
id = "ada"

[[campaign]]
id = "autumn"
advertiser = "ada"
name = "Autumn & co"
starts = 2026-11-01
ends = 2026-11-30
impressions = 100000
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    one = tmp_path_factory.mktemp("adverts")
    fill(one, days=15, sites=("market", "blog"))
    (one / "adverts.toml").write_text(LISTED)
    store = Store.open(one)
    for table, band in (("pressure", "81+"), ("reach", "7+")):  # as it is where few people are in some bands
        change = f"{table} SET band = '(other)' WHERE site = 'blog' AND band = '{band}'"
        store.connection.execute(f"UPDATE {change}")
        store.connection.execute(f"DELETE FROM {table} WHERE site = 'blog' AND band IN ('2', '21-40')")
    few = "delivery SET net_clicks = 0 WHERE site = 'blog' AND ad_campaign = 'help'"
    store.connection.execute(f"UPDATE {few}")
    publish(one, Warehouse(), store)
    store.close()
    return one


@pytest.fixture(scope="module")
def pages(data: Path) -> Iterator[Asking]:
    with asking(data) as one:
        yield one


@pytest.fixture
def of(data: Path) -> Iterator[AdvertNumbers]:
    reader = Reader(data, Warehouse())
    with reader.reading() as reading:
        yield AdvertNumbers(Numbers(reading, "market", WHOLE), "autumn")
    reader.close()


def rows(data: Path, name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = pq.read_table(folder(data) / "current" / f"{name}.parquet").to_pylist()
    return [row for row in found if row["site"] == "market"]


@pytest.mark.requirement("M35")
def test_each_step_is_a_share_of_what_it_is_part_of(data: Path, of: AdvertNumbers) -> None:
    mine = [row for row in rows(data, "delivery") if row["ad_campaign"] == "autumn"]
    whole = {name: sum(int(str(row[name])) for row in mine) for name in ("measured", "viewable", "requests")}
    steps = {step["name"]: step for step in of.funnel()}
    assert list(steps) == ["requests", "served", "impressions", "viewable", "clicks"]
    assert steps["requests"]["n"] == whole["requests"]
    assert steps["viewable"]["kept"] == 100 * whole["viewable"] / whole["measured"]


def test_rates_are_of_rows_in_which_both_numbers_can_be_told(data: Path, of: AdvertNumbers) -> None:
    """A row of a dozen people of whom eight saw it in view tells twelve measured and none viewable."""
    large = [
        row for row in rows(data, "adverts")
        if row["ad_campaign"] == "autumn" and int(str(row["people"])) >= 3 * Warehouse().min_group
    ]  # fmt: skip
    parts = of.parts()
    for number in ("measured", "viewable"):
        assert sum(part[number] for part in parts) == sum(int(str(row[f"net_{number}"])) for row in large)
    assert all(part["rate"] == 100 * part["viewable"] / part["measured"] for part in parts)


@pytest.mark.requirement("M34")
def test_sizes_are_told_with_the_rate_of_each(data: Path, of: AdvertNumbers) -> None:
    mine = [row for row in rows(data, "viewing") if row["measure"] == "size"]
    found = {row["band"]: row for row in of.sizes()}
    assert set(found) == {row["band"] for row in mine} == {"300x250", "970x250", "small"}
    for band, row in found.items():
        assert row["impressions"] == sum(int(str(one["impressions"])) for one in mine if one["band"] == band)
        assert 0 < row["rate"] == 100 * row["viewable"] / row["large"] < 100


def test_gross_is_filtered_and_net(of: AdvertNumbers) -> None:
    found = of.traffic()
    assert [row["name"] for row in found] == ["impressions", "measured", "viewable", "clicks"]
    assert all(row["gross"] == row["filtered"] + row["net"] and row["filtered"] >= 0 for row in found)


@pytest.mark.requirement("M36", "S11")
def test_people_and_devices_words_stand_apart(data: Path, of: AdvertNumbers) -> None:
    known = [row for row in rows(data, "reach") if (row["period"], row["kind"]) == ("flight", "known")]
    told = of.reach("flight", "told")
    assert of.reach("flight", "known").people == sum(int(str(row["people"])) for row in known)
    assert [row["band"] for row in told.rows] == list(OFTEN)
    assert told.people != told.impressions
    net, gross = of.reach("flight", "known"), of.gross("flight")
    assert net.impressions == sum(int(str(row["net_impressions"])) for row in known) < gross["impressions"]
    assert gross["people"] == net.people + gross["filtered"] > net.people


@pytest.mark.requirement("M74")
def test_pressure_is_the_share_above_the_ceiling(data: Path, of: AdvertNumbers) -> None:
    found = of.pressure(20)
    mine = {
        row["band"]: int(str(row["people"]))
        for row in rows(data, "pressure")
        if row["week"] == found["week"] and row["kind"] == "all"
    }
    over = mine["21-40"] + mine["41-80"] + mine["81+"]
    assert found["share"] == 100 * over / sum(mine.values())
    assert [lower(band) for band in ("1-2", "81+", "(other)")] == [1, 81, 0]
    assert not found["too_many"]
    assert of.pressure(20, found["share"] - 0.1)["too_many"]
    assert not of.pressure(20, found["share"])["too_many"]


@pytest.mark.requirement("M74")
def test_more_than_the_settings_allow_is_said_on_the_page(pages: Asking, data: Path) -> None:
    text = pages.get("/adverts").text  # 7 % of these people were reached too often, where 5 % are allowed
    assert text.count("Too many:") == 2, "and messages have a ceiling of their own"
    assert "emails, " in text
    with asking(data, adverts=Adverts(ceiling=80, message_ceiling=80)) as more:
        page = more.get("/adverts").text
    assert "Adverts of market" in page
    assert "Too many:" not in page


def test_the_head_is_compared_and_a_campaign_is_chosen_by_a_click(pages: Asking, of: AdvertNumbers) -> None:
    """Planted: sums of all campaigns under the name of one; days on which clicks are not told, as noughts."""
    text = pages.get("/adverts?site=market&period=7").text
    assert "Impressions" in text
    assert "Click rate" in text
    assert len(re.findall(r"more than before|less than before|as before", text)) >= 2
    assert re.search(r'href="/adverts\?[^"]*campaign=autumn[^"]*" title="Only this campaign"', text)
    net = sum(row["net"] for row in of.traffic() if row["name"] == "impressions")
    days = of.daily(METRICS["impressions"], WHOLE)
    assert sum(v for v, _ in days.values()) == net < AdvertNumbers(of._ask).traffic()[0]["net"]
    assert all(v for v, _ in of.daily(METRICS["clicks"], WHOLE).values())
    by_week = pages.get("/adverts?site=market&grain=week&compare=no&show=viewable&campaign=autumn").text
    assert 'name="show" value="viewable"' in by_week
    assert 'name="campaign" value="autumn"' not in by_week
    assert "<option selected>autumn</option>" in by_week
    assert pages.get("/adverts?site=market&show=visits").status_code == 200, "a link from another page"
    assert pages.get("/adverts?show=nothing").status_code == 400


def test_the_page_shows_pace_and_who_is_not_listed(pages: Asking) -> None:
    text = pages.get("/adverts").text
    assert "Autumn &amp; co" in text
    assert "22 of 30" in text
    assert re.search(r"freelancers</bdi>\s*<strong class=\"bad\">unlisted", text)
    assert "can not be added up" in text
    assert "people with an identifier, each once" in pages.get("/adverts?campaign=autumn").text


def test_who_may_see_one_site_is_shown_no_sum_of_all(data: Path, pages: Asking) -> None:
    mine = signed.head(data, Role.ANALYST, sites=["market"], name="Bo Xu")
    assert "pacing" in pages.get("/adverts?site=market").text.lower()
    page = pages.get("/adverts?site=market", **mine)
    assert page.status_code == 200
    assert "unlisted" in pages.get("/adverts?site=market").text
    assert "unlisted" not in page.text


def test_a_slip_in_the_catalogue_is_said_and_the_last_good_list_stays(data: Path, pages: Asking) -> None:
    pages.get("/adverts")
    (data / "adverts.toml").write_text(LISTED.replace("impressions = 100000", "impressions = -1"))
    text = pages.get("/adverts").text
    (data / "adverts.toml").write_text(LISTED)
    assert "Autumn &amp; co" in text
    assert "The catalogue can not be read" in text
    assert "The catalogue can not be read" not in pages.get("/adverts").text


def test_bands_of_too_few_are_gaps_and_what_was_folded_is_said(pages: Asking) -> None:
    """Found on real facts: a band that is not there is no number to add up."""
    answer = pages.get("/adverts?site=blog&campaign=autumn")
    assert answer.status_code == 200
    assert "it is not told in which band they are" in answer.text
    assert "several bands, each of too few people" in answer.text
    assert re.search(r'<th scope="row">21-40</th><td class="n first">–</td>', answer.text)


def test_where_nothing_is_published_it_is_said_why(pages: Asking) -> None:
    answer = pages.get("/adverts?first=2020-01-01&last=2020-01-02")
    assert answer.status_code == 200
    for said in (
        "met an advert in these days",
        "ended a view",
        "was reached in a week",
        "has told of messages",
        "No creative was seen",
    ):
        assert said in answer.text
    wrong = pages.get("/adverts?campaign=%27 OR 1=1")
    assert wrong.status_code == 404
    assert "Nothing is published of that campaign" in wrong.text


def test_clicks_of_too_few_are_a_dash_on_the_overview_as_well(pages: Asking) -> None:
    """Planted: 0 and 0 %, as if it were known that nobody clicked."""
    text = pages.get("/?site=blog&period=7").text
    (line,) = re.findall(r'<tr><th scope="row"><bdi>help</bdi>.*?</tr>', text)
    assert re.findall(r">([^<>]*)</td>", line)[-2:] == ["–", "–"]
    (line,) = re.findall(r'<tr><th scope="row"><bdi>autumn</bdi>.*?</tr>', text)
    assert re.findall(r">([^<>]*)</td>", line)[-1].endswith("%")


@pytest.mark.parametrize(
    ("address", "grain"),
    [
        ("/?period=day", "hour"),
        ("/?period=day&show=bounce", "day"),
        ("/adverts?period=day", "day"),
        ("/adverts?period=7&grain=hour", "day"),
        ("/adverts?period=7&grain=week", "week"),
        ("/sources?period=day", "hour"),
    ],
)
def test_what_is_said_is_what_is_drawn(address: str, grain: str, pages: Asking) -> None:
    """Planted: by hour was said of a day of adverts, which is drawn as one point."""
    text = pages.get(address).text
    assert f"<summary>By {grain}, beside" in text
    assert f'<thead><tr><th scope="col">{grain.capitalize()}</th>' in text
    choices = text.partition('aria-label="Grain"')[2].partition("</div>")[0]
    assert re.findall(r'aria-current="true">(\w+)<', choices) == [grain]
    assert (">hour<" in choices) == ("/adverts" not in address)


def test_a_page_that_draws_nothing_over_time_says_no_grain(pages: Asking) -> None:
    for path in ("/deals", "/consent", "/returning", "/funnels", "/speed"):
        text = pages.get(f"{path}?period=day").text
        assert "beside" in text, path
        assert "By hour" not in text, path
