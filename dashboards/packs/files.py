"""The files of a pack: one story on paper, as a workbook, as a page, and each table as it was drafted."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pyarrow.parquet as pq

from dashboards.packs import explaining, reading
from dashboards.packs.page import html
from dashboards.packs.paper import pdf
from dashboards.packs.sheet import xlsx
from dashboards.packs.story import Story
from warehouse.answer import render

_READ = """\
{title}, {span}
{line}
{terms}

report.pdf     to read and to print
index.html     the same as a page: opens in any browser, fetches nothing
report.xlsx    a sheet a table, with definitions
tables/        each table as CSV (RFC 4180, UTF-8) and as Parquet, as it was drafted
manifest.json  what is in here, on which terms and of what it is made, signed

A number n has an interval beside it: n_low to n_high holds the exact one with a confidence of {percent}.
"How to read these numbers" is in index.html and report.pdf.

To check that nothing was changed, without network:  throng release verify PACK --key KEY
"""


def files(story: Story, drafted: Mapping[str, bytes]) -> dict[str, bytes]:
    """Name → bytes: the same for the same story. `drafted`: the Parquet files of the draft, by table."""
    title, span = story.title, reading.span(story.period)
    made = {
        "index.html": html(story),
        "report.pdf": pdf(story),
        "report.xlsx": xlsx(story),
        "README.txt": _READ.format(
            title=title, span=span, line="=" * (len(title) + len(span) + 2), terms=explaining.terms(story),
            percent=story.percent,
        ).encode(),
    }  # fmt: skip
    for name, data in drafted.items():
        made[f"tables/{name}.parquet"] = data
        made[f"tables/{name}.csv"] = csv(data)
    return made


def csv(parquet: bytes) -> bytes:
    """A drafted table as CSV: CRLF as RFC 4180 has it, and no cell that a spreadsheet would run."""
    lines = render(pq.read_table(io.BytesIO(parquet)), "csv", for_spreadsheets=True)
    return lines.replace(b"\n", b"\r\n")
