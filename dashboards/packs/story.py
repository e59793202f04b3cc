"""What stands in a pack, whatever it is written on: chapters with rows, plots and sentences, of one draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from dashboards.packs import reading
from dashboards.packs.reading import Seen
from warehouse import period
from warehouse.draft import Draft, Table
from warehouse.pack import Given, Ground, Revision

#: The order in which a reader asks; what is not named comes after.
_ORDER = ("growth", "activity", "liquidity", "countries", "devices", "sources", "referrers", "adverts",
          "retention", "weeks", "totals")  # fmt: skip
#: Bars of a plot, and plots of a chapter.
_BARS, _PLOTS = 12, 4


class Plot(NamedTuple):
    """kind: time (one value a month or week), bars (one a category) or matrix (`rows` × `labels`). before: of
    the year before. alt: what it shows, for who does not see it."""

    kind: str
    title: str
    labels: tuple[str, ...]
    values: tuple[Seen | None, ...]
    before: tuple[Seen | None, ...]
    alt: str
    rows: tuple[str, ...] = ()


class Row(NamedTuple):
    """One row: what its keys say, in words and as they are, its numbers, and those of the year before."""

    keys: tuple[str, ...]
    raw: tuple[Any, ...]
    numbers: tuple[Seen, ...]
    before: tuple[Seen | None, ...]


class Chapter(NamedTuple):
    """One table of one site."""

    site: str
    table: Table
    keys: tuple[str, ...]
    rows: tuple[Row, ...]
    plots: tuple[Plot, ...]
    says: str

    @property
    def compared(self) -> bool:
        return any(one for row in self.rows for one in row.before)


class Card(NamedTuple):
    """A number for the first page."""

    says: str
    about: str
    seen: Seen
    change: str


class Story(NamedTuple):
    """given: None while it is looked at by who approves. compared: release and draft of the year before."""

    draft: Draft
    period: period.Period
    given: Given | None
    called: str
    revisions: tuple[Revision, ...]
    grounds: tuple[Ground, ...]
    compared: dict[str, str]
    chapters: tuple[Chapter, ...]
    cards: tuple[Card, ...]
    key: str

    @property
    def title(self) -> str:
        return reading.AUDIENCES[self.draft.audience]

    @property
    def percent(self) -> str:
        return f"{100 * self.draft.confidence:g} %"

    @property
    def version(self) -> int:
        return self.revisions[-1].version if self.revisions else 1


def tell(
    draft: Draft, tables: Mapping[str, pa.Table], *, given: Given | None = None, called: str = "",
    revisions: Sequence[Revision] = (), grounds: Sequence[Ground] = (), earlier: Mapping[str, pa.Table] = {},
    compared: Mapping[str, str] = {}, key: str = "",
) -> Story:  # fmt: skip
    """Put a draft into chapters. `tables` and `earlier` (the year before) by name."""
    chapters = [
        chapter
        for table in sorted(draft.tables, key=lambda one: _place(one.name))
        for chapter in _chapters(draft, table, tables[table.name], earlier.get(table.name))
    ]
    several = len(draft.sites) > 1
    cards = [card for chapter in chapters for card in _cards(chapter, several)]
    return Story(
        draft, period.read(draft.period), given, called, tuple(revisions), tuple(grounds), dict(compared),
        tuple(chapters), tuple(cards[:6]), key,
    )  # fmt: skip


def _place(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def _chapters(draft: Draft, table: Table, whole: pa.Table, earlier: pa.Table | None) -> list[Chapter]:
    keys = tuple(key for key in table.keys if key != "site")
    past = _by_key(table, earlier) if earlier is not None else {}
    by_site: dict[str, list[Row]] = {}
    for row in whole.to_pylist():
        site = str(row["site"]) if "site" in table.keys else ", ".join(draft.sites)
        then = tuple(str(reading.earlier(key, row[key])) for key in table.keys)
        old = past.get(then, {})
        by_site.setdefault(site, []).append(
            Row(
                tuple(reading.value(key, row[key]) for key in keys),
                tuple(row[key] for key in keys),
                tuple(_seen(row, one.name) for one in table.numbers),
                tuple(old.get(one.name) for one in table.numbers),
            )
        )
    made = []
    for site, rows in sorted(by_site.items()):
        some = sorted(rows, key=lambda row: _order(keys, row))
        plots = tuple(_plots(table, keys, some))
        made.append(Chapter(site, table, keys, tuple(some), plots, _says(draft, table, keys, some)))
    return made


def _by_key(table: Table, whole: pa.Table) -> dict[tuple[str, ...], dict[str, Seen]]:
    """Rows of an earlier release; nothing where its columns are others."""
    needed = {*table.keys, *(name for one in table.numbers for name in _three(one.name))}
    if not needed <= set(whole.column_names):
        return {}
    return {
        tuple(str(row[key]) for key in table.keys): {one.name: _seen(row, one.name) for one in table.numbers}
        for row in whole.to_pylist()
    }


def _three(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _seen(row: Mapping[str, Any], name: str) -> Seen:
    return Seen(*(int(row[one]) for one in _three(name)))


def _order(keys: Sequence[str], row: Row) -> tuple[Any, ...]:
    """By time, then the largest first; cohorts as they came."""
    times = [
        str(value) for key, value in zip(keys, row.raw, strict=True) if key in (*reading.TIMES, "cohort")
    ]
    return (*times, -row.numbers[0].n if row.numbers else 0, *(str(value) for value in row.raw))


def _plots(table: Table, keys: Sequence[str], rows: Sequence[Row]) -> list[Plot]:
    if not rows or not table.numbers:
        return []
    if not [key for key in keys if key not in reading.TIMES]:
        return [_over_time(table, i, rows) for i in range(min(len(table.numbers), _PLOTS))]
    if "cohort" in keys:
        return [_matrix(table, keys, rows)]
    return _bars(table, keys, rows)


def _over_time(table: Table, i: int, rows: Sequence[Row]) -> Plot:
    name = table.numbers[i].name
    title = f"{reading.column(name).capitalize()}"
    values, before = tuple(row.numbers[i] for row in rows), tuple(row.before[i] for row in rows)
    first, last = rows[0], rows[-1]
    alt = (
        f"{title}, {table.title}: from {first.numbers[i].n:,} in {first.keys[0]}"
        f" to {last.numbers[i].n:,} in {last.keys[0]}."
    )
    return Plot("time", title, tuple(row.keys[0] for row in rows), values, before, alt)


def _bars(table: Table, keys: Sequence[str], rows: Sequence[Row]) -> list[Plot]:
    """The last month, largest first: the first number, and the last one where there are more."""
    newest, when = last(keys, rows)
    of = [i for i, key in enumerate(keys) if key not in reading.TIMES]
    made = []
    for i in sorted({0, len(table.numbers) - 1}):
        some = sorted(newest, key=lambda row: -row.numbers[i].n)[:_BARS]
        title = f"{reading.column(table.numbers[i].name).capitalize()}{when}"
        labels = tuple(", ".join(row.keys[j] for j in of) for row in some)
        alt = f"{title}, by {' and '.join(reading.column(keys[j]) for j in of)}: " + "; ".join(
            f"{label} {row.numbers[i].n:,}" for label, row in zip(labels, some, strict=True)
        )
        values, before = tuple(row.numbers[i] for row in some), tuple(row.before[i] for row in some)
        made.append(Plot("bars", title, labels, values, before, f"{alt}."))
    return made


def last(keys: Sequence[str], rows: Sequence[Row]) -> tuple[list[Row], str]:
    """The rows of the last time, and which that is."""
    at = next((i for i, key in enumerate(keys) if key in reading.TIMES), None)
    if at is None:
        return list(rows), ""
    newest = max(str(row.raw[at]) for row in rows)
    return [row for row in rows if str(row.raw[at]) == newest], f", {reading.value(keys[at], newest)}"


def _matrix(table: Table, keys: Sequence[str], rows: Sequence[Row]) -> Plot:
    at = next(i for i, key in enumerate(keys) if key in reading.TIMES)
    of = keys.index("cohort")
    labels = list(dict.fromkeys(row.keys[at] for row in rows))
    cohorts = list(dict.fromkeys(row.keys[of] for row in sorted(rows, key=lambda row: str(row.raw[of]))))
    found = {(row.keys[of], row.keys[at]): row.numbers[0] for row in rows}
    values = tuple(found.get((cohort, label)) for cohort in cohorts for label in labels)
    alt = f"{table.title}: people by the month they were first seen in ({len(cohorts)} months, down), and the"
    return Plot("matrix", "People, by month first seen in", tuple(labels), values, (),
                f"{alt} month they came in ({len(labels)}, across); the numbers are in the table.",
                tuple(cohorts))  # fmt: skip


def _says(draft: Draft, table: Table, keys: Sequence[str], rows: Sequence[Row]) -> str:
    """What the chapter shows, in a sentence or two."""
    if not rows or not table.numbers:
        return "Nothing can be shown: no group was large enough."
    others = [key for key in keys if key not in reading.TIMES]
    newest, when = last(keys, rows)
    when = when.removeprefix(", ")
    if not others:
        row, said = newest[0], []
        for i, one in enumerate(table.numbers[:2]):
            changed = reading.change(row.numbers[i], row.before[i])
            year = f", {changed} on a year before" if changed else ""
            seen, name = row.numbers[i], reading.column(one.name)
            said.append(f"{seen.n:,} {name} ({reading.interval(seen)}{year})")
        return f"In {when}: {'; '.join(said)}."
    if "assuming" in keys:
        return _assuming(keys, newest, when)
    if "cohort" in keys:
        return "Each line is people first seen in one month; across, how many of them came again."
    top = sorted(newest, key=lambda row: -row.numbers[0].n)[:3]
    of = [i for i, key in enumerate(keys) if key in others]
    named = "; ".join(f"{', '.join(row.keys[i] for i in of)} {row.numbers[0].n:,}" for row in top)
    return f"In {when}, the largest by {reading.column(table.numbers[0].name)}: {named}."


def _assuming(keys: Sequence[str], rows: Sequence[Row], when: str) -> str:
    """Of totals with those who refused (S6): the bounds, and what holds if they are like the others."""
    of = {str(row.raw[keys.index("assuming")]): row.numbers[0] for row in rows}
    said = [f"between {of['none'].low:,} and {of['none'].high:,}, whatever they are"] if "none" in of else []
    said += (
        [f"about {of['alike'].n:,} ({reading.interval(of['alike'])}) if they are alike"]
        if "alike" in of
        else []
    )
    return f"In {when}, people with those who refused: {'; '.join(said)}."


def _cards(chapter: Chapter, several: bool) -> list[Card]:
    """Of a chapter over time alone: its first numbers, of the last month."""
    if any(key not in ("month", "quarter", "year") for key in chapter.keys) or not chapter.rows:
        return []
    row, where = chapter.rows[-1], [chapter.site] if several else []
    return [
        Card(reading.column(one.name), ", ".join((one.says, *row.keys, *where)), row.numbers[i],
             reading.change(row.numbers[i], row.before[i]))
        for i, one in enumerate(chapter.table.numbers[:3])
        if row.numbers[i].low and (i or chapter.table.name in ("growth", "adverts"))
    ]  # fmt: skip
