"""`throng import` as its user meets it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from consent_filter.errors import Misconfigured, Refused
from tests.conftest import ROOT
from throng.importing import run

LINE = '198.51.100.7 - - [{day}/Jan/2024:00:00:00 +0000] "GET {path} HTTP/1.1" 200 7 "-" "{agent}"\n'
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def log(path: Path, days: int, page: str = "/a") -> Path:
    pages = [LINE.format(day=f"{day:02}", path=page, agent=AGENT) for day in range(1, days + 1)]
    other = [
        LINE.format(day="01", path="/x.png", agent=AGENT),
        LINE.format(day="01", path="/a", agent="curl/8"),
    ]
    path.write_text("".join(pages + other))
    return path


def test_the_past_comes_in_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [log(tmp_path / "one.log", 3), log(tmp_path / "two.log", 5)]
    assert run(tmp_path / "data", files, "shop", "auto") == 0
    said = capsys.readouterr().out
    assert "one.log: 5 new lines (combined)" in said
    assert "two.log: 2 new lines (combined, 5 imported already)" in said
    for expected in (
        "7  received, of 2024-01-01 to 2024-01-05",
        "5  stored",
        "1  refused: not_a_page: image",
    ):
        assert expected in said
    assert "1  refused: robot: " in said
    assert "retention runs from today: kept until " in said
    assert "cookieless rule holds" in said
    assert "approximate" in said
    assert f"throng facts --data {tmp_path / 'data'} &&" in said
    assert run(tmp_path / "data", files, "shop", "auto") == 0
    again = capsys.readouterr().out
    assert again.count("nothing new") == 2
    assert "received" not in again


def test_a_bad_file_stops_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes").write_text("canary\n" * 5)
    files = [tmp_path / "absent", tmp_path / "notes", log(tmp_path / "one.log", 3)]
    assert run(tmp_path / "data", files, "shop", "auto") == 1
    said = capsys.readouterr()
    assert "one.log: 5 new lines" in said.out
    assert "absent: No such file" in said.err
    assert "notes: none of its first 5 lines" in said.err
    assert "canary" not in said.out + said.err


def test_only_a_declared_site(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "throng.toml").write_text('[[site]]\nid = "shop"\n')
    with pytest.raises(Misconfigured, match="--site = 'shpo': a site of the settings: shop"):
        run(data, [log(tmp_path / "one.log", 1)], "shpo", "auto")
    assert [file.name for file in data.iterdir()] == ["throng.toml"]
    with pytest.raises(Misconfigured, match="letters"):
        run(tmp_path / "other", [], "no such site", "auto")


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises((Refused, Misconfigured, OSError)):
        run(tmp_path / "data", [log(tmp_path / "one.log", 1)], "shop", "auto")


def test_a_bar_on_a_terminal(tmp_path: Path) -> None:
    file, (ours, theirs) = log(tmp_path / "one.log", 3), pty.openpty()
    command = [
        sys.executable,
        "-m",
        "throng.main",
        "import",
        str(file),
        "--site",
        "shop",
        "--data",
        str(tmp_path / "d"),
    ]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, check=True)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    os.close(theirs)
    assert "one.log  " in shown
    assert "100%  5 lines" in shown
    assert shown.endswith("\r\x1b[K")
    assert b"5 new lines" in done.stdout
