"""A table as a workbook: numbers as numbers, days as days, and nothing that a spreadsheet would run."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date, datetime

import pyarrow as pa
import xlsxwriter

#: Texts stay texts: nothing of a table becomes a formula or a link.
_PLAIN = {
    "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
    "default_date_format": "yyyy-mm-dd",
}  # fmt: skip
#: Rows that a sheet can hold, one of them the head.
MOST = 1_048_575


def xlsx(table: pa.Table, heads: Sequence[str], about: Sequence[str], made: datetime) -> bytes:
    """The table on one sheet, what it is on another. The same table gives the same bytes: `made` is when it
    was published."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, _PLAIN) as book:
        book.set_properties({"title": about[0], "author": "Throng", "created": made.replace(tzinfo=None)})
        head = book.add_format({"bold": True, "bottom": 1})
        number, day = (
            book.add_format({"num_format": "#,##0"}),
            book.add_format({"num_format": "yyyy-mm-dd"}),
        )
        sheet = book.add_worksheet("Table")
        for at, (name, kind) in enumerate(zip(heads, table.schema.types, strict=True)):
            sheet.write_string(0, at, name, head)
            sheet.set_column(at, at, 12 if pa.types.is_integer(kind) or pa.types.is_date(kind) else 28)
        for at, column in enumerate(table.slice(0, MOST).columns):
            for row, value in enumerate(column.to_pylist(), 1):
                if isinstance(value, int | float) and not isinstance(value, bool):
                    sheet.write_number(row, at, value, number)
                elif isinstance(value, date):
                    sheet.write_datetime(row, at, value, day)
                elif value is not None:
                    sheet.write_string(row, at, str(value))
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, max(min(table.num_rows, MOST), 1), len(heads) - 1)
        words = book.add_worksheet("About")
        words.set_column(0, 0, 110)
        wrap = book.add_format({"text_wrap": True, "valign": "top"})
        for row, line in enumerate(about):
            words.write_string(row, 0, line, wrap)
    return out.getvalue()
