"""What holds for any bytes: no parser raises, each event counts once, no answer repeats what was sent."""

from __future__ import annotations

import gc
import json
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.protocols import PROTOCOLS, Parsed, Parsing, parse
from ingest.protocols.event import Event
from ingest.protocols.keys import doubled, names
from ingest.request import Browser, Request
from ingest.settings import Ingest
from tests.ingest.protocols.cases import CLICKS, NOW_MS, SEALS, SITES, events

PARSING = Parsing(SITES, Ingest(max_events=8), seals=SEALS, clicks=CLICKS)
#: Stands in every value that a sender chose; no answer and no count may hold it.
MARK = "q7zMARKz7q"
ADDRESS = "192.0.2.1"
BROWSER = Browser(("Mozilla/5.0 (X11; Linux) Firefox/140.0", ("", "", ""), None))

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20),
    st.just(MARK),
    st.sampled_from(
        ["market", "strict", "page_view", "event", "ad_click", "/u/ann", "2026-11-23T11:00:00Z", NOW_MS]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just(MARK), inner, max_size=3)
    ),
    max_leaves=6,
)
fields = st.sampled_from([*Event.__struct_fields__, "events", MARK])
good = st.fixed_dictionaries(
    {"site": st.sampled_from(["market", "strict"]), "type": st.just("page_view"), "url": st.just("/a")},
    optional={
        "id": st.integers(0, 5) | st.text(max_size=5),
        "device_id": st.sampled_from(["d1", "d2"]),
        "time": st.integers(NOW_MS - 10**9, NOW_MS + 10**6),
        "consent": st.fixed_dictionaries({"measurement": st.booleans()}),
        "props": st.fixed_dictionaries({}, optional={"plan": scalars, "step": st.integers(0, 9)}),
        "duration": st.floats(0, 1e6),
    },
)
odd = st.dictionaries(fields, values, max_size=6)
event = st.one_of(good, odd, st.builds(lambda one, other: one | other, good, odd))
document = st.one_of(
    event, st.lists(event, max_size=10), st.builds(lambda said: {"events": said}, st.lists(event, max_size=4))
)


def text(said: Any) -> bytes:
    return json.dumps(said).encode()


def spoilt(said: Any, at: int, byte: bytes) -> bytes:
    return text(said)[:at] + byte + text(said)[at:]


bodies = st.one_of(
    document.map(text),
    document.map(lambda said: json.dumps(said, indent=1, ensure_ascii=False).encode("utf-8", "replace")),
    st.binary(max_size=60),
    st.builds(lambda said, cut: text(said)[:cut], document, st.integers(0, 200)),
    st.builds(spoilt, document, st.integers(0, 100), st.binary(max_size=2)),
)
named = st.dictionaries(
    fields | st.sampled_from("sturi"), st.text(max_size=10) | st.sampled_from(["market", "%ff", "1", MARK])
)
queries = st.one_of(
    st.binary(max_size=60),
    named.map(lambda said: "&".join(map("=".join, said.items())).encode("utf-8", "replace")),
)
requests = st.builds(
    Request,
    protocol=st.sampled_from(sorted(PROTOCOLS)),
    method=st.sampled_from(["GET", "POST"]),
    query=queries,
    body=bodies,
    address=st.just(ADDRESS),
    browser=st.just(BROWSER),
    received=st.just(NOW_MS),
)
gathered = st.lists(requests, min_size=1, max_size=6)


def received(parsed: Parsed) -> int:
    return parsed.raw.n + sum(parsed.rejects.values())


def rows(parsed: Parsed) -> Counter[str]:
    """The events of a batch, whatever their order."""
    if parsed.raw.n == 0:
        return Counter()
    return Counter(json.dumps(one, sort_keys=True) for one in events(parsed.raw))


@given(gathered)
def test_every_event_is_a_row_or_a_reject_and_each_request_has_its_answer(waiting: list[Request]) -> None:
    parsed = parse(waiting, PARSING)
    assert len(parsed.answers) == len(waiting)
    assert received(parsed) >= len(waiting)
    for column in ("site", "url", "consent", "ad", "props", "agent", "address"):
        codes = getattr(parsed.raw, column).codes
        assert len(codes) == parsed.raw.n
        assert parsed.raw.n == 0 or 0 <= codes.min() <= codes.max() < len(getattr(parsed.raw, column).values)
    assert len(parsed.raw.id) == len(parsed.raw.time) == parsed.raw.n


@given(gathered)
def test_what_was_sent_together_does_not_matter(waiting: list[Request]) -> None:
    together = parse(waiting, PARSING)
    apart = [parse([request], PARSING) for request in waiting]
    assert together.answers == [answer for one in apart for answer in one.answers]
    assert rows(together) == sum((rows(one) for one in apart), Counter())
    assert together.rejects == sum((one.rejects for one in apart), Counter())


@given(gathered)
def test_the_order_of_requests_does_not_matter(waiting: list[Request]) -> None:
    forth, back = parse(waiting, PARSING), parse(waiting[::-1], PARSING)
    assert forth.answers == back.answers[::-1]
    assert rows(forth) == rows(back)
    assert forth.rejects == back.rejects


@given(gathered)
def test_no_answer_and_no_count_repeats_what_was_sent(waiting: list[Request]) -> None:
    parsed = parse(waiting, PARSING)
    assert not any(MARK.encode() in answer.body for answer in parsed.answers)
    assert not any(MARK in str(key) for key in parsed.rejects)


@given(st.lists(good, min_size=1, max_size=8))
def test_a_list_is_its_events_one_by_one(said: list[dict[str, Any]]) -> None:
    def beacon(body: Any) -> Request:
        return Request("beacon", "POST", b"", text(body), ADDRESS, BROWSER, NOW_MS)

    one_by_one = parse([beacon(one) for one in said], PARSING)
    for form in (said, {"events": said}):
        parsed = parse([beacon(form)], PARSING)
        assert rows(parsed) == rows(one_by_one)
        assert parsed.rejects == one_by_one.rejects


@given(document)
def test_a_name_that_stands_once_is_never_held_to_stand_twice(said: Any) -> None:
    body = text(said)
    assert doubled([body], names(body)) == []
    assert doubled([body], 0) == []


@given(st.dictionaries(st.text(max_size=5), scalars, min_size=1, max_size=5), st.data())
def test_a_name_that_stands_twice_is_found_wherever_it_stands(
    said: dict[str, Any], data: st.DataObject
) -> None:
    again = data.draw(st.sampled_from(sorted(said)))
    space = data.draw(st.sampled_from(["", " ", "\n", "\t"]))
    inner = text(said).decode()[:-1] + f", {json.dumps(again)}{space}: 1}}"
    expected = names(text(said))
    assert doubled([inner.encode()], expected) == [0]
    outer = f'{{"site": "market", "x": [{inner}]}}'.encode()
    assert doubled([text(said), outer], 2 * expected + 2) == [1]


def test_what_python_cannot_read_but_the_decoder_can_is_let_be() -> None:
    body = b'{"site": "market", "x": ' + b"9" * 5000 + b"}"
    assert parse([Request("beacon", "POST", b"", body, ADDRESS, BROWSER, NOW_MS)], PARSING).rejects
    assert doubled([body], 0) == []


def calls(work: Any) -> int:
    """How many Python functions are called; C functions are not counted."""
    count = 0

    def see(frame: Any, what: str, argument: Any) -> None:
        nonlocal count
        count += what == "call"

    gc.disable()  # it calls back
    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


@pytest.mark.parametrize("events_a_body", [1, 8])
def test_no_function_is_called_for_a_row(events_a_body: int) -> None:
    """Vectorised without a clock: as many calls for 10,000 events of the same few kinds as for 80."""
    kinds = [
        {"site": "market", "type": kind, "url": f"/{place}", "id": str(place), "time": NOW_MS - place}
        for place, kind in enumerate(["page_view", "click", "engagement", "ad_click"] * 2)
    ]

    def batch(times: int) -> list[Request]:
        said = [text(one) for one in kinds] if events_a_body == 1 else [text(kinds)]
        return [Request("beacon", "POST", b"", body, ADDRESS, BROWSER, NOW_MS) for body in said * times]

    few, many = batch(10), batch(1250)
    parse(few, PARSING)
    a_body = 0 if events_a_body == 1 else 3  # reading a list takes three, however long it is
    once, more = calls(lambda: parse(few, PARSING)), calls(lambda: parse(many, PARSING))
    # Names are counted a cache's worth of bodies at a time, which is some calls for hundreds of rows.
    assert more - once <= (a_body + 0.2) * (len(many) - len(few))
