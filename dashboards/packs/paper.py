"""The report on paper: a cover with what matters, chapters with plots, then method, errors and history."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import matplotlib
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Frame,
    KeepTogether,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from dashboards.packs import explaining, plots, reading
from dashboards.packs.ink import Drawn
from dashboards.packs.reading import Seen
from dashboards.packs.story import Chapter, Plot, Story, last

WIDE, HIGH = A4
_SIDE, _TOP, _FOOT = 57, 60, 56
_ROOM = WIDE - 2 * _SIDE
_INK, _SOFT, _LINE, _MAIN = map(HexColor, (plots.INK, plots.SOFT, plots.LINE, plots.MAIN))
#: Rows of a table on paper (the sheet has all of them), and months side by side.
_ROWS, _ACROSS = 16, 4


@cache
def _fonts() -> None:
    """The fonts that come with the plots' library: the same on every machine, with letters of all Europe."""
    where = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for name, file in (("Text", "STIXGeneral"), ("Text-Bold", "STIXGeneralBol"),
                       ("Text-Italic", "STIXGeneralItalic"),
                       ("Sans", "DejaVuSans"), ("Sans-Bold", "DejaVuSans-Bold")):  # fmt: skip
        pdfmetrics.registerFont(TTFont(name, str(where / f"{file}.ttf")))
    pdfmetrics.registerFontFamily(
        "Text", normal="Text", bold="Text-Bold", italic="Text-Italic", boldItalic="Text-Bold"
    )
    pdfmetrics.registerFontFamily(
        "Sans", normal="Sans", bold="Sans-Bold", italic="Sans", boldItalic="Sans-Bold"
    )


def _style(name: str, font: str, size: float, lead: float, **more: Any) -> ParagraphStyle:
    return ParagraphStyle(name, fontName=font, fontSize=size, leading=lead, **({"textColor": _INK} | more))


_BODY = _style("body", "Text", 10.5, 14.5, spaceAfter=7)
_LEAD = _style("lead", "Text", 12.5, 17, spaceAfter=8)
_SMALL = _style("small", "Text", 9, 12, spaceAfter=4, textColor=_SOFT)
_H1 = _style("h1", "Text-Bold", 20, 24, spaceBefore=14, spaceAfter=6)
_H2 = _style("h2", "Text-Bold", 13, 17, spaceBefore=10, spaceAfter=4)
_SHORT = _style("short", "Text", 9.6, 12.4, spaceAfter=3)
_CELL = _style("cell", "Sans", 7.2, 9.6)
_HEAD = _style("head", "Sans-Bold", 7.2, 9.6)
_NUMBER = _style("number", "Sans", 7.2, 9.6, alignment=TA_RIGHT)
_RULES = TableStyle([
    ("LINEBELOW", (0, 0), (-1, 0), 0.8, _INK), ("LINEBELOW", (0, 1), (-1, -1), 0.3, _LINE),
    ("LEFTPADDING", (0, 0), (-1, -1), 0), ("RIGHTPADDING", (0, 0), (-1, -1), 5),
    ("TOPPADDING", (0, 0), (-1, -1), 2.4), ("BOTTOMPADDING", (0, 0), (-1, -1), 2.8),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
])  # fmt: skip
_HEADNUMBER = _style("headnumber", "Sans-Bold", 7.2, 9.6, alignment=TA_RIGHT)


def pdf(story: Story) -> bytes:
    """The whole report. The same story gives the same bytes."""
    _fonts()
    out = io.BytesIO()
    document = BaseDocTemplate(
        out, pagesize=A4, title=f"{story.title}, {reading.span(story.period)}", author="Throng", lang="en",
        subject=explaining.terms(story), creator="Throng", invariant=1, pageCompression=1,
        leftMargin=_SIDE, rightMargin=_SIDE, topMargin=_TOP, bottomMargin=_FOOT,
    )  # fmt: skip
    frame = Frame(_SIDE, _FOOT, _ROOM, HIGH - _TOP - _FOOT, 0, 0, 0, 0)
    low = Frame(_SIDE, _FOOT, _ROOM, HIGH - 300 - _FOOT, 0, 0, 0, 0)
    document.addPageTemplates([
        PageTemplate("cover", low, onPage=lambda canvas, _: _cover(canvas, story)),
        PageTemplate("page", frame, onPage=lambda canvas, _: _margin(canvas, story)),
    ])  # fmt: skip
    flow: list[Any] = [*_front(story), NextPageTemplate("page"), PageBreak(), *_how(story)]
    for chapter in story.chapters:
        flow.append(KeepTogether(_chapter(story, chapter)))
    flow += [PageBreak(), *_back(story)]
    document.build(flow)
    return out.getvalue()


def _cover(canvas: Canvas, story: Story) -> None:
    canvas.saveState()
    canvas.setFillColor(_MAIN)
    canvas.rect(0, HIGH - 262, WIDE, 262, stroke=0, fill=1)
    canvas.setFillColorRGB(1, 1, 1)
    for x, y, r in ((_SIDE + 5, HIGH - 58, 5), (_SIDE + 23, HIGH - 58, 5), (_SIDE + 14, HIGH - 71, 6)):
        canvas.circle(x, y, r, stroke=0, fill=1)
    canvas.setFont("Sans-Bold", 9)
    canvas.drawString(_SIDE + 40, HIGH - 68, ", ".join(story.draft.sites))
    canvas.setFont("Text-Bold", 38)
    canvas.drawString(_SIDE, HIGH - 160, story.title)
    canvas.setFont("Text", 20)
    canvas.drawString(_SIDE, HIGH - 190, reading.span(story.period))
    canvas.setFont("Text-Italic", 12)
    canvas.drawString(_SIDE, HIGH - 214, reading.days(story.period))
    _foot(canvas, story)
    canvas.restoreState()


def _margin(canvas: Canvas, story: Story) -> None:
    canvas.saveState()
    canvas.setFont("Sans", 7)
    canvas.setFillColor(_SOFT)
    canvas.drawString(_SIDE, HIGH - 42, f"{story.title} · {reading.span(story.period)}")
    canvas.drawRightString(WIDE - _SIDE, HIGH - 42, ", ".join(story.draft.sites))
    canvas.setStrokeColor(_LINE)
    canvas.setLineWidth(0.5)
    canvas.line(_SIDE, HIGH - 49, WIDE - _SIDE, HIGH - 49)
    _foot(canvas, story)
    canvas.restoreState()


def _foot(canvas: Canvas, story: Story) -> None:
    """On every page: for whom and what for (M91)."""
    said = Paragraph(escape(explaining.terms(story)), _style("foot", "Sans", 6.6, 8.8, textColor=_SOFT))
    _, tall = said.wrap(_ROOM - 60, 40)
    said.drawOn(canvas, _SIDE, 44 - tall)
    canvas.setFont("Sans", 7)
    canvas.setFillColor(_SOFT)
    canvas.drawRightString(WIDE - _SIDE, 36, str(canvas.getPageNumber()))


def _front(story: Story) -> list[Any]:
    """Key figures, and what this is."""
    made: list[Any] = []
    big = _style("big", "Text-Bold", 23, 27)
    cells = [
        [
            Paragraph(escape(card.says.capitalize()), _style("of", "Sans-Bold", 7.6, 10, textColor=_MAIN)),
            Paragraph(reading.whole(card.seen.n), big),
            Paragraph(f"{reading.interval(card.seen)}", _style("iv", "Sans", 6.8, 9, textColor=_SOFT)),
            Paragraph(escape(_year(card.change)), _style("ch", "Sans", 6.8, 9)),
            Paragraph(escape(card.about), _style("ab", "Sans", 6.4, 8.6, textColor=_SOFT)),
        ]
        for card in story.cards
    ]
    if cells:
        rows = [[*cells[i : i + 3], "", ""][:3] for i in range(0, len(cells), 3)]
        grid = Table(rows, colWidths=[_ROOM / 3] * 3)
        grid.setStyle(TableStyle([
            ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 12), ("TOPPADDING", (0, 0), (-1, -1), 8),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 9), ("LINEABOVE", (0, 0), (-1, -1), 0.6, _LINE),
        ]))  # fmt: skip
        made += [grid, Spacer(1, 10)]
    made += [Paragraph(escape(line), _BODY) for line in explaining.front(story)]
    made += [Spacer(1, 4), Paragraph("In short", _H2)]
    made += [
        Paragraph(f"<b>{escape(explaining.head(story, one))}.</b> {escape(one.says)}", _SHORT)
        for one in story.chapters[:9]
    ]
    return made


def _year(changed: str) -> str:
    return f"{changed} on a year before" if changed else ""


def _how(story: Story) -> list[Any]:
    made: list[Any] = [Paragraph("How to read these numbers", _H1)]
    for head, text in explaining.how(story):
        made.append(KeepTogether([Paragraph(escape(head), _H2), Paragraph(escape(text), _BODY)]))
    return made


def _chapter(story: Story, chapter: Chapter) -> list[Any]:
    head = explaining.head(story, chapter)
    made: list[Any] = [
        Paragraph(escape(head), _H1),
        Paragraph(escape(chapter.says), _LEAD),
        *_drawn(chapter.plots),
    ]
    if chapter.plots:
        made.append(Paragraph(escape(explaining.legend(chapter)), _SMALL))
    made += [Spacer(1, 4), *_table(chapter), Spacer(1, 6), Paragraph(escape(chapter.table.doc), _BODY)]
    made.append(Paragraph(escape(explaining.held_back(chapter.table)), _SMALL))
    return made


def _drawn(some: tuple[Plot, ...]) -> list[Any]:
    """Three, or two, side by side where they are small; else each over the whole width."""
    if not some:
        return []
    if some[0].kind == "matrix":
        return [Drawn(plots.figure(one, _ROOM, _tall(one)), "Sans", "Sans-Bold") for one in some]
    across = 3 if len(some) == 3 else 2
    wide = (_ROOM - 18 * (across - 1)) / across
    tall = 132 if some[0].kind == "time" else _tall(some[0])
    sized = [Drawn(plots.figure(one, wide, tall), "Sans", "Sans-Bold") for one in some]
    rows = [(sized[i : i + across] + [""] * across)[:across] for i in range(0, len(sized), across)]
    grid = Table(rows, colWidths=[wide + 18] * (across - 1) + [wide])
    grid.setStyle(TableStyle([("LEFTPADDING", (0, 0), (-1, -1), 0), ("RIGHTPADDING", (0, 0), (-1, -1), 0),
                              ("TOPPADDING", (0, 0), (-1, -1), 0),
                              ("BOTTOMPADDING", (0, 0), (-1, -1), 8)]))  # fmt: skip
    return [grid]


def _tall(plot: Plot) -> float:
    return 44 + 15 * (len(plot.rows) or len(plot.labels))


def _table(chapter: Chapter) -> list[Any]:
    """The numbers: months side by side where nothing else is a key, else the rows of the last month."""
    if not chapter.rows:
        return []
    times = [key for key in chapter.keys if key in reading.TIMES]
    if len(times) == len(chapter.keys) and len(chapter.rows) <= _ACROSS:
        head = ["", *(row.keys[0] if row.keys else "" for row in chapter.rows)]
        cells = [
            [Paragraph(escape(reading.column(one.name).capitalize()), _HEAD)]
            + [_cell(row.numbers[i], row.before[i]) for row in chapter.rows]
            for i, one in enumerate(chapter.table.numbers)
        ]
        return [_ruled(head, cells, 1)]
    newest, when = last(chapter.keys, chapter.rows) if times else (list(chapter.rows), "")
    shown = [at for at, key in enumerate(chapter.keys) if key not in times]
    if not shown:  # many weeks or months
        newest, when, shown = list(chapter.rows), "", list(range(len(chapter.keys)))
    few, narrow = newest[:_ROWS], len(chapter.table.numbers) > 2
    head = [reading.column(chapter.keys[at]).capitalize() for at in shown]
    for one in chapter.table.numbers:
        head.append(reading.column(one.name).capitalize())
        head += [] if narrow else ["interval"] + ["change"] * chapter.compared
    cells = []
    for row in few:
        cells.append([Paragraph(escape(row.keys[at]), _CELL) for at in shown])
        for seen, old in zip(row.numbers, row.before, strict=True):
            if narrow:
                cells[-1].append(_cell(seen, old))
                continue
            said = [
                reading.whole(seen.n),
                f"<font size=5.8 color={plots.SOFT}>{reading.interval(seen)}</font>",
            ]
            said += [f"<font size=5.8>{reading.change(seen, old)}</font>"] * chapter.compared
            cells[-1] += [Paragraph(one, _NUMBER) for one in said]
    more = len(chapter.rows) - len(few)
    notes = [f"{when.removeprefix(', ')}." if when else ""]
    notes += [f"{more} more rows are in report.xlsx and in the tables."] if more else []
    note_ = " ".join(note for note in notes if note)
    return [_ruled(head, cells, len(shown)), *([Paragraph(note_, _SMALL)] if note_ else [])]


def _cell(seen: Seen, old: Seen | None) -> Any:
    """A number, the interval under it, and how it has changed."""
    soft = f"<font size=5.8 color={plots.SOFT}>{reading.interval(seen)}</font>"
    changed = reading.change(seen, old)
    year = f"<br/><font size=5.8>{changed} on {old.n:,}</font>" if old and changed else ""
    return Paragraph(f"{seen.n:,}<br/>{soft}{year}", _NUMBER)


def _ruled(head: list[str], cells: list[list[Any]], keys: int) -> Any:
    """A table under thin lines; `keys` columns at the left, numbers at the right."""
    first = [Paragraph(escape(one), _HEAD if at < keys else _HEADNUMBER) for at, one in enumerate(head)]
    shares = [1.7 if one == "interval" else 1.0 for one in head[keys:]]
    wide = min(100.0, _ROOM * 0.24)
    rest = (_ROOM - wide * keys) / (sum(shares) or 1)
    made = Table([first, *cells], colWidths=[wide] * keys + [rest * one for one in shares], repeatRows=1)
    made.setStyle(_RULES)
    return made


def _back(story: Story) -> list[Any]:
    """Method and errors, whose words counted, on what it stands, versions, and how it is checked."""
    made: list[Any] = [Paragraph("Method and errors", _H1)]
    made += [Paragraph(escape(line), _BODY) for line in explaining.method(story)]
    for head, columns, rows in explaining.tables(story):
        made += [CondPageBreak(110), Paragraph(escape(head), _H2), _plain(columns, rows), Spacer(1, 8)]
    made.append(CondPageBreak(160))
    made.append(Paragraph("How this is checked", _H2))
    made += [Paragraph(escape(line), _BODY) for line in explaining.checked(story)]
    return made


def _plain(columns: list[str], rows: list[list[str]]) -> Any:
    """Texts, each column as wide as its longest needs."""
    cells = [[Paragraph(escape(one), _HEAD) for one in columns]]
    cells += [[Paragraph(escape(one), _CELL) for one in row] for row in rows]
    longest = [max(len(word) for row in [columns, *rows] for word in row[at].split() or [""])
               for at in range(len(columns))]  # fmt: skip
    least = [min(5.3 * one + 6, _ROOM / 3) for one in longest]
    more = [min(max(len(row[at]) for row in [columns, *rows]), 60) for at in range(len(columns))]
    spare = (_ROOM - sum(least)) / sum(more)
    wide = [one + spare * many for one, many in zip(least, more, strict=True)]
    made = Table(cells, colWidths=wide, repeatRows=1)
    made.setStyle(_RULES)
    return made
