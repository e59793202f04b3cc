"""Certificates of removal: a true one is accepted by anybody with the key, an altered one never."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest

from consent_filter import certificate
from consent_filter.certificate import FactFile, Remains, Rewritten, Searched, check, draw
from consent_filter.errors import Refused
from consent_filter.receipt import canonical
from consent_filter.signing import SigningKey, to_text

KEY = SigningKey.of(bytes(range(32)))


def file(name: str, rows: int) -> FactFile:
    return FactFile(f"files/main/events/{name}.parquet", rows, name.rjust(64, "0"))


def said(**more: Any) -> dict[str, Any]:
    return {
        "id": "E-0011223344556677", "requests": ["R-ABCD-EFGH-JKLM"], "people": 2, "reasons": ["erase"],
        "begun": 1_795_000_000_000, "done": 1_795_000_700_000,
        "before": [file("a", 10), file("b", 5), file("c", 7)], "rows_before": 22,
        "rewritten": [Rewritten(file("a", 10), (file("d", 8),)), Rewritten(file("b", 5), ())],
        "rows_after": 15, "rewritten_at": 12,
        "searched": [Searched("facts", 3, 7, 0, ("7 rows in 2 files",)), Searched("log", 1, 0, 0, ())],
        "remains": [Remains("the keyed hash", "late events are refused by it", "the ledger's end")],
        "copies_until": 1_797_592_700_000,
    } | more  # fmt: skip


def resigned(line: bytes, **more: Any) -> bytes:
    """As the holder of the key would have signed it, had the software been wrong."""
    whole = json.loads(line) | more
    del whole["signature"]
    return canonical(whole | {"signature": to_text(KEY.sign(canonical(whole)))})


@pytest.mark.requirement("M85", "M110", "S3")
def test_a_true_certificate_is_accepted_with_the_key_alone() -> None:
    found = check(draw(KEY, **said()), [KEY.public])
    assert (found.people, found.requests) == (2, ("R-ABCD-EFGH-JKLM",))
    assert [one.file for one in certificate.after(found)] == [file(n, 0).file for n in ("c", "d")]


def test_every_altered_byte_is_refused() -> None:
    line, dice = draw(KEY, **said()), random.Random(4)
    for place in range(len(line)):
        other = bytearray(line)
        other[place] ^= 1 << dice.randrange(8)
        with pytest.raises(Refused):
            check(bytes(other), [KEY.public])
    for cut in (0, 1, len(line) // 2, len(line) - 1):
        with pytest.raises(Refused):
            check(line[:cut], [KEY.public])


def test_members_taken_out_added_or_told_otherwise_are_refused() -> None:
    line = draw(KEY, **said())
    whole = json.loads(line)
    for name in whole:
        with pytest.raises(Refused):
            check(canonical({n: v for n, v in whole.items() if n != name}), [KEY.public])
    for change in ({"people": 3}, {"more": 1}, {"searched": []}, {"remains": []}, {"copies_until": 0}):
        with pytest.raises(Refused):
            check(canonical(whole | change), [KEY.public])
    with pytest.raises(Refused):
        check(line, [SigningKey.of(bytes(32)).public])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"before": [file("a", 10), file("b", 5)]}, "hash"),
        ({"rows_before": 23}, "left out"),
        ({"rows_after": 14}, "remain"),
        ({"rewritten": []}, "hash"),
        ({"done": 0}, "begun"),
        ({"before": [file("a", 10)] * 2}, "twice"),
        ({"rewritten": [Rewritten(file("x", 1), ())]}, "not in the list"),
        ({"searched": [Searched("log", 1, 3, 1, ())]}, "left"),
    ],
)
def test_what_cannot_be_true_together_is_refused_though_it_is_signed(
    change: dict[str, Any], why: str
) -> None:

    line = resigned(draw(KEY, **said()), **msgspec.to_builtins(change))
    with pytest.raises(Refused, match=why):
        check(line, [KEY.public])


def test_a_file_silently_left_out_does_not_add_up() -> None:
    """The list lacks a file, and its hash was made of the list that lacks it."""
    with pytest.raises(Refused, match="left out"):
        check(draw(KEY, **said(before=[file("a", 10), file("b", 5)])), [KEY.public])
