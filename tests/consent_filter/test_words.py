"""Texts by number: every text comes back, null where there is none, and few words are kept of many events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter import words
from consent_filter.words import Words

_TEXTS = st.lists(st.none() | st.text(max_size=4) | st.sampled_from(["a", "b", ""]), max_size=12)


@given(_TEXTS, _TEXTS, _TEXTS)
def test_every_text_comes_back(
    known: list[str | None], again: list[str | None], once: list[str | None]
) -> None:
    remembered = Words()
    remembered.bytes(known)
    batch = remembered.batch()
    first = batch.bytes(once)
    laid = remembered.bytes(again) + first + batch.bytes(once)  # some are remembered in the meantime
    numbers = np.frombuffer(laid, "<u4").reshape(1, -1)
    found, places = batch.places(numbers)
    texts = [*again, *once, *once]
    assert [found[int(place)].as_py() for place in places[0]] == texts
    # A text of the batch's own that has come to be remembered since stands there twice.
    assert len(found) <= len({None, *texts}) + len(set(once) & set(again))
    assert not found[0].is_valid


@given(_TEXTS, _TEXTS)
def test_a_batch_leaves_nothing_behind(known: list[str | None], once: list[str | None]) -> None:
    remembered = Words()
    remembered.bytes(known)
    before = remembered.bytes(known)
    remembered.batch().bytes(once)
    assert remembered.bytes(known) == before
    found, _ = remembered.batch().places(np.frombuffer(remembered.bytes(known), "<u4"))
    assert set(found.to_pylist()) == {None, *known}


def test_they_are_full_one_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MOST", 3)
    few = Words()
    few.bytes(["a"])
    assert not few.full
    few.bytes(["b"])
    assert few.full
