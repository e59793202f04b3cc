"""What must be true of every report whatever a crowd does: small random crowds, and a slow count by hand."""

from __future__ import annotations

import io
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from consent_filter.purpose import ALL, Purpose
from tests.warehouse import plain
from tests.warehouse.crowd import Crowd, Row, milliseconds, person, whole
from warehouse import release
from warehouse import report as reports
from warehouse.relations import Bucket
from warehouse.report import OTHER
from warehouse.settings import Warehouse

Said = list[tuple[int, ...]]
Tables = dict[str, list[tuple[Any, ...]]]

#: What somebody does. Some say what others leave out, one calls herself "(other)", one is refused.
DEEDS: list[dict[str, Any]] = [
    {},
    {"path": "/projects", "referrer_group": "search", "referrer_host": "google.com"},
    {"path": OTHER, "utm_source": OTHER, "utm_medium": "email"},
    {"path": None, "utm_source": "newsletter", "utm_medium": "email", "utm_campaign": "november"},
    {"type": "click", "name": "outbound"},
    {"type": "engagement", "duration_ms": 90_000, "scroll": 40},
    {"type": "engagement", "path": "/projects", "duration_ms": 2_000_000},
    {"type": "event", "name": "sign_up"},
    {"type": "event", "name": "post_project"},
    {"type": "event", "name": "bid_placed"},
    {"type": "event", "name": "hired"},
    {"type": "event", "name": OTHER},
    {"type": "event", "name": "experiment", "props": '{"checkout":"a"}'},
    {"type": "vital", "name": "LCP", "value": 1250.0},
    {"type": "vital", "name": "LCP", "value": 8000.0},
    {"type": "vital", "name": "CLS", "value": 0.175, "path": OTHER},
    {"type": "error", "name": "promise", "value": 10.0},
    {"type": "error", "name": "TypeError", "path": "/projects"},
    {"type": "event", "name": "experiment", "props": '{"checkout":"b","hero":"film"}'},
    {"type": "ad_impression", "ad_slot": "top", "ad_campaign": "autumn", "ad_creative": "blue"},
    {"type": "ad_click", "ad_slot": OTHER, "ad_campaign": "autumn", "ad_creative": "red"},
    {"type": "ad_viewable", "ad_campaign": OTHER},
    {"type": "ad_request", "ad_view": 7, "ad_slot": "top", "path": "/projects/{project}"},
    {
        "type": "ad_impression",
        "ad_view": 7,
        "ad_campaign": "spring",
        "ad_frequency": "2",
        "ad_size": "300x250",
    },
    {"type": "ad_viewable", "ad_view": 7, "ad_campaign": "spring", "ad_placement": "home"},
    {"type": "ad_engagement", "ad_view": 7, "ad_campaign": "spring", "duration_ms": 9_999, "ad_share": 50},
    {"type": "ad_conversion", "ad_goal": "buy", "ad_campaign": OTHER, "value": 20, "ad_group": "exposed"},
    {"type": "ad_contact", "ad_step": "email", "ad_campaign": "autumn"},
    {"type": "ad_contact", "ad_step": "post"},
    {"purposes": int(Purpose.RESEARCH | Purpose.AD_MEASUREMENT)},
    {"purposes": int(Purpose.MEASUREMENT | Purpose.AD_MEASUREMENT), "type": "ad_impression"},
    {"type": "event", "name": "sign_up", "referral_channel": "link"},
    {"referral_channel": "email"},
    {"reason": "consent", "detail": "opt_in"},
    {"reason": "consent", "detail": "opt_in", "type": "ad_impression", "ad_campaign": "spring"},
    {"reason": "robot", "detail": OTHER, "protocol": "pixel"},
]
#: Who they look like.
LOOKS: list[dict[str, Any]] = [
    {"browser": "Chrome", "os": "Windows", "device": "desktop", "basis": "consent", "signal": "choice"},
    {"browser": "Chrome", "os": "Android", "device": "mobile", "country": "US", "basis": "notice"},
    {"browser": "Safari", "os": OTHER, "device": "mobile", "country": OTHER},
    {"country": None, "treatment": "cookieless"},
    {"browser": OTHER, "os": "Linux", "country": "FR", "basis": OTHER},
]
#: Minutes after 2026-08-30 00:00 UTC: days around a Monday, then one and two weeks on; pauses of 28 to 31.
TIMES = [720, 721, 749, 750, 751, 1439, 1440, 1470, 2880, 9 * 1440, 10 * 1440 + 5, 17 * 1440]
_BEGIN = milliseconds("2026-08-30 00:00")


#: Each is a crowd of its own: a release costs the same for one and for all of them, so that one example of
#: twelve crowds is worth three of four.
SITES = ["market", "blog", "help", "jobs", *(f"site-{number}" for number in range(8))]


def _rows(said: Iterable[tuple[int, ...]]) -> list[Row]:
    return [
        {
            "site": SITES[site],
            # Whoever has no identifier is never one of those who have.
            "person": number + 500 * (LOOKS[look].get("treatment") == "cookieless"),
            "time": _BEGIN + TIMES[time] * 60_000,
            **LOOKS[look],
            **DEEDS[deed],
            # Some have the views of others, who came without an identifier: ids that were copied.
            **({"ad_view": 100 + number} if "ad_view" in DEEDS[deed] else {}),
        }
        for first, more, deed, look, time, site in said
        for number in range(first, first + more + 1)
    ]


#: The same deed of several people.
LINE = st.tuples(
    st.integers(0, 12),
    st.integers(0, 9),
    *(st.integers(0, len(some) - 1) for some in (DEEDS, LOOKS, TIMES, SITES)),
)
#: Seldom a few rows, since what can happen to few happens on some site of many.
CROWDS = st.one_of(
    st.lists(LINE, min_size=1), *[st.lists(LINE, min_size=120, max_size=240).map(list) for _ in range(3)]
)
#: Numbers of buckets: where facts are held in memory, and where they are not.
BUCKETS = st.sampled_from([(2, 3), (3, 2), (7, 2), (2, 7)])
LEAST = st.integers(2, 10)


def few(examples: int) -> Any:
    """Not shrunk: an example costs 2 s for each release of all reports, however small the crowd."""
    phases = [Phase.explicit, Phase.reuse, Phase.generate]
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), phases=phases
    )


@contextmanager
def crowd(rows: Sequence[Row]) -> Iterator[Crowd]:
    one = Crowd(rows)
    yield one
    one.close()


def released(rows: Sequence[Row], settings: Warehouse, **how: Any) -> dict[str, pa.Table]:
    with crowd(rows) as one:
        return one.release(settings, **how)


def tuples(tables: Mapping[str, pa.Table]) -> Tables:
    return {name: [tuple(row.values()) for row in table.to_pylist()] for name, table in tables.items()}


def by_hand(rows: Iterable[Row], settings: Warehouse, withdrawn: Iterable[int] = ()) -> Tables:
    received = [whole(row) for row in rows]
    for fact in received:
        fact["day"] = date(1970, 1, 1) + timedelta(days=fact["day"])
    gone = {person(number) for number in withdrawn}
    facts = [fact for fact in received if "reason" not in fact and fact["person"] not in gone]
    return plain.release(facts, received, settings)


@pytest.mark.requirement("M58", "M63")
@few(5)
@given(
    CROWDS,
    st.integers(1, 10),
    st.sampled_from([1, 2, 200]),
    st.sampled_from([2, 10_000]),
    st.sets(st.integers(0, 20), max_size=4),
)
def test_a_release_is_what_is_counted_by_hand(
    said: Said, k: int, cells: int, most: int, gone: set[int]
) -> None:
    rows = _rows(said)
    how = Warehouse(min_group=k, max_cells=cells, max_sum=most)
    assert tuples(released(rows, how, withdrawn=gone)) == by_hand(rows, how, gone)


@few(2)
@given(CROWDS, st.integers(1, 10), BUCKETS, st.sampled_from([2, 200]))
def test_the_number_of_buckets_never_shows(said: Said, k: int, of: tuple[int, int], cells: int) -> None:
    """Nor whether facts were small enough to be copied once."""
    rows = _rows(said)
    how = Warehouse(min_group=k, max_cells=cells)
    with crowd(rows) as one:
        whole = one.release(how)
        for held, parts in zip((True, False), of, strict=True):
            assert bytes_of(one.release(how, of=parts, held=held)) == bytes_of(whole)


@pytest.mark.parametrize("of", [1, 2, 3, 7, 64])
def test_everyone_is_in_one_bucket(of: int) -> None:
    """Also at the edges, where a division leaves a rest."""
    edges = [n for k in range(of + 1) for n in (k * 2**64 // of - 1, k * 2**64 // of)]
    tried = {0, 2**64 - 1, *(n for n in edges if 0 <= n < 2**64)}
    persons = pa.table({"person": pa.array(sorted(tried), pa.uint64())})
    found: list[int] = []
    with duckdb.connect() as connection:
        connection.register("persons", persons)
        for number in range(of):
            where = Bucket(number, of).where
            found += [
                n for (n,) in connection.execute(f"SELECT person FROM persons WHERE {where}").fetchall()
            ]
    assert sorted(found) == sorted(tried)


@few(2)
@given(CROWDS, LEAST, st.randoms(use_true_random=False))
def test_the_order_of_events_never_shows(said: Said, k: int, chance: random.Random) -> None:
    rows = _rows(said)
    how = Warehouse(min_group=k, max_cells=2)
    first = bytes_of(released(rows, how))
    chance.shuffle(rows)
    with pytest.MonkeyPatch.context() as always:
        always.setattr(release, "_MANY", 0)  # nor what is inside of a small part, however few rows there are
        assert bytes_of(released(rows, how)) == first


@pytest.mark.requirement("M54")
@few(3)
@given(CROWDS, LEAST, st.sampled_from([1, 200]))
def test_no_row_is_of_fewer_than_a_group(said: Said, k: int, cells: int) -> None:
    rows = _rows(said)
    for name, table in released(rows, Warehouse(min_group=k, max_cells=cells)).items():
        one = reports.load()[name]
        size = table["people" if one.people else one.sums[0]].to_pylist()
        assert all(n >= k for n in size), name


@few(3)
@given(CROWDS, st.sampled_from([1, 2, 3]), st.sampled_from([1, 2, 5]))
def test_nobody_adds_more_than_the_caps(said: Said, cells: int, most: int) -> None:
    """With everyone else's events, and then with all of one who does a lot."""
    rows = _rows(said)
    how = Warehouse(min_group=1, max_cells=cells, max_sum=most, max_hours=1)
    mine = [dict(row) | {"person": 99, "duration_ms": 2_000_000_000} for row in rows for _ in range(3)]
    for row in mine:  # whoever sends the very views of others is judged, and so may they be: views are secret
        row |= {"ad_view": 199} if "ad_view" in row else {}
    before, after = tuples(released(rows, how)), tuples(released([*rows, *mine], how))
    for name, one in reports.load().items():
        if not one.people:
            continue
        width, kinds = len(one.keys), defaultdict[Any, int](int)
        others = {row[:width]: row[width:] for row in before[name]}
        for row in after[name]:
            people, *sums = row[width:]
            old_people, *old_sums = others.get(row[:width], [0] * len(row[width:]))
            if one.name != "growth":
                assert people - old_people in (0, 1)
            folded = cells + 1 if OTHER in row[:width] else 1
            for sum_of, n, old in zip(one.sums, sums, old_sums, strict=True):
                assert 0 <= n - old <= how.most(sum_of) * (people - old_people) * folded, (name, sum_of)
            if one.fold and one.grain == "day" and people > old_people and OTHER not in row[:width]:
                kinds[row[: len(one.within)]] += 1
        assert max(kinds.values(), default=0) <= cells, name


@few(2)
@given(CROWDS)
def test_of_groups_of_one_nothing_is_hidden(said: Said) -> None:
    """Totals are a plain count of what was allowed; every name that anybody gave is there."""
    rows = _rows(said)
    found = tuples(released(rows, Warehouse(min_group=1)))
    facts = [whole(row) for row in rows if "reason" not in row]
    measured = [fact for fact in facts if fact["purposes"] & Purpose.MEASUREMENT]
    views = [fact for fact in measured if fact["type"] == "page_view"]
    total = lambda name, number: sum(row[columns(name).index(number)] for row in found[name])  # noqa: E731
    for name in (
        "traffic_day",
        "traffic_hour",
        "countries",
        "devices",
        "browsers",
        "consent_mix",
        "new_returning",
    ):
        assert (total(name, "views"), total(name, "events")) == (len(views), len(measured)), name
    assert total("growth", "events") == 2 * len(measured)
    assert total("custom_events", "events") == len(measured) - len(views)
    for name in ("sessions", "campaigns", "sources", "pages"):
        assert total(name, "views") == len(views), name
    for name in ("campaigns", "sources", "entry_pages", "exit_pages", "traffic_day"):
        assert total(name, "visits") == total("sessions", "visits"), name
    assert total("entry_pages", "bounces") == total("sessions", "bounces")
    # Gross is every stored event of an advert, whichever report adds it up (M35).
    allowed = [fact["type"] for fact in facts if fact["purposes"] & Purpose.AD_MEASUREMENT]
    for number, kind in (
        ("requests", "ad_request"),
        ("served", "ad_served"),
        ("impressions", "ad_impression"),
        ("viewable", "ad_viewable"),
        ("clicks", "ad_click"),
    ):
        assert total("delivery", number) == total("adverts", number) == allowed.count(kind)
    assert total("interest", "impressions") == total("delivery", "net_impressions")
    assert total("delivery", "net_clicks") <= total("delivery", "clicks")
    shown = [row for row in rows if row.get("type", "").startswith("ad_")]
    stored = [fact for fact in facts if fact["type"].startswith("ad_")]
    assert total("advert_balance", "n") == len(shown)
    assert total("invalid_traffic", "events") == len(stored)
    assert total("balance", "received") == len(rows)
    assert total("balance", "stored") == len(facts)
    assert total("refused", "n") == total("balance", "refused") == len(rows) - len(facts)
    for name, key in (("countries", "country"), ("devices", "device"), ("browsers", "browser")):
        given = {fact.get(key) for fact in measured} - {None}
        assert given <= {row[columns(name).index(key)] for row in found[name]}


@pytest.mark.requirement("M113")
@few(2)
@given(CROWDS, st.integers(1, 10), st.sets(st.integers(0, 20), min_size=1, max_size=8))
def test_who_has_withdrawn_was_never_there(said: Said, k: int, gone: set[int]) -> None:
    """But in the balance: what was received has been received."""
    rows = _rows(said)
    how = Warehouse(min_group=k)
    with_them = released(rows, how, withdrawn=gone)
    without = released([row for row in rows if row["person"] not in gone], how)
    for name, one in reports.load().items():
        if one.people:
            assert with_them[name].equals(without[name]), name


@pytest.mark.requirement("M113")
def test_who_has_withdrawn_has_no_say_in_verdicts_on_others() -> None:
    """Not as the first who sent a view, nor as whom it was shown to on the day before."""
    shown = {"type": "ad_impression", "ad_campaign": "spring", "ad_frequency": "1"}
    rows: list[Row] = [
        {"site": "market", "person": 1, "time": _BEGIN, "ad_view": 7, **shown},
        {"site": "market", "person": 2, "time": _BEGIN + 60_000, "ad_view": 7, **shown},
        {"site": "market", "person": 1, "time": _BEGIN, "ad_view": 8, **shown},
        {"site": "market", "person": 2, "time": _BEGIN + 86_400_000, "ad_view": 8, "type": "ad_viewable"},
    ]
    how = Warehouse(min_group=1)
    with_them, without = released(rows, how, withdrawn=[1]), released(rows[1::2], how)
    for name in ("invalid_traffic", "delivery", "reach", "pressure", "conversion_paths"):
        assert with_them[name].equals(without[name]), name


@pytest.mark.requirement("M36")
@few(2)
@given(CROWDS, st.integers(1, 10))
def test_what_was_not_granted_is_not_counted(said: Said, k: int) -> None:
    """A report is the same where rows without its purpose are none at all, or are of any other purpose."""
    rows = _rows(said)
    how = Warehouse(min_group=k)
    found = released(rows, how)
    for bit in (Purpose.MEASUREMENT, Purpose.AD_MEASUREMENT):
        chosen = [one for one in reports.load().values() if one.bit == bit and one.people]
        granted = [row for row in rows if whole(row)["purposes"] & bit]
        others = [dict(row) | {"purposes": int(ALL & ~bit)} for row in rows if row not in granted]
        for changed in (granted, [*granted, *others]):
            tables = released(changed, how, chosen=chosen)
            assert all(tables[one.name].equals(found[one.name]) for one in chosen), bit


def columns(name: str) -> list[str]:
    one = reports.load()[name]
    return [*one.keys, *(["people"] if one.people else []), *one.sums]


def bytes_of(tables: Mapping[str, pa.Table]) -> dict[str, bytes]:
    """Each table as the Parquet file that it becomes."""
    found = {}
    for name, table in tables.items():
        out = io.BytesIO()
        pq.write_table(table, out)
        found[name] = out.getvalue()
    return found
