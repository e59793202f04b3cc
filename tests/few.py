"""Some of the reports, for tests that make them again and again: all forty are most of what a run takes."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from warehouse import report

#: Those that are looked at where everything is killed: of a day, of requests, of all days.
COUNTED = ("traffic_day", "pages", "balance", "new_returning")


def few(patch: pytest.MonkeyPatch, names: Collection[str] = COUNTED) -> None:
    """There are no others until the patch is undone, in forks of this process neither."""
    known = {name: one for name, one in report.load().items() if name in names}
    patch.setattr(report, "load", lambda: known)
