"""What may be written: nothing refused, no column outside its purposes, every row accounted for."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable
from datetime import date
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter import advert, columns, events
from consent_filter.advert import Ad
from consent_filter.apply import Filtered, apply
from consent_filter.counts import BESIDE, REASONS, REFUSED, REMOVED, Key
from consent_filter.decide import KEPT, Laws, Verdict, decide
from consent_filter.fields import EVENT, FIELDS
from consent_filter.ledger import Ledger
from consent_filter.policy import Pack, Packs, load
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import ALL, BY_NAME, names
from consent_filter.raw import Raw
from consent_filter.site import Site, local
from consent_filter.whereabouts import agreement
from ingest.log.record import Record, encode
from tests.consent_filter import rows as make
from tests.consent_filter.rows import DAY, NOON, PACKS, SITES, Row, batch

CANARY = {
    "address": "198.51.100.77",
    "agent": "CanaryAgent/9",
    "user_id": "canary-user",
    "device_id": "canary-device",
}


class Filter(NamedTuple):
    """Keys, a ledger and the clock at noon."""

    keys: Keyring
    ledger: Ledger
    laws: Laws

    def run(self, rows: list[Row] | Raw) -> Filtered:
        raw = batch(rows) if isinstance(rows, list) else rows
        decision = decide(raw, self.ledger.words(raw), self.laws)
        return apply(raw, decision, self.keys, self.ledger, SITES)

    def verdicts(self, rows: list[Row]) -> list[Verdict]:
        raw = batch(rows)
        return decide(raw, self.ledger.words(raw), self.laws).verdict.rows()


def new(packs: Any = PACKS) -> Filter:
    keys = Keyring.memory(lambda: NOON / 1000)
    return Filter(keys, Ledger.memory(keys), Laws(packs))


some_rows = st.lists(make.rows, min_size=1, max_size=10)


@pytest.mark.requirement("S15")
@given(some_rows)
def test_every_row_is_stored_or_counted_once(rows: list[Row]) -> None:
    found = new().run(rows)
    assert found.batch.schema == EVENT
    found.batch.validate(full=True)
    refused = {key: n for key, n in found.refused.items() if key.outcome not in BESIDE}
    assert found.batch.num_rows + sum(refused.values()) == len(rows)
    for key in refused:
        assert key.outcome == REFUSED
        assert key.reason in REASONS
        assert key.detail


def keyed(keys: Keyring, kind: str, site: str, id: str | None) -> int | None:
    """An advert's id as it is stored."""
    return None if id is None else advert.hashed(keys.state("adverts").copy, kind, site, id)


def expected(row: Row, verdict: Verdict, keys: Keyring) -> dict[str, Any]:
    """One stored event as the field catalogue promises it: every column, null where no purpose is granted."""
    pack = PACKS[row.site]
    days, offsets = local(SITES[row.site].timezone, np.array([row.time]))
    ad = row.ad or Ad()
    whole = {
        "site": row.site,
        "time": np.datetime64(row.time, "ms").item(),
        "received": np.datetime64(row.time, "ms").item(),
        "type": row.type,
        "protocol": row.protocol,
        "day": date.fromordinal(date(1970, 1, 1).toordinal() + int(days[0])),
        "offset_min": int(offsets[0]),
        "treatment": verdict.treatment,
        "purposes": verdict.granted,
        "because": verdict.because,
        "signal": verdict.signal,
        "basis": verdict.basis,
        "policy": f"{pack.name}/{pack.version}",
        "name": row.name,
        "path": row.path,
        "utm_source": "news",
        "referrer_host": row.referrer_host,
        "referrer_group": "direct",
        "browser": "Firefox",
        "browser_version": "140",
        "os": "Linux",
        "device": "desktop",
        "continent": "EU",
        "country": row.country,
        "region": row.region,
        "network": "residential",
        "duration_ms": row.duration_ms if row.duration_ms >= 0 else None,
        "scroll": row.scroll if row.scroll >= 0 else None,
        "value": row.value if row.value == row.value else None,
        "props": row.props,
        "ad_slot": ad.slot,
        "ad_creative": ad.creative,
        "ad_campaign": ad.campaign,
        "ad_placement": ad.placement,
        "ad_size": ad.size,
        "ad_frequency": ad.frequency,
        "ad_group": ad.group,
        "ad_goal": ad.goal,
        "ad_step": ad.step,
        "ad_share": ad.share if ad.share >= 0 else None,
        "ad_flags": ad.flags if row.ad else None,
        "ad_view": keyed(keys, "view", row.site, ad.view),
        "ad_order": keyed(keys, "order", row.site, ad.order),
        "age": row.member and row.member.age,
        "gender": row.member and row.member.gender,
        "referral_code": row.referral and row.referral.code,
        "referral_channel": row.referral and row.referral.channel,
        "cell": row.geo,
        "home": SITES[row.site].region or None,
        "place": agreement(row.declared, row.country),
    }
    stored = [field for field in FIELDS if field.keep is not None]
    lasting = verdict.treatment == "identified"
    return {
        f.name: whole.get(f.name) if verdict.granted & f.purposes and (lasting or f.alone) else None
        for f in stored
    }


@pytest.mark.requirement("M6", "M7", "M28")
@given(rows=some_rows)
def test_a_field_that_is_not_stored_is_counted_by_its_kind(rows: list[Row]) -> None:
    """Of events that are stored: what was sent besides, and what had no purpose."""
    here = new()
    expected: Counter[str] = Counter()
    for row, verdict in zip(rows, here.verdicts(rows), strict=True):
        if verdict.treatment not in KEPT or (
            verdict.treatment != "identified" and here.keys.day(_day(row)) is None
        ):
            continue
        for said in (row.member, row.referral):
            expected.update(said.removed if said else ())
        expected["gender"] += bool(row.member and row.member.gender) and "gender" not in names(
            verdict.granted
        )
        expected["geo"] += bool(row.geo) and "precise_geo" not in names(verdict.granted)
    counted: Counter[str] = Counter()
    for key, n in here.run(rows).refused.items():
        if key.outcome == REMOVED:
            assert key.reason == "field"
            counted[key.detail] += n
    assert counted == +expected


@pytest.mark.requirement("M2", "M27", "M41", "M66", "M106")
@pytest.mark.parametrize("large", [False, True])
@given(rows=some_rows)
def test_columns_agree_with_the_catalogue_and_a_column_outside_its_purposes_is_null(
    large: bool, rows: list[Row]
) -> None:
    was = events._LARGE
    events._LARGE = 0 if large else was
    try:
        here = new()
        kept = [(r, v) for r, v in zip(rows, here.verdicts(rows), strict=True) if v.treatment in KEPT]
        # A day that is over has no pseudonyms: those are refused as late, and not under test here.
        kept = [(r, v) for r, v in kept if v.treatment == "identified" or here.keys.day(_day(r)) is not None]
        found = here.run(rows).batch.to_pylist()
    finally:
        events._LARGE = was
    assert len(found) == len(kept)
    for event, (row, verdict) in zip(found, kept, strict=True):
        assert event.pop("person") is not None
        assert (event.pop("event_id") is None) is (row.id is None)
        want = expected(row, verdict, here.keys)
        del want["person"], want["event_id"]
        assert event == want


def _day(row: Row) -> int:
    return int(local(SITES[row.site].timezone, np.array([row.time]))[0][0])


def test_a_value_behind_a_null_is_not_in_the_buffer_either() -> None:
    """What is not granted must not reach the log as bytes that a null hides."""
    here = new()
    shown = Ad("closed-canary", view="canary", share=31_007)
    rows = [
        Row(country="US", duration_ms=1234, value=4.5, props="open"),
        Row(country="US", type="ad_click", scroll=30_011, props="closed-canary"),
        Row(country="US", consent=b'{"ad_measurement":false}', ad=shown),
    ]
    found = here.run(rows)
    assert found.batch.column("scroll").to_pylist() == [None] * 3
    assert found.batch.column("ad_view").to_pylist() == [None] * 3
    data = encode(Record(found.events, found.refused))
    assert np.int16(30_011).tobytes() not in data
    assert np.int16(31_007).tobytes() not in data
    assert np.uint64(keyed(here.keys, "view", "us", "canary")).tobytes() not in data
    assert b"closed-canary" not in data
    assert np.int32(1234).tobytes() in data


@pytest.mark.requirement("M21", "M128")
def test_nothing_of_a_visitor_is_in_the_bytes() -> None:
    here = new()
    rows = [
        Row(country=country, type=kind, consent=consent, id="canary-event", gpc="1", **CANARY)
        for country in ("DE", "US", "NG")
        for kind in ("page_view", "ad_impression")
        for consent in (None, b'{"measurement":true,"ad_measurement":true}', b"{canary-consent")
    ]
    found = here.run(rows)
    said = encode(Record(found.events, found.refused))
    assert found.batch.num_rows
    for canary in (*CANARY.values(), "canary-event", "canary-consent"):
        assert canary.encode() not in said


@given(some_rows, st.integers(0, 10), st.randoms(use_true_random=False))
def test_order_and_batch_splits_do_not_matter(rows: list[Row], cut: int, chance: Any) -> None:
    here = new()
    whole = here.run(rows)
    parts = [here.run(part) for part in (rows[:cut], rows[cut:]) if part]
    assert pa.Table.from_batches([part.batch for part in parts]).to_pylist() == whole.batch.to_pylist()
    assert sum((Counter(part.refused) for part in parts), Counter()) == whole.refused
    mixed = list(rows)
    chance.shuffle(mixed)
    again = here.run(mixed)
    assert sorted(map(repr, again.batch.to_pylist())) == sorted(map(repr, whole.batch.to_pylist()))
    assert again.refused == whole.refused


YES = b'{"measurement":true,"ad_measurement":true}'


def person(here: Filter, **row: Any) -> int:
    (found,) = here.run([Row(**({"country": "DE"} | row))]).batch.column("person").to_pylist()
    assert isinstance(found, int)
    return found


def test_a_pseudonym_that_lasts_is_of_the_id_alone() -> None:
    here = new()
    first = person(here, consent=YES, device_id="d")
    assert (
        person(here, consent=YES, device_id="d", address="203.0.113.1", agent="other", time=NOON - 80_000_000)
        == first
    )
    assert person(here, consent=YES, device_id="e") != first
    assert person(here, consent=YES, user_id="d") != first
    assert person(here, consent=YES, device_id="d", site="us") != first
    # The account's, where there is one.
    assert person(here, consent=YES, device_id="d", user_id="u") == person(here, consent=YES, user_id="u")


@pytest.mark.requirement("M22")
def test_a_pseudonym_of_the_day_is_of_site_address_and_agent_and_of_no_id() -> None:
    here = new()
    first = person(here)
    assert person(here, device_id="d", user_id="u") == first
    for other in (
        {"address": "203.0.113.1"},
        {"agent": "other"},
        {"site": "us"},
        {"time": NOON + 43_200_000},
    ):
        assert person(here, **other) != first
    assert person(new()) != first  # other keys


def test_the_day_is_the_sites_own() -> None:
    here = new()
    # 2026-11-23 23:30 and 24th 00:30 in Berlin; in Kiritimati (UTC+14) both are the 24th.
    evening, night = NOON + int(10.5 * 3_600_000), NOON + int(11.5 * 3_600_000)
    assert person(here, time=evening) != person(here, time=night)
    assert person(here, site="us", time=evening) == person(here, site="us", time=night)
    found = here.run([Row(time=evening), Row(time=night), Row(site="us", time=evening)]).batch
    assert found.column("day").cast(pa.int32()).to_pylist() == [DAY, DAY + 1, DAY + 1]
    assert found.column("offset_min").to_pylist() == [60, 60, 840]


@pytest.mark.requirement("M31", "M65")
def test_pseudonyms_do_not_join_across_purposes() -> None:
    here = new()
    for row in ({"consent": YES, "device_id": "d"}, {"country": "US"}):
        visit, advert = (person(here, type=kind, **row) for kind in ("page_view", "ad_click"))
        assert visit != advert
        assert person(here, type="ad_viewable", **row) == advert
    found = here.run([Row(country="US", type="ad_click")]).batch.to_pylist()[0]
    assert not found["purposes"] & BY_NAME["measurement"]
    assert found["purposes"] & BY_NAME["ad_measurement"]


def test_a_day_whose_key_is_gone_is_late_unless_the_person_is_known() -> None:
    old = NOON - 2 * 86_400_000
    found = new().run([Row(time=old), Row(), Row(time=old, consent=YES, device_id="d")])
    assert found.batch.num_rows == 2
    assert found.refused == {Key("eu", DAY - 2, "beacon", "DE", REFUSED, "late", "day_closed"): 1}


@pytest.mark.requirement("M68")
def test_the_next_event_is_bound_by_a_choice() -> None:
    here = new()
    row = Row(country="US", device_id="d", id="1")
    assert here.run([row]).batch.num_rows == 1
    here.ledger.put("eu", "device", "d", {"measurement": False}, "site", NOON)
    refused = here.run([row])
    assert refused.batch.num_rows == 0
    assert refused.batch.schema == EVENT
    assert refused.refused == {
        Key("eu", DAY, "beacon", "US", REFUSED, "consent", "workallies-2024.opt_out.withdrawn"): 1
    }
    # What the event says meanwhile does not undo it: where two words conflict the refusal binds.
    assert here.run([row._replace(consent=YES)]).batch.num_rows == 0
    here.ledger.put("eu", "device", "d", {"measurement": True}, "site", NOON)
    assert here.run([row]).batch.column("basis").to_pylist() == ["consent"]


def test_a_pack_may_want_no_rule_told_of_a_refusal() -> None:
    shipped = load("workallies-2024")
    whole = {name: getattr(shipped, name) for name in shipped.__struct_fields__}
    strict = shipped.regimes["opt_in"]
    silent = type(strict)(
        **{**{name: getattr(strict, name) for name in strict.__struct_fields__}, "refusal": "drop"}
    )
    pack = Pack(**{**whole, "regimes": {**shipped.regimes, "opt_in": silent}})
    here = new({"eu": pack, "us": pack})
    found = here.run(
        [Row(consent=b'{"measurement":false}'), Row(country="US", consent=b'{"measurement":false}')]
    )
    assert found.refused == {
        Key("eu", DAY, "beacon", "DE", REFUSED, "consent", ""): 1,
        Key("eu", DAY, "beacon", "US", REFUSED, "consent", "workallies-2024.opt_out.refused"): 1,
    }


def test_reasons_are_told_apart() -> None:
    here = new()
    here.ledger.erase("eu", "device", "gone", "console", NOON)
    rows = [
        Row(consent=b'{"measurement":false}'),
        Row(consent=b"{"),
        Row(type="ad_click"),
        Row(type="ad_click", consent=YES, gpc="1"),
        Row(device_id="gone", consent=YES),
    ]
    found = here.run(rows)
    rule = "workallies-2024.opt_in."
    assert {(key.reason, key.detail.removeprefix(rule)) for key in found.refused} == {
        ("consent", "refused"),
        ("consent", "unreadable"),
        ("consent", "silence"),
        ("signal", "gpc"),
        ("erased", "erased"),
    }
    assert found.batch.num_rows == 0


def calls(work: Callable[[], object]) -> int:
    """How many Python functions are called, without those by which `abc` finds out what is what."""
    n = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal n
        n += event == "call" and not frame.f_code.co_filename.startswith("<frozen")

    gc.disable()  # others are told of a collection by a call
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return n


@pytest.mark.parametrize("sites", [["eu"], ["eu", "us"]])
def test_the_work_is_done_on_distinct_values_not_on_rows(
    sites: list[str],
) -> None:
    """The same distinct values in 10 and in 100,000 rows: the same number of Python calls."""
    kinds = [
        Row(),
        Row(country="US", device_id="d", gpc="1"),
        Row(country="NG", consent=YES, user_id="u", duration_ms=5),
        Row(type="ad_click", consent=YES, ad=Ad("top", "c", None)),
        Row(consent=b'{"measurement":false}'),
    ]
    rows = [row._replace(site=sites[i % len(sites)]) for i, row in enumerate(kinds * 2)]
    here, found = new(), []
    small = batch(rows)
    here.run(small)  # what is done once in a process
    for times in (1, 10_000):
        raw = _repeat(small, times)
        found.append(calls(lambda raw=raw: here.run(raw)))  # type: ignore[misc]
    assert found[0] == found[1]


def _repeat(raw: Raw, times: int) -> Raw:
    """The same rows again and again."""
    whole = {}
    for name in raw.__struct_fields__:
        value = getattr(raw, name)
        if value is None:
            whole[name] = value
        elif name == "n" or isinstance(value, list):
            whole[name] = value * times
        elif isinstance(value, np.ndarray):
            whole[name] = np.tile(value, times)
        else:
            whole[name] = type(value)(np.tile(value.codes, times), value.values)
    return Raw(**whole)


def test_columns_of_nothing_but_nulls() -> None:
    raw = _repeat(batch([Row(consent=YES, device_id="d"), Row(type="ad_click")]), 6000)
    found = new().run(raw)
    assert found.batch.num_rows == 6000
    assert found.batch.column("ad_slot").null_count == found.batch.column("event_id").null_count == 6000
    assert found.batch.column("value").null_count == 6000
    found.batch.validate(full=True)


def test_every_stored_text_has_a_place() -> None:
    texts = {field.name for field in EVENT if field.type == pa.string()}
    assert set(columns._FROM) == texts
    assert int(ALL) == sum(BY_NAME.values())


def test_sites_that_share_a_clock_are_read_once() -> None:
    sites = {id: Site(id=id, timezone="Asia/Kolkata") for id in ("a", "b")}
    packs = Packs(sites)
    keys = Keyring.memory(lambda: NOON / 1000)
    ledger, raw = Ledger.memory(keys), batch([Row(site="a"), Row(site="b")])
    found = apply(raw, decide(raw, ledger.words(raw), Laws(packs)), keys, ledger, sites)
    assert found.batch.column("offset_min").to_pylist() == [330, 330]
