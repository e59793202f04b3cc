"""What stands on each page: answers of the published tables, put into templates."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pyarrow as pa
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from consent_filter.counts import REASONS
from consent_filter.errors import Refused
from consent_filter.site import Site
from dashboards import (
    attribution,
    charts,
    headline,
    kept,
    language,
    missing,
    numbers,
    period,
    view,
    who,
    words,
)  # fmt: skip
from dashboards.language import say
from dashboards.numbers import Numbers
from dashboards.panels import CARDS, CONSENT, ROBOTS
from dashboards.rights import may
from dashboards.view import View
from warehouse import exits
from warehouse.analyst import Desk
from warehouse.answer import render, shown
from warehouse.checks import drafts, facts, pressure, runs, tables, weekdays
from warehouse.meaning import meaning
from warehouse.perturbation import bound
from warehouse.reader import Reader, Reading
from warehouse.release import share
from warehouse.release_settings import Release
from warehouse.report import load
from warehouse.settings import Warehouse
from warehouse.snapshot import folder, held

_HERE = Path(__file__).parent
#: The suites of `warehouse/checks`, and what each looks at.
SUITES = (tables.SUITE, facts.SUITE, weekdays.SUITE, pressure.SUITE, drafts.SUITE)
ABOUT = {
    tables.SUITE.name: "every table, before each publication",
    facts.SUITE.name: "every file of facts, once",
    weekdays.SUITE.name: "yesterday beside the same weekdays before, once an hour",
    pressure.SUITE.name: "impressions of one person in the last week, once an hour",
    drafts.SUITE.name: "the tables of a draft, before it may be approved",
}
#: Rows that a page shows of an answer.
MOST = 500


class Pages:
    """The pages of one data folder. `generated`: a program made the crowd, and every page says so."""

    def __init__(
        self, data: Path, warehouse: Warehouse, generated: bool, *, console: bool = False,
        sites: Mapping[str, Site] | None = None, release: Release = Release(),  # noqa: B008
    ) -> None:  # fmt: skip
        self.data, self.warehouse, self.generated, self._release = data, warehouse, generated, release
        self.zones = {name: site.timezone for name, site in (sites or {}).items()}
        self.reader, self.desk = Reader(data, warehouse), Desk(data, warehouse)
        self.templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.i18n"],
        )  # fmt: skip
        self.templates.install_gettext_callables(language.gettext, language.ngettext, newstyle=True)  # type: ignore[attr-defined]
        self.templates.globals |= {"gettext": language.marked, "_": language.marked}
        self.templates.filters |= {
            "shown": shown,
            "told": language.gettext,
            "refusal": language.refusal,
        } | words.FILTERS
        self.templates.globals |= {"value": words.value, "bar": charts.bar, "language": language.present}
        self.templates.globals |= {"meaning": lambda name: language.gettext(meaning(name))}
        self.templates.globals |= {"console": console, "present": who.present, "word": who.word, "may": may}

    def page(self, name: str, here: str, **more: Any) -> str:
        """A template in the frame that every page shares."""
        made = self.reader.made()
        at = datetime.fromtimestamp(made["time"], UTC) if made else None
        return self.templates.get_template(name).render(
            published=made, published_at=at, age=kept.age(time.time() - made["time"]) if made else "",
            generated=self.generated, held=held(self.data), here=here,
            min_group=made["min_group"] if made else self.warehouse.min_group, **{"view": None} | more,
        )  # fmt: skip

    def leave(self, tables: Mapping[str, pa.Table], site: str = "") -> None:
        """These rows of reports, by name, are going out of the house: each month's account must allow it
        (S9). Raises Refused."""
        exits.leave(self.data, self._release, tables, site)

    def nothing(self) -> str:
        """What there is before the first publication."""
        return self.page("nothing.html", "overview", title=say("Nothing yet"))

    def view(self, reading: Reading, query: Mapping[str, str]) -> View:
        """What an address wants to see, of sites that whoever asks may see. Raises Refused."""
        return view.read(query, numbers.sites(reading), self.zones)

    def overview(self, query: Mapping[str, str]) -> str:
        """The crowd of one site in one period."""
        with self.reader.reading() as reading:
            if not numbers.sites(reading):
                return self.nothing()
            seen = self.view(reading, query)
            ask = Numbers(reading, seen.site, seen.period, joined=seen.imported)
            headline.metric_of(seen)
            if seen.where:
                return self.page("overview.html", "overview", title=seen.site, **self.narrowed(seen, CARDS))
            before = numbers.imported(reading, seen.site)
            spans, why = headline.fair(seen, ask.oldest())
            few = self.warehouse.min_group
            compared = seen.against or seen.period.before()
            said = self.shown(seen) | {
                "said": why,
                "head": headline.headed(ask.daily, ask.hourly, seen, spans),
                "lacks": missing.of_period(ask, seen, few),
                "cards": [[ask.panel(panel, fair=spans) for panel in card] for card in CARDS],
                "adverts": ask.adverts(),
                "funnel": ask.funnel(),
                "retention": ask.retention(),
                "growing": grown({kind: ask.growth(kind) for kind in ("week", "month")}),
                "balance": ask.balance(),
                "reasons": ask.reasons(),
                "everyone": ask.everyone(),
                "meanings": REASONS,
                "consent": ask.panel(CONSENT, 6),
                "robots": ask.panel(ROBOTS, 6),
                "stack": charts.stack,
                "imported": before if before and compared.first <= before["newest"] else None,
            }
            return self.page("overview.html", "overview", title=seen.site, **said)

    def shown(self, seen: View, path: str = "/") -> dict[str, Any]:
        """What every page of numbers says of its view."""
        made = self.reader.made()
        age = missing.stale(made, seen)
        return {
            "view": seen, "path": path, "presets": presets(seen), "said": "", "head": None,
            "few_lacks": missing.of_list(self.warehouse.min_group, seen.period),
            "stale": kept.long(age) if age else "", "imported": None,
        }  # fmt: skip

    def narrowed(self, seen: View, cards: Any, path: str = "/") -> dict[str, Any]:
        """The same under a filter: lists that come when they are counted, and those that can't be asked."""
        keys = ", ".join(words.column(one.key) for one in seen.where)
        left = [(panel.title, panel.unasked) for card in cards for panel in card if panel.unasked]
        found = [[{"panel": one} for one in card if not one.unasked] for card in cards]
        return self.shown(seen, path) | {"cards": found, "keys": keys, "left": left}

    def attribution(self, query: Mapping[str, str]) -> str:
        """Orders, what they are credited to by a chosen rule, and what campaigns added."""
        with self.reader.reading() as reading:
            sites = numbers.sites(reading)
            if not sites:
                return self.nothing()
            site, span = chosen(sites, query)
            found = attribution.read(reading, site["site"], span.first, span.last, query)
        kept = {"site": site["site"], **span.query}
        here = urlencode(kept)
        said = {
            "site": site["site"], "period": span, "back": f"/?{here}", "kept": kept,
            "csv": lambda report: f"/csv/{report}.csv?{here}",
        }  # fmt: skip
        return self.page(
            "attribution.html", "overview", title=say("Orders and what led to them"), **said, **found
        )

    def csv(self, name: str, query: Mapping[str, str]) -> bytes:
        """One report's own rows of a site in a period, for a spreadsheet."""
        return render(self.table(name, query)[0], "csv", for_spreadsheets=True)

    def table(self, name: str, query: Mapping[str, str]) -> tuple[Any, dict[str, Any], period.Period]:
        """The same as a table, what the report is, and the period."""
        with self.reader.reading() as reading:
            about, site, span = self.found(reading, name, query)
            return numbers.table(reading, name, site["site"], span, about["keys"]), about, span

    def found(self, reading: Reading, name: str, query: Mapping[str, str]) -> Any:
        """A report as published tables tell it, and the site and the days of an address. Raises Refused."""
        view.of_everybody(query)
        found = reading.rows("SELECT * FROM reports WHERE name = ?", [name])
        sites = numbers.sites(reading)
        if not found or not sites:
            raise Refused(404, "no_such_report", "there is no report of that name; the SQL page lists them")
        return found[0], *chosen(sites, query)

    def quality(self) -> str:
        """What the suites have found, latest first; and what they expect."""
        docs = folder(self.data) / "validation"
        noted = [one | {"when": _clock(one["at"])} for one in runs.past(docs)]
        turns = [
            one
            for one, before in zip(noted, _before(noted), strict=True)
            if one["failures"] or (before and before["failures"])
        ]
        return self.page(
            "quality.html", "quality", title=say("Data quality"), folder=folder(self.data).resolve(),
            suites=[one | {"when": _clock(one["at"])} for one in runs.latest(docs)], found=turns[:50],
            abouts=ABOUT, expected={one.name: one.expected.values() for one in SUITES},
        )  # fmt: skip

    def about(self) -> str:
        """What these numbers are, what release did, and how to reach them with one's own tools."""
        known: list[dict[str, Any]] = []
        if self.reader.made() is not None:
            with self.reader.reading() as reading:
                known = reading.rows("SELECT * FROM reports ORDER BY name")
        return self.page(
            "about.html",
            "about",
            title=say("About the data"),
            folder=folder(self.data).resolve(),
            reports=known,
        )

    def about_numbers(self) -> str:
        """How to read these numbers, for whoever is no statistician."""
        known: list[dict[str, Any]] = []
        if made := self.reader.made():
            with self.reader.reading() as reading:
                known = reading.rows("SELECT * FROM reports ORDER BY title")
        how = msgspec.structs.replace(self.warehouse, **(made["release"] if made else {}))
        return self.page(
            "about_numbers.html", "numbers", title=say("How to read these numbers"), reports=known,
            moved=bound(how.min_group) if how.perturb else 0, equals=how.equals,
            share=language.gettext(share(how.equals)),
            caps=lambda name: words.caps(dict(load()[name].caps)) if name in load() else "",
        )  # fmt: skip

    def close(self) -> None:
        """Let go of files and of the analyst's process."""
        self.desk.close()
        self.reader.close()


def chosen(sites: list[dict[str, Any]], query: Mapping[str, str]) -> tuple[dict[str, Any], period.Period]:
    """The site and the period of an address. Raises Refused."""
    wanted = query.get("site")
    site = sites[0] if wanted is None else next((one for one in sites if one["site"] == wanted), None)
    if site is None:
        raise Refused(404, "no_such_site", "nothing is published of that site")
    return site, period.read(query, site["oldest"], site["newest"])


def presets(seen: View) -> list[tuple[str, str]]:
    """Periods to choose, and what they are called."""
    today = seen.newest > seen.whole
    return [
        ("day", say("Today") if today else words.day(seen.newest, "day")),
        ("7", say("7 days")),
        ("28", say("28 days")),
        ("90", say("90 days")),
        ("365", say("Year")),
    ]


def grown(told: Mapping[str, list[dict[str, Any]]]) -> Any:
    """People by week, or by month once there are enough of them."""
    kind = "month" if len(told["month"]) > 5 else "week"
    rows, form = told[kind], "name" if kind == "month" else "day"
    labels = [words.day(row["begins"], form) for row in rows]
    title = say("Visitors by month") if kind == "month" else say("Visitors by week")
    return {
        "kind": kind,
        "chart": charts.columns(labels, [row["people"] for row in rows], title),
        "rows": rows,
    }


def _before(noted: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
    """For each run the one of the same suite before it. `noted`: the latest first."""
    return [
        next((old for old in noted[n + 1 :] if old["suite"] == one["suite"]), None)
        for n, one in enumerate(noted)
    ]


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
