"""Numbers, changes, columns and values as people read them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from dashboards.period import Period
from warehouse.report import OTHER

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
    "cohort_week": "first week",
    "week_offset": "weeks later",
    "n": "events",
}
#: Values that stand for something else than themselves.
_VALUES = {"": "none", OTHER: "Other", "ZZ": "Unknown", "XX": "Unknown", "T1": "Tor"}
_CONTINENTS = {
    "AF": "Africa", "AN": "Antarctica", "AS": "Asia", "EU": "Europe", "NA": "North America", "OC": "Oceania",
    "SA": "South America",
}  # fmt: skip


def short(number: float) -> str:
    """1234567 as 1.2M; below ten thousand with all its digits."""
    if abs(number) < 9_999.5:
        return f"{number:,.0f}"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size * 0.9995:
            return f"{number / size:.{1 if abs(number) < 99.95 * size else 0}f}".removesuffix(".0") + letter
    return f"{number:,.0f}"


def said(number: float | None, unit: str = "") -> str:
    """A number with its unit: "" counts, "%" shares, "s" seconds, "x" a ratio; a dash where there is none."""
    if number is None:
        return "–"
    if unit == "%":
        return f"{number:.{1 if 0 < abs(number) < 9.95 else 0}f}%"
    if unit == "s":
        minutes, seconds = divmod(round(number), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}h {minutes}m" if hours else f"{minutes}m {seconds}s" if minutes else f"{seconds}s"
    return f"{number:.1f}" if unit == "x" else short(number)


def caps(most: dict[str, int]) -> str:
    """What one person is of a report at most."""
    cells = most.pop("cells", None)
    parts = [f"{cells} row{'s' if cells > 1 else ''}"] if cells else []
    for name, cap in most.items():
        parts.append(f"{cap / 3_600_000:g} hours" if name.endswith("_ms") else f"{cap:,} {column(name)}")
    return ", ".join(parts)


def days(span: Period) -> str:
    """A period as it is said: 3 to 9 Nov 2026."""
    if span.days == 1:
        return f"{span.first:%-d %b %Y}"
    form = (
        "{:%-d}" if (span.first.month, span.first.year) == (span.last.month, span.last.year) else "{:%-d %b}"
    )
    if span.first.year != span.last.year:
        form = "{:%-d %b %Y}"
    return f"{form.format(span.first)} to {span.last:%-d %b %Y}"


def column(name: str) -> str:
    """What a column is called on a page."""
    return COLUMNS.get(name, name.replace("_", " "))


def value(name: str, given: object) -> str:
    """A key's value on a page: countries by name, days in figures, small groups as what they are."""
    if given is None:
        return "none"
    text = str(given)
    if name == "country" and text in countries():
        return countries()[text]
    if name == "continent" and text in _CONTINENTS:
        return _CONTINENTS[text]
    if name in ("referrer_group", "device", "kind") and text:
        return _VALUES.get(text, text.capitalize())
    if name == "hour":
        return f"{int(text):02d}:00"
    return _VALUES.get(text, text)


@cache
def countries() -> dict[str, str]:
    """ISO 3166 codes to English names, from the table that time zones come with."""
    lines = files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text(encoding="utf-8").splitlines()
    found = dict(line.split("\t", 1) for line in lines if line and not line.startswith("#"))
    return found | {"GB": "United Kingdom", "US": "United States"}
