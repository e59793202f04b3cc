"""A view is an address: kept under a name, shown to whom its page is for, opened with their own rights."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter.errors import Refused
from dashboards.sharing.views import placed
from dashboards.who import Role
from tests.dashboards.browsing import Browser, House

ADDRESS = "/?site=market&period=28&show=views"


def someone(market: House, login: str) -> Browser:
    browser = market.browser()
    browser.sign_in(login)
    return browser


def test_a_view_is_kept_renamed_given_to_the_house_and_removed(market: House) -> None:
    ann, bob, carl = (someone(market, login) for login in ("ann@shop.example", "bob", "carl"))
    page = ann.get("/views", referer=f"http://127.0.0.1:8601{ADDRESS}").text
    assert f'value="{ADDRESS.replace("&", "&amp;")}"' in page, "the page one came from is what is kept"
    assert ann.send("/views", act="keep", name="Four weeks", address=ADDRESS).status_code == 303
    assert "Four weeks" in ann.text("/views")
    assert "Four weeks" not in bob.text("/views")
    (id,) = re.findall(r'/views/(V\w+)"', ann.text("/views"))
    assert bob.get(f"/views/{id}").status_code == 404
    assert ann.send("/views", act="change", view=id, name="All of it", house="yes").status_code == 303
    assert "All of it" in bob.text("/views")
    assert bob.get(f"/views/{id}").headers["location"] == ADDRESS
    assert bob.get(ADDRESS).status_code == 200
    # Whoever may not see the site is not told that there is a view of it.
    assert "All of it" not in carl.text("/views")
    assert carl.get(f"/views/{id}").status_code == 404
    assert carl.get(ADDRESS).status_code == 404
    assert carl.send("/views", act="keep", name="x", address=ADDRESS).status_code == 403
    # What is the house's is changed by who has kept it, or by an administrator.
    assert bob.send("/views", act="remove", view=id).status_code == 403
    market.account("root", Role.ANALYST, Role.ADMINISTRATOR)
    assert someone(market, "root").send("/views", act="change", view=id, name="Later").status_code == 303
    assert "Later" not in bob.text("/views")
    assert ann.send("/views", act="remove", view=id).status_code == 303
    assert "Later" not in ann.text("/views")


def test_what_is_the_houses_outlasts_who_has_kept_it_and_what_is_ones_own_does_not(market: House) -> None:
    eve, ann = market.account("eve", Role.ANALYST, name="Eve Low"), someone(market, "ann@shop.example")
    browser = someone(market, "eve")
    for name, house in (("Of Eve", ""), ("Of all", "yes")):
        browser.send("/views", act="keep", name=name, address="/report/pages?site=blog", house=house)
    market.people.end(eve, eve)
    assert [row["name"] for row in market.store.rows("SELECT name FROM view WHERE account = ?", eve)] == [
        "Of all"
    ]
    assert "kept by Eve Low" in ann.text("/views")


@pytest.mark.parametrize(
    "address",
    ["//evil.example/", "/\\evil.example", "https://evil.example//x", "javascript:alert(1)", "/nowhere",
     "/log", "/csv/pages.csv?site=blog", "/api/sql?q=1", "/account", "/views", "/\tx",
     "", "/?q=" + "x" * 2000],
)  # fmt: skip
def test_only_pages_of_numbers_are_views(address: str) -> None:
    with pytest.raises(Refused):
        placed(address)


def test_an_address_that_was_copied_whole_is_cut_to_our_part() -> None:
    assert placed(" https://stats.example/report/pages?site=a#x ") == "/report/pages?site=a"


@settings(max_examples=60)
@given(st.text(max_size=40))
def test_whatever_is_kept_leads_nowhere_else(said: str) -> None:
    try:
        found = placed(said)
    except Refused:
        return
    assert re.match(r"/([^/\\]|$)", found)
    assert not re.search(r"[\s\\]", found)
