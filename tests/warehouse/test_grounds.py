"""Figures stand on mechanisms of transfer: which lose their ground when one ends equals a look at each."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from consent_filter.errors import Refused
from consent_filter.in_force import Era, History
from consent_filter.policy import Transfer, load
from warehouse import grounds, period
from warehouse.deliveries import Delivery

PACK = load("workallies-2024")
Q3 = period.read("2026-Q3")
DAY = date(2026, 11, 1)
OPEN = date.max


def history(*transfers: Transfer, name: str = "one") -> History:
    return History([Era(0, replace(PACK, name=name, transfers=transfers))])


def delivery(to: str) -> Delivery:
    return Delivery("d", "r", "fund", 0, "", "", to, (), 0, 1, "")


def test_nothing_is_needed_where_the_rows_lie() -> None:
    assert grounds.of(lambda _: history(), {"market": ("EU",)}, ["market"], Q3, "EU", DAY) == ()
    with pytest.raises(Refused, match="EU to region US"):
        grounds.of(lambda _: history(), {"market": ("EU",)}, ["market"], Q3, "US", DAY)


@pytest.mark.requirement("M101")
def test_each_policy_of_the_period_must_allow_the_way() -> None:
    """A mechanism of today's policy is none for events that another one has judged."""
    allows = Transfer(to="US", mechanism="clauses")
    old, new = replace(PACK, name="old", transfers=()), replace(PACK, name="new", transfers=(allows,))
    turn = (date(2026, 8, 15) - date(1970, 1, 1)).days
    both = History([Era(0, old), Era(turn, new)])
    later = History([Era(0, old), Era((date(2026, 6, 1) - date(1970, 1, 1)).days, new)])
    with pytest.raises(Refused, match="old"):
        grounds.of(lambda _: both, {"market": ("EU",)}, ["market"], Q3, "US", DAY)
    (found,) = grounds.of(lambda _: later, {"market": ("EU",)}, ["market"], Q3, "US", DAY)
    assert (found.policy, found.mechanism, found.until) == ("new 1", "clauses", "")


_homes = st.lists(st.sampled_from(["EU", "IN", ""]), min_size=1, max_size=2, unique=True)
_days = st.none() | st.integers(-40, 40).map(lambda n: DAY + timedelta(days=n))
_transfers = st.lists(
    st.builds(
        lambda to, origin, until: Transfer(to=to, mechanism="m", origin=origin, until=until),
        st.sampled_from(["US", "GB", "EU"]), st.sampled_from(["", "EU", "IN"]), _days,
    ),
    max_size=4,
)  # fmt: skip


@pytest.mark.requirement("S20", "M101")
@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abc"), st.tuples(_homes, _transfers), min_size=1),
    st.sampled_from(["US", "GB", "EU"]),
    st.integers(-60, 60),
)
def test_what_has_lost_its_ground_equals_a_look_at_each(
    sites: dict[str, tuple[list[str], list[Transfer]]], to: str, later: int
) -> None:
    day = DAY + timedelta(days=later)
    histories = {site: history(*transfers) for site, (_, transfers) in sites.items()}
    found = grounds.lapsed(
        histories.__getitem__,
        {site: of for site, (of, _) in sites.items()},
        delivery(to),
        sorted(sites),
        Q3,
        day,
    )
    expected = {
        site
        for site, (origins, transfers) in sites.items()
        for origin in origins
        if origin != to
        and not [t for t in transfers if t.to == to and t.origin in ("", origin) and day < (t.until or OPEN)]
    }
    assert set(found) == expected
    printed = list(grounds.affected(delivery(to), ["growth", "adverts"], sorted(sites), found))
    assert {(one.site, one.table) for one in printed} == {
        (s, t) for s in expected for t in ("growth", "adverts")
    }
