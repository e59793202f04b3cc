"""No fingerprint: what is stored of a visitor without an identifier is shared with many (M30)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.visitors import SHOWN, stored
from consent_filter import columns
from consent_filter.entropy import MOST_ALONE, MOST_BITS, Told, measure
from consent_filter.fields import BY_NAME
from consent_filter.sender import WHAT, WHO

#: One of each: a sample of one site under one policy.
_SAME = {"site", "home", "policy"}


@pytest.fixture(scope="module")
def crowd() -> pa.Table:
    return stored(200_000)


@pytest.mark.requirement("M30")
def test_what_is_stored_of_a_visitor_without_an_identifier_stays_under_the_cap(crowd: pa.Table) -> None:
    told = measure(crowd)
    assert told.people > 150_000
    assert told.bits < MOST_BITS, told
    assert told.alone < MOST_ALONE, told
    assert told.by["browser_version"] == told.by["region"] == told.by["network"] == 0


@pytest.mark.requirement("M30")
def test_nor_does_what_speaks_against_a_viewer_of_adverts_tell_them_apart() -> None:
    told = measure(stored(200_000, adverts=True), (*WHO, *SHOWN))
    assert told.people > 75_000
    assert told.bits < MOST_BITS, told
    assert told.alone < MOST_ALONE, told
    assert min(told.by[name] for name in SHOWN) > 0.01, "let it vary in benchmarks/visitors.py"


@pytest.mark.requirement("M30")
def test_a_finer_rate_or_the_browser_of_an_odd_viewer_would_break_the_cap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("consent_filter.suspicion.SPIKE", 7)
    assert measure(stored(200_000, adverts=True), (*WHO, *SHOWN)).alone > MOST_ALONE
    monkeypatch.undo()
    monkeypatch.setattr(columns, "_VAGUE", columns._VAGUE[:0])
    assert measure(stored(200_000, adverts=True), (*WHO, *SHOWN)).alone > MOST_ALONE


@pytest.mark.requirement("M30")
def test_what_is_left_out_would_be_seen_and_break_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """That the measure sees a column at all: each is kept for once, and the number rises."""
    before, closed = measure(stored(50_000)).bits, columns._LASTING
    for place in [place for place in closed if columns.TEXTS[place] in WHO]:
        monkeypatch.setattr(columns, "_LASTING", np.array([one for one in closed if one != place]))
        assert measure(stored(50_000)).bits > before + 0.2, columns.TEXTS[place]
    monkeypatch.setattr(columns, "_LASTING", closed[:0])
    assert measure(stored(50_000)).bits > MOST_BITS + 3


def test_every_column_of_a_sender_is_measured_and_varies_in_the_sample(crowd: pa.Table) -> None:
    """A column that the sample does not fill would pass unseen: whoever adds one fills it there."""
    for name in set(WHO) - _SAME:
        assert len(crowd[name].unique()) > 1, f"{name}: let it vary in benchmarks/visitors.py"
    by = measure(crowd).by
    assert {n for n in WHO if by[n] == 0} == {n for n in WHO if not BY_NAME[n].alone} | _SAME | {"treatment"}
    assert not set(WHO) & set(WHAT)


def _rows(*texts: tuple[int, str]) -> pa.Table:
    return pa.table(
        {
            "day": pa.array([1] * len(texts), pa.int32()).cast(pa.date32()),
            "person": pa.array([person for person, _ in texts], pa.uint64()),
            "treatment": pa.array(["cookieless"] * len(texts)),
            "browser": pa.array([text for _, text in texts]),
        }
    )


def test_the_measure() -> None:
    two = measure(_rows((1, "a"), (2, "a"), (3, "b"), (4, "b"), (4, "b")), ["browser"])
    assert two == Told(4, 1.0, 2, 0.0, 1.0, {"browser": 1.0})
    alone = measure(_rows(*((n, str(n)) for n in range(16))), ["browser"])
    assert (alone.bits, alone.sets, alone.alone) == (4.0, 16, 1.0)
    assert measure(_rows(), ["browser"]).bits == 0
