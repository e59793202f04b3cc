"""Values of one width by keys of 16 bytes, without an object for each: what a dictionary holds in a third.

The keys are keyed hashes, so their first bits say where they lie: in one of many short runs of bytes, which
is searched by `bytes.find`. The runs are split one after another as they grow (linear hashing: Litwin, 1980),
so that no insertion has to lay everything out anew. Nothing but hashes may be a key: others would pile up.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

KEY = 16
#: Records of a run, on average: 16 take 4 bytes each besides themselves; 64 take 1, and twice the time.
_RUN = 16


class Packed:
    """A mapping from keys to values of `width` bytes. One thread writes at a time; any number may read."""

    def __init__(self, width: int) -> None:
        self._row = KEY + width
        self._runs: list[bytes] = [b""]
        # (bits that say which run, as a mask; runs of this round that are split): replaced as one.
        self._state = (0, 0)
        self._n = 0

    def load(self, records: bytes | bytearray) -> None:
        """Lay out many at once, in an empty mapping: keys and values, one after another, no key twice."""
        row = self._row
        rows = np.frombuffer(records, np.uint8).reshape(-1, row)
        n = len(rows)
        runs = max(1, -(-n // _RUN))
        mask = (1 << runs.bit_length() - 1) - 1
        split = runs - mask - 1
        hashes = np.ascontiguousarray(rows[:, :8]).view("<u8").ravel()
        place = hashes & np.uint64(mask)
        place = np.where(place >= split, place, hashes & np.uint64(mask << 1 | 1))
        order = np.argsort(place, kind="stable")
        ends = (np.searchsorted(place[order], np.arange(runs), side="right") * row).tolist()
        laid = rows[order].tobytes()
        self._runs = [laid[start:end] for start, end in pairwise([0, *ends])]
        self._state, self._n = (mask, split), n

    def __len__(self) -> int:
        return self._n

    def get(self, key: bytes) -> bytes | None:
        """The value; None where there is none."""
        hash, row = int.from_bytes(key[:8], "little"), self._row
        while True:
            mask, split = state = self._state
            place = hash & mask
            run = self._runs[place if place >= split else hash & (mask << 1 | 1)]
            at = run.find(key)
            while at >= 0:
                if not at % row:
                    return run[at + KEY : at + row]
                at = run.find(key, at + 1)
            if state is self._state:  # else a run was split meanwhile: look again
                return None

    def put(self, key: bytes, value: bytes) -> None:
        """Set a value. `value` has the width."""
        place = self._place(key)
        run, at = self._runs[place], self._at(self._runs[place], key)
        if at >= 0:
            self._runs[place] = run[: at + KEY] + value + run[at + self._row :]
            return
        self._runs[place] = run + key + value
        self._n += 1
        if self._n > _RUN * len(self._runs):
            self._split()

    def pop(self, key: bytes) -> bytes | None:
        """Take a value out; None where there was none."""
        place = self._place(key)
        run, at = self._runs[place], self._at(self._runs[place], key)
        if at < 0:
            return None
        self._runs[place] = run[:at] + run[at + self._row :]
        self._n -= 1
        return run[at + KEY : at + self._row]

    def keys(self) -> Iterator[bytes]:
        """All keys, in no order."""
        for run in self._runs:
            for at in range(0, len(run), self._row):
                yield run[at : at + KEY]

    def _place(self, key: bytes) -> int:
        hash, (mask, split) = int.from_bytes(key[:8], "little"), self._state
        place = hash & mask
        return place if place >= split else hash & (mask << 1 | 1)

    def _at(self, run: bytes, key: bytes) -> int:
        at = run.find(key)
        while at % self._row and at >= 0:
            at = run.find(key, at + 1)
        return at

    def _split(self) -> None:
        """Cut the next run of this round in two, by one bit more. Readers find each record in one of them."""
        (mask, split), row = self._state, self._row
        bit, run = mask + 1, self._runs[split]
        stays: list[bytes] = []
        goes: list[bytes] = []
        for at in range(0, len(run), row):
            hash = int.from_bytes(run[at : at + 8], "little")
            (goes if hash & bit else stays).append(run[at : at + row])
        self._runs.append(b"".join(goes))
        self._state = (mask, split + 1) if split < mask else (mask << 1 | 1, 0)
        self._runs[split] = b"".join(stays)
