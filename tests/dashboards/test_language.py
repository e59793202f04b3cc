"""Languages: who chooses, that catalogues are whole, numbers and days as each writes them."""

from __future__ import annotations

import ast
import re
from datetime import date
from pathlib import Path

import pytest

from consent_filter.errors import Misconfigured, Refused
from dashboards import quartiles, words
from dashboards.language import (
    FOLDER,
    PSEUDO,
    language,
    present,
    refusal,
    say,
    say_n,
    spoken,
    wanted,
)
from dashboards.languages import LANGUAGES
from dashboards.languages.__main__ import TRANSLATED, lacking, text, updated
from dashboards.languages.gather import _SHOWN, catalogue
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


def test_a_rule_is_written_as_it_is_looked_up() -> None:
    assert words.value("detail", "workallies-2024.opt_in.refused") == "workallies-2024.opt_in.refused"
    assert words.value("reason", "not_a_page") == "not a page"


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


def test_units_are_what_they_are() -> None:
    """A second is no millisecond in any language."""
    with spoken("de"):
        assert [quartiles.said("LCP", 2900), quartiles.said("INP", 290)] == ["2,9 s", "290 ms"]
    for tag in LANGUAGES:
        with spoken(tag):
            assert len(say("{n} s", n=1)) < len(say("{n} ms", n=1)), tag


def test_arabic_counts_in_six_forms() -> None:
    """As CLDR has it: 3 to 10 in the plural, from 11 in the singular; and where a text has one form alone,
    its number is followed by “من”, which goes with every number."""
    hours = ("{n} hour", "{n} hours")
    with spoken("ar"):
        said = [say_n(*hours, n) for n in (1, 2, 5, 11, 100)]
    assert said == ["ساعة واحدة", "ساعتين", "5 ساعات", "11 ساعة", "100 ساعة"]
    wrong = re.compile(
        r"(\)s|\w\})(</\w+>)? (أشخاص|شخصًا|أيام|جهازًا|صفًا|ساعات|أسابيع|مرات|كلمات|نقاط|زائر|حرفًا|أحرف)"
    )
    words = updated("ar", catalogue())
    assert [one.string for one in words if isinstance(one.string, str) and wrong.search(one.string)] == []


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


#: Files whose refusals only programs read, and texts that are somebody else's: DuckDB's, a ledger's.
_PROGRAMS = ("catalogue_api.py", "replies.py", "segments.py", "exports.py", "statement.py")


def test_refusals_that_people_read_are_whole_sentences() -> None:
    """One that is put together of parts can be said in no other language: its parts go into its places."""
    house = FOLDER.parent.parent
    files = [*(house / "dashboards").rglob("*.py"), *(house / one for one in _SHOWN)]
    for file in (one for one in files if one.name not in _PROGRAMS):
        for call in ast.walk(ast.parse(Path(file).read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Refused":
                assert not isinstance(call.args[2], ast.JoinedStr | ast.BinOp), (file.name, call.lineno)


def test_a_refusal_is_said_in_the_language_of_whoever_reads_it() -> None:
    """Its parts are filled in once, whatever stands in them; programs are told it in English."""
    error = Refused(400, "x", "there is no such {what}; did you mean {near}?", what="dimension", near="{n}")
    assert error.message == "there is no such dimension; did you mean {n}?"
    assert error.body()["error"]["message"] == error.message
    assert refusal(error) == error.message
    with spoken("de"):
        assert refusal(error) == "„dimension“ gibt es so nicht; war {n} gemeint?"
        assert refusal(Refused(400, "x", 'a body {"q": "…"}')) == 'a body {"q": "…"}', "no parts, no places"
        assert error.body()["error"]["message"] == error.message
