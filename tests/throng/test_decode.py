"""`throng decode`: an answer for every line, whatever was in it."""

from __future__ import annotations

import json

import pytest

from consent_filter.iab.bits import LONGEST
from tests.throng.conftest import Throng
from throng.decode import DECODERS
from throng.main import DECODE, KINDS

CORE = b"COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA"
#: A line, and the reason in its answer.
HOSTILE = [
    (b"", "empty"),
    (b" ", "characters"),
    (CORE + b" ", "characters"),
    (b"\xff\xfe" + CORE, "characters"),
    ("ＣOvF".encode(), "characters"),
    (b"\0", "characters"),
    (CORE + b"\r" + CORE, "characters"),
    (b"A" * 1_000_000, "too_long"),
    (b"C" * (LONGEST + 1), "too_long"),
    (b"A" * (3 * LONGEST) + b"\r", "too_long"),
    (b"${GDPR_CONSENT_123}", "macro"),
]


def test_every_decoder_is_offered_and_explained() -> None:
    assert tuple(DECODERS) == KINDS
    for kind in KINDS:
        assert f"\n  {kind}   " in f"\n{DECODE}"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_every_line_has_its_answer_in_order(end: bytes, last: bool, throng: Throng) -> None:
    lines = [line for hostile, _ in HOSTILE for line in (hostile, CORE)]
    said = throng("decode", "tcf", given=end.join(lines) + (end if last else b""))
    assert (said.code, said.err) == (0, "")
    answers = [json.loads(line) for line in said.out.splitlines()]
    assert answers[::2] == [{"error": reason} for _, reason in HOSTILE]
    assert len(answers) == len(lines)
    assert {answer["cmpId"] for answer in answers[1::2]} == {27}


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_answers_junk_with_more_than_a_reason(kind: str, throng: Throng) -> None:
    junk = [line for line, _ in HOSTILE] + [b"null", b"NaN", b"{", b"~", b".", b"-1", b"\x1b[31m", b"%s%n"]
    said = throng("decode", kind, given=b"\n".join(junk) + b"\n")
    assert (said.code, said.err) == (0, "")
    answers = [json.loads(line) for line in said.out.splitlines()]
    assert len(answers) == len(junk)
    for answer in answers:
        assert set(answer) == {"error"}
        assert answer["error"].replace("_", "").isalpha()


def test_nothing_asked_nothing_answered(throng: Throng) -> None:
    said = throng("decode", "tcf")
    assert (said.code, said.out, said.err) == (0, "", "")
    assert throng("decode", "morse").code == 2
    assert throng("decode").code == 2
