"""The header of a report: what it may mention, and how many people a row needs."""

from __future__ import annotations

import pytest

from consent_filter.errors import Misconfigured
from warehouse import report
from warehouse.settings import Warehouse

_TEXT = """/*
title = "T"
doc = "D"
owner = "marketing"
purpose = "{purpose}"
keys = ["site", "day", "{key}"]
sums = ["events"]
times = {times}

[caps]
cells = 5
*/
SELECT site, day, {key}, person, count(*) AS events FROM events GROUP BY ALL
"""


@pytest.mark.requirement("M65", "M28")
@pytest.mark.parametrize(
    ("purpose", "key", "may"),
    [
        ("measurement", "browser", True),
        ("ad_measurement", "browser", True),
        ("precise_geo", "cell", True),
        ("gender", "gender", True),
        ("measurement", "cell", False),
        ("research", "gender", False),
        ("gender", "cell", False),
        ("precise_geo", "browser", False),
        ("measurement", "ad_slot", False),
        ("ad_measurement", "utm_source", False),
    ],
)
def test_columns_of_different_purposes_do_not_meet_in_a_report(purpose: str, key: str, may: bool) -> None:
    text = _TEXT.format(purpose=purpose, key=key, times=1)
    if may:
        assert report.read("one", text).bit
        return
    with pytest.raises(Misconfigured, match=key):
        report.read("one", text)


@pytest.mark.requirement("M54")
@pytest.mark.parametrize(
    ("caps", "says"),
    [
        ("", "how many rows one person counts in"),
        ("[caps]", "how many rows one person counts in"),
        ("[caps]\nevents = 5", "how many rows one person counts in"),
        ("[caps]\ncells = 5\nclicks = 3", "cells or one of the sums"),
        ("[caps]\ncells = 0", "1 or more"),
        ("people = false\n[caps]\ncells = 5", "none, where rows count requests"),
    ],
)
def test_a_report_that_does_not_bound_what_one_person_is_of_it_is_refused(caps: str, says: str) -> None:
    text = _TEXT.format(purpose="measurement", key="browser", times=1)
    with pytest.raises(Misconfigured, match=says):
        report.read("one", text.replace("[caps]\ncells = 5", caps))


def test_a_cap_is_never_above_the_settings() -> None:
    one = report.read(
        "one",
        _TEXT.format(purpose="measurement", key="browser", times=1).replace(
            "cells = 5", "cells = 5\nevents = 70"
        ),
    )
    assert (one.cells(Warehouse()), one.most("events", Warehouse())) == (5, 70)
    tight = Warehouse(max_cells=2, max_sum=50)
    assert (one.cells(tight), one.most("events", tight)) == (2, 50)


def test_every_report_about_people_says_what_one_person_may_be_of_it() -> None:
    for name, one in report.load().items():
        assert set(one.caps) - {"cells"} == (set(one.sums) if one.people else set()), name
        assert not set(one.total) - report.load().keys(), name


def test_a_delicate_report_needs_more_people() -> None:
    one = report.read("one", _TEXT.format(purpose="gender", key="gender", times=5))
    assert one.least(10) == 50
    with pytest.raises(Misconfigured, match="times"):
        report.read("one", _TEXT.format(purpose="gender", key="gender", times=0))
    assert {name: one.times for name, one in report.load().items() if one.times > 1} == {
        "genders": 5,
        "places": 5,
    }
