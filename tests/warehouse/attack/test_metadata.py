"""Metadata: the bytes of files, and the words and the time of refusals, say no more than what is shown (S19).

Worlds that differ only in what is hidden are told apart by nothing that anyone has.
"""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consent_filter.errors import Broken, Refused
from consent_filter.site import Site
from dashboards.packs.files import csv
from pipelines import drafting, publish, reports
from tests.dashboards.asking import asking
from tests.warehouse.crowd import Row, lay, milliseconds
from tests.warehouse.tables import fill
from warehouse import budget, draft, snapshot
from warehouse.attack.beside import beside, clean
from warehouse.draft import Number
from warehouse.period import read as period
from warehouse.release_settings import Release
from warehouse.released import Store
from warehouse.settings import Warehouse

#: Without noise, which would hide from the test what it is about.
HOW = Warehouse(perturb=False)
#: Pages that a few saw each, in two worlds: other names, other sizes, the same number of people.
HIDDEN = (
    {"/aaaa": 3, "/canary-bbb": 4, "/c": 6},
    {"/canary-whose-name-is-so-long-that-a-file-would-be-longer-by-it": 2, "/x": 5, "/yy": 6},
)


def world(hidden: dict[str, int]) -> list[Row]:
    """A day of a site: two pages that many saw, and some that few did."""
    pages = [*["/"] * 60, *["/projects"] * 25, *(path for path, n in hidden.items() for _ in range(n))]
    return [{"person": 100 + n, "path": path, "time": "2026-09-01 12:00"} for n, path in enumerate(pages)]


def published(data: Path, hidden: dict[str, int]) -> dict[str, bytes]:
    """The files of a publication as anyone may read them."""
    lay(data, world(hidden))
    reports.run(data, HOW)
    store = Store.open(data)
    made = snapshot.publish(data, HOW, store, now=milliseconds("2026-09-02 12:00") / 1000)
    store.close()
    assert made is not None
    return {file.name: file.read_bytes() for file in (data / "published" / "1").iterdir()}


def said(data: Path) -> dict[str, list[str]]:
    """Every row of the published database, as text, but for when a version of a day was made."""
    con = duckdb.connect(str(data / "published" / "1" / "reports.duckdb"), read_only=True)
    names = [name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
    found = {}
    for name in names:
        rest = "* EXCLUDE made_at" if name == "restatements" else "*"
        found[name] = sorted(map(str, con.execute(f"SELECT {rest} FROM {name}").fetchall()))
    con.close()
    return found


#: What a reader asks for: pages, tables in each form, a picture, and something that is hidden.
ASKED = (
    "/?period=28", "/report/pages", "/csv/pages.csv", "/files/pages.xlsx", "/files/pages.parquet",
    "/files/pages.png", "/files/curve.png?show=people", "/report/pages?where=path:/x", "/pages", "/sources",
)  # fmt: skip


#: When a day's version was made, and the word of a form, which is its session's.
_MADE = re.compile(rb'\d\d:\d\d|name="word" value="\w+"')


def answers(data: Path) -> dict[str, tuple[int, str, bytes]]:
    """What each says, how it may be cached, and how long it is; asked twice, as a cache could tell."""
    found = {}
    with asking(data, warehouse=HOW) as pages:
        for address in ASKED * 2:
            said = pages.get(address)
            # A page's tag is of the page itself, which says when it was made, and of its form's word.
            head = sorted(one for one in said.headers.items() if one[0] not in ("date", "etag"))
            told = _MADE.sub(b"", said.content)
            old = found.setdefault(address, (said.status_code, str(head), told))
            assert old == (said.status_code, str(head), told), address
    assert any(status == 200 for status, _, _ in found.values())
    return found


@pytest.mark.requirement("S19")
def test_worlds_that_differ_in_what_is_hidden_are_the_same_files(tmp_path: Path) -> None:
    """Planted: files that are made of a table's rows and names before some are folded."""
    one, two = (published(tmp_path / str(at), hidden) for at, hidden in enumerate(HIDDEN))
    shown = pq.read_table(tmp_path / "0" / "published" / "1" / "pages.parquet").to_pylist()
    assert {row["path"]: row["people"] for row in shown} == {"/": 60, "/projects": 25, "(other)": 13}
    assert one.keys() == two.keys()
    tables = [name for name in one if name.endswith(".parquet")]
    assert len(tables) > 30
    assert [name for name in tables if one[name] != two[name]] == []
    assert [name for name in tables if beside(one[name])] == []
    first, second = (answers(tmp_path / str(at)) for at in range(2))
    for address in ASKED:
        assert first[address] == second[address], address
    # The database and the manifest say when they were made: all else of them is the same.
    assert len(one["reports.duckdb"]) == len(two["reports.duckdb"])
    assert len(one["manifest.json"]) == len(two["manifest.json"])
    assert said(tmp_path / "0") == said(tmp_path / "1")
    for files in (one, two):
        assert not any(b"canary" in data for data in files.values())


def drawn(*hidden: str) -> pa.Table:
    """A table of a draft as a careless job may hand it on: its column knows words of rows that are gone, and
    its schema where it came from."""
    words = pa.array(["DE"] * 3 + ["FR"] + list(hidden)).dictionary_encode()
    n = pa.array([120, 90, 70, 60] + [3] * len(hidden))
    table = pa.table({"country": words, "people": n, "people_low": n, "people_high": n})
    return table.slice(0, 4).replace_schema_metadata({"made_of": ", ".join(hidden)})


@pytest.mark.requirement("S19", "M89")
def test_a_table_s_file_is_made_of_its_cells_alone(tmp_path: Path) -> None:
    """Planted: words that were taken out stand in the Parquet file's dictionary and in its schema."""
    number = Number(name="people", says="", most=1, scale=1.0, clipped=0.0)
    said = {
        "title": "", "doc": "", "method": "", "purpose": "measurement", "keys": ("country",),
        "numbers": (number,), "held_back": None, "cells": 1, "least": 50, "rho": 0.1, "delta": 0.0,
    }  # fmt: skip
    hidden = ("canary-one", "canary-whose-name-is-longer"), ()
    made = [draft.table_of(tmp_path, drawn(*words), name=f"t{n}", **said) for n, words in enumerate(hidden)]
    one, two = ((tmp_path / f"t{n}.parquet").read_bytes() for n in range(2))
    assert one == two
    assert made[0].sha256 == made[1].sha256 == hashlib.sha256(one).hexdigest()
    assert csv(one) == csv(two)
    assert b"canary" not in one
    assert beside(one) == []
    (plain,) = {str(kind) for kind in pq.read_table(tmp_path / "t0.parquet").schema.types[:1]}
    assert plain == "string"


@pytest.mark.requirement("S19", "M89")
def test_what_stands_in_a_file_beside_its_cells_is_found_and_stops_a_pack() -> None:
    """Leaks of other makers than ours: words, notes, and the statistics of what was there."""
    leaks = {
        "words that no cell has": drawn("canary-one"),
        "its schema has notes": drawn().replace_schema_metadata({"made_of": "canary"}),
        "a column has notes": pa.table(
            [pa.array([60])], schema=pa.schema([pa.field("people", pa.int64(), metadata={"of": "canary"})])
        ),
    }
    for says, leak in leaks.items():
        out = io.BytesIO()
        pq.write_table(leak, out, compression="zstd")
        assert any(says in one for one in beside(out.getvalue()))
        with pytest.raises(Broken, match=says) as broken:
            clean("countries", out.getvalue())
        assert "canary" not in str(broken.value)


@pytest.mark.requirement("S19")
def test_what_holds_a_publication_is_said_alike_however_few_they_are(tmp_path: Path) -> None:
    """A row of too few, which checks find, and a rest of too few, which an attack finds. Planted: a failure
    that says of how many."""
    for statement in (
        "UPDATE devices SET people = {few} WHERE day = '2026-11-22' AND device = 'tablet'",
        "UPDATE countries SET people = people - (SELECT sum(c.people) - any_value(t.people) + {few}"
        " FROM countries c JOIN traffic_day t USING (site, day) WHERE day = '2026-11-20')"
        " WHERE day = '2026-11-20' AND country = 'DE'",
    ):
        found = []
        for few in (4, 9):
            data = tmp_path / f"{few}-{len(statement)}"
            fill(data, days=3)
            store = Store.open(data)
            store.connection.execute(statement.format(few=few))
            store.close()
            done = publish.run(data, HOW)
            assert not done.changed
            held = snapshot.held(data)
            assert held is not None
            assert done.failures == held["failures"]
            found.append(done.failures)
        assert found[0]
        assert found[0] == found[1]


@pytest.mark.requirement("S19", "M54")
@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"now": "2026-10-05 12:00"}, "period_open"),
        ({"audience": "public", "settings": Release(shares={"growth": 0.0})}, "audience"),
        ({"sites": ["elsewhere"]}, "site"),
        ({"settings": Release(rho_month=0.2, rho_year=0.2)}, "budget_spent"),
    ],
)
def test_a_draft_is_refused_without_a_look_at_facts(
    tmp_path: Path, wish: dict[str, object], code: str
) -> None:
    """So neither its words nor how long it takes can tell of them: facts that no one can read are as good as
    none. Planted: counting first, and then looking whether enough budget is left."""
    said = []
    for at, rows in enumerate(([], world(HIDDEN[0]))):
        data = tmp_path / str(at)
        data.mkdir()
        if rows:
            lay(data, rows)
            for file in (data / "lake").rglob("*.parquet"):
                file.write_bytes(b"no file of ours")
        more = {"now": "2026-10-20 12:00", "audience": "investors", "settings": Release()} | wish
        with pytest.raises(Refused) as refused:
            drafting.run(
                data, str(more["audience"]), period("2026-Q3"), (Site(id="market"),),
                more["settings"], None, sites=more.get("sites", ()),  # type: ignore[arg-type]
                now=milliseconds(str(more["now"])) / 1000,
            )  # fmt: skip
        said.append((refused.value.status, refused.value.code, refused.value.message))
        assert not budget.states(data)
    assert said[0][1] == code
    assert said[0] == said[1]
