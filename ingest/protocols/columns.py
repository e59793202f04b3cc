"""What is done to whole batches of columns: some of the rows, or several batches as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consent_filter.raw import Column, Raw, column, pair

__all__ = ["column", "join", "pair", "take"]


def take(raw: Raw, rows: NDArray[np.intp]) -> Raw:
    """Some of the rows, in the given order. Values that no row has any more may remain, except of sites."""
    columns: dict[str, Any] = {}
    for name in raw.__struct_fields__:
        whole = getattr(raw, name)
        if isinstance(whole, Column):
            columns[name] = whole if whole is UNFILLED else Column(whole.codes[rows], whole.values)
        elif isinstance(whole, list):
            columns[name] = [whole[row] for row in rows.tolist()]
        elif isinstance(whole, np.ndarray):
            columns[name] = whole[rows]
    some = Raw(n=len(rows), **columns)
    some.site = column(some.site.rows())
    return some


def join(parts: Sequence[Raw]) -> Raw:
    """The rows of several batches, one after the other."""
    if len(parts) == 1:
        return parts[0]
    columns: dict[str, Any] = {}
    for name in Raw.__struct_fields__:
        all_ = [getattr(part, name) for part in parts]
        if any(whole is UNFILLED for whole in all_):
            columns[name] = UNFILLED
        elif isinstance(all_[0], Column):
            columns[name] = _join(all_)
        elif isinstance(all_[0], list):
            columns[name] = [value for whole in all_ for value in whole]
        elif isinstance(all_[0], np.ndarray):
            columns[name] = np.concatenate(all_)
    return Raw(n=sum(part.n for part in parts), **columns)


def _join(columns: list[Column[Any]]) -> Column[Any]:
    """Each distinct value once, also where two batches share it."""
    index: dict[Any, int] = {}
    codes = []
    for part in columns:
        new = np.array([index.setdefault(value, len(index)) for value in part.values], np.int32)
        codes.append(new[part.codes] if len(new) else part.codes)
    return Column(np.concatenate(codes), list(index))


#: What enrichment has not filled yet.
UNFILLED: Column[Any] = Column(np.zeros(0, np.int32), [])
