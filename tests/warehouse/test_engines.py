"""Engines serve again, not for ever: each lake leaves something in one that only closing it gives back."""

from __future__ import annotations

import duckdb
import pytest

from warehouse import extensions


def test_an_engine_serves_so_often_and_then_another_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extensions, "_IDLE", [])
    monkeypatch.setattr(extensions, "MOST", 3)
    had = []
    for _ in range(4):
        had.append(extensions.take(1))
        extensions.give(had[-1])
    assert had[0] is had[1] is had[2]
    assert had[3] is not had[0]
    with pytest.raises(duckdb.ConnectionException):
        had[0].execute("SELECT 1")
    assert had[3].execute("SELECT 1").fetchall() == [(1,)]
