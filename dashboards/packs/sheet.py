"""The report as a workbook: a sheet a table, numbers as numbers, and nothing that a spreadsheet would run."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from typing import Any

import xlsxwriter

from dashboards.packs import explaining, reading
from dashboards.packs.story import Chapter, Story

#: Texts stay texts: from data nothing becomes a formula or a link.
_PLAIN = {
    "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
}  # fmt: skip
_BAD = re.compile(r"[\[\]:*?/\\']")


def xlsx(story: Story) -> bytes:
    """The workbook. The same story gives the same bytes: its date is the draft's."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, _PLAIN) as book:
        book.set_properties({
            "title": f"{story.title}, {reading.span(story.period)}", "author": "Throng",
            "comments": explaining.front(story)[1],
            "created": datetime.fromtimestamp(int(story.draft.made_at), UTC).replace(tzinfo=None),
        })  # fmt: skip
        book.set_size(2400, 1400)
        formats = {
            "title": book.add_format({"bold": True, "font_size": 16}),
            "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
            "number": book.add_format({"num_format": "#,##0"}),
            "soft": book.add_format({"num_format": "#,##0", "font_color": "#5a6660"}),
            "share": book.add_format({"num_format": "+0.0%;-0.0%"}),
            "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
        }
        _about(book, formats, story)
        names = {"About", "Definitions"}
        for chapter in story.chapters:
            _sheet(book, formats, _name(explaining.head(story, chapter), names), chapter)
        _definitions(book, formats, story)
    return out.getvalue()


def _name(wanted: str, taken: set[str]) -> str:
    """A name that a sheet may have, and none has yet."""
    plain = _BAD.sub(" ", wanted).strip()[:28] or "Table"
    name, n = plain, 1
    while name.lower() in {one.lower() for one in taken}:
        n += 1
        name = f"{plain[:26]} {n}"
    taken.add(name)
    return name


def _about(book: Any, formats: dict[str, Any], story: Story) -> None:
    sheet = book.add_worksheet("About")
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 100)
    sheet.write_string(0, 0, f"{story.title}, {reading.span(story.period)}", formats["title"])
    row = 2
    for line in explaining.front(story):
        sheet.write_string(row, 0, line, formats["wrap"])
        row += 1
    row += 1
    for head, text in explaining.how(story):
        sheet.write_string(row, 0, head, formats["head"])
        sheet.write_string(row + 1, 0, text, formats["wrap"])
        row += 3
    for line in explaining.checked(story):
        sheet.write_string(row, 0, line, formats["wrap"])
        row += 1


def _sheet(book: Any, formats: dict[str, Any], name: str, chapter: Chapter) -> None:
    """Each number with its interval, and the year before where there is one. The head stays in sight."""
    sheet = book.add_worksheet(name)
    heads = [reading.column(key) for key in chapter.keys]
    for one in chapter.table.numbers:
        said = reading.column(one.name)
        heads += [said, f"{said}, at least", f"{said}, at most"]
        if chapter.compared:
            heads += [f"{said}, a year before", f"{said}, change"]
    for at, head in enumerate(heads):
        sheet.write_string(0, at, head, formats["head"])
    for number, row in enumerate(chapter.rows, 1):
        for at, key in enumerate(row.keys):
            sheet.write_string(number, at, key)
        at = len(row.keys)
        for seen, old in zip(row.numbers, row.before, strict=True):
            sheet.write_number(number, at, seen.n, formats["number"])
            sheet.write_number(number, at + 1, seen.low, formats["soft"])
            sheet.write_number(number, at + 2, seen.high, formats["soft"])
            at += 3
            if chapter.compared:
                _year(sheet, formats, number, at, seen, old)
                at += 2
    sheet.freeze_panes(1, len(chapter.keys))
    sheet.autofilter(0, 0, max(len(chapter.rows), 1), len(heads) - 1)
    sheet.set_column(0, len(chapter.keys) - 1, 20)
    sheet.set_column(len(chapter.keys), len(heads) - 1, 14)
    sheet.set_landscape()
    sheet.repeat_rows(0)
    sheet.fit_to_pages(1, 0)


def _year(sheet: Any, formats: dict[str, Any], row: int, at: int, seen: Any, old: Any) -> None:
    if old is None:
        return
    sheet.write_number(row, at, old.n, formats["number"])
    if reading.change(seen, old).endswith("%"):
        sheet.write_number(row, at + 1, (seen.n - old.n) / old.n, formats["share"])
    else:
        sheet.write_string(row, at + 1, reading.change(seen, old))


def _definitions(book: Any, formats: dict[str, Any], story: Story) -> None:
    """Method, noise, definitions, consent and versions, one under the other."""
    sheet = book.add_worksheet("Definitions")
    sheet.set_column(0, 6, 26)
    row = 0
    for line in explaining.method(story):
        sheet.merge_range(row, 0, row, 6, "", formats["wrap"])
        sheet.write_string(row, 0, line, formats["wrap"])
        sheet.set_row(row, 32)
        row += 1
    for title, columns, rows in explaining.tables(story):
        sheet.write_string(row + 1, 0, title, formats["title"])
        for at, column in enumerate(columns):
            sheet.write_string(row + 2, at, column, formats["head"])
        for number, cells in enumerate(rows, row + 3):
            for at, cell in enumerate(cells):
                sheet.write_string(number, at, cell, formats["wrap"])
        row += 4 + len(rows)
