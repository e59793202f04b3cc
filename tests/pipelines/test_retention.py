"""Forgetting by degrees, read from the Parquet files at each age; and what reports are made of them then."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from consent_filter.fields import EVENT
from consent_filter.holds import Holds
from consent_filter.ledger import Ledger
from consent_filter.purpose import Purpose
from pipelines import expire, keeping
from pipelines import reports as job
from pipelines.settings import Pipelines
from tests.pipelines.test_reports import Tables, tables
from tests.warehouse.crowd import lay, person
from tests.warehouse.sample import found, left_over
from warehouse import report as reports
from warehouse.finest import standing
from warehouse.lake import Lake
from warehouse.purges import Mark, coarse, purges
from warehouse.settings import Warehouse

HOW = Warehouse(min_group=4, perturb=False, dominance=100)
FEW = Pipelines(open_files=4)
#: Monday.
FIRST = date(2026, 9, 7)
START = datetime(2026, 9, 7, tzinfo=UTC).timestamp()
DAY = 86_400.0
AGREED = {"because": "workallies-2024.opt_in.agreed", "policy": "workallies-2024/1", "basis": "consent"}
#: What a device and a place say, one of them rare.
DEVICES = [
    {
        "browser": "Firefox",
        "browser_version": "128",
        "os": "Windows",
        "os_version": "11",
        "device": "desktop",
    },
    {"browser": "Chrome", "browser_version": "129", "os": "Android", "os_version": "14", "device": "mobile"},
    {"browser": "Chrome", "browser_version": "77", "os": "Android", "os_version": "9", "device": "mobile"},
]
PLACES = [
    {"continent": "EU", "country": "DE", "region": "BE", "network": "residential"},
    {"continent": "EU", "country": "DE", "region": "BY", "network": "mobile"},
    {"continent": "EU", "country": "FR", "region": "IDF", "network": "business"},
]


def crowd() -> list[dict[str, Any]]:
    """Twelve people on three days: pages over a full hour, and steps whose order an hour hides."""
    rows = []
    for day in range(3):
        for number in range(12):
            if (number + day) % 4 == 3:
                continue
            who = {
                "person": number,
                **AGREED,
                **DEVICES[number % 3],
                **PLACES[number % 2 or number // 11 * 2],
            }
            who |= {
                "utm_source": "news",
                "utm_medium": "mail",
                "utm_campaign": "may",
                "utm_term": f"t{number}",
            }
            who |= {"referrer_group": "mail", "props": f'{{"n":{number}}}'}
            at = f"2026-09-{7 + day:02d}"
            for minute, path in ((f"10:{40 + number}", "/projects/:id/bids"), ("11:05", "/about/us")):
                rows.append(who | {"time": f"{at} {minute}", "path": path})
            name = ("post_project", "sign_up")
            for minute, what in zip(("11:06", "11:20"), name if number % 2 else name[::-1], strict=True):
                rows.append(who | {"time": f"{at} {minute}", "type": "event", "name": what})
    return rows


def stored(data: Path) -> pa.Table:
    """All facts, from the files and nothing else; nothing but those files is in the folder."""
    assert left_over(data) == set()
    files = sorted((data / "lake" / "files").rglob("main/events/*.parquet"))
    return pa.concat_tables([EVENT.empty_table(), *(pq.read_table(file, schema=EVENT) for file in files)])


def age(data: Path, days: int, **more: Any) -> expire.Expired:
    """What a run does when the third day is so many days old."""
    return expire.run(data, FEW, START + (days + 2) * DAY, **more)


def finest(facts: pa.Table) -> dict[str, Any]:
    """What the files still tell: of the time, and which of the columns that decay have values."""
    steps = {"ms": 1, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
    told: dict[str, Any] = {}
    for name in ("time", "received"):
        at = facts[name].cast(pa.int64()).to_numpy()
        told[name] = [step for step, n in steps.items() if not (at % n).any()][-1] if len(at) else None
    names = ("country", "continent", "region", "network", "browser", "browser_version", "os_version", "props")
    told["has"] = {name for name in (*names, "utm_term", "path") if facts[name].null_count < len(facts)}
    told["paths"] = set(facts["path"].to_pylist()) - {None}
    told["treatment"] = set(facts["treatment"].to_pylist())
    by = facts.select(["person", "day"]).group_by(["person"]).aggregate([("day", "count_distinct")])
    told["days of a person"] = max(by["day_count_distinct"].to_pylist(), default=0)
    told["people"] = len(set(zip(facts["person"].to_pylist(), facts["day"].to_pylist(), strict=True)))
    return told


def risk(facts: pa.Table) -> float:
    """The share of rows that nothing stored is shared by: alone in all that could be known from outside."""
    skip = {"person", "event_id", "purposes", "because", "policy", "signal", "basis"}
    rows = [tuple(row.items()) for row in facts.select([n for n in EVENT.names if n not in skip]).to_pylist()]
    many = Counter(rows)
    return sum(n == 1 for n in many.values()) / len(rows) if rows else 0.0


ALL_OF_THEM = {
    "country",
    "continent",
    "region",
    "network",
    "browser",
    "browser_version",
    "os_version",
    "props",
}
PATHS = {"/projects/:id/bids", "/about/us"}
_LATER = {"country", "continent", "browser", "path"}
#: Age in days → what the pack's schedule leaves, as a lawyer would read it off the pack.
SCHEDULE: dict[int, dict[str, Any]] = {
    1: {"time": "minute", "has": {*ALL_OF_THEM, "utm_term", "path"}, "days of a person": 3, "people": 27},
    88: {"time": "minute", "has": {*ALL_OF_THEM, "utm_term", "path"}, "days of a person": 3, "people": 27},
    91: {"time": "hour", "has": _LATER, "days of a person": 3, "people": 27},
    180: {"time": "day", "has": _LATER, "days of a person": 1, "people": 27},
    395: {"time": "day", "has": _LATER - {"country"}, "paths": {"/", "/projects", "/about"}, "people": 27},
    730: {"time": "day", "people": 3, "days of a person": 3, "treatment": {"cookieless"}},
    760: {"time": None, "people": 0, "paths": set(), "treatment": set()},
}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of a crowd, with every report as it was published at the time."""
    data = tmp_path_factory.mktemp("published")
    lay(data, crowd())
    job.run(data, HOW)
    return data


@pytest.mark.requirement("M79")
@pytest.mark.requirement("S22")
def test_at_each_age_the_files_tell_what_the_schedule_says_and_reports_stay(
    published: Path, tmp_path: Path
) -> None:
    """Resolution by resolution; the risk never rises; tables of old days stay, whatever is made anew; and
    whatever is still defined comes out the same from nothing but the files that are left."""
    data = tmp_path / "data"
    shutil.copytree(published, data)
    first, balance, before, differ = tables(data), found(data).balance, 1.0, set[str]()
    assert {name for name, rows in first.items() if not rows} == {
        "adverts", "refused", "genders", "places", "referrals", "tasks", "marketplace", "liquidity",
        "conversions", "attribution", "conversion_paths", "holdout",
        "advert_hours",
        "invalid_traffic", "advert_balance", "advert_refusals", "viewing", "delivery", "pressure",
        "reach", "interest", "experiments", "speed", "page_errors",
    }  # fmt: skip
    for days, says in SCHEDULE.items():
        age(data, days)
        facts = stored(data)
        told = finest(facts)
        assert {name: told[name] for name in says} == says, f"after {days} days"
        if says["time"] in ("hour", "day"):
            assert told["received"] == says["time"], "the time of receipt would tell the time"
        assert risk(facts) <= before
        before = risk(facts)
        assert found(data).balance == balance, "what was received has been received"
        assert age(data, days) == expire.Expired(), "once is enough"
        if days in (91, 395, 760):
            job.run(data, HOW, force=True)
            assert tables(data) == first
        if days in (91, 395):
            differ |= remade(data, first)
    assert before == 0.0
    assert differ == OVER


#: Reports that the files no longer make as they were, once all that decays has.
OVER = {
    *("sessions", "traffic_day", "traffic_hour", "entry_pages", "exit_pages", "sources", "campaigns"),
    *("funnel", "new_returning", "retention", "countries", "consent_mix", "pages"),
}


def remade(data: Path, first: Tables) -> set[str]:
    """Make every report from the files alone: which differ. None of them is said to be defined still."""
    shutil.copytree(data, data.parent / "again", dirs_exist_ok=True)
    shutil.rmtree(data.parent / "again" / "released")
    lake = Lake.open(data)
    assert lake is not None
    marks = list(coarse(lake.connection))
    lake.connection.execute("SELECT 1")
    lake.close()
    anew = unfrozen(data.parent / "again")
    shutil.rmtree(data.parent / "again")
    over = {name for name, one in reports.load().items() if standing(one, marks).num_rows}
    for name in reports.load():
        if name not in over:
            assert anew[name] == first[name], f"{name} is defined still"
    return {name for name in over if anew[name] != first[name]}


def unfrozen(data: Path) -> Tables:
    """What the facts give where nobody remembers that they were finer."""
    lake = Lake.open(data, write=True)
    assert lake is not None
    lake.connection.execute("DELETE FROM lake.coarse")
    lake.close()
    job.run(data, HOW)
    return tables(data)


def test_each_run_says_what_it_took_away(published: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(published, data)
    rows = len(crowd())
    done = age(data, 91).purged
    assert (done["decay"].rows, done["field"].rows) == (rows, rows)
    assert done["field"].values == rows * 6  # region, network, two versions, props and utm_term
    assert age(data, 760).purged["policy"].rows == rows
    assert expire.forget(data, FEW, time.time() + 3600) > 0
    lake = Lake.open(data)
    assert lake is not None
    said = purges(lake.connection)
    lake.close()
    assert [one["reason"] for one in said] == ["removed", "policy", "decay", "field"][: len(said)] or said
    taken = {one["reason"]: one for one in said}
    assert taken["removed"]["files"] > 0
    assert taken["removed"]["bytes"] > taken["policy"]["bytes"] > 0


def of(facts: pa.Table, number: int) -> pa.Table:
    rows = facts.filter(pc.field("person") == pa.scalar(person(number), pa.uint64()))
    return rows.sort_by([("time", "ascending"), ("name", "ascending")])


def test_who_is_held_or_restricted_keeps_every_byte_and_is_in_no_report(
    published: Path, tmp_path: Path
) -> None:
    """Until it ends, by a word or by itself: then all that waited is done, as if it had never stood."""
    data = tmp_path / "data"
    shutil.copytree(published, data)
    ms = lambda days: round((START + (days + 2) * DAY) * 1000)  # noqa: E731
    one, other = np.array([person(1)], np.uint64), np.array([person(4)], np.uint64)
    with Holds.open(data) as holds:
        how = {"site": "market", "owner": "legal", "reason": "dispute", "reference": "7"}
        first = holds.add(one, **how, expires=ms(900), now=ms(1))
        holds.add(other, **how, expires=ms(400), now=ms(1), first=date(2026, 9, 8), last=date(2026, 9, 8))
    assert set(keeping.left_out(data, ms(2))) == {person(1), person(4)}
    assert set(keeping.left_out(data, ms(401))) == {person(1)}
    before = stored(data)
    age(data, 395)
    after = stored(data)
    whole = of(before, 1)
    assert of(after, 1).drop(["event_id"]).equals(whole.drop(["event_id"]))
    assert set(of(after, 4)["day"].to_pylist()) == {date(2026, 9, 8)}
    done = age(data, 761)
    assert done.purged["hold"].rows == len(whole)
    assert set(stored(data)["person"].to_pylist()) == {person(1)}, "the other hold has ended by itself"
    with Holds.open(data) as holds:
        holds.release(first, "legal", ms(761))
    assert age(data, 761).deleted == len(whole)
    assert stored(data).num_rows == 0
    assert age(data, 761) == expire.Expired()
    assert person(1).to_bytes(8, "little") not in (data / "holds.sqlite").read_bytes()


def test_a_restriction_stops_the_purge_and_ends_with_its_lifting(tmp_path: Path) -> None:
    data = tmp_path
    lay(data, [{"person": 1, **AGREED}, {"person": 2, **AGREED}])
    with_ledger(data, "INSERT INTO restricted VALUES (?, x'00')", person(1))
    expire.run(data, FEW, START + 800 * DAY)
    assert stored(data)["person"].to_pylist() == [person(1)]
    with_ledger(data, "DELETE FROM restricted WHERE person = ?", person(1))
    expire.run(data, FEW, START + 800 * DAY)
    assert stored(data).num_rows == 0


def with_ledger(data: Path, sql: str, whom: int) -> None:
    import sqlite3
    from contextlib import closing

    Ledger.open(data / "ledger.sqlite").close()
    with closing(sqlite3.connect(data / "ledger.sqlite")) as ledger, ledger:
        ledger.execute(sql, (whom - (1 << 64) if whom >> 63 else whom,))


def test_a_key_of_a_cut_is_destroyed(published: Path, tmp_path: Path) -> None:
    """Else whoever finds it could join the days again."""
    data = tmp_path / "data"
    shutil.copytree(published, data)
    age(data, 180)
    assert len(json.loads((data / "lake" / "cuts.json").read_text())) == 3
    age(data, 184)
    assert json.loads((data / "lake" / "cuts.json").read_text()) == {}


def test_what_serves_adverts_too_goes_column_by_column(tmp_path: Path) -> None:
    """A row of two purposes stays for the longer one, and tells no more than that one reads."""
    both = int(Purpose.MEASUREMENT | Purpose.AD_MEASUREMENT | Purpose.PERSONALISATION)
    lay(tmp_path, [{"person": 1, **AGREED, "purposes": both, "ad_slot": "top", "time": "2026-09-07 10:00"}])
    seen = []
    for days in (177, 179, 392, 394):
        expire.run(tmp_path, FEW, START + days * DAY)
        (row,) = stored(tmp_path).to_pylist()
        seen.append((row["purposes"], row["ad_slot"]))
    only = int(Purpose.MEASUREMENT)
    assert seen == [(both, "top"), (only | 8, "top"), (only | 8, "top"), (only, None)]


def test_a_purge_that_is_killed_anywhere_is_done_again(published: Path, tmp_path: Path) -> None:
    """At lines all over the work: nothing is lost, done twice or counted twice."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.killed", str(published), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["wrong"] == []
    assert said["killed"] == 3


def test_marks_are_of_the_purpose_that_lost_something() -> None:
    mark = Mark(int(Purpose.AD_MEASUREMENT), "time", "day", "market", FIRST)
    assert standing(reports.load()["sessions"], [mark]).num_rows == 0
