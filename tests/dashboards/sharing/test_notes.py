"""A note stands under each curve over its day, and in its table; who may not see the site sees none."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter.errors import Refused
from dashboards.period import Period
from dashboards.sharing.notes import Note, Notes, marks, place
from dashboards.who import Role, Who
from tests.dashboards.browsing import House
from tests.dashboards.sharing.conftest import LAST
from tests.dashboards.sharing.test_views import someone

DAY = LAST - timedelta(days=5)
TEXT = "Campaign <b>started</b> & went =1+1"


def test_a_note_is_shown_on_the_chart_in_the_table_and_to_nobody_else(market: House) -> None:
    ann, carl = someone(market, "ann@shop.example"), someone(market, "carl")
    assert ann.send("/notes", act="add", site="market", day=str(DAY), text=TEXT).status_code == 303
    for path in ("/?site=market&period=28", "/report/traffic_day?site=market&period=28"):
        page = ann.get(path).text
        assert "Campaign &lt;b&gt;started&lt;/b&gt;" in page, path
        assert "<b>started" not in page
        assert f'<time datetime="{DAY}">' in page
        assert "Ann Lee" in page
        assert page.count('href="#note-1"') == 1, "in the row of its day"
    assert page.count('class="flag"') == 2, "for wide screens and for narrow ones"
    assert "#note-1" not in ann.get("/?site=market&period=day").text
    assert "#note-1" not in ann.get("/?site=blog&period=28").text
    assert "Campaign" not in carl.text("/notes?site=market"), "the blog is shown instead"
    assert carl.send("/notes", act="add", site="market", day=str(DAY), text="x").status_code == 404
    (row,) = market.store.rows("SELECT id FROM note")
    assert carl.send("/notes", act="remove", note=row["id"]).status_code == 404
    assert someone(market, "bob").send("/notes", act="remove", note=row["id"]).status_code == 403
    assert ann.send("/notes", act="remove", note=row["id"], site="market").status_code == 303
    assert "Campaign" not in ann.text("/notes?site=market")


@pytest.mark.parametrize(
    ("day", "text"), [("2026-13-01", "x"), ("yesterday", "x"), ("2026-01-01", " "), ("2026-01-01", "x" * 201)]
)
def test_what_is_no_note_is_refused(market: House, day: str, text: str) -> None:
    ann = Who(account="A", name="Ann", roles=frozenset({Role.ANALYST}))
    with pytest.raises(Refused):
        Notes(market.store).add(ann, "market", day, text)


@settings(max_examples=100)
@given(st.dates(date(2024, 1, 1), date(2026, 12, 31)), st.integers(0, 400), st.data())
def test_a_mark_stands_at_the_point_of_its_day(first: date, length: int, data: st.DataObject) -> None:
    """Beside the plain way: the points of a curve, listed."""
    days = [first + timedelta(days=n) for n in range(length + 1)]
    day = data.draw(st.sampled_from(days))
    weeks = sorted({one - timedelta(days=one.weekday()) for one in days})
    months = sorted({one.replace(day=1) for one in days})
    assert place(day, first, "day") == days.index(day)
    assert place(day, first, "hour") == 24 * days.index(day)
    assert place(day, first, "week") == weeks.index(day - timedelta(days=day.weekday()))
    assert place(day, first, "month") == months.index(day.replace(day=1))


def test_notes_of_one_day_share_a_flag_and_are_told_apart_by_number() -> None:
    first = date(2026, 11, 1)
    notes = [
        Note(f"N{n}", "s", first + timedelta(days=d), "x", "A", 0) for n, d in enumerate((0, 2, 2, 2, 6))
    ]
    found = marks(notes, Period(first, first + timedelta(days=6), "7"), "day", 7)
    assert found.at == {0: [1], 2: [2, 3, 4], 6: [5]}
    assert "2–4" in found.strip
    assert marks([], Period(first, first, "day"), "day", 1).strip == ""
