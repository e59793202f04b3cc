"""A table that an export holds, with its words made ours: what could name a person is taken out here.

Exports are as careless as whoever made them: paths with e-mail addresses in them, campaigns with customers'
numbers. Each distinct word goes through the same scrubbing as the pages' own (M5, M9, M12), and rows that
become one by that are added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from consent_filter.errors import Refused
from ingest.redaction import plain
from ingest.scrub import Scrub
from ingest.sources import origin

#: Report → its keys, as `warehouse/reports` has them; a test compares.
KEYS: dict[str, tuple[str, ...]] = {
    "traffic_day": (),
    "sessions": (),
    "sources": ("referrer_group", "referrer_host"),
    "campaigns": ("utm_source", "utm_medium", "utm_campaign"),
    "pages": ("path",),
    "entry_pages": ("path",),
    "exit_pages": ("path",),
    "countries": ("country",),
    "devices": ("device",),
    "browsers": ("browser", "os"),
    "custom_events": ("type", "name"),
}
#: What may be counted. Milliseconds for `duration_ms`, else whole numbers.
NUMBERS = ("people", "visits", "views", "events", "bounces", "duration_ms")
_DEVICES = {
    "desktop": "desktop", "laptop": "desktop", "mobile": "mobile", "smartphone": "mobile",
    "phablet": "mobile", "feature phone": "mobile", "tablet": "tablet", "smart tv": "tv", "tv": "tv",
    "ultrawide": "desktop",
}  # fmt: skip
#: As the files call what is not known.
_NOTHING = {"", "(not set)", "(not provided)", "(none)", "unknown", "zz", "xx", "(data not available)"}


class Counted(NamedTuple):
    """A report's rows: `day` (date32), its KEYS (text), and those of NUMBERS that are known (int64)."""

    report: str
    rows: pa.Table


class Export(NamedTuple):
    """How a tool's export is called and made, and what reads it. `read` raises Refused."""

    name: str
    says: str
    read: Callable[[Sequence[Path]], Iterator[Counted]]


def unreadable(file: Path, why: str) -> Refused:
    """An export that is not one: `why` completes the sentence, and quotes nothing of its rows."""
    return Refused(400, "not_an_export", f"{file.name}: {why}")


def table(days: Iterable[date | None], **columns: Iterable[object]) -> pa.Table:
    """Rows from columns; those without a day are totals, and left out."""
    kinds = {"day": pa.date32(), **dict.fromkeys(NUMBERS, pa.int64())}
    made = pa.table(
        {
            name: pa.array(list(values), kinds.get(name, pa.string()))
            for name, values in {"day": days, **columns}.items()
        }
    )
    return made.filter(made["day"].is_valid())


def cleaned(found: Iterable[Counted], scrub: Scrub) -> dict[str, pa.Table]:
    """Report → the rows of all files in our words. People of rows that become one are added up: at most that
    many."""
    parts: dict[str, list[pa.Table]] = {}
    for report, rows in found:
        for key in KEYS[report]:
            at = rows.schema.get_field_index(key)
            rows = rows.set_column(at, key, _mapped(rows[key], partial(_word, scrub, key)))
        parts.setdefault(report, []).append(rows)
    return {
        report: _added_up(report, pa.concat_tables(rows, promote_options="default"))
        for report, rows in parts.items()
    }


def _added_up(report: str, rows: pa.Table) -> pa.Table:
    names = ["day", *KEYS[report]]
    numbers = [name for name in NUMBERS if name in rows.column_names]
    grouped = rows.group_by(names).aggregate([(name, "sum") for name in numbers])
    return grouped.rename_columns([*names, *numbers])


def sourced(rows: pa.Table) -> pa.Table:
    """The column `source`, hosts, addresses or names such as "Google", as group and host."""
    group = _mapped(rows["source"], lambda said: _origin(said).group)
    host = _mapped(rows["source"], lambda said: _origin(said).host or "")
    return (
        rows.drop_columns("source")
        .append_column("referrer_group", group)
        .append_column("referrer_host", host)
    )


def _mapped(column: pa.ChunkedArray, change: Callable[[str], str]) -> pa.ChunkedArray:
    """Each distinct word changed once."""
    words = pc.fill_null(column, "").combine_chunks().dictionary_encode()
    new = pa.array([change(word) for word in words.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([new.take(words.indices)])


def _word(scrub: Scrub, key: str, said: str) -> str:
    text = said.strip()
    if key == "path" and text.lower() not in _NOTHING:
        return scrub.page("/" + text.lstrip("/")).path or "(none)"
    if text.lower() in _NOTHING:
        return {"country": "ZZ", "device": "other", "name": "(none)", "path": "(none)"}.get(key, "")
    if key == "country":
        return country(text)
    if key == "device":
        return _DEVICES.get(text.lower(), "other")
    return plain(text)[:120]


def country(said: str) -> str:
    """The code (ISO 3166) of a code or an English name; ZZ where it is neither."""
    if len(said) == 2 and said.isalpha():
        return said.upper()
    return _codes().get(_letters(said), "ZZ")


@cache
def _codes() -> Mapping[str, str]:
    lines = files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t", 1) for line in lines if line and not line.startswith("#"))
    return {_letters(name): code for code, name in pairs} | _ALSO


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower().replace("&", "and") if letter.isalpha())


#: Names that the table has otherwise, as the tools write them.
_ALSO = {
    "unitedkingdom": "GB", "unitedstates": "US", "czechia": "CZ", "czechrepublic": "CZ", "türkiye": "TR",
    "turkiye": "TR", "southkorea": "KR", "northkorea": "KP", "myanmarburma": "MM", "côtedivoire": "CI",
    "bosniaandherzegovina": "BA", "trinidadandtobago": "TT", "hongkong": "HK", "macao": "MO",
    "democraticrepublicofthecongo": "CD", "congokinshasa": "CD", "congobrazzaville": "CG", "russia": "RU",
    "northmacedonia": "MK", "réunion": "RE", "curaçao": "CW", "stluciaia": "LC", "vietnam": "VN",
}  # fmt: skip


@cache
def _names() -> Mapping[str, str]:
    """Names that the tools give to hosts that are known by another."""
    return {
        "google": "google.com", "bing": "bing.com", "duckduckgo": "duckduckgo.com", "yahoo": "yahoo.com",
        "yahoo!": "yahoo.com", "ecosia": "ecosia.org", "baidu": "baidu.com", "yandex": "yandex.ru",
        "facebook": "facebook.com", "twitter": "twitter.com", "x": "x.com", "linkedin": "linkedin.com",
        "reddit": "reddit.com", "instagram": "instagram.com", "youtube": "youtube.com",
        "hacker news": "news.ycombinator.com", "chatgpt": "chatgpt.com", "perplexity": "perplexity.ai",
        "t.co": "t.co", "pinterest": "pinterest.com", "github": "github.com", "brave": "search.brave.com",
    }  # fmt: skip


def _origin(said: str) -> Origin:
    name = said.strip().lower()
    if name in _NOTHING or name in ("direct", "(direct)", "direct / none", "direct entry"):
        return Origin("direct", None)
    known = _names().get(name, name)
    if "." not in known:
        return Origin("campaign", plain(said.strip())[:120])
    found = origin(known if "://" in known else f"https://{known}")
    return Origin(found.group, found.host)


class Origin(NamedTuple):
    """Where visits came from."""

    group: str
    host: str | None
