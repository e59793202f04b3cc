"""A publication that fails its checks: the last good one stays, and everybody is told why."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.dashboards.asking import asking
from tests.throng.conftest import Throng
from tests.warehouse.tables import fill
from warehouse import snapshot
from warehouse.checks import tables
from warehouse.released import Store

#: A pseudonym's value in the planted column: to be seen nowhere.
CANARY = "4711471147114711"
#: What is planted → what is said of it.
PLANTED = {
    f"ALTER TABLE pages ADD COLUMN person UBIGINT DEFAULT {CANARY}": (
        f"{tables.EXPECTED['columns_that_single_out']}: not so in pages"
    ),
    "UPDATE balance SET stored = stored + 1": f"{tables.EXPECTED['rows_absurd']}: not so in balance",
}


def plant(data: Path, *statements: str) -> None:
    """Change released tables as a fault would."""
    store = Store.open(data)
    for statement in (*statements, "UPDATE done_to SET version = version + 1"):
        store.connection.execute(statement)
    store.close()


@pytest.mark.parametrize("statement", PLANTED)
def test_it_is_said_by_the_command_by_status_on_the_pages_and_in_docs(
    statement: str, tmp_path: Path, throng: Throng
) -> None:
    data, why = tmp_path / "data", PLANTED[statement]
    fill(data, days=3)
    good = throng("publish")
    assert (good.code, good.err) == (0, "")
    assert throng("status").code == 0
    before = snapshot.manifest(data)
    plant(data, statement)

    held = throng("publish")
    assert held.code == 1
    assert f"not published: {why}\n" in held.err
    assert "the last good generation stays" in held.err

    status = throng("status")
    assert status.code == 1
    assert re.search(r"HELD BACK +since \d{4}-\d\d-\d\d .* what is published stays", status.out)
    assert why in status.out
    found = json.loads(throng("status", "--format", "json").out)
    assert why in found["held"]["failures"]
    assert found["published"] == before

    docs = Path(found["held"]["docs"])
    assert str(docs) in status.out
    page = docs.read_text()
    assert "Content-Security-Policy" in page
    column = next(name for name, says in tables.EXPECTED.items() if why.startswith(says))
    assert column in page

    noted = throng("quality")
    assert noted.code == 1
    assert re.search(rf"released tables +\d+ looked at +STOPPED\n(?: .*\n)* +{re.escape(why)}", noted.out)
    (first, *_) = json.loads(throng("quality", "--format", "json").out)
    assert (first["suite"], first["stop"]) == ("released tables", True)
    assert why in first["failures"]

    with asking(data) as pages:
        overview, about = pages.get("/").text, pages.get("/about").text
        assert why in pages.get("/quality").text
    assert "A newer publication is held back" in overview
    assert '<a href="/about#held">Why</a>' in overview
    assert why in about
    assert str(docs.resolve()) in about

    (name,) = [word for word in ("pages", "balance") if word in why]
    con = duckdb.connect(str(data / "published" / "reports.duckdb"), read_only=True)
    columns = [row[0] for row in con.execute(f"DESCRIBE {name}").fetchall()]
    con.close()
    assert "person" not in columns
    for said in (held.err, status.out, page, overview, about):
        assert CANARY not in said

    plant(
        data,
        "ALTER TABLE pages DROP COLUMN IF EXISTS person",
        "UPDATE balance SET stored = received - refused",
    )
    assert throng("publish").code == 0
    status = throng("status")
    assert status.code == 0
    assert "HELD" not in status.out
    assert json.loads(throng("status", "--format", "json").out)["published"]["generation"] == 2


def test_a_check_that_fails_asks_nobody_outside_and_measures_nobody(tmp_path: Path) -> None:
    """Nor does one that passes: neither looks up a name, nor opens a connection, whoever is asked to."""
    fill(tmp_path, days=3)
    script = f"""
import os, sys
def watch(event, arguments):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.bind"):
        os.write(2, b"REACHED OUT " + repr((event, arguments)).encode())
        os._exit(3)
sys.addaudithook(watch)
from pathlib import Path
from tests.throng.test_held import PLANTED, plant
from throng.main import main
data = Path({str(tmp_path)!r})
assert main(["publish", "--data", str(data)]) == 0
plant(data, *PLANTED)
assert main(["publish", "--data", str(data)]) == 1
assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
assert "posthog" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "REACHED OUT" not in done.stderr
