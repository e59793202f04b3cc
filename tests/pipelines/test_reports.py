"""The reports job on its real runner: however facts came and in whatever runs, the tables are the same."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipelines import element
from pipelines import reports as job
from tests.warehouse.crowd import Row, lay, withdraw
from tests.warehouse.test_release_attacks import market
from warehouse import report as reports
from warehouse.lake import Lake
from warehouse.released import Store
from warehouse.report import OTHER
from warehouse.settings import Warehouse

HOW = Warehouse(min_group=4, perturb=False)
Tables = dict[str, list[tuple[Any, ...]]]


def tables(data: Path) -> Tables:
    """All that was released, sorted."""
    store = Store.open(data)
    found = {
        name: store.connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in store.versions()
    }
    store.close()
    return found


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Two sites, on some days of two weeks."""
    return [row for row in market(1) if row["site"] in ("site-0", "site-1")]


@pytest.fixture(scope="module")
def once(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """What one run makes of one commit."""
    data = tmp_path_factory.mktemp("once")
    lay(data, rows)
    made = job.run(data, HOW)
    found = tables(data)
    assert sorted(made.changed) == sorted(found) == sorted(reports.load())
    # Nobody has said, nobody is refused, nobody deals with anybody, and no page is tried out or measured.
    deals = {name for name, one in reports.load().items() if one.mentions("deals")}
    assert {name for name, rows in found.items() if not rows} <= {
        "genders",
        "places",
        "referrals",
        "advert_refusals",
        "experiments",
        "speed",
        "page_errors",
    } | deals
    return found


def parts(rows: Sequence[Row], n: int, seed: int) -> Iterator[list[Row]]:
    """The rows in any order, in so many parts."""
    mixed = list(rows)
    random.Random(seed).shuffle(mixed)
    for k in range(n):
        yield mixed[k::n]


def test_runs_between_commits_do_not_show(rows: list[Row], once: Tables, tmp_path: Path) -> None:
    """Nor does a loop in which reports over all days rest, or a number of buckets."""
    for k, part in enumerate(parts(rows, 2, 7)):
        lay(tmp_path, part)
        job.run(tmp_path, HOW, live=True, buckets=[1, 3][k])
    job.run(tmp_path, HOW)
    assert tables(tmp_path) == once
    assert job.run(tmp_path, HOW).changed == [] == job.run(tmp_path, HOW, force=True, buckets=2).changed


def test_commits_in_any_order_of_days_make_the_same(rows: list[Row], once: Tables, tmp_path: Path) -> None:
    """A day that is not touched is not made anew, though it is of a week or a cohort that is."""
    late = sorted(rows, key=lambda row: -row["time"])
    for part in (late[:400], late[400:]):
        lay(tmp_path, part)
        made = job.run(tmp_path, HOW)
        touched = {row["time"] // 86_400_000 for row in part}
        # What came of adverts late may have led to orders of the days after, of whom it is about.
        adverts = [row for row in late if str(row.get("type")).startswith("ad_")]
        led = {row["time"] // 86_400_000 for row in adverts}
        mine = {row["person"] for row in part if row in adverts}
        most = touched | {day for day in led if day > min(touched)}
        least = touched | {
            row["time"] // 86_400_000
            for row in adverts
            if row["person"] in mine and row["time"] // 86_400_000 > max(touched)
        }
        assert len(least & most) <= made.days <= len(most)
    assert tables(tmp_path) == once
    assert job.run(tmp_path, HOW).days == 0


@pytest.mark.requirement("M113")
def test_who_withdraws_leaves_all_tables_as_if_never_there(
    rows: list[Row], once: Tables, tmp_path: Path
) -> None:
    """In batches: what is shown a month later is what is made without them. Who comes back is there again."""
    gone = sorted({row["person"] for row in rows})[::3]
    lay(tmp_path / "all", rows)
    job.run(tmp_path / "all", HOW)
    withdraw(tmp_path / "all", gone)
    assert job.run(tmp_path / "all", HOW).days > 0
    job.run(tmp_path / "all", HOW, now=time.time() + 29 * 86_400)
    lay(tmp_path / "rest", [row for row in rows if row["person"] not in gone])
    job.run(tmp_path / "rest", HOW)
    with_them, without = tables(tmp_path / "all"), tables(tmp_path / "rest")
    for name, one in reports.load().items():
        if one.people and one.grain == "day":
            named = {row for row in with_them[name] if OTHER not in row}
            assert named <= set(without[name]), name
            assert with_them[name] != once[name] or not once[name], name
        elif not one.people:
            assert with_them[name] == once[name], "what was received has been received"
    assert with_them["traffic_day"]
    withdraw(tmp_path / "all", [])
    job.run(tmp_path / "all", HOW)
    assert tables(tmp_path / "all") == once


def test_another_least_group_makes_everything_anew(rows: list[Row], once: Tables, tmp_path: Path) -> None:
    lay(tmp_path, rows)
    job.run(tmp_path, Warehouse(min_group=9, perturb=False))
    assert tables(tmp_path)["pages"] != once["pages"]
    assert all(row[3] >= 9 for row in tables(tmp_path)["pages"])
    listed = tmp_path / "adverts.toml"
    listed.write_text('[[advertiser]]\nid = "acme"\n')
    assert job.run(tmp_path, HOW, live=True).waiting is False
    assert tables(tmp_path) == once
    # A slip in a list of names must not stop the reports: the last one that was right stays in use.
    listed.write_text('[[campaign]]\nid = "x"\nadvertiser = "acne"\n')
    broken = job.run(tmp_path, HOW)
    assert (broken.days, "campaign x.advertiser" in broken.catalogue) == (0, True)
    store = Store.open(tmp_path)
    assert store.get("catalogue") == '[[advertiser]]\nid = "acme"\n'
    store.close()


def test_reports_over_all_days_rest_and_are_not_forgotten(
    rows: list[Row], once: Tables, tmp_path: Path
) -> None:
    first, second = parts(rows, 2, 3)
    lay(tmp_path, first)
    patient = Warehouse(min_group=4, idle_share=300, perturb=False)
    job.run(tmp_path, patient, live=True)
    before = tables(tmp_path)
    lay(tmp_path, second)
    made = job.run(tmp_path, patient, live=True)
    assert made.waiting
    now = tables(tmp_path)
    for name, one in reports.load().items():
        assert now[name] == (once if one.grain == "day" else before)[name], name
    assert before["growth"] != once["growth"]
    assert job.run(tmp_path, patient, live=True).waiting
    assert not job.run(tmp_path, patient).waiting
    assert tables(tmp_path) == once


def test_nothing_is_made_where_there_is_nothing(tmp_path: Path) -> None:
    assert job.run(tmp_path, HOW) == job.Made()
    lake = Lake.open(tmp_path, write=True)
    assert lake is not None
    lake.close()
    job.run(tmp_path, HOW)
    assert not any(tables(tmp_path).values())


def test_what_a_killed_run_left_is_not_taken(rows: list[Row], once: Tables, tmp_path: Path) -> None:
    lay(tmp_path, rows)
    left = tmp_path / "released" / "making"
    left.mkdir(parents=True)
    (left / "pages@2026-09-01.parquet").write_bytes(b"half a file")
    job.run(tmp_path, HOW)
    assert tables(tmp_path) == once
    assert not left.exists()


@pytest.mark.parametrize(
    ("rows", "most", "days", "of"),
    [
        ({date(2026, 9, 1): 5}, 10, [1], [1]),
        ({date(2026, 9, 1): 5, date(2026, 9, 2): 5, date(2026, 9, 3): 1}, 10, [2, 1], [1, 1]),
        ({date(2026, 9, 1): 11, date(2026, 9, 2): 41}, 10, [1, 1], [2, 8]),
        ({date(2026, 9, 1): 10_000}, 10, [1], [64]),
    ],
)
def test_days_are_grouped_and_large_ones_cut(
    rows: dict[date, int], most: int, days: list[int], of: list[int]
) -> None:
    works = element.elements(Path("data"), Path("room"), rows, HOW, most=most)
    assert [day for work in works for day in work.days] == sorted(rows)
    assert [len(work.days) for work in works] == days
    assert [work.of for work in works] == of


@pytest.mark.requirement("M52")
def test_a_refund_and_an_advert_that_came_late_restate_the_orders_own_day(tmp_path: Path) -> None:
    """In the next run, as a new version that says why; and the tables are those of one run of everything."""
    people = range(1, 7)
    click = {"type": "ad_click", "ad_campaign": "autumn", "time": "2026-09-01 10:00"}
    clicks = [click | {"person": n} for n in people]
    order = {"type": "ad_conversion", "ad_goal": "buy", "value": 30}
    bought = [{**order, "person": n, "ad_order": n, "time": "2026-09-03 10:00"} for n in people]
    seen = [{"person": n, "type": "page_view", "time": "2026-09-10 10:00"} for n in people]
    back = {"type": "ad_refund", "ad_goal": "buy", "value": 10, "time": "2026-09-10 12:00"}
    refunds = [{**back, "person": n, "ad_order": n} for n in people]
    told: list[list[tuple[Any, ...]]] = []
    for rows in (bought + seen, clicks, refunds, [refunds[0] | {"person": 9, "type": "page_view"}]):
        lay(tmp_path / "parts", rows)
        job.run(tmp_path / "parts", HOW)
        told.append([row for row in _told(tmp_path / "parts") if row[1].day == 3])
    lay(tmp_path / "whole", [*clicks, *bought, *seen, *refunds])
    job.run(tmp_path / "whole", HOW)
    parts, whole = tables(tmp_path / "parts"), tables(tmp_path / "whole")
    for name in ("conversions", "attribution", "conversion_paths"):
        assert parts[name] == whole[name] != [], name
    said = {(row[1].day, row[4]) for row in _told(tmp_path / "parts")}
    assert (3, "refunds") in said
    assert (10, "refunds") not in said
    assert told[2] == told[3], "no more refunds came: nothing to follow"


def _told(data: Path) -> list[tuple[Any, ...]]:
    store = Store.open(data)
    found = store.connection.execute("FROM restatements WHERE version > 1 ORDER BY ALL").fetchall()
    store.close()
    return found
