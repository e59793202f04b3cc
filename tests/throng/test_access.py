"""A link that `throng access` prints names the pages where they are."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from tests.throng.conftest import Throng
from throng import access, lock, pages, parts
from throng.settings import load


def printed(throng: Throng) -> str:
    said = throng("access", "link")
    assert said.code == 0, said.err
    return said.out.partition("/enter/")[0]


def test_a_link_names_the_pages_as_readers_reach_them(tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    data.mkdir()
    assert printed(throng) == "http://127.0.0.1:8601", "as settings would have them"
    with lock.shown(data, 9701):
        assert printed(throng) == "http://127.0.0.1:9701", "where they are"
        with lock.shown(data, 9801):
            assert printed(throng) == "http://127.0.0.1:9701", "those that were first"
    assert printed(throng) == "http://127.0.0.1:8601", "nobody has them now"
    (data / "throng.toml").write_text('[dashboards]\nat = "https://stats.example/"\n')
    with lock.shown(data, 9701):
        assert printed(throng) == "https://stats.example"
        assert pages.reached(data, load(data)) == "https://stats.example"
        assert access.set_up(data, load(data), 9000).startswith("http://127.0.0.1:9000/enter/"), "`throng up`"


def test_the_pages_say_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[tuple[int | None, Any]]()
    monkeypatch.setattr(
        "dashboards.server.serve", lambda *_, **said: seen.append((lock.pages(tmp_path), said["port"]))
    )
    assert parts.dashboards(Namespace(data=tmp_path, port=9700)) == 0
    assert seen == [(9701, 9701)]
    assert lock.pages(tmp_path) is None
