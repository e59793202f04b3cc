"""The next publication is attacked on the days that changed; what succeeds holds it, and says where (S19)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from pipelines import publish
from tests.warehouse.tables import fill
from warehouse import snapshot
from warehouse.attack import publication
from warehouse.attack.linkage import FILE
from warehouse.released import Store
from warehouse.settings import Warehouse

#: Without noise, so that what is planted is what is found.
HOW = Warehouse(perturb=False)
#: One row of a day loses some people: the total of the day less its rows is four of them then.
FEW = (
    "UPDATE countries SET people = people - (SELECT sum(c.people) - any_value(t.people) + 4"
    " FROM countries c JOIN traffic_day t USING (site, day) WHERE day = '2026-11-20')"
    " WHERE day = '2026-11-20' AND country = 'DE'"
)


def change(data: Path, statement: str, reason: str = "") -> None:
    """Change released tables as a run of the reports would."""
    store = Store.open(data)
    store.connection.execute(statement)
    store.connection.execute("UPDATE done_to SET version = version + 1")
    if reason:
        store.connection.execute(
            "INSERT INTO restatements VALUES"
            " ('market', '2026-11-20', 2, TIMESTAMP '2100-01-01', ?, NULL, true)",
            [reason],
        )
    store.close()


def attacked(data: Path) -> list[str]:
    store = Store.open(data)
    try:
        return publication.before_publication(data, HOW, store)
    finally:
        store.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three days of a market that was published."""
    fill(tmp_path, days=3)
    store = Store.open(tmp_path)
    snapshot.publish(tmp_path, HOW, store)
    store.close()
    return tmp_path


@pytest.mark.requirement("S19")
def test_a_rest_that_is_too_small_holds_the_publication_and_is_named(data: Path) -> None:
    change(data, FEW)
    done = publish.run(data, HOW)
    assert not done.changed
    held = snapshot.held(data)
    assert held is not None
    assert held["failures"] == done.failures
    assert (
        "attack margin: countries: site market, day 2026-11-20:"
        " the total in traffic_day less the rows that are shown is a group too small"
    ) in done.failures
    assert not any(" 4 " in said for said in done.failures)
    told = publication.last(data)
    assert told is not None
    assert told.days == 1
    change(data, "UPDATE countries SET people = people + 30 WHERE day = '2026-11-20' AND country = 'DE'")
    assert publish.run(data, HOW).changed


@pytest.mark.requirement("S19", "S1")
def test_who_left_alone_is_found_in_every_generation_that_readers_may_have(data: Path) -> None:
    moment = (data / "published" / "1").stat().st_mtime
    change(data, "UPDATE traffic_day SET views = views + 1 WHERE day = '2026-11-21'")
    store = Store.open(data)
    snapshot.publish(data, HOW, store)
    store.close()
    os.utime(data / "published" / "1", (moment, moment))
    one_less = "UPDATE {} SET people = people - 1 WHERE day = '2026-11-20'"
    change(data, one_less.format("traffic_day"), "new_events")
    assert attacked(data) == []
    change(data, one_less.format("devices") + " AND device = 'mobile'", "restated")
    said = attacked(data)
    assert "attack update: devices: site market, day 2026-11-20, device mobile: since" in "".join(said)
    told = publication.last(data)
    assert told is not None
    assert {"traffic_day", "devices"} <= {one.report for one in told.findings if one.attack == "update"}


def test_all_days_of_a_total_are_looked_at_whatever_day_has_changed(data: Path) -> None:
    old = (
        "INSERT INTO custom_events (site, day, type, name, people, events)"
        " VALUES ('market', '2026-02-03', 'event', '{}', 40, 40)"
    )
    change(data, old.format("experiment"))
    change(data, old.format("sign_up"))
    store = Store.open(data)
    snapshot.publish(data, HOW, store)
    store.connection.execute("UPDATE traffic_day SET views = views + 1 WHERE day = '2026-11-21'")
    store.connection.execute("UPDATE done_to SET version = version + 1")
    evidence, days = publication.gather(data, HOW, store)
    found = evidence.rows("SELECT DISTINCT name FROM now_custom_events WHERE day = '2026-02-03'")
    evidence.close()
    store.close()
    assert (days, found) == (1, [{"name": "experiment"}])


def test_a_new_rule_makes_everything_anew_and_is_no_comparison(data: Path) -> None:
    change(data, "UPDATE traffic_day SET people = people - 1", "restated")
    manifest = data / "published" / "1" / snapshot.MANIFEST
    made = json.loads(manifest.read_text())
    made["made_of"]["definitions"] = "others"
    manifest.write_text(json.dumps(made))
    assert attacked(data) == []
    told = publication.last(data)
    assert told is not None
    assert told.days == -1


@pytest.mark.requirement("M97")
def test_public_facts_are_read_into_memory_only(data: Path) -> None:
    (data / FILE).write_text("user,site,day,act\nposter77,market,2026-11-20,last_login\n")
    change(data, "UPDATE pages SET path = '/u/Poster77' WHERE path = '/pricing'")
    (said,) = attacked(data)
    assert said.startswith("attack names: pages")
    for file in data.rglob("*.json"):
        assert "poster77" not in file.read_text().lower()
    assert b"poster77" not in msgspec.json.encode(publication.last(data)).lower()
