"""Numbers, changes, columns and values as people read them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from babel.dates import format_date, format_interval
from babel.numbers import format_compact_decimal
from markupsafe import Markup, escape

from dashboards.language import ENGLISH, gettext, language, present, say, say_n
from warehouse.report import OTHER

if TYPE_CHECKING:
    from dashboards.period import Period

#: What columns are called on pages, where their name alone would not do.
COLUMNS = {
    "people": "visitors",
    "views": "views",
    "referrer_group": "kind",
    "referrer_host": "source",
    "referral_channel": "invited by",
    "path": "page",
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_campaign": "campaign",
    "os": "system",
    "entry": "entry page",
    "leave": "exit page",
    "ad_slot": "slot",
    "ad_campaign": "campaign",
    "ad_creative": "creative",
    "ad_placement": "placement",
    "net_impressions": "net impressions",
    "net_measured": "net measured",
    "net_viewable": "net viewable",
    "net_clicks": "net clicks",
    "ad_goal": "goal",
    "ad_group": "group",
    "duration_ms": "time",
    "visit_views": "views",
    "cohort_week": "first week",
    "week_offset": "weeks later",
    "n": "events",
    "cut": "by",
    "error": "kind",
}
#: Values that stand for something else than themselves.
VALUES = {
    "": "none", OTHER: "Other", "ZZ": "Unknown", "XX": "Unknown", "T1": "Tor",
}  # fmt: skip
CONTINENTS = {
    "AF": "Africa", "AN": "Antarctica", "AS": "Asia", "EU": "Europe", "NA": "North America", "OC": "Oceania",
    "SA": "South America",
}  # fmt: skip


#: Values that are words: in lists with a large letter (sources, devices, who is new), else as they are.
KINDS = (
    "Search", "Social", "Mail", "Referral", "Direct", "Internal", "Campaign", "Desktop", "Mobile", "Tablet",
    "Tv", "Console", "Wearable", "Robot", "Other", "New", "Returning", "Unknown",
)  # fmt: skip
#: Columns whose values are codes of ours: underscores are for machines.
CODES = frozenset({"reason", "detail", "ground", "basis", "deal"})
SIZES = ("tiny", "small", "medium", "large")
STEPS = ("sign up", "post project", "bid placed", "hired")
#: Characters of what fits a line on a telephone; where longer ones break.
_LONG, _JOINT = 18, re.compile(r"([/._])(?=[\w{])")
#: How days are written, in English; other languages have CLDR's pattern of the same skeleton or length.
_DAYS = {
    "day": ("d MMM", "MMMd"), "date": ("d MMM y", "yMMMd"), "weekday": ("EEE d MMM", "MMMEd"),
    "dated": ("EEE d MMM y", "yMMMEd"), "month": ("MMM y", "yMMM"), "name": ("LLL", "LLL"),
    "long": ("d MMMM y", "long"), "full": ("EEEE, d MMM y", "full"),
}  # fmt: skip


def whole(number: int) -> str:
    """A count with all its digits, in groups as the language writes them."""
    said = f"{number:,}"
    return said if present() is ENGLISH else said.translate(present().signs)


def decimal(number: float, digits: int = 1) -> str:
    """A number with so many digits after the point."""
    return f"{number:,.{digits}f}".translate(present().signs)


def short(number: float) -> str:
    """1234567 as 1.2M; below ten thousand with all its digits."""
    if abs(number) < 9_999.5:
        return decimal(number, 0)
    if present() is not ENGLISH:
        return _compact(present().tag, number)
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size * 0.9995:
            return f"{number / size:.{1 if abs(number) < 99.95 * size else 0}f}".removesuffix(".0") + letter
    return f"{number:,.0f}"


@lru_cache(4096)
def _compact(tag: str, number: float) -> str:
    """As CLDR has it: German has no short word for a thousand, and Arabic six forms of a million."""
    digits = 1 if len(f"{number:.0f}") % 3 else 0  # of three digits before the point none after it
    said = str(format_compact_decimal(number, fraction_digits=digits, locale=language(tag).locale))
    return decimal(number, 0) if said.lstrip("-").isdecimal() else said


def percent(number: float, digits: int = 0) -> str:
    """A share of 100 with its sign, where the language puts it."""
    return str(present().percent.format(decimal(number, digits)))


def said(number: float | None, unit: str = "") -> str:
    """A number with its unit: "" counts, "%" shares, "s" seconds, "x" a ratio; a dash where there is none."""
    if number is None:
        return "–"
    if unit == "%":
        return percent(number, 1 if 0 < abs(number) < 9.95 else 0)
    if unit == "s":
        return _time(round(number))
    return decimal(number, 1) if unit == "x" else short(number)


def _time(number: int) -> str:
    minutes, seconds = divmod(number, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return say("{hours}h {minutes}m", hours=hours, minutes=minutes)
    if minutes:
        return say("{minutes}m {seconds}s", minutes=minutes, seconds=seconds)
    return say("{seconds}s", seconds=seconds)


def day(one: date, form: str = "date") -> str:
    """A day as people write it, in a form of: day, date, weekday, dated, month, name, long, full."""
    if isinstance(one, datetime):
        one = one.date()
    return _day(present().tag, one, form)


@lru_cache(8192)
def _day(tag: str, one: date, form: str) -> str:
    pattern, other = _DAYS[form]
    locale = language(tag).locale
    if locale.language != "en":
        pattern = other if other in ("LLL", "long", "full") else locale.datetime_skeletons[other].pattern
    return str(format_date(one, pattern, locale))


def moment(at: datetime, *, seconds: bool = False) -> str:
    """A moment of UTC."""
    return f"{day(at)} {at:%H:%M:%S}" if seconds else f"{day(at)} {at:%H:%M}"


def caps(most: dict[str, int]) -> str:
    """What one person is of a report at most."""
    cells = most.pop("cells", None)
    parts = [say_n("{n} row", "{n} rows", cells)] if cells else []
    for name, cap in most.items():
        hours = say_n("{said} hour", "{said} hours", cap // 3_600_000, said=f"{cap / 3_600_000:g}")
        parts.append(hours if name.endswith("_ms") else f"{whole(cap)} {column(name)}")
    return ", ".join(parts)


def days(span: Period) -> str:
    """A period as it is said: 3 to 9 Nov 2026."""
    if span.days == 1:
        return day(span.first)
    if present().locale.language != "en":
        return str(format_interval(span.first, span.last, "yMMMd", locale=present().locale))
    form = (
        "{:%-d}" if (span.first.month, span.first.year) == (span.last.month, span.last.year) else "{:%-d %b}"
    )
    if span.first.year != span.last.year:
        form = "{:%-d %b %Y}"
    return say("{first} to {last}", first=form.format(span.first), last=day(span.last))


def column(name: str) -> str:
    """What a column is called on a page."""
    return gettext(named(name))


def named(name: str) -> str:
    """The same in English."""
    return COLUMNS.get(name, name.replace("_", " "))


def value(name: str, given: object) -> str:
    """A key's value on a page: countries by name, days in figures, small groups as what they are."""
    if given is None:
        return gettext("none")
    if isinstance(given, date) and present() is not ENGLISH:
        return day(given)
    text = str(given)
    if name == "country" and text in countries():
        return _country(text)
    if name == "continent" and text in CONTINENTS:
        return gettext(CONTINENTS[text])
    if name in ("referrer_group", "device", "kind") and text:
        return gettext(VALUES.get(text, text.capitalize()))
    if name in CODES and "." not in text:  # a rule (`policy.regime.rule`) is looked up as it is written
        return gettext(VALUES.get(text, text.replace("_", " ")))
    if name == "hour":
        return f"{int(text):02d}:00"
    return gettext(VALUES[text]) if text in VALUES else text


def _country(code: str) -> str:
    here = present()
    return countries()[code] if here is ENGLISH else here.locale.territories.get(code, countries()[code])


@cache
def countries() -> dict[str, str]:
    """ISO 3166 codes to English names, from the table that time zones come with."""
    lines = files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text(encoding="utf-8").splitlines()
    found = dict(line.split("\t", 1) for line in lines if line and not line.startswith("#"))
    return found | {"GB": "United Kingdom", "US": "United States"}


def initial(text: str) -> str:
    """With its first letter large, as a sentence begins."""
    return text[:1].upper() + text[1:]


def signed(number: float, digits: int = 2) -> str:
    """A difference."""
    return ("+" if number >= 0 else "−") + decimal(abs(number), digits)


def broken(text: str) -> Markup:
    """A long path or host that may break where one of its parts ends, and nowhere within a word."""
    said = escape(text)
    return Markup(_JOINT.sub(r"\1<wbr>", str(said))) if len(text) > _LONG else said


def exact(text: str) -> str:
    """A sentence that the published tables bring along, with one number at most in it."""
    number = re.search(r"\d+", text)
    return say(text.replace(number[0], "{n}", 1), n=number[0]) if number else gettext(text)


def band(text: str) -> str:
    """A band of a number, as reports name it: "from 4", or one that is a word."""
    return say("from {n}", n=text.removeprefix("from ")) if text.startswith("from ") else gettext(text)


def rows(number: int) -> str:
    return say_n("{said} row", "{said} rows", number, said=whole(number))


#: What templates say numbers and days with.
FILTERS: dict[str, Callable[..., str]] = {
    "short": short, "said": said, "column": column, "commas": whole, "decimal": decimal, "percent": percent,
    "signed": signed, "band": band, "rows": rows, "days": days, "day": day, "utc": moment,
    "initial": initial, "broken": broken, "exact": exact,
    "sign": lambda text: present().percent.format(text.translate(present().signs)),
}  # fmt: skip
