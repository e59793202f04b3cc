"""The catalogue of adverts: what it holds, and that what is wrong is said so that it can be mended."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter.errors import Misconfigured
from ingest.redaction import plain
from warehouse import catalogue
from warehouse.catalogue_rows import fits

LISTED = """
[[advertiser]]
id = "acme"
name = "Acme Tools"

[[campaign]]
id = "spring"
advertiser = "acme"
name = "Spring sale"
holdout = 10
price_model = "cpm"
hosts = ["acme.example"]

[[campaign]]
id = "brand"
advertiser = "acme"
starts = 2026-01-01
ends = 2026-12-31
impressions = 1000

[[creative]]
id = "spring-mpu"
campaign = "spring"
size = "300x250"

[[placement]]
id = "front-top"
site = "shop"
slot = "top"

[[flight]]
campaign = "spring"
placement = "front-top"
starts = 2026-03-01
ends = 2026-03-31
impressions = 5000
clicks = 50

[[flight]]
campaign = "spring"
starts = 2026-04-01
ends = 2026-04-30
impressions = 2000

[[goal]]
id = "signup"
campaign = "spring"
window_click_days = 7
"""


def test_what_is_listed_is_in_tables() -> None:
    tables = catalogue.parse(LISTED.encode()).tables()
    assert {name: table.schema for name, table in tables.items()} == catalogue.SCHEMAS
    spring, brand = tables["catalogue_campaigns"].to_pylist()
    assert (spring["advertiser"], spring["name"], spring["title"]) == ("acme", "Spring sale", "Spring sale")
    # A campaign that says no days and no goal has those of its flights.
    assert (spring["starts"], spring["ends"]) == (date(2026, 3, 1), date(2026, 4, 30))
    assert (spring["goal_impressions"], spring["goal_clicks"], spring["holdout"]) == (7000, 50, 10.0)
    assert (brand["goal_impressions"], brand["goal_clicks"], brand["name"]) == (1000, None, "brand")
    assert tables["catalogue_placements"].to_pylist()[0]["slot"] == "top"
    assert tables["catalogue_goals"].to_pylist()[0]["model"] == "last"


def test_no_file_is_an_empty_catalogue(tmp_path: Path) -> None:
    found = catalogue.read(tmp_path / "adverts.toml")
    assert found == catalogue.NOTHING
    assert {name: table.num_rows for name, table in found.tables().items()} == dict.fromkeys(
        catalogue.SCHEMAS, 0
    )


def test_what_is_not_listed_is_found_by_what_lacks() -> None:
    """As reports do it: an id that nobody listed stays, and says so."""
    con = duckdb.connect()
    listed = catalogue.parse(LISTED.encode()).tables()["catalogue_campaigns"]
    con.register("catalogue_campaigns", listed)
    con.execute("CREATE TABLE events AS SELECT unnest(['spring', 'spring', 'sprnig']) AS ad_campaign")
    found = con.execute(
        "SELECT ad_campaign, coalesce(c.known, false) AS listed, count(*) FROM events e"
        " LEFT JOIN catalogue_campaigns c ON c.campaign = e.ad_campaign GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert found == [("spring", True, 2), ("sprnig", False, 1)]


@pytest.mark.parametrize(("wrong", "key", "allowed"), [
    ('[[campain]]\nid = "x"', "adverts.toml", "campain"),
    ('[[campaign]]\nid = "x"\nadvertiser = "acme"\nend = 2026-01-01', "adverts.toml", "starts, ends"),
    ('[[campaign]]\nid = "x"\nadvertiser = "acm"', "campaign x.advertiser", "acme"),
    ('[[creative]]\nid = "x"\ncampaign = "sprin"', "creative x.campaign", "brand, spring"),
    ('[[advertiser]]\nid = "acme"', "advertiser.id", "once"),
    ('[[advertiser]]\nid = "ann@mail.example"', "advertiser.id", "letters"),
    ('[[advertiser]]\nid = ""', "advertiser.id", "letters"),
    ('[[advertiser]]\nid = "0151-2345678"', "advertiser.id", "telephone"),
    ('[[advertiser]]\nid = "x"\nname = "a\\u0007b"', "advertiser x.name", "printable"),
    ('[[campaign]]\nid = "x"\nadvertiser = "acme"\nstarts = 2026-02-01\nends = 2026-01-01',
     "campaign x.ends", "2026-02-01 or later"),
    ('[[campaign]]\nid = "x"\nadvertiser = "acme"\nimpressions = -4', "campaign x.impressions", "at least 1"),
    ('[[campaign]]\nid = "x"\nadvertiser = "acme"\nholdout = 80', "campaign x.holdout", "0 to 50"),
    ('[[campaign]]\nid = "x"\nadvertiser = "acme"\nprice_model = "CPM"', "campaign x.price_model", "cpm"),
    ('[[campaign]]\nid = "x"\nadvertiser = "acme"\nhosts = ["https://a.example/"]',
     "campaign x.hosts", "host"),
    ('[[placement]]\nid = "x"\nsize = "300 by 250"', "placement x.size", "300x250"),
    ('[[goal]]\nid = "x"\nwindow_click_days = 400', "goal x.window_click_days", "0 to 90"),
    ('[[goal]]\nid = "x"\nmodel = "lastclick"', "goal x.model", "position"),
    ('[[flight]]\ncampaign = "spring"\nplacement = "front-top"\nstarts = 2026-03-31\nends = 2026-04-02',
     "flight spring.starts", "after 2026-03-31"),
    ('[[flight]]\ncampaign = "brand"\nstarts = 2025-12-31\nends = 2026-01-02',
     "flight brand.starts", "2026-01-01"),
    ('[[flight]]\ncampaign = "brand"\nstarts = 2026-12-01\nends = 2027-01-02',
     "flight brand.ends", "2026-12-31"),
    ("[[goal]\n", "adverts.toml", "TOML"),
])  # fmt: skip
def test_what_is_wrong_is_said_with_what_would_be_right(wrong: str, key: str, allowed: str) -> None:
    with pytest.raises(Misconfigured) as said:
        catalogue.parse((LISTED + wrong).encode())
    assert said.value.key == key
    assert allowed in str(said.value)


@settings(max_examples=200, deadline=None)
@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}", fullmatch=True) | st.from_regex(
    r"(?:[a-z]{1,8}[-_.])?[0-9A-F]{1,4}(?:[-.][0-9a-f]{1,12}){0,5}", fullmatch=True))  # fmt: skip
def test_an_id_that_may_be_listed_is_stored_as_it_is(id: str) -> None:
    """Else what is measured under it would never be found in the list."""
    if fits(id):
        assert plain(id) == id


def test_ids_as_people_write_them_may_be_listed() -> None:
    for id in ("spring-sale", "Spring_Sale-2026", "q3-2026-mpu-300x250", "123456", "acme.spring.v2", "x"):
        assert fits(id), id
