"""Rows are read in another region only on a mechanism that holds there, from there, on that day (M100)."""

from __future__ import annotations

from datetime import date
from itertools import product

import msgspec
import pytest

from consent_filter import policy
from consent_filter.errors import Misconfigured, Refused
from consent_filter.policy import Pack, Transfer
from consent_filter.regions import allowed, require

PLACES = ("EU", "US", "CH", "")
DAY = date(2026, 3, 1)
#: What a mechanism may say of its days, and whether it holds on DAY: the day itself, and either side of it.
DAYS = (
    (None, None, True),
    (date(2026, 3, 1), None, True),
    (date(2026, 3, 2), None, False),  # not yet
    (None, date(2026, 3, 2), True),
    (None, date(2026, 3, 1), False),  # over
    (date(2026, 2, 1), date(2026, 3, 1), False),
    (date(2026, 2, 1), date(2026, 3, 2), True),
)


REAL = policy.load("worktasker-2014")


def pack(*transfers: Transfer) -> Pack:
    return msgspec.structs.replace(REAL, transfers=transfers)


@pytest.mark.requirement("M100")
@pytest.mark.parametrize(("origin", "to"), list(product(PLACES, PLACES)))
def test_every_pair_of_regions_by_every_mechanism_in_force_over_and_not_yet(origin: str, to: str) -> None:
    for whence, where, (since, until, holds) in product(PLACES, PLACES[:3], DAYS):
        one = Transfer(to=where, mechanism="clauses", origin=whence, since=since, until=until)
        with_one = pack(one)
        found = allowed(with_one, origin, to, DAY)
        fits = holds and where == to and whence in ("", origin)
        assert found == (one if fits else None)
        if origin == to or fits:
            assert require([with_one], origin, to, DAY, "it") == (None if origin == to else one)
        else:
            with pytest.raises(Refused, match=f"no \\[\\[transfers\\]\\] of worktasker-2014 .* on {DAY}"):
                require([with_one], origin, to, DAY, "it")


@pytest.mark.requirement("M100")
def test_the_shield_carried_rows_until_it_was_annulled_and_the_clauses_since_they_were_made() -> None:
    real = policy.load("workallies-2024")
    said = {day: allowed(real, "EU", "US", day) for day in (date(2020, 7, 15), date(2020, 7, 16), DAY)}
    assert [one and one.mechanism.split("(")[0].strip() for one in said.values()] == [
        "EU-US Privacy Shield",
        None,
        "standard contractual clauses",
    ]
    with pytest.raises(Refused, match="a job would take rows of region EU to region US"):
        require([real], "EU", "US", date(2020, 7, 16), "a job")


def test_every_policy_that_the_rows_were_taken_under_must_allow_it_and_the_longest_mechanism_is_named() -> (
    None
):
    short = Transfer(to="US", mechanism="short", until=date(2027, 1, 1))
    long = Transfer(to="US", mechanism="long")
    assert require([pack(short), pack(short, long)], "EU", "US", DAY, "it") == long
    with pytest.raises(Refused):
        require([pack(long), pack()], "EU", "US", DAY, "it")


@pytest.mark.parametrize("name", ["eu", "EEA", "E", "É1", "U S"])
def test_what_is_no_region_is_refused(name: str) -> None:
    with pytest.raises(Misconfigured, match="ISO 3166"):
        Transfer(to="US", mechanism="clauses", origin=name)
