"""The other side of an event: kept as the book says of them; and nothing joins the two."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter import book
from consent_filter.apply import Filtered, apply
from consent_filter.counterpart import judged, narrow
from consent_filter.counts import REMOVED
from consent_filter.decide import MEASUREMENT, Laws, decide
from consent_filter.ledger import Ledger
from consent_filter.market import EVENTS, Counterpart, band, bands
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import names
from consent_filter.site import local
from ingest.log.record import Record, encode
from tests.consent_filter.rows import DAY, NOON, PACKS, SITES, Row, batch, choices, countries

AGREED, REFUSED = {"measurement": True}, {"measurement": False}
YES = b'{"measurement":true}'


class Filter(NamedTuple):
    """Keys, a ledger and the clock at noon."""

    keys: Keyring
    ledger: Ledger
    laws: Laws

    def run(self, rows: list[Row]) -> Filtered:
        raw = batch(rows)
        decision = decide(raw, self.ledger.words(raw), self.laws)
        others = judged(raw, decision.verdict, self.ledger.others(raw), self.laws)
        return apply(raw, decision, self.keys, self.ledger, SITES, others)

    def person(self, site: str, user: str) -> int | None:
        return self.ledger.person(MEASUREMENT, self.ledger.key(site, "user", user))


def new() -> Filter:
    keys = Keyring.memory(lambda: NOON / 1000)
    return Filter(keys, Ledger.memory(keys), Laws(PACKS))


def deal(user: str = "u", other: str = "v", country: str = "ZZ", **more: Any) -> Row:
    said = {"type": "event", "name": "bid_placed", "user_id": user, "consent": YES}
    return Row(**(said | {"counterpart": Counterpart(other, country)} | more))


def split(found: Filtered) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Events as their senders' own, and the narrow rows."""
    rows = found.batch.to_pylist()
    return [r for r in rows if r["type"] != "counterpart"], [r for r in rows if r["type"] == "counterpart"]


said = st.fixed_dictionaries(
    {},
    optional={name: st.sampled_from(["yes", "no", "erased", "restricted", "late"]) for name in "uvw"},
)
deals = st.builds(
    deal,
    user=st.sampled_from("uv"),
    other=st.sampled_from("uvwx"),
    country=countries,
    site=st.sampled_from(sorted(SITES)),
    name=st.sampled_from(["bid_placed", "first_bid", "other", None]),
    type=st.sampled_from(["event", "event", "page_view", "ad_click"]),
    consent=st.just(YES) | choices,
    gpc=st.sampled_from([None, "1"]),
    value=st.sampled_from([float("nan"), 4.0]),
    props=st.sampled_from([None, '{"category":"web"}']),
)


@pytest.mark.requirement("M18", "S14")
@settings(max_examples=150)
@given(said, st.lists(deals, min_size=1, max_size=6))
def test_the_other_side_is_kept_as_the_book_says_of_them(words: dict[str, str], rows: list[Row]) -> None:
    here = new()
    for user, word in words.items():
        for site in SITES:
            if word == "erased":
                here.ledger.erase(site, "user", user, "test", NOON - 9)
            elif word == "restricted":
                here.ledger.restrict(here.ledger.key(site, "user", user), "test", NOON - 9)
            else:
                at = NOON + 9 if word == "late" else NOON - 9
                here.ledger.put(site, "user", user, REFUSED if word == "no" else AGREED, "test", at)
    found = here.run(rows)
    own, beside = split(found)
    alone, none = split(here.run([row._replace(counterpart=None) for row in rows]))
    assert own == alone  # an event is its sender's own, whoever the other is
    assert not none
    assert found.narrow == len(beside)

    expected, lost = [], 0
    stored = [bool(here.run([row._replace(counterpart=None)]).events.n) for row in rows]
    for row, kept in zip(rows, stored, strict=True):
        if not kept:
            continue
        assert row.counterpart is not None
        other, country = row.counterpart[:2]
        word = words.get(other or "", "")
        on_record = book.Ledger(
            frozenset(["measurement"] if word == "yes" else []),
            frozenset(["measurement"] if word == "no" else []),
            word == "erased",
        )
        ruling = book.rule(PACKS[row.site], book.Event(country, "event", True), on_record)
        measured = "measurement" in names(here.run([row]).events.numbers["purposes"][0])
        if (
            ruling.treatment == "identified"
            and word not in ("restricted", "late")
            and measured
            and row.type == "event"
            and row.name in EVENTS
            and row.user_id != other
        ):
            days = local(SITES[row.site].timezone, np.array([row.time]))[0]
            expected.append((row.site, int(days[0]), row.name, row.props, here.person(row.site, other or ""),
                             ruling.because, ruling.basis))  # fmt: skip
        else:
            lost += 1
    shown = [(r["site"], (r["day"] - np.datetime64(0, "D").item()).days, r["name"], r["props"], r["person"],
              r["because"], r["basis"]) for r in beside]  # fmt: skip
    assert Counter(shown) == Counter(expected)
    gone = {key: n for key, n in found.refused.items() if key.outcome == REMOVED}
    assert {key.detail for key in gone} <= {"counterpart"}
    assert sum(gone.values()) == lost


@pytest.mark.requirement("M18", "M20")
def test_a_narrow_row_says_nothing_that_would_find_its_event() -> None:
    here = new()
    here.ledger.put("eu", "user", "v", AGREED, "test", NOON - 9)
    row = deal(id="e-1", value=4.0, props='{"category":"web"}', duration_ms=77, scroll=3, geo="u33d")
    found = here.run([Row(), row, Row()])
    assert narrow(found.events).tolist() == [False, False, True, False]
    (own,) = [r for r in split(found)[0] if r["name"]]
    (beside,) = split(found)[1]
    assert {name for name, value in beside.items() if value is not None} == {
        "site", "home", "time", "received", "type", "protocol", "day", "offset_min", "person", "treatment",
        "purposes", "because", "signal", "basis", "policy", "name", "props", "value",
    }  # fmt: skip
    assert beside["time"] == beside["received"] == np.datetime64(DAY, "D").astype("datetime64[ms]").item()
    assert beside["person"] == here.person("eu", "v") != own["person"] == here.person("eu", "u")
    assert beside["person"] not in own.values()
    assert own["person"] not in beside.values()


@pytest.mark.requirement("M18")
def test_nothing_of_the_other_side_is_in_the_bytes() -> None:
    here = new()
    rows = [deal("canary-user", f"canary-other-{n}", country) for n, country in enumerate(("ZZ", "US", "NG"))]
    found = here.run(rows)
    assert found.narrow
    data = encode(Record(found.events, found.refused))
    for word in (b"canary", b"NG"):
        assert word not in data
    refused = here.run([deal(gpc="1", consent=b'{"measurement":false}')])
    assert refused.events.n == refused.narrow == 0  # of an event that is refused nothing is kept of anybody
    assert here.person("eu", "v") is None


@pytest.mark.requirement("M10")
def test_a_value_is_where_its_band_begins() -> None:
    values = np.array([float("nan"), -1.0, -0.0, 0.0, 0.5, 1.0, 3.99, 4.0, 1e12])
    for name in EVENTS:
        one = np.array([band(EVENTS[name], value) for value in values.tolist()])
        assert np.array_equal(bands(EVENTS[name], values), one, equal_nan=True)
    assert [band(EVENTS["first_bid"], hours) for hours in (0.5, 1.0, 100, 9e9)] == [0.0, 1.0, 72.0, 168.0]
    assert np.isnan(band(EVENTS["bid_placed"], 3.0))
