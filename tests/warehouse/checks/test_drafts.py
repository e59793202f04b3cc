"""A draft that is not what it says of itself goes nowhere."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from warehouse import draft as drafts
from warehouse.checks import drafts as checks
from warehouse.draft import Draft, Number, Table

GOOD = {
    "month": ["2026-07", "2026-08", "2026-09"],
    "people": [1200, 1300, 1250],
    "people_low": [1180, 1280, 1230],
    "people_high": [1220, 1320, 1270],
}
#: What is planted → the expectation that must fail.
PLANTED: dict[str, tuple[dict[str, list[object]], str]] = {
    "a column more": ({"views": [1, 2, 3]}, "columns_not_named"),
    "a person": ({"person": [1, 2, 3]}, "columns_that_single_out"),
    "too few": ({"people": [49, 1300, 1250], "people_low": [0, 1280, 1230]}, "rows_of_too_few_people"),
    "outside of its interval": ({"people": [1221, 1300, 1250]}, "intervals_wrong"),
    "negative": ({"people_low": [-1, 1280, 1230]}, "numbers_negative"),
    "none": ({"people_high": [None, 1320, 1270]}, "values_missing"),
    "twice": ({"month": ["2026-07", "2026-07", "2026-09"]}, "rows_twice"),
    "mail": ({"month": ["a@b.example", "2026-08", "2026-09"]}, "values_like_an_address"),
    "no number": ({"people": ["1200", "1300", "1250"]}, "columns_of_wrong_type"),
    "fewer": ({name: values[:2] for name, values in GOOD.items()}, "rows_miscounted"),
}


def lay(data: Path, columns: dict[str, list[object]], scale: float = 10.0) -> Draft:
    number = Number(name="people", says="people", most=1, scale=scale, clipped=0.0)
    table = Table(
        name="growth", title="Growth", doc="", method="", purpose="measurement", keys=("month",),
        numbers=(number,), rows=3, held_back=0, cells=3, least=50, rho=0.01, delta=0.0, sha256="",
    )  # fmt: skip
    one = Draft(
        id="d", audience="investors", period="2026-Q3", sites=("market",), made_at=0.0, confidence=0.95,
        tables=(table,),
    )  # fmt: skip
    where = drafts.folder(data) / one.id
    where.mkdir(parents=True)
    pq.write_table(pa.table(columns), where / "growth.parquet")
    return one


def found(data: Path, one: Draft) -> list[str]:
    (row,) = checks.control(data, one)
    return [name for name in checks.EXPECTED if row[name]]


def test_a_good_draft_passes(tmp_path: Path) -> None:
    assert found(tmp_path, lay(tmp_path, dict(GOOD))) == []


@pytest.mark.parametrize("name", PLANTED)
def test_a_fault_is_found(name: str, tmp_path: Path) -> None:
    change, column = PLANTED[name]
    assert column in found(tmp_path, lay(tmp_path, {**GOOD, **change}))


def test_a_number_without_noise_is_found(tmp_path: Path) -> None:
    assert found(tmp_path, lay(tmp_path, dict(GOOD), scale=0.0)) == ["numbers_without_noise"]
