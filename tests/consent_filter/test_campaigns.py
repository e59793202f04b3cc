"""What a count may name of an advert: nothing that anybody could fill a disk with."""

from __future__ import annotations

from consent_filter.campaigns import NONE, OTHER, Campaigns, counted


def test_an_adverts_event_is_counted_by_type_and_campaign() -> None:
    names = Campaigns()
    assert names.counted("ad_click", "autumn-24") == ("ad_click", "autumn-24")
    assert names.counted("ad_click", None) == ("ad_click", "")
    assert names.counted("page_view", "autumn-24") == NONE


def test_what_is_no_id_of_a_catalogue_has_no_name() -> None:
    names = Campaigns()
    for odd in ("ann@b.example", "a b", "<x>", "x" * 65, "", "ümlaut", "-a"):
        assert names.counted("ad_click", odd) == ("ad_click", OTHER)


def test_nobody_can_make_counts_name_more_than_so_many() -> None:
    clock = [0.0]
    names = Campaigns(["booked"], most=3, now=lambda: clock[0])
    found = {names.counted("ad_click", f"c{n}")[1] for n in range(100)}
    assert found == {"c0", "c1", "c2", OTHER}
    assert names.counted("ad_click", "booked")[1] == "booked"
    assert names.counted("ad_click", "c1")[1] == "c1"
    clock[0] = 86_401.0
    assert names.counted("ad_click", "c50")[1] == "c50"


def test_a_stored_event_is_looked_for_where_it_was_counted() -> None:
    assert counted("page_view", None) == (NONE,)
    assert counted("ad_click", "c1") == (("ad_click", "c1"), ("ad_click", OTHER), NONE)
