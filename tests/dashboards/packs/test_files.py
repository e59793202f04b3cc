"""The files of a pack: the same bytes each time, nothing a spreadsheet would run, nothing from outside."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pypdf
import pytest

from dashboards.packs import reading
from dashboards.packs.drawing import svg
from dashboards.packs.files import csv as as_csv
from dashboards.packs.files import files
from dashboards.packs.reading import Seen
from dashboards.packs.story import Story, tell
from tests import drafts
from tests.dashboards.test_pages import Page
from warehouse import draft
from warehouse.pack import Given, Ground, Revision

TERMS = "For assessing an investment; not to be passed on."
ONLY = ("growth", "countries", "retention")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Story, dict[str, bytes]]:
    """A quarter of two sites, one of them named to be awkward, and the quarter a year before."""
    data = tmp_path_factory.mktemp("drafts")
    sites = ("market", "=cmd|'/c calc'!A1")
    now = drafts.make(data, sites=sites, only=ONLY)
    old = drafts.make(data, "investors-2025-Q3-1", of="2025-Q3", sites=sites, size=41_000, seed=2, only=ONLY)
    story = tell(
        now, {one: draft.table(data, now.id, one) for one in ONLY},
        given=Given("fund", "investor", "US", "T-7", TERMS), called="The Fund & Sons <Ltd>",
        revisions=[Revision(1, "a", "ab" * 32, "", 1_790_000_000_000),
                   Revision(2, now.id, "cd" * 32, "robots were counted", 1_791_000_000_000)],
        grounds=[Ground("market", "workallies-2024 1", "EU", "US", "clauses (2021/914)", "2030-01-01")],
        earlier={one: draft.table(data, old.id, one) for one in ONLY},
        compared={"release": old.id, "draft": "ef" * 32}, key="thumbprint",
    )  # fmt: skip
    where = draft.folder(data) / now.id
    drafted = {one: (where / f"{one}.parquet").read_bytes() for one in ONLY}
    return story, files(story, drafted)


@pytest.mark.requirement("S16")
def test_the_same_story_gives_the_same_bytes(told: tuple[Story, dict[str, bytes]]) -> None:
    """Whenever it is rendered: between the two lie a few seconds."""
    story, made = told
    again = files(story, {one: made[f"tables/{one}.parquet"] for one in ONLY})
    assert sorted(made) == sorted(
        ["README.txt", "index.html", "report.pdf", "report.xlsx"]
        + [f"tables/{one}.{kind}" for one in ONLY for kind in ("csv", "parquet")]
    )
    assert [name for name in made if made[name] != again[name]] == []


@pytest.mark.requirement("S19")
def test_no_file_of_a_pack_is_longer_by_what_is_not_in_it(told: tuple[Story, dict[str, bytes]]) -> None:
    """Paper, page and workbook are made of what is told of the cells alone, so that their sizes are, too.
    Planted: tables that know words of rows that were taken out, as columns that were cut do."""
    story, made = told
    plain = {one: pq.read_table(io.BytesIO(made[f"tables/{one}.parquet"])) for one in ONLY}
    cut = {}
    for name, table in plain.items():
        columns = [
            pa.array([*column.to_pylist(), "canary-whose-name-is-long"]).dictionary_encode()[:-1]
            if pa.types.is_string(column.type) else column
            for column in table.columns
        ]  # fmt: skip
        cut[name] = pa.table(columns, names=table.column_names).replace_schema_metadata({"of": "canary"})
    first, second = tell(story.draft, plain), tell(story.draft, cut)
    assert first == second
    assert "canary" not in repr(second)


@pytest.mark.requirement("M54", "M91")
def test_paper_page_and_sheet_say_the_same(told: tuple[Story, dict[str, bytes]]) -> None:
    """Terms, versions, method, errors, consent, policy, and each number beside its interval."""
    _, made = told
    paper = "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(made["report.pdf"])).pages)
    page = "\n".join(Page(made["index.html"].decode()).text)
    book = openpyxl.load_workbook(io.BytesIO(made["report.xlsx"]))
    sheet = "\n".join(
        str(cell.value) for one in book for row in one.iter_rows() for cell in row if cell.value
    )
    for text in (paper, page, sheet):
        plain = " ".join(text.split())
        for said in (
            "Third quarter of 2026",
            "T-7",
            TERMS,
            "robots were counted",
            "workallies-2024/1",
            "consent",
            "clauses (2021/914)",
            "Germany",
            "no clear change",
            "How" if text is not sheet else "not exact",
        ):
            assert said in plain, said  # fmt: skip
        assert "<Ltd>" in plain
    first = pq.read_table(io.BytesIO(made["tables/growth.parquet"])).to_pylist()[0]
    assert f"{first['people']:,}" in paper
    assert f"{first['people_low']:,} to {first['people_high']:,}" in page


def test_each_page_of_paper_says_whose_it_is(told: tuple[Story, dict[str, bytes]]) -> None:
    _, made = told
    reader = pypdf.PdfReader(io.BytesIO(made["report.pdf"]))
    assert all("T-7" in page.extract_text() for page in reader.pages)
    fonts = {str(font) for page in reader.pages for font in page["/Resources"]["/Font"]}  # type: ignore[index]
    assert fonts
    assert reader.metadata is not None
    assert reader.metadata.title == "Investor report, Third quarter of 2026"


def test_the_workbook_runs_nothing(told: tuple[Story, dict[str, bytes]]) -> None:
    _, made = told
    book = openpyxl.load_workbook(io.BytesIO(made["report.xlsx"]))
    assert book.sheetnames[0] == "About"
    assert "Definitions" in book.sheetnames
    numbers = 0
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type in "sn", f"{sheet.title} {cell.coordinate}: {cell.data_type}"
                assert cell.hyperlink is None
                numbers += cell.data_type == "n" and cell.value is not None
    assert numbers > 100
    assert all(book[name].freeze_panes for name in book.sheetnames[1:-1])


def test_csv_is_as_rfc_4180_has_it_and_runs_nothing() -> None:
    sink = io.BytesIO()
    rows = {"site": ["=1+1", "@x", "-2", 'a "quoted", one', "Łódź"], "people": [1, 2, 3, 4, 5]}
    pq.write_table(pa.table(rows), sink)
    data = as_csv(sink.getvalue())
    lines = data.decode("utf-8").split("\r\n")
    assert lines[-1] == ""
    assert "\n" not in data.decode().replace("\r\n", "")
    read = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert [row[0] for row in read] == ["site", "'=1+1", "'@x", "'-2", 'a "quoted", one', "Łódź"]


def test_the_page_needs_nobody_else(told: tuple[Story, dict[str, bytes]]) -> None:
    """Under its own policy nothing is fetched, no script can run, and no style but its own holds."""
    _, made = told
    text = made["index.html"].decode()
    page = Page(text)
    assert all(lead.startswith("#") for lead in page.leads)
    policy = next(
        one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert not page.all("script")
    assert not any("style" in attributes for _, attributes in page.tags)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    drawn = [one for one in page.all("svg") if one.get("role") == "img"]
    assert drawn
    assert all(len(one["aria-label"]) > 20 for one in drawn)
    assert all("scope" in one for one in page.all("th"))
    ids = [one["id"] for _, one in page.tags if "id" in one]
    assert len(ids) == len(set(ids))
    assert {lead[1:] for lead in page.leads} <= set(ids)
    assert not re.search(r"https?://(?!127)", text)


def test_a_change_that_noise_could_have_made_is_none() -> None:
    assert reading.change(Seen(110, 100, 120), Seen(100, 90, 110)) == "no clear change"
    assert reading.change(Seen(130, 120, 140), Seen(100, 90, 110)) == "+30.0 %"
    assert reading.change(Seen(70, 60, 80), Seen(100, 90, 110)) == "−30.0 %"
    assert reading.change(Seen(70, 60, 80), None) == ""
    assert reading.earlier("month", "2026-07") == "2025-07"
    assert reading.earlier("begins", "2026-07-06") == "2025-07-07"
    assert reading.earlier("country", "DE") == "DE"


def test_the_year_before_stands_beside_the_same_row(
    told: tuple[Story, dict[str, bytes]], tmp_path: Path
) -> None:
    story, _ = told
    growth = next(one for one in story.chapters if one.table.name == "growth")
    assert growth.compared
    assert [row.raw[0] for row in growth.rows] == ["2026-07", "2026-08", "2026-09"]
    drafts.make(tmp_path, "old", of="2025-Q3", sites=story.draft.sites, size=41_000, seed=2, only=ONLY)
    old = {(r["site"], r["month"]): r["people"] for r in draft.table(tmp_path, "old", "growth").to_pylist()}
    for row in growth.rows:
        before = row.before[0]
        assert before is not None
        assert before.n == old[growth.site, str(row.raw[0]).replace("2026", "2025")]
    assert svg(growth.plots[0], 1).count('class="old"') == 3


def test_a_draft_without_rows_says_so(tmp_path: Path) -> None:
    made = drafts.make(tmp_path, only=("growth",), sites=())
    empty = pa.table({name: pa.array([], pa.int64()) for name in
                      ("site", "month", *(f"{n}{end}" for n in ("people", "known", "fresh")
                                          for end in ("", "_low", "_high")))})  # fmt: skip
    story = tell(made, {"growth": empty})
    assert story.cards == ()
    assert b"preview" in files(story, {})["index.html"]
