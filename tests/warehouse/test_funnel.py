"""Funnels of one's own: their language, how far people came, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consent_filter.errors import Misconfigured, Refused
from tests.warehouse.crowd import Row, withdraw
from tests.warehouse.funnels import DAYS, HOW, NOW, STEPS, crowd, filled, plain, row, walk
from warehouse import drawn, funnel, mechanism
from warehouse.enquiry import Enquiry
from warehouse.explore import Gate
from warehouse.funnel import Funnel, Step
from warehouse.furthest import furthest
from warehouse.settings import Warehouse

ASKED = "funnel page '/' then event 'sign_up' then event 'post' from 2026-09-01 to 2026-09-03"
FORM = (
    "funnel page '/' then event 'sign_up' then event 'post' within day for measurement where site = 'shop'"
    " from 2026-09-01 to 2026-09-03"
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(filled(tmp_path, crowd()), HOW, NOW)
    yield gate
    gate.close()


def follow(
    gate: Gate, text: str = ASKED, *, spend: bool = True
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    table, said = gate.follow(funnel.read(text), spend=spend)
    return table.to_pylist(), said


def test_a_funnel_has_one_form() -> None:
    for text in (
        ASKED + " where site = 'shop'",
        "  FUNNEL Page '/'  then EVENT \"sign_up\" THEN event 'post' for analytics where site='shop'"
        " from 2026-09-01 to 2026-09-03 within day",
        FORM,
    ):
        assert funnel.asks(text)
        assert str(funnel.read(text)) == FORM == str(funnel.read(str(funnel.read(text))))
    said = "funnel page 'it''s' then event 'a' on 2026-09-01 within range"
    assert funnel.read(said).steps == (Step("page", "it's"), Step("event", "a"))
    assert not funnel.asks("people by country")
    assert not funnel.asks("funnels")


@pytest.mark.parametrize(
    ("text", "teaches"),
    [
        ("funnel page '/'", "2 to 5 steps"),
        ("funnel page '/' then page '/'", "each once"),
        ("funnel " + " then ".join(f"event '{n}'" for n in range(6)), "2 to 5 steps"),
        ("funnel page '/' then evnt 'a'", "did you mean event"),
        ("funnel page '/' and event 'a'", "as in: funnel page"),
        ("funnel page '/' then event 'a' thn event 'b'", "did you mean then"),
        ("funnel page '/' then event 'a' where country = 'DE'", "everybody at a site"),
        ("funnel page '/' then event 'a' for research", "who does not"),
        ("funnel page '/' then event 'a' for ad_measurement", "collected for measurement"),
        ("funnel page '/' then event 'a' from 2026-01-01 to 2026-09-01", "92 days"),
        ("funnel page '/' then event 'a' within hour", "day, range"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_what_can(text: str, teaches: str) -> None:
    with pytest.raises(Refused) as caught:
        funnel.read(text)
    assert teaches in caught.value.message


_CON = duckdb.connect(config={"threads": "1"})
_ROWS = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from(STEPS), st.sampled_from(DAYS), st.integers(0, 4)),
    max_size=14,
)


def counted(rows: list[Row], asked: Funnel) -> list[int]:
    """How far people came, by the SQL over these rows alone."""
    columns = [
        [one["person"] for one in rows], [date.fromisoformat(one["time"][:10]) for one in rows],
        [datetime.fromisoformat(one["time"]) for one in rows],
        [one.get("type", "page_view") for one in rows], [one.get("path") for one in rows],
        [one.get("name") for one in rows],
    ]  # fmt: skip
    kinds = (pa.uint64(), pa.date32(), pa.timestamp("ms"), pa.string(), pa.string(), pa.string())
    names = ("person", "day", "time", "type", "path", "name")
    arrays = [pa.array(one, kind) for one, kind in zip(columns, kinds, strict=True)]
    _CON.register("events", pa.table(arrays, names=names))
    return furthest(_CON, asked)


@settings(max_examples=100, deadline=None)
@given(
    walked=_ROWS, steps=st.lists(st.sampled_from(STEPS), min_size=2, max_size=5, unique=True),
    within=st.sampled_from(funnel.WINDOWS),
)  # fmt: skip
@example([(1, "/", DAYS[0], 1), (1, "post", DAYS[1], 0)], ["/", "post"], "range")
@example([(1, "/", DAYS[0], 1), (1, "post", DAYS[1], 0)], ["/", "post"], "day")
def test_everybody_is_in_the_class_of_how_far_they_came(
    walked: list[tuple[Any, ...]], steps: list[str], within: Any
) -> None:
    """Against every way of choosing events. Planted: steps counted whatever came before; the last moment of
    each step; windows of a person taken for persons."""
    rows = [row(*one) for one in walked]
    asked = Funnel(
        steps=tuple(Step("page" if one.startswith("/") else "event", one) for one in steps), within=within
    )
    found = counted(rows, asked)
    assert found == plain(rows, asked)
    for person in [*{one[0] for one in walked}][:1]:
        others = counted([one for one in rows if one["person"] != person], asked)
        moved = [abs(n - m) for n, m in zip(found, others, strict=True)]
        assert sum(moved) <= 1, "one person changes one number by one, however many steps there are"


def test_people_who_came_at_least_so_far_are_told_with_what_noise_they_have(shop: Gate) -> None:
    rows, said = follow(shop)
    assert [(one["step"], one["kind"], one["value"]) for one in rows] == [
        (1, "page", "/"), (2, "event", "sign_up"), (3, "event", "post"),
    ]  # fmt: skip
    for one, exact in zip(rows, (400, 300, 100), strict=True):
        wide = 4 * 10 * (4 - one["step"]) ** 0.5
        assert abs(one["people"] - exact) < wide, "four deviations"
        assert one["people_low"] <= one["people"] <= one["people_high"]
    assert (said["question"], said["asked"], said["days"], said["confidence"]) == (FORM, True, 3, 0.95)
    assert said["accounts"] == [{"month": "2026-09", "left": 49, "of": 50}]


def test_reading_spends_nothing_and_what_was_told_is_told_again(shop: Gate) -> None:
    rows, said = follow(shop, spend=False)
    assert (rows, said["asked"], said["at"]) == ([], False, None)
    assert said["accounts"][0]["left"] == 50
    told = follow(shop)
    for text in (ASKED, FORM, ASKED.replace("funnel", "FUNNEL ")):
        for spend in (True, False):
            assert follow(shop, text, spend=spend) == told
    gate = Gate(shop._data, msgspec.structs.replace(HOW, funnel_rho=0.05, min_group=20), NOW)
    assert follow(gate)[0] == told[0], "whatever was set since"
    assert follow(gate)[1]["accounts"][0]["left"] == 4
    gate.close()


def test_who_has_left_is_in_no_new_answer_and_an_old_one_stands(
    shop: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: whoever has withdrawn is counted."""
    counted: list[list[int]] = []
    add = mechanism.add

    def noted(values: Any, sigma: float) -> Any:
        counted.append([*map(int, values)])
        return add(values, sigma)

    monkeypatch.setattr(mechanism, "add", noted)
    before = follow(shop)
    withdraw(shop._data, range(0, 40, 4))
    assert follow(shop)[0] == before[0]
    follow(shop, ASKED.replace("then event 'post'", ""))
    assert counted == [[100, 200, 100], [90, 300]]


def test_only_published_days_and_steps_are_followed(tmp_path: Path) -> None:
    """Planted: a step that no report shows; facts of a day that is not published."""
    rows = crowd(90) + walk(999, ["/secret", "only-me"])
    gate = Gate(filled(tmp_path, rows, DAYS[:2]), HOW, NOW)
    _, said = follow(gate, ASKED.replace("09-03", "09-30"))
    assert "to 2026-09-02" in said["question"], "as far as is published"
    assert said["days"] == 2
    for step in ("event 'only-me'", "page '/secret'", "event '(other)'", "page 'sign_up'"):
        with pytest.raises(Refused) as caught:
            follow(gate, f"funnel page '/' then {step}")
        assert caught.value.code == "no_such_step"
        assert "only-me" not in caught.value.message
    for days in ("on 2026-09-03", "from 2026-10-01 to 2026-10-05", "on 2025-01-01"):
        with pytest.raises(Refused, match="published"):
            follow(gate, f"funnel page '/' then event 'sign_up' {days}")
    with pytest.raises(Refused, match="no_such_site"):
        follow(gate, "funnel page '/' then event 'sign_up' where site = 'else'")
    gate.close()
    early = Gate(tmp_path, HOW, NOW - 8.4 * 86_400)
    assert "to 2026-09-01" not in str(early), "a day that runs in the west is not over"
    with pytest.raises(Refused, match="no day"):
        follow(early)
    early.close()


def test_days_whose_facts_are_no_longer_fine_enough_are_refused(
    shop: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    from warehouse import follower
    from warehouse.purges import Mark

    for field, within, refused in (
        ("time", "day", True), ("name", "day", True), ("person", "day", False), ("person", "range", True),
        ("country", "range", False),
    ):  # fmt: skip
        marks = [
            Mark(1, field, "day", "shop", DAYS[1]),
            Mark(1, "row", "none", "shop", DAYS[0] - timedelta(9)),
        ]
        monkeypatch.setattr(follower, "coarse", lambda con, marks=marks: iter(marks))
        text = f"funnel page '/' then event '{'hired' if refused else 'post'}' within {within}"
        if field == "country":
            text = text.replace("'/' ", "'/projects' ")
        if not refused:
            assert follow(shop, text)[1]["asked"]
            continue
        with pytest.raises(Refused) as caught:
            follow(shop, text)
        assert (caught.value.code, "2026-09-02" in caught.value.message) == ("coarse", True)
        assert not follow(shop, text, spend=False)[1]["asked"], "and it has cost nothing"


def test_steps_of_too_few_are_not_told_and_none_has_more_than_the_one_before() -> None:
    """Planted: steps that may rise; no more than a group asked for of a noisy number."""
    asked = Funnel(steps=tuple(Step("event", name) for name in "abcde"))
    for classes in ([0, 0, 0, 0, 0], [500, 0, 0, 0, 3], [0, 0, 0, 0, 500], [30, 30, 30, 30, 30]):
        for _ in range(30):
            rows = drawn.draw(asked, classes, 0.005, 10).to_pylist()
            told = [one["people"] for one in rows if one["people"] is not None]
            assert told == sorted(told, reverse=True)
            hidden = [one["people"] is None for one in rows]
            assert hidden == sorted(hidden), "what is hidden is the end"
            assert all(one["people"] >= 10 for one in rows if one["people"] is not None)
            assert all((one["people_low"] is None) == (one["people"] is None) for one in rows)
    few = [drawn.draw(asked, [0, 0, 0, 0, 9], 0.005, 10)["people"].null_count for _ in range(200)]
    assert sum(n < 5 for n in few) <= 8, "fewer than a group are shown once in a thousand"


def test_the_interval_holds_the_exact_number() -> None:
    asked, classes = Funnel(steps=tuple(Step("event", name) for name in "abc")), [300, 200, 100]
    held = [
        one["people_low"] <= exact <= one["people_high"]
        for _ in range(300)
        for one, exact in zip(drawn.draw(asked, classes, 0.005, 10).to_pylist(), (600, 300, 100), strict=True)
    ]
    assert np.mean(held) >= 0.92


def test_a_funnel_is_followed_in_a_process_of_its_own(shop: Gate) -> None:
    gate = Enquiry(shop._data, HOW)
    try:
        table, said = gate.follow(funnel.read(ASKED), spend=False)
        assert (table.num_rows, said["asked"]) == (0, False)
        table, said = gate.follow(funnel.read(ASKED), spend=True)
        assert (table.to_pylist(), said) == follow(shop, spend=False)
        with pytest.raises(Refused, match="not published"):
            gate.follow(funnel.read("funnel page '/' then event 'none'"), spend=True)
    finally:
        gate.close()


def test_a_price_above_the_account_is_no_setting() -> None:
    for wrong in ({"funnel_rho": 0.0}, {"funnel_rho": 0.5}, {"funnel_rho_month": 0.001}):
        with pytest.raises(Misconfigured, match="funnel_rho"):
            Warehouse(**wrong)
