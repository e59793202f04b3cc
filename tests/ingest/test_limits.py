"""Nobody sends more than a burst and the rate since, memory stays bounded, and no bomb goes off."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import limits
from ingest.limits import Rate, TooLarge, Unreadable, unpack

#: Steps of a clock that may also go back, in sixteenths of a second, so that sums are exact.
STEPS = st.lists(
    st.tuples(st.integers(-8, 64).map(lambda n: n / 16), st.sampled_from("abc")), min_size=1, max_size=80
)


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(STEPS, st.sampled_from([0.25, 1.0, 4.0]), st.integers(1, 6))
def test_no_window_holds_more_than_burst_and_rate(
    steps: list[tuple[float, str]], rate: float, burst: int
) -> None:
    clock = Clock()
    bucket = Rate(rate, burst, clock)
    taken: dict[str, list[float]] = defaultdict(list)
    elapsed = 0.0
    for step, address in steps:
        clock.now += step
        elapsed += max(step, 0.0)  # a clock set back may give back what it took, never more
        if bucket.allows(address):
            taken[address].append(elapsed)
    for times in taken.values():
        for first in range(len(times)):
            for last in range(first, len(times)):
                assert last - first + 1 <= burst + rate * (times[last] - times[first])


@given(STEPS, st.sampled_from([0.25, 1.0, 4.0]), st.integers(1, 6))
def test_it_refuses_only_who_has_no_token(steps: list[tuple[float, str]], rate: float, burst: int) -> None:
    """The slow way: a level a client, filled at every step of the clock for everybody."""
    clock = Clock()
    bucket = Rate(rate, burst, clock)
    levels = dict.fromkeys("abc", float(burst))
    for step, address in steps:
        clock.now += abs(step)
        levels = {name: min(level + abs(step) * rate, burst) for name, level in levels.items()}
        allowed = levels[address] >= 1.0
        assert bucket.allows(address) is allowed
        levels[address] -= allowed


def test_no_rate_is_no_limit() -> None:
    bucket = Rate(0.0, 1, Clock())
    assert all(bucket.allows("a") for _ in range(1000))


def test_memory_is_bounded_and_who_has_sent_most_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_HELD", 1000)
    bucket = Rate(1.0, 3, Clock())
    assert [bucket.allows("greedy") for _ in range(4)] == [True, True, True, False]
    for number in range(20_000):
        assert bucket.allows(f"passer-by {number}")
        assert len(bucket._left) <= 1000
    assert not bucket.allows("greedy")


def test_no_address_is_held_in_clear() -> None:
    bucket = Rate(1.0, 3, Clock())
    bucket.allows("203.0.113.77")
    assert "203.0.113.77" not in repr(bucket._left)
    other = Rate(1.0, 3, Clock())
    other.allows("203.0.113.77")
    assert set(bucket._left) != set(other._left), "one key for all processes would be a name"


ENCODINGS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}


@given(st.binary(max_size=400), st.sampled_from(sorted(ENCODINGS)), st.integers(0, 400))
def test_a_body_comes_back_or_is_too_large(body: bytes, encoding: str, most: int) -> None:
    packed = ENCODINGS[encoding](body)
    if len(body) <= most:
        assert unpack(packed, encoding, most) == body
    else:
        with pytest.raises(TooLarge):
            unpack(packed, encoding, most)


@given(st.binary(max_size=200), st.sampled_from(sorted(ENCODINGS)), st.data())
def test_what_is_cut_or_no_stream_is_unreadable(body: bytes, encoding: str, data: st.DataObject) -> None:
    packed = ENCODINGS[encoding](body)
    cut = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(Unreadable):
        unpack(packed[:cut], encoding, 1000)
    with pytest.raises(Unreadable):
        unpack(b"\x00" + packed, encoding, 1000)


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_a_bomb_does_not_go_off(encoding: str) -> None:
    bomb = ENCODINGS[encoding](b"\x00" * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            unpack(bomb, encoding, 20_000)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_an_unknown_encoding_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        unpack(b"", "br", 10)
