"""`throng import --from` and `throng imported`, as their user calls them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from throng.main import main

CASES = Path(__file__).parent.parent / "ingest" / "counted" / "cases"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    here = tmp_path / "data"
    here.mkdir()
    (here / "throng.toml").write_text('[[site]]\nid = "shop"\npaths = ["/u/{user}"]\n')
    return here


def test_an_export_is_imported_once_listed_and_taken_away(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for file in sorted((CASES / "plausible").iterdir()):
            archive.write(file, f"export/{file.name}")
    told = [
        "import",
        str(tmp_path / "export.zip"),
        "--site",
        "shop",
        "--from",
        "plausible",
        "--data",
        str(data),
    ]
    assert main([*told, "--dry-run"]) == 0
    assert "would be kept" in capsys.readouterr().out
    assert not (data / "imported").exists()
    assert main(told) == 0
    said = capsys.readouterr().out
    assert "12 rows of 2026-08-01 to 2026-08-02" in said
    assert "Next: throng publish" in said
    assert main(told) == 1
    assert "imported before, as number 1" in capsys.readouterr().err
    assert main(["imported", "list", "--format", "json", "--data", str(data)]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["site"], one["origin"], one["folded"], one["few"]) == ("shop", "plausible", 3, 4)
    written = b"".join(file.read_bytes() for file in (data / "imported").rglob("*") if file.is_file())
    assert not [word for word in (b"ann", b"bob", b"example.org") if word in written]
    assert main(["imported", "remove", "1", "--data", str(data)]) == 0
    assert main(["imported", "list", "--data", str(data)]) == 0
    assert "Nothing is imported" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "why"),
    [(["--site", "shop"], "a file or folder that is there"), (["--site", "other"], "a site of the settings")],
)
def test_what_is_not_there_is_said(
    data: Path, more: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["import", str(data / "nothing.zip"), "--from", "ga4", "--data", str(data), *more]
    assert main(told) == 2
    assert why in capsys.readouterr().err
