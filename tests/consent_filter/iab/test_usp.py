"""US Privacy strings: all twenty-seven, and everything around them."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.iab.bits import LONGEST, Malformed
from consent_filter.iab.usp import as_json, decode

ALL = ["1" + "".join(letters) for letters in product("YN-", repeat=3)]


def reason(text: str) -> str:
    with pytest.raises(Malformed) as refused:
        decode(text)
    assert str(refused.value) == refused.value.reason
    return refused.value.reason


@pytest.mark.parametrize("text", ALL)
def test_each_string_says_what_its_letters_say(text: str) -> None:
    assert as_json(decode(text)) == {
        "Version": 1,
        "Notice": text[1],
        "OptOutSale": text[2],
        "LspaCovered": text[3],
    }


@pytest.mark.parametrize("text", ALL)
def test_whatever_is_next_to_a_string_is_none(text: str) -> None:
    for at in range(len(text)):
        for other in "029ynZX+_=~. \n\0é١":
            assert reason(text[:at] + other + text[at + 1 :]) == ("letters" if at else "version")
        assert reason(text[:at]) == ("length" if at else "empty")
    for more in ("Y", "-", "\n", " ", "~1YNN"):
        assert reason(text + more) == "length"
        assert reason(more + text) == "length"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("${US_PRIVACY}", "macro"),
        ("[US_PRIVACY]", "macro"),
        ("1" * (LONGEST + 1), "too_long"),
        ("None", "version"),
    ],
)
def test_what_is_not_even_near_has_a_reason(text: str, why: str) -> None:
    assert reason(text) == why


@given(st.text(max_size=6))
def test_nothing_else_is_read(text: str) -> None:
    if text not in ALL:
        reason(text)
