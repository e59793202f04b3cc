"""What each rule filters and what it leaves, as rows of text; whatever the number of buckets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from msgspec import structs

from consent_filter.errors import Misconfigured
from tests.warehouse.crowd import events, read
from warehouse.invalid import rules
from warehouse.invalid.judging import judge
from warehouse.lake import TABLES
from warehouse.relations import Bucket, Days, hold, offer_withdrawn
from warehouse.report import Report

HERE = Path(__file__).parent / "cases"
CASES = sorted(file.stem for file in HERE.glob("*.csv"))
#: A report that reads `adverts`; `value` is the number of a row.
READS = Report(
    name="reads",
    title="",
    doc="",
    owner="",
    purpose="ad_measurement",
    keys=("site", "day"),
    sums=("n",),
    caps={"n": 1},
    sql="SELECT site, day, person, count(value) AS n FROM adverts GROUP BY ALL",
)


_VIEW = "site, day, person, ad_view"
_CLICKED = (
    "FROM events WHERE type = 'ad_click' UNION ALL (SELECT * FROM events SEMI JOIN (SELECT"
    f" {_VIEW} FROM events WHERE type = 'ad_click') USING ({_VIEW}) WHERE type = 'ad_impression')"
)


def verdicts(
    rows: list[dict[str, Any]],
    of: int = 1,
    version: int | None = None,
    *,
    apart: bool = False,
    clicks: bool = False,
) -> dict[int, str | None]:
    """Number of a row → why it is invalid, in so many buckets. `apart`: each day by itself. `clicks`: of
    clicks alone, judged by them and the impressions of their views, as paths look back (`paths.py`)."""
    con = duckdb.connect(config={"threads": 1})
    try:
        hold(
            con,
            "facts_of",
            pa.Table.from_batches([events([row | {"value": n} for n, row in enumerate(rows)])]),
        )
        columns = ", ".join(f"{name} {kind}" for name, kind in TABLES["received"].items())
        con.execute(f"CREATE TEMP TABLE balance_of ({columns})")
        offer_withdrawn(con, np.zeros(0, np.uint64))
        days = [day for (day,) in con.execute("SELECT DISTINCT day FROM facts_of").fetchall()]
        said = None if version is None else dict.fromkeys(days, version)
        found: dict[int, str | None] = {}
        for some in [[day] for day in days] if apart else [days]:
            relations = Days(con, "facts_of", "balance_of", some, many=200, judged=said)
            for number in range(of):
                relations.move(Bucket(number, of), [READS])
                relations.show(READS)
                if clicks:
                    con.execute(f"CREATE OR REPLACE TEMP TABLE few AS {_CLICKED}")
                    judge(con, "facts_of", some, ["value", "type"], said, of="few", into="adverts")
                where = "WHERE type = 'ad_click'" if clicks else ""
                told = con.execute(f"SELECT value, invalid FROM adverts {where}").fetchall()
                found |= {int(n): why for n, why in told}
        return found
    finally:
        con.close()


@pytest.mark.requirement("M44")
@pytest.mark.parametrize("case", CASES)
def test_what_a_rule_filters(case: str) -> None:
    rows, _ = read(HERE / f"{case}.csv")
    found = verdicts(rows)
    assert verdicts(rows, of=8) == found
    assert verdicts(rows, apart=True) == found, "which days are judged together must not show"
    few = verdicts(rows, clicks=True)
    assert few == {n: found[n] for n in few}, "a click needs its view's impressions, and nothing else"
    said = [{**row, "expect": found[n]} for n, row in enumerate(rows)]
    assert said == [{**row, "expect": row.get("expect")} for row in rows]


def test_every_rule_has_a_case() -> None:
    told = {row.get("expect") for case in CASES for row in read(HERE / f"{case}.csv")[0]}
    assert {rule.id for one in rules.load().values() for rule in one.rules} <= told


def test_the_order_of_rows_says_nothing() -> None:
    rows, _ = read(HERE / "clicks.csv")
    forth = verdicts(rows)
    back = verdicts(rows[::-1])
    assert [back[len(rows) - 1 - n] for n in range(len(rows))] == [forth[n] for n in range(len(rows))]


def test_a_report_for_another_purpose_does_not_read_adverts() -> None:
    with pytest.raises(Misconfigured, match="ad_measurement"):
        structs.replace(READS, purpose="measurement")


@pytest.mark.parametrize(
    "rule",
    [
        "",
        'id="abc", ground="general", when="1; DROP", doc="", source=""',
        'id="abc", ground="general", when="(SELECT 1)", doc="", source=""',
        'id="A", ground="general", when="true", doc="", source=""',
        'id="abc", ground="vague", when="true", doc="", source=""',
    ],
)
def test_rules_that_cannot_be_are_refused(rule: str) -> None:
    with pytest.raises(Misconfigured):
        rules.parse("rules", f"version = 1\nfrom = 2026-01-01\nrules = [{{{rule}}}]")
