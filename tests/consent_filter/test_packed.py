"""Packed values are found again whatever was put and taken before, also while they are laid out anew."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consent_filter.packed import Packed


def key(n: int) -> bytes:
    return blake2b(str(n).encode(), digest_size=16).digest()


@given(st.lists(st.tuples(st.sampled_from(["put", "pop", "get"]), st.integers(0, 60), st.integers(0, 255))))
def test_it_is_a_dictionary(steps: list[tuple[str, int, int]]) -> None:
    packed, plain = Packed(3), dict[bytes, bytes]()
    for step, n, value in steps:
        if step == "put":
            packed.put(key(n), bytes([value, 0, value]))
            plain[key(n)] = bytes([value, 0, value])
        elif step == "pop":
            assert packed.pop(key(n)) == plain.pop(key(n), None)
        else:
            assert packed.get(key(n)) == plain.get(key(n))
    assert len(packed) == len(plain)
    assert sorted(packed.keys()) == sorted(plain)
    assert all(packed.get(one) == value for one, value in plain.items())


@given(st.sets(st.integers(0, 400)), st.sets(st.integers(0, 400)))
def test_what_is_laid_out_at_once_goes_on_like_the_rest(first: set[int], more: set[int]) -> None:
    packed = Packed(2)
    packed.load(b"".join(key(n) + n.to_bytes(2, "big") for n in first))
    assert len(packed) == len(first)
    for n in more:
        packed.put(key(n), n.to_bytes(2, "big"))
    for n in range(401):
        assert packed.get(key(n)) == (n.to_bytes(2, "big") if n in first | more else None)


def test_a_key_inside_of_a_value_or_across_two_records_is_none() -> None:
    packed = Packed(16)
    packed.put(key(1), key(2))
    packed.put(key(3), bytes(16))
    assert packed.get(key(2)) is None
    assert packed.get((key(1) + key(2))[8:24]) is None
    packed.put(key(2), key(1))
    assert packed.get(key(2)) == key(1)
    assert packed.pop(key(1)) == key(2)
    assert packed.get(key(1)) is None


def test_whoever_looks_while_it_grows_finds_what_was_there() -> None:
    """Between finding out where to look and looking, the run is split: each record, at the worst moment."""
    packed = Packed(4)

    class Splitting(list[bytes]):
        armed = False

        def __getitem__(self, place: Any) -> Any:
            if self.armed:
                self.armed = False
                packed._split()
            return super().__getitem__(place)

    runs = packed._runs = Splitting(packed._runs)
    for n in range(500):
        packed.put(key(n), n.to_bytes(4, "big"))
    for n in range(500):
        runs.armed = True
        assert packed.get(key(n)) == n.to_bytes(4, "big")
        assert not runs.armed
    assert packed.get(key(501)) is None
