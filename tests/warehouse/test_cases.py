"""Golden cases of every report: few facts in a real lake, and the table that the job releases."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from pipelines import reports as job
from tests.warehouse.crowd import lay, read, withdraw
from warehouse import report as reports
from warehouse.released import Store
from warehouse.settings import Warehouse

HERE = Path(__file__).parent / "cases"
CASES = sorted(str(file.parent.relative_to(HERE)) for file in HERE.rglob("facts.csv"))
#: Persons of one case have numbers below this; those of the next are other people.
PEOPLE = 1000


def test_every_report_has_a_case_and_every_case_a_report() -> None:
    assert {case.split("/")[0] for case in CASES} == set(reports.load())
    assert {str(file.parent.relative_to(HERE)) for file in HERE.rglob("*.*")} == set(CASES)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Case → its report as CSV. Cases with the same settings are sites of one lake: a run costs seconds."""
    lakes: dict[Warehouse, dict[str, tuple[list[dict[str, Any]], list[int]]]] = defaultdict(dict)
    for place, case in enumerate(CASES):
        rows, said = read(HERE / case / "facts.csv")
        of_case = {"zone": said.pop("zone", "UTC")}
        gone = [number + place * PEOPLE for number in said.pop("withdrawn", [])]
        for row in rows:
            assert row["person"] < PEOPLE
            row |= of_case | {
                "site": f"{case} {row.get('site', 'market')}",
                "person": row["person"] + place * PEOPLE,
                # A view is of its person: two who send the same are a copy, which is no valid traffic.
                "ad_view": (row["person"] + place * PEOPLE) * 100 + int(row["ad_view"])
                if "ad_view" in row
                else None,
                "event_id": int(row["event_id"]) + place * PEOPLE if "event_id" in row else None,
            }
        how = {"min_group": 1, "dominance": 100, "perturb": False} | said
        lakes[Warehouse(**how)][case] = rows, gone
    found = {}
    for settings, cases in lakes.items():
        data = tmp_path_factory.mktemp("cases")
        lay(data, [row for rows, _ in cases.values() for row in rows])
        withdraw(data, [number for _, gone in cases.values() for number in gone])
        job.run(data, settings)
        store = Store.open(data)
        found |= {case: table(store, case) for case in cases}
        store.close()
    return found


def table(store: Store, case: str) -> str:
    """What was released of a case's own sites, sorted."""
    rows = store.connection.execute(
        f"SELECT * REPLACE (substr(site, {len(case) + 2}) AS site) FROM {case.split('/')[0]}"
        f" WHERE site LIKE '{case} %' ORDER BY ALL"
    )
    assert rows.description
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(column[0] for column in rows.description)
    lines.writerows(rows.fetchall())
    return out.getvalue()


@pytest.mark.requirement("M47", "M52")
@pytest.mark.parametrize("case", CASES)
def test_a_report_of_few_facts(case: str, released: dict[str, str]) -> None:
    assert released[case] == (HERE / case / "expect.csv").read_text()
