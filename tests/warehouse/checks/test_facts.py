"""Facts that should not be stop what is made of them; each file is looked at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from consent_filter.counts import Counts, Key
from consent_filter.purpose import Purpose
from pipelines import publish
from tests.warehouse.sample import DAY, Event, batch
from tests.warehouse.tables import fill
from warehouse import snapshot
from warehouse.checks import facts, runs
from warehouse.checks.expectations import validate
from warehouse.lake import Lake
from warehouse.settings import Warehouse

CANARY = "canary-4711"


def put(name: str, value: object) -> Callable[[pa.Table], pa.Table]:
    """A fault: that column of the first row holds this."""

    def change(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index(name)
        values = table[name].to_pylist()
        return table.set_column(at, name, pa.array([value, *values[1:]], table.schema.field(at).type))

    return change


def old(table: pa.Table) -> pa.Table:
    at = table.schema.get_field_index("received")
    long_ago = pc.subtract(table["received"], pa.scalar(800 * 86_400_000, pa.duration("ms")))
    return table.set_column(at, "received", long_ago)


#: What is planted → the expectation that must fail.
PLANTED: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "another column": (lambda t: t.append_column("agent", pa.array([CANARY] * len(t))), "columns_not_named"),
    "no site": (put("site", None), "values_missing"),
    "no policy": (put("policy", None), "values_missing"),
    "no such purpose": (put("purposes", 1 << 30 | 1), "purposes_unknown"),
    "gender without its purpose": (put("gender", "female"), "rows_outside_their_purposes"),
    "an advert in a measured row": (put("ad_slot", "top"), "rows_outside_their_purposes"),
    "a version without an identifier": (
        lambda t: put("browser_version", "140")(put("treatment", "cookieless")(t)),
        "rows_too_fine",
    ),
    "mail in a path": (put("path", f"/{CANARY}@example.com"), "values_like_an_address"),
    "an address in a name": (put("name", "192.0.2.7"), "values_like_an_address"),
    "an event twice": (put("event_id", 2), "ids_twice"),
    "too old": (old, "rows_too_old"),
    "before the web": (put("day", 10), "days_out_of_range"),
}


def lay(data: Path, *faults: Callable[[pa.Table], pa.Table]) -> None:
    """One commit of two facts, changed as a fault of the filter or of a job would."""
    table = pa.Table.from_batches([batch([Event(1, 11), Event(2, 12)])])
    for fault in faults:
        table = fault(table)
    lake = Lake.open(data, write=True)
    assert lake is not None
    folder, prefix = lake.room()
    file = folder / f"{prefix}.parquet"
    pq.write_table(table, file)
    counts = Counts()
    for outcome in ("received", "stored"):
        counts[Key("market", DAY, "beacon", "DE", outcome, "", "")] = 2
    lake.commit([], {}, counts, {("market", DAY): 2})
    lake.connection.execute(
        "CALL ducklake_add_data_files('lake', 'events', [?], ignore_extra_columns => true)", [str(file)]
    )
    lake.close()


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """By the fault: the row of the control table."""
    found = {}
    for name, (fault, _) in PLANTED.items():
        data = tmp_path_factory.mktemp("planted")
        lay(data, fault)
        lake = Lake.open(data)
        assert lake is not None
        (found[name],) = facts.control(lake)
        lake.close()
    return found


@pytest.mark.parametrize("name", PLANTED)
def test_a_fault_is_found(name: str, planted: dict[str, dict[str, Any]]) -> None:
    assert [at for at in facts.EXPECTED if planted[name][at]] == [PLANTED[name][1]]


def test_every_fault_is_named_without_a_value(planted: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """All of them in one run of the suite, which takes a second whatever it looks at."""
    outcome = validate(facts.SUITE, [*planted.values()], tmp_path / "docs")
    assert not outcome.ok
    assert outcome.docs is not None
    for _, column in PLANTED.values():
        assert any(said.startswith(facts.EXPECTED[column]) for said in outcome.failures)
    assert CANARY not in Path(outcome.docs).read_text() + str(outcome.failures)


def test_good_facts_pass_and_are_not_looked_at_again(tmp_path: Path) -> None:
    lay(tmp_path, put("purposes", int(Purpose.MEASUREMENT | Purpose.GENDER)), put("gender", "male"))
    lake = Lake.open(tmp_path)
    assert lake is not None
    (row,) = facts.control(lake)
    assert not [at for at in facts.EXPECTED if row[at]]
    assert facts.control(lake, {row["file"]}) == []
    lake.close()


def test_bad_facts_hold_the_publication_until_they_are_gone(tmp_path: Path) -> None:
    fill(tmp_path, days=3)
    lay(tmp_path)
    assert publish.run(tmp_path, Warehouse()).changed
    docs = snapshot.folder(tmp_path) / "validation"
    assert len(runs.seen(docs)) == 1
    lay(tmp_path, put("gender", "female"))
    fill(tmp_path, days=4)
    for _ in range(2):
        held = publish.run(tmp_path, Warehouse())
        assert not held.changed
        assert held.failures[0].startswith(facts.EXPECTED["rows_outside_their_purposes"])
    assert len(runs.seen(docs)) == 1
    lake = Lake.open(tmp_path, write=True)
    assert lake is not None
    lake.connection.execute("DELETE FROM lake.events WHERE gender IS NOT NULL")
    lake.connection.execute("CALL ducklake_rewrite_data_files('lake', 'events', delete_threshold => 0)")
    lake.close()
    assert publish.run(tmp_path, Warehouse()).changed
    found = runs.past(docs)
    assert [bool(one["failures"]) for one in found if one["suite"] == "facts"] == [False, True, False]
    assert all((docs / one["page"]).is_file() for one in found if one["failures"])
