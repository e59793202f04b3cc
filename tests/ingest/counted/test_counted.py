"""What other tools have counted: each tool's files as they are, and the rows that come of them, as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from consent_filter.errors import Refused
from consent_filter.site import Site
from ingest.counted import READERS
from ingest.counted.table import KEYS, NUMBERS, cleaned, country
from ingest.scrub import Scrub
from throng.counted_options import TOOLS
from warehouse import imported
from warehouse import report as reports

CASES = Path(__file__).parent / "cases"
SITE = Site(id="shop", origins=("https://shop.example",), paths=("/u/{user}",))
#: What the files hold of somebody; nothing that comes of them does.
PLANTED = ("ann", "bob", "example.org", "Berlin")


def lines(tool: str) -> str:
    """Every row as a line: report, day, keys, numbers."""
    said = []
    for name, rows in sorted(
        cleaned(READERS[tool].read([*sorted((CASES / tool).iterdir())]), Scrub(SITE)).items()
    ):
        for row in rows.sort_by([(one, "ascending") for one in ("day", *KEYS[name])]).to_pylist():
            numbers = ", ".join(f"{n} {row[n]}" for n in NUMBERS if row.get(n) is not None)
            said.append(f"{name}  {row['day']}  {' | '.join(row[key] for key in KEYS[name])}  {numbers}")
    return "\n".join(said) + "\n"


@pytest.mark.parametrize("tool", TOOLS)
def test_each_tool_is_read_as_it_always_was_and_names_nobody(tool: str) -> None:
    found = lines(tool)
    assert found == (CASES / f"{tool}.txt").read_text()
    assert not [word for word in PLANTED if word in found]


def test_tools_and_columns_are_those_that_are_there() -> None:
    assert tuple(READERS) == TOOLS
    assert imported.NUMBERS == NUMBERS
    for name, keys in KEYS.items():
        assert tuple(key for key in reports.load()[name].keys if key not in ("site", "day")) == keys


@pytest.mark.parametrize(
    ("tool", "name", "text", "why"),
    [
        ("plausible", "export.zip", "no zip", "not a ZIP"),
        ("plausible", "imported_pages_20260801_20260801.csv", "page,views\n/a,1\n", "no columns date"),
        ("matomo", "pages.json", "{}", "name a file after its method"),
        ("matomo", "Actions.getPageUrls.json", '{"result": "error", "message": "ann"}', "period=day"),
        ("matomo", "Actions.getPageUrls.json", '[{"label": "/ann"}]', "period=day"),
        ("ga4", "a.csv", "Page path,Views\n/ann,1\n", "no column Date"),
        ("ga4", "a.csv", "Date,Page path,Views\n20260801,/ann,1\n", "Active users"),
        ("ga4", "a.csv", "Date,Country,Browser,Active users\n20260801,DE,Chrome,1\n", "make none of"),
        ("ga4", "a.csv", "Date,Active users\n2026080,1\n", "dates are neither"),
        ("bigquery", "a.json", '{"event_name": "ann"}\n', "line 1 is no event"),
        ("bigquery", "a.json", "ann\n", "line 1 is no event"),
    ],
)
def test_what_is_no_export_is_refused_without_a_word_of_it(
    tool: str, name: str, text: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(Refused) as error:
        cleaned(READERS[tool].read([tmp_path / name]), Scrub(SITE))
    assert why in error.value.message
    assert "ann" not in error.value.message


def test_countries_by_name() -> None:
    names = [
        "Germany",
        "United States",
        "United Kingdom",
        "Türkiye",
        "South Korea",
        "Côte d’Ivoire",
        "fr",
        "Mars",
    ]
    assert [country(name) for name in names] == ["DE", "US", "GB", "TR", "KR", "CI", "FR", "ZZ"]
