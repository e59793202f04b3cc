"""Event ids of the last two days: what a retry could repeat, sorted so that a few new ones cost little."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from consent_filter.fields import RETRY

Ids = NDArray[np.uint64]
#: How long a retry of an event is recognised: as long as one may come, and an hour for clocks that differ.
WINDOW = RETRY + timedelta(hours=1)


class Recent:
    """Sorted runs of ids, each at least twice as long as the next: adding n ids moves few others.

    At 10 million events a day the window holds 160 MB; sorting it anew each time would take seconds.
    """

    def __init__(self, ids: Ids | None = None) -> None:
        self.runs: list[Ids] = []
        if ids is not None:
            self.add(ids)

    def among(self, ids: Ids) -> NDArray[np.bool_]:
        """Which of these ids have been seen."""
        found = np.zeros(len(ids), np.bool_)
        for run in self.runs:
            place = np.minimum(np.searchsorted(run, ids), len(run) - 1)
            found |= run[place] == ids
        return found

    def add(self, ids: Ids) -> None:
        """Remember distinct ids that were not among them, in any order."""
        if not len(ids):
            return
        self.runs.append(np.sort(ids))
        while len(self.runs) > 1 and len(self.runs[-2]) < 2 * len(self.runs[-1]):
            last = self.runs.pop()
            self.runs[-1] = np.sort(np.concatenate([self.runs[-1], last]), kind="stable")

    def save(self, file: Path) -> None:
        """For workers in other processes."""
        np.save(file, np.concatenate([np.zeros(0, np.uint64), *self.runs]))

    @classmethod
    def load(cls, file: Path) -> Recent:
        return cls(np.load(file))


def repeated(stretches: Sequence[Ids]) -> dict[int, Ids]:
    """Ids that stand in several stretches: by stretch, those that an earlier one has already.

    Each stretch's own ids are distinct. A retry may fall into another stretch than its event.
    """
    ids = np.concatenate([np.zeros(0, np.uint64), *stretches])
    owner = np.repeat(np.arange(len(stretches)), [len(one) for one in stretches])
    order = np.argsort(ids, kind="stable")  # the earlier stretch stays first
    ids, owner = ids[order], owner[order]
    again = np.flatnonzero(ids[1:] == ids[:-1]) + 1
    return {int(one): ids[again[owner[again] == one]] for one in np.unique(owner[again])}
