"""Languages: who chooses, that catalogues are whole, numbers and days as each writes them."""

from __future__ import annotations

import re
from datetime import date

import pytest

from consent_filter.errors import Misconfigured
from dashboards import words
from dashboards.language import FOLDER, PSEUDO, language, present, say, say_n, spoken, wanted
from dashboards.languages import LANGUAGES
from dashboards.languages.__main__ import TRANSLATED, lacking, text, updated
from dashboards.languages.gather import catalogue
from dashboards.period import Period
from dashboards.settings import Dashboards

#: What a text in another language must have as it is here.
PLACE = re.compile(r"%\(\w+\)s|\{\w+\}|</?[a-z][^>]*>")


@pytest.mark.parametrize(
    ("accept", "tag"),
    [
        ("", "ar"), ("fr, ja;q=0.4", "ar"), ("de", "de"), ("DE-at;q=0.9, en;q=0.8", "de"),
        ("en;q=0.2, de;q=0.7", "de"), ("de;q=0, en;q=0.1", "en"), ("fr, *", "ar"), ("de;q=x", "ar"),
        ("en-US,en;q=0.9,de;q=0.8", "en"), ("en-xa", PSEUDO), ("de;level=1", "ar"), ("," * 9999, "ar"),
    ],
)  # fmt: skip
def test_a_browser_asks_for_a_language_that_there_is(accept: str, tag: str) -> None:
    assert wanted(accept, "ar") == tag


def test_outside_a_request_it_is_english() -> None:
    assert present() is language("en")
    with spoken("de"), spoken("xx"):
        assert present().tag == "de", "an unknown one changes nothing"
    assert present().tag == "en"


def test_a_setting_names_one_that_there_is() -> None:
    assert Dashboards(language="ar").language == "ar"
    with pytest.raises(Misconfigured, match=r"dashboards\.language"):
        Dashboards(language="xx")


def test_catalogues_are_up_to_date_and_keep_their_places() -> None:
    """As `make languages` would write them; and nothing that is filled in, or a tag, is lost in one."""
    found = catalogue()
    assert next(iter(LANGUAGES)) == "en"
    for tag in TRANSLATED:
        one = updated(tag, found)
        assert (FOLDER / f"{tag}.po").read_bytes() == text(one), "run `make languages`"
        for message in one:
            if not message.id or not message.string:
                continue
            several = isinstance(message.id, tuple)
            source = "".join(message.id) if several else message.id
            for string in message.string if several else [message.string]:
                have, want = sorted(PLACE.findall(string)), sorted(PLACE.findall(source))
                assert set(have) <= set(want) if several else have == want, f"{tag}: {source}"
                if "%(" in source or "%%" in source:
                    assert string.count("%") == 2 * string.count("%%") + len(re.findall(r"%\(", string))


def test_every_language_is_whole_but_for_what_is_new() -> None:
    """A page that is added stays English in part until somebody who writes the language has seen it."""
    found = catalogue()
    for tag in TRANSLATED:
        one = updated(tag, found)
        assert 20 * len(lacking(one)) < len(one), tag


def test_numbers_and_days_are_written_as_the_language_does() -> None:
    span = Period(date(2026, 11, 3), date(2026, 11, 9), "custom")

    def said() -> list[str]:
        return [
            words.short(9_999), words.short(12_345), words.short(1_234_567), words.whole(1234567),
            words.said(3.14, "%"), words.said(125, "s"), words.said(1.25, "x"), words.day(span.first),
            words.day(span.first, "weekday"), words.days(span), words.value("country", "DE"),
            words.value("hour", 7), say_n("{n} day", "{n} days", 3),
        ]  # fmt: skip

    assert said() == [
        "9,999", "12.3k", "1.2M", "1,234,567", "3.1%", "2m 5s", "1.2", "3 Nov 2026", "Tue 3 Nov",
        "3 to 9 Nov 2026", "Germany", "07:00", "3 days",
    ]  # fmt: skip
    with spoken("de"):
        assert said() == [
            "9.999", "12.345", "1,2\N{NO-BREAK SPACE}Mio.", "1.234.567", "3,1\N{NO-BREAK SPACE}%",
            "2 min 5 s", "1,2", "3. Nov. 2026", "Di., 3. Nov.", "3.–9. Nov. 2026", "Deutschland",
            "07:00", "3 Tagen",
        ]  # fmt: skip
    with spoken("ar"):
        assert said()[0] == "9,999", "in Latin digits"
        assert said()[2].startswith("1.2")
        assert said()[2].endswith("مليون")
        assert present().direction == "rtl"


def test_the_language_that_is_none_keeps_places() -> None:
    with spoken(PSEUDO):
        assert say("{time} ago", time="3") == "⟦3 ågø…⟧"
        assert say("<strong>%(n)s</strong> visitors") == "⟦<strong>%(n)s</strong> vîsîtørs…⟧"
        assert say("nobody has gathered this") == "nobody has gathered this"


def test_scripts_have_no_words_of_their_own() -> None:
    """What a script says stands in the page that loads it, in the reader's language."""
    for file in sorted((FOLDER.parent / "static").glob("*.js")):
        code = re.sub(r"/\*.*?\*/|(?m:^\s*//.*$)", "", file.read_text(), flags=re.S)
        said = [text for _, text in re.findall(r"""(['"`])((?:(?!\1).)*)\1""", code)]
        assert not [text for text in said if re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", text)], file.name
