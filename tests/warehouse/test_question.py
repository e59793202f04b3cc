"""The language of questions: one form each, and errors that teach."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter.errors import Refused
from warehouse.question import read

_FOR = "for measurement"
FORMS = {
    "people": f"people {_FOR}",
    "views by country": f"views by country {_FOR}",
    "VIEWS, people BY country , device": f"people, views by country, device {_FOR}",
    "people where path='/a' and os != 'x'": f"people {_FOR} where os != 'x' and path = '/a'",
    "people where path in ('/b', '/a', '/b')": f"people {_FOR} where path in ('/a', '/b')",
    'people where path not in ("it\'s")': f"people {_FOR} where path != 'it''s'",
    "people on 2026-09-01": f"people {_FOR} from 2026-09-01 to 2026-09-01",
    "views by day last 7 days order by views asc;": f"views by day {_FOR} last 7 days order by views asc",
    "people where site = 'shop' and country = 'DE'": f"people {_FOR} where site = 'shop' and country = 'DE'",
    "people by country for adverts": "people by country for ad_measurement",
    "views last 7 days for analytics": f"views {_FOR} last 7 days",
    "clicks by ad_campaign": "clicks by ad_campaign for ad_measurement",
}
WRONG = {
    "": "stops too soon",
    "view by country": "did you mean views?",
    "people by contry": "did you mean country?",
    "people by country where": "stops too soon",
    "people whre country = 'DE'": "did you mean where?",
    "people where country = DE": "in quotes",
    "people where country > 'DE'": "can't be read",
    "people where country like 'D%'": "a condition is",
    "people from 2026-09-31 to 2026-10-01": "a day is written",
    "people from 2026-09-02 to 2026-09-01": "from the first day to the last",
    "people from 2024-01-01 to 2026-09-01": "400 days at most",
    "people by country, device, os, path": "3 dimensions at most",
    "people by country where device = 'a' and os = 'b' and path = 'c'": "3 dimensions at most",
    "views, clicks": "different subjects",
    "visits by path": "can be told by",
    "people by day, week": "one of day, week and month",
    "people where site = 'a' and site = 'b'": "of one site",
    "people; DROP TABLE x": "can't be read",
    "people where person = '1'": "no such dimension",
    "people by event_id": "no such dimension",
    "people by gender": "gender is collected for gender",
    "people for research": "who allows it, beside who allows another",
    "people for remarketing": "questions are for measurement or ad_measurement",
    "people for everything": "no such purpose",
    "clicks for measurement": "clicks is collected for ad_measurement",
    "people by ad_campaign for analytics": "ad_campaign is collected for ad_measurement",
    "people by path for adverts": "path is collected for measurement",
    "views for adverts": "ask it for measurement, by itself",
    "people by country limit 0": "a number from 1",
    "x" * 5000: "4000 characters at most",
}


@pytest.mark.parametrize("text", FORMS)
def test_a_question_is_written_one_way(text: str) -> None:
    assert str(read(text)) == FORMS[text]
    assert read(FORMS[text]) == read(text)


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_told(text: str) -> None:
    with pytest.raises(Refused, match=WRONG[text]):
        read(text)


@settings(deadline=None, max_examples=100)
@given(
    st.text(max_size=40), st.sampled_from(["", "people by ", "people where path = ", "people where path = '"])
)
def test_any_text_is_read_or_refused_and_what_is_read_has_one_form(text: str, before: str) -> None:
    with suppress(Refused):
        found = read(before + text)
        assert read(str(found)) == found
