"""GPP strings: read as the standard says, refused with a reason, and never more work than they are long."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consent_filter.iab import gpp, usp
from consent_filter.iab.bits import LONGEST, Malformed
from consent_filter.iab.gpp import as_json, decode
from consent_filter.iab.sections import GPC, NAMES, NATIONAL_BEFORE, SECTIONS, SENSITIVE, SENSITIVE_FIELDS
from tests.consent_filter.iab import encode
from tests.consent_filter.iab.encode import DIGITS, header, number, text, united_states
from tests.consent_filter.iab.test_tcf import ROOMS, steps

FILE: dict[str, Any] = json.loads((Path(__file__).parent / "cases/gpp.json").read_text())
CASES: list[dict[str, Any]] = FILE["cases"]
READABLE = [case for case in CASES if "fields" in case]


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


def test_every_case_says_why_and_every_reason_and_section_has_one() -> None:
    assert FILE["why"]
    whys = [case["why"] for case in CASES]
    assert all(whys)
    assert len(set(whys)) == len(whys)
    source = inspect.getsource(gpp) + inspect.getsource(usp)
    reasons = set(re.findall(r'Malformed\("(\w+)"\)', source)) | {"truncated", "trailing", "number", "macro"}
    assert reasons <= {case["error"] for case in CASES if "error" in case}
    assert {name for case in READABLE for name in case["fields"]["sections"]} == set(NAMES.values())


# There and back.


def fields(id: int, version: int = 1) -> st.SearchStrategy[dict[str, Any]]:
    """What a section of the United States may say, in the order of its fields."""
    section = SECTIONS[id]
    core = NATIONAL_BEFORE if id == 7 and version == 1 else section.fields
    value = st.integers(0, 2)

    def one(count: int) -> st.SearchStrategy[Any]:
        return st.lists(value, min_size=count, max_size=count) if count else value

    names = [section.version, *(name for name, _ in core)]
    said = st.tuples(st.just(version), *(one(count) for _, count in core))
    later: dict[str, st.SearchStrategy[dict[str, Any]]] = {
        "": st.just({}),
        GPC: st.sampled_from(
            [{"GpcSegmentType": kind, "Gpc": gpc} for kind, gpc in ((None, None), (1, False), (1, True))]
        ),
        SENSITIVE: st.fixed_dictionaries({n: st.none() | one(c) for n, c in SENSITIVE_FIELDS}),
    }
    return st.builds(
        lambda core, more: dict(zip(names, core, strict=True)) | more, said, later[section.later]
    )


EACH = st.sampled_from(sorted(SECTIONS)).flatmap(lambda id: st.tuples(st.just(id), fields(id)))
NATIONAL = fields(7, 2).map(lambda said: (7, said))


@given(
    st.lists(EACH | NATIONAL, max_size=30).map(dict),
    st.dictionaries(st.integers(28, 4000), st.text(DIGITS + ".", min_size=1, max_size=30), max_size=6),
    st.sampled_from([6, 8]),
)
def test_what_was_written_is_read(known: dict[int, Any], others: dict[int, str], fill: int) -> None:
    texts = {id: united_states(said, fill) for id, said in known.items()} | others
    sent = encode.gpp(texts)
    if len(sent) > LONGEST:
        assert answer(sent) == "too_long"
        return
    assert answer(sent) == {
        "sectionIds": sorted(texts),
        "sections": {SECTIONS[id].name: known[id] for id in sorted(known)},
        "unread": sorted(others),
    }
    assert decode(sent).texts == texts


@given(st.sets(st.integers(1, 6000)))
def test_every_id_and_range_is_told_by_its_distance(ids: set[int]) -> None:
    ids -= {2, 6, *SECTIONS}
    sent = encode.gpp(dict.fromkeys(ids, "x"))
    expected = sorted(ids) if len(sent) <= LONGEST else None
    said = answer(sent)
    assert said == (
        {"sectionIds": expected, "sections": {}, "unread": expected} if expected is not None else "too_long"
    )


@pytest.mark.parametrize("id", sorted(SECTIONS))
def test_fields_stand_where_each_alone_is_set(id: int) -> None:
    """A value on one place of the string is on one place of what is read, and nowhere else."""
    section = SECTIONS[id]
    zeros = 2 * sum(count or 1 for _, count in section.fields)
    version = max(section.versions)
    seen = []
    for at in range(0, zeros, 2):
        bits = "0" * at + "10" + "0" * (zeros - at - 2)
        said = decode(encode.gpp({id: text(number(version, 6) + bits)})).sections[id]
        listed = [(n, i) for n, c in section.fields for i in range(c or 1) if (said[n][i] if c else said[n])]
        assert len(listed) == 1
        seen += listed
    assert seen == [(name, i) for name, count in section.fields for i in range(count or 1)]


# Damage.


def test_a_cut_string_never_says_something_else() -> None:
    for case in READABLE:
        if case["why"].startswith("the nation's second layout under the first version"):
            continue  # which only its length tells
        sent = case["text"]
        for end in range(len(sent)):
            said = answer(sent[:end])
            if isinstance(said, dict):
                # Zeros that only fill up say nothing, nor does a sub-section that was not sent whole.
                assert as_absent(said) == as_absent(case["fields"]), (case["why"], end)


def as_absent(said: dict[str, Any]) -> dict[str, Any]:
    """What is left of it when what is at the end of the last section was not sent."""
    sections = {name: dict(fields) for name, fields in said["sections"].items()}
    if sections:
        last = list(sections)[-1]
        for name in ("Gpc", "GpcSegmentType", "vendorsDisclosed", "vendorsAllowed"):
            sections[last].pop(name, None)
        for name in [n for n in sections[last] if n.startswith(("publisher", "numCustom"))]:
            sections[last].pop(name)
        if last in ("usin", "usky", "usri"):
            sections[last].pop("SensitiveDataProcessing")
    return {"sectionIds": said["sectionIds"], "sections": sections}


def test_whatever_bit_is_flipped_there_is_an_answer() -> None:
    for case in READABLE:
        sent = case["text"]
        # Nothing is lost of what is read but what a TC string can say in two ways.
        told = not case["fields"]["unread"] and "tcfeuv2" not in case["fields"]["sections"]
        for at, digit in enumerate(sent):
            for flip in range(6) if digit in DIGITS else ():
                other = DIGITS[DIGITS.index(digit) ^ (1 << flip)]
                said = answer(sent[:at] + other + sent[at + 1 :])
                assert said != case["fields"] or not told


@pytest.mark.parametrize("foreign", [*"=+/ \n\r\t\0,%*:", "é", "С", "٣", "\u200b", "\ud800", "💥"])
def test_a_foreign_character_anywhere_is_refused(foreign: str) -> None:
    for case in READABLE:
        sent = case["text"]
        for at in range(len(sent) + 1):
            assert answer(sent[:at] + foreign + sent[at:]) in ("characters", "length", "letters", "version")


RAW = st.binary(max_size=60).map(lambda raw: text("".join(f"{byte:08b}" for byte in raw)))


@given(
    st.one_of(
        st.text(),
        st.text(DIGITS + ".~"),
        st.builds(lambda head, rest: "~".join([head, *rest]), RAW, st.lists(RAW, max_size=4)),
        st.builds(
            lambda ids, rest: "~".join([text(header([[id, id] for id in sorted(ids)])), *rest]),
            st.sets(st.integers(1, 30), max_size=4),
            st.lists(RAW, max_size=4),
        ),
    )
)
@example("\ud800")
@example("~" * LONGEST)
@example("D" * LONGEST)
def test_whatever_is_sent_there_is_an_answer(sent: str) -> None:
    said = answer(sent)
    assert isinstance(said, dict) or said.replace("_", "").isalpha()


# What a string may cost.

ONE = "0" + encode.fibonacci(1)
#: Strings of about so many characters that cost what they can.
COSTLY: dict[str, Callable[[int], str]] = {
    "sections": lambda room: encode.gpp(dict.fromkeys(range(100, 100 + room // 2 - 10), "x")),
    "sections alone": lambda room: encode.gpp(dict.fromkeys(range(100, 100 + room * 3 // 4, 2), "x")),
    "ranges over everything": lambda room: (
        text(header([])[:12] + number(4095, 12) + ("1" + encode.fibonacci(4000) * 2) * (room * 6 // 37))
        + "~x"
    ),
    "nothing but separators": lambda room: "DBAA" + "~" * room,
    "sub-sections": lambda room: encode.gpp({8: "BVoYYYYI" + ".YA" * (room // 3)}),
    "zeros": lambda room: encode.gpp({8: "BVoYYYYI" + "AAAA" * (room // 4)}),
    "zeros in the header": lambda room: "DBAA" + "A" * room,
    "a number without an end": lambda room: text(header([])[:12] + number(1, 12) + "0" + "01" * (room * 3)),
    "dots": lambda room: encode.gpp({28: "." * room}),
}


@pytest.mark.parametrize("name", COSTLY)
def test_work_grows_no_faster_than_the_string(name: str) -> None:
    strings = [COSTLY[name](room) for room in ROOMS]
    assert all(room * 0.5 < len(sent) <= LONGEST for room, sent in zip(ROOMS, strings, strict=True))
    worked = [steps(sent, answer) for sent in strings]
    for (short, few), (long, many) in pairwise(zip(map(len, strings), worked, strict=True)):
        assert many <= few * long / short * 1.2 + 100
    assert max(worked) < 15 * LONGEST
