"""The statutory clock against a plain reading of Regulation 1182/71, day by day."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter.rights import clock
from tests.consent_filter.rights.desk import SEEN, at, desk
from tests.consent_filter.rights.test_register import refused

#: Also where midnight is left out (Havana, Santiago, Beirut), comes twice (Azores), or a day is (Apia).
ZONES = ["UTC", "Europe/Berlin", "America/Havana", "America/Santiago", "Asia/Beirut", "Atlantic/Azores",
         "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns"]  # fmt: skip
ONE_DAY = timedelta(days=1)


def last_day(came: date, further: bool, stood: int, holidays: Collection[date]) -> date:
    """Walk on day by day to the month that counts, then to the day's number, then to a working day."""
    day, turned = came, 0
    while turned < (3 if further else 1):
        day += ONE_DAY
        turned += day.day == 1
    while day.day < came.day and (day + ONE_DAY).day != 1:
        day += ONE_DAY
    for _ in range(stood):
        day += ONE_DAY
    while day.strftime("%a") in ("Sat", "Sun") or day in holidays:
        day += ONE_DAY
    return day


@pytest.mark.requirement("M117")
@settings(max_examples=400, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    came=st.datetimes(datetime(2011, 1, 1), datetime(2040, 1, 1)).map(lambda t: t.replace(tzinfo=UTC)),
    further=st.booleans(),
    stood=st.integers(0, 40),
    data=st.data(),
)
def test_due_is_what_a_calendar_says(
    zone: str, came: datetime, further: bool, stood: int, data: st.DataObject
) -> None:
    received = int(came.timestamp()) * 1000
    today = came.astimezone(ZoneInfo(zone)).date()
    near = last_day(today, further, stood, ())
    holidays = data.draw(st.lists(st.integers(-1, 5).map(lambda n: near + n * ONE_DAY), max_size=5))
    due = clock.due(zone, received, extended=further, stood=stood, holidays=holidays)
    last = last_day(today, further, stood, holidays)
    before = datetime.fromtimestamp(due // 1000 - 1, UTC).astimezone(ZoneInfo(zone)).date()
    after = datetime.fromtimestamp(due // 1000, UTC).astimezone(ZoneInfo(zone)).date()
    if (zone, last) in (("Pacific/Apia", date(2011, 12, 29)), ("Pacific/Apia", date(2011, 12, 30))):
        return  # Samoa had no 30 December 2011
    assert before == last
    assert after > last


@pytest.mark.parametrize(
    ("came", "zone", "due"),
    [
        # The guidelines' own examples (EDPB 01/2022, 159): 5 March → 5 April; 31 August → 30 September.
        ("2021-03-05 10:00", "UTC", "2021-04-06 00:00"),  # 5 April 2021 is a Monday
        ("2021-08-31 10:00", "UTC", "2021-10-01 00:00"),
        ("2024-01-31 10:00", "UTC", "2024-03-01 00:00"),  # a leap year's 29 February
        ("2023-01-31 10:00", "UTC", "2023-03-01 00:00"),
        ("2026-12-31 10:00", "UTC", "2027-02-02 00:00"),  # 31 January 2027 is a Sunday
        ("2026-03-04 23:30", "Europe/Berlin", "2026-04-06 22:00"),  # the 5th there; a Sunday; summer time
        ("2026-02-28 12:00", "Asia/Kolkata", "2026-03-30 18:30"),  # 28 March is a Saturday: Monday's end
    ],
)
def test_known_dates(came: str, zone: str, due: str) -> None:
    assert clock.due(zone, at(came), extended=False, stood=0) == at(due)


@pytest.mark.requirement("M117")
def test_the_clock_stands_while_identity_is_asked_and_is_extended_once(tmp_path: Path) -> None:
    with desk(tmp_path, "2026-03-05 10:00", holidays=(date(2026, 4, 6),)) as one:
        case = one.receive("access")
        assert case.due == at("2026-04-08 00:00"), "the 5th is a Sunday, the 6th Easter Monday"
        one.now = at("2026-03-15 09:00")
        case = one.register.prove(case.id, SEEN)
        assert case.due == at("2026-04-16 00:00"), "ten days later"
        with refused("reason"):
            one.register.extend(case.id, "Ms Officer", " ")
        case = one.register.extend(case.id, "Ms Officer", "forty thousand rows")
        assert (case.due, case.outcome["extended"]) == (at("2026-06-16 00:00"), "forty thousand rows")
        with refused("extended"):
            one.register.extend(case.id, "Ms Officer", "again")
        late = one.receive("erase", officer="Ms Officer", channel="letter")
        assert late.paused is None, "a letter runs from its day until identity is asked"
        one.now = at("2026-04-17 10:00")
        with refused("overdue"):
            one.register.extend(late.id, "Ms Officer", "too late")
        assert one.register.counts() == {"open": 2, "unproved": 1, "overdue": 1}


def test_an_officer_stops_the_clock_and_lets_it_run(tmp_path: Path) -> None:
    with desk(tmp_path, "2026-03-05 10:00") as one:
        case = one.receive("erase", officer="Ms Officer", channel="letter")
        case = one.register.pause(case.id, "Ms Officer", "a copy of a passport was asked for")
        with refused("paused"):
            one.register.pause(case.id, "Ms Officer", "again")
        one.now = at("2026-09-10 10:00")
        assert one.register.counts()["overdue"] == 0
        case = one.register.resume(case.id, "Ms Officer")
        assert case.due == at("2026-10-13 00:00"), "189 days after 5 April is 11 October, a Sunday"
        with refused("running"):
            one.register.resume(case.id, "Ms Officer")


@pytest.mark.requirement("M117")
def test_a_month_in_numbers(tmp_path: Path) -> None:
    with desk(tmp_path, "2026-03-05 10:00") as one:
        done = one.receive("access", proof=SEEN)
        refusal = one.receive("erase", "another", channel="letter", officer="Ms Officer")
        one.receive("access", "third")
        one.now = at("2026-03-09 12:00")
        one.register.finish(done.id, {})
        one.now = at("2026-05-09 12:00")
        one.register.refuse(refusal.id, "law", "Ms Officer")
        march, may = one.register.statistics("2026-03"), one.register.statistics("2026-05")
        assert march["received"] == {
            "total": 3,
            "by_right": {"access": 2, "erase": 1},
            "by_channel": {"api": 2, "letter": 1},
        }
        assert march["closed"] == {
            "total": 1, "by_outcome": {"done": 1}, "refused_by_ground": {}, "by_proof": {"judgement": 1},
            "late": 0, "extended": 0, "median_days": 4, "longest_days": 4,
        }  # fmt: skip
        assert (may["closed"]["refused_by_ground"], may["closed"]["late"]) == ({"law": 1}, 1)
        for wrong in ("2026-13", "26-01", "2026-1", "0000-01", "2026-00", ""):
            with refused("month"):
                one.register.statistics(wrong)
