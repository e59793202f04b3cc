"""The header of a report: what it may mention, and how many people a row needs."""

from __future__ import annotations

import pytest

from consent_filter.errors import Misconfigured
from warehouse import report

_TEXT = """/*
title = "T"
doc = "D"
owner = "marketing"
purpose = "{purpose}"
keys = ["site", "day", "{key}"]
sums = ["events"]
times = {times}
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


def test_a_delicate_report_needs_more_people() -> None:
    one = report.read("one", _TEXT.format(purpose="gender", key="gender", times=5))
    assert one.least(10) == 50
    with pytest.raises(Misconfigured, match="times"):
        report.read("one", _TEXT.format(purpose="gender", key="gender", times=0))
    assert {name: one.times for name, one in report.load().items() if one.times > 1} == {
        "genders": 5,
        "places": 5,
    }
