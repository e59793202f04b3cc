"""TC strings: read as the standard says, refused with a reason, and never more work than they are long."""

from __future__ import annotations

import inspect
import json
import re
import sys
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consent_filter.iab import bits, tcf
from consent_filter.iab.bits import LONGEST, Malformed
from consent_filter.iab.tcf import as_json, decode
from tests.consent_filter.iab import encode
from tests.consent_filter.iab.encode import DIGITS, PLAIN, ids, number, text

FILE: dict[str, Any] = json.loads((Path(__file__).parent / "cases/tcf.json").read_text())
CASES: list[dict[str, Any]] = FILE["cases"]
READABLE = [case for case in CASES if "fields" in case]
#: What a string that was not sent whole, or not at all, may still lack.
LATER = ("vendorsDisclosed", "vendorsAllowed", *tcf.Publisher.__struct_encode_fields__)


def answer(sent: str) -> dict[str, Any] | str:
    """The fields, or the reason. Whatever else is raised fails the test."""
    try:
        return as_json(decode(sent))
    except Malformed as error:
        refused = error
    assert str(refused) == refused.reason
    assert refused.__cause__ is None
    return refused.reason


# Cases.


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_a_string_says_what_its_case_says(case: dict[str, Any]) -> None:
    sent = case["text"]
    if "then" in case:
        more, times = case["then"]
        sent += more * times
    assert answer(sent) == case.get("fields", case.get("error"))


def test_every_case_says_why_and_every_reason_has_one() -> None:
    assert FILE["why"]
    whys = [case["why"] for case in CASES]
    assert all(whys)
    assert len(set(whys)) == len(whys)
    source = inspect.getsource(bits) + inspect.getsource(tcf)
    reasons = set(re.findall(r'Malformed\("(\w+)"\)', source)) | {"version", "core_late", "no_core"}
    assert reasons == {case["error"] for case in CASES if "error" in case}


# There and back.


def ranges(vendors: set[int]) -> list[list[int]]:
    """The fewest that cover them, found the slow way."""
    found: list[list[int]] = []
    for one in sorted(vendors):
        if found and found[-1][1] == one - 1:
            found[-1][1] = one
        else:
            found.append([one, one])
    return found


SMALL = st.sets(st.integers(1, 60)).map(ranges)
VENDORS = st.one_of(SMALL, st.sets(st.integers(1, 2000), max_size=20).map(ranges))


def some(highest: int) -> st.SearchStrategy[list[int]]:
    return st.sets(st.integers(1, highest)).map(sorted) if highest else st.just([])


TIMES = st.integers(0, 2**36 - 1).map(lambda n: tcf._EPOCH + tcf.timedelta(milliseconds=100 * n))
ISO = TIMES.map(lambda time: time.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
PAIR = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=2)
RESTRICTIONS = st.dictionaries(
    st.tuples(st.integers(1, 63), st.integers(0, 2)), VENDORS.filter(bool), max_size=5
).map(
    lambda said: [
        {"purposeId": purpose, "restrictionType": kind, "vendors": vendors}
        for (purpose, kind), vendors in sorted(said.items())
    ]
)
PUBLISHERS = st.one_of(
    st.just(dict.fromkeys(encode.PUBLISHER)),
    st.integers(0, 63).flatmap(
        lambda custom: st.fixed_dictionaries(
            {
                "publisherConsents": some(24),
                "publisherLegitimateInterests": some(24),
                "numCustomPurposes": st.just(custom),
                "publisherCustomConsents": some(custom),
                "publisherCustomLegitimateInterests": some(custom),
            }
        )
    ),
)
STRINGS = st.builds(
    lambda said, own: {**said, **own},
    st.fixed_dictionaries(
        {
            "version": st.just(2),
            "created": ISO,
            "lastUpdated": ISO,
            "cmpId": st.integers(0, 4095),
            "cmpVersion": st.integers(0, 4095),
            "consentScreen": st.integers(0, 63),
            "consentLanguage": PAIR,
            "vendorListVersion": st.integers(0, 4095),
            "policyVersion": st.integers(0, 63),
            "isServiceSpecific": st.booleans(),
            "useNonStandardTexts": st.booleans(),
            "specialFeatureOptins": some(12),
            "purposeConsents": some(24),
            "purposeLegitimateInterests": some(24),
            "purposeOneTreatment": st.booleans(),
            "publisherCountryCode": PAIR,
            "vendorConsents": VENDORS,
            "vendorLegitimateInterests": VENDORS,
            "publisherRestrictions": RESTRICTIONS,
            "vendorsDisclosed": st.none() | SMALL,
            "vendorsAllowed": st.none() | SMALL,
        }
    ),
    PUBLISHERS,
)


@given(STRINGS, st.booleans(), st.sampled_from([1, 8, 24]), st.randoms(use_true_random=False))
def test_what_was_written_is_read(said: dict[str, Any], as_ranges: bool, fill: int, dice: Any) -> None:
    core, *later = encode.segments(said, as_ranges=as_ranges)
    dice.shuffle(later)
    sent = ".".join(text(segment, fill) for segment in (core, *later))
    assert answer(sent) == (said if len(sent) <= LONGEST else "too_long")


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9)), max_size=12))
def test_ranges_in_any_order_are_the_vendors_they_cover(sent: list[tuple[int, int]]) -> None:
    entries = [(first, first + more) for first, more in sent]
    covered = {vendor for first, last in entries for vendor in range(first, last + 1)}
    read = decode(written(vendors=encode.vendors(entries, as_ranges=True)))
    assert as_json(read)["vendorConsents"] == ranges(covered)
    for vendor in range(62):
        assert bits.within(read.vendor_consents, vendor) is (vendor in covered)


# Hostile strings.

NOBODY = encode.vendors([], as_ranges=False)
#: The bits of a core before its vendors.
HEAD = encode.core(PLAIN).removesuffix(NOBODY * 2 + encode.restrictions([]))


def written(vendors: str = NOBODY, restrictions: str = number(0, 12)) -> str:
    return text(HEAD + vendors + NOBODY + restrictions)


@pytest.mark.parametrize("case", READABLE, ids=lambda case: case["why"])
def test_a_cut_string_never_says_something_else(case: dict[str, Any]) -> None:
    for end in range(len(case["text"])):
        said = answer(case["text"][:end])
        if isinstance(said, dict):
            whole = case["fields"]
            assert {name for name in said if said[name] != whole[name]} <= set(LATER)
            assert all(said[name] in (None, whole[name]) for name in LATER)


@pytest.mark.parametrize("case", READABLE, ids=lambda case: case["why"])
def test_a_changed_bit_is_an_answer_too(case: dict[str, Any]) -> None:
    sent: str = case["text"]
    for at, digit in enumerate(sent):
        for flip in range(6) if digit != "." else ():
            other = DIGITS[DIGITS.index(digit) ^ (1 << flip)]
            answer(sent[:at] + other + sent[at + 1 :])


@pytest.mark.parametrize("foreign", [*"=+/ \n\r\t\0~,%*:", "é", "С", "٣", "\u200b", "\ud800", "💥"])
def test_a_foreign_character_anywhere_is_refused(foreign: str) -> None:
    for case in READABLE[:3]:
        sent = case["text"]
        for at in range(len(sent) + 1):
            assert answer(sent[:at] + foreign + sent[at:]) == "characters"


RAW = st.binary(max_size=400).map(lambda raw: "".join(f"{byte:08b}" for byte in raw))


@given(st.one_of(st.text(), st.text(DIGITS + "."), RAW.map(text), RAW.map(lambda more: text(HEAD + more))))
@example("\ud800")
@example("." * LONGEST)
@example("A" * LONGEST)
@example(text(HEAD) + "." + "_" * (LONGEST // 2))
def test_whatever_is_sent_there_is_an_answer(sent: str) -> None:
    said = answer(sent)
    assert isinstance(said, dict) or said.replace("_", "").isalpha()


@given(st.sampled_from(READABLE), st.integers(0), st.integers(0), st.text(DIGITS + ".", max_size=20))
def test_whatever_is_put_into_a_string_there_is_an_answer(case: Any, at: int, end: int, other: str) -> None:
    sent = case["text"]
    at, end = at % len(sent), end % len(sent)
    answer(sent[:at] + other + sent[end:])


# What a string may cost. Ranges over everybody are cheap to send; whoever expands them pays.


def again(one: str, room: int) -> str:
    """As often as fits into so many characters, after its number."""
    times = min(room * 6 // len(one), 4095)
    return number(times, 12) + one * times


def each(vendors: list[int]) -> str:
    return encode.vendors([(one, one) for one in vendors], as_ranges=True, highest=65535)


EVERYBODY = "1" + number(1, 16) + number(65535, 16)
ONE_OF = number(7, 6) + number(1, 2) + number(1, 12) + EVERYBODY
MANY_OF = number(7, 6) + number(1, 2) + number(40, 12) + EVERYBODY * 40
#: Strings of about so many characters that cost what they can, and are read.
READ: dict[str, Callable[[int], str]] = {
    "everybody, again and again": lambda room: written(number(65535, 16) + "1" + again(EVERYBODY, room)),
    "two vendors in turn": lambda room: written(each([9, 7] * (room * 3 // 17))),
    "ever lower vendors": lambda room: written(each(list(range(room * 12 // 17, 0, -2)))),
    "every other vendor": lambda room: text(
        HEAD + 2 * (number(3 * room, 16) + "0" + ids(range(2, 3 * room, 2), 3 * room)) + number(0, 12)
    ),
    "restrictions of everybody": lambda room: written(restrictions=again(ONE_OF, room)),
    "restrictions of everybody, again and again": lambda room: written(restrictions=again(MANY_OF, room)),
    "zeros": lambda room: written() + "AAAA" * (room // 4),
}
#: And are refused.
REFUSED: dict[str, Callable[[int], str]] = {
    "segments": lambda room: written() + ".IA" * (room // 3),
    "unknown segments": lambda room: written() + ".gA" * (room // 3),
    "dots": lambda room: "." * room,
    "brackets": lambda room: "[" * room,
    "a macro without an end": lambda room: "[" + "A" * room,
    "no zero at the end": lambda room: written() + "AAAA" * (room // 4) + "AAAB",
}
COSTLY = READ | REFUSED
ROOMS = [500, 1000, 2000, 4000, 7500]


def steps(sent: str, answer: Callable[[str], Any] = answer) -> int:
    """How many lines of code are run for a string."""
    count = 0

    def step(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event in ("line", "call")
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        answer(sent)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", COSTLY)
def test_work_grows_no_faster_than_the_string(name: str) -> None:
    strings = [COSTLY[name](room) for room in ROOMS]
    assert all(room * 0.9 < len(sent) <= LONGEST for room, sent in zip(ROOMS, strings, strict=True))
    assert all(isinstance(answer(sent), dict) is (name in READ) for sent in strings)
    worked = [steps(sent) for sent in strings]
    for (short, few), (long, many) in pairwise(zip(map(len, strings), worked, strict=True)):
        assert many <= few * long / short * 1.2 + 100
    assert max(worked) < 10 * LONGEST


@pytest.mark.parametrize("name", COSTLY)
def test_memory_grows_no_faster_than_the_string(name: str) -> None:
    for room in ROOMS:
        sent = COSTLY[name](room)
        answer(sent)
        tracemalloc.start()
        answer(sent)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1000 * len(sent) + 20_000


def test_vendors_stay_ranges() -> None:
    read = decode(COSTLY["everybody, again and again"](7500))
    assert read.vendor_consents == ((1, 65535),)
    (restriction,) = decode(COSTLY["restrictions of everybody"](7500)).publisher_restrictions
    assert restriction.vendors == ((1, 65535),)
