"""An audit says what it found, that it found nothing, or that there was none: never one for another."""

from __future__ import annotations

import json
import os
import time
import zipfile
from pathlib import Path

import pytest

from requirements import audit
from requirements.locked import Locked

#: Shaped as OSV's (schema 1.6), made up.
ADVISORY = {
    "id": "PYSEC-0000-1",
    "aliases": ["CVE-0000-1"],
    "summary": "it breaks",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Shaky_Thing"},
            "ranges": [
                {"type": "GIT", "events": [{"introduced": "0"}]},
                {
                    "type": "ECOSYSTEM",
                    "events": [
                        {"introduced": "2.0"},
                        {"fixed": "2.3"},
                        {"introduced": "0"},
                        {"fixed": "1.2"},
                    ],
                },
            ],
            "versions": ["1.9", "not-a-version"],
        }
    ],
}


def _copy(tmp_path: Path, *known: dict[str, object]) -> Path:
    file = tmp_path / "all.zip"
    with zipfile.ZipFile(file, "w") as whole:
        for number, one in enumerate(known):
            whole.writestr(f"{number}.json", json.dumps(one))
    return file


def _lock(tmp_path: Path, version: str) -> Path:
    file = tmp_path / "lock.txt"
    file.write_text(f"shaky-thing=={version} \\\n    --hash=sha256:{'0' * 64}\n")
    return file


@pytest.mark.parametrize(
    ("version", "hit"),
    [("0.1", True), ("1.1.9", True), ("1.2", False), ("1.9", True), ("2.0rc1", False), ("2.0", True),
     ("2.2.99", True), ("2.3", False), ("3", False)],
)  # fmt: skip
def test_a_version_is_hit_where_it_is_named_or_within(version: str, hit: bool) -> None:
    assert audit.hit(Locked("shaky-thing", version, "", ()), ADVISORY) == hit
    assert not audit.hit(Locked("other", version, "", ()), ADVISORY)
    assert not audit.hit(Locked("shaky-thing", version, "", ()), ADVISORY | {"withdrawn": "2026-01-01"})


def test_found_clean_and_not_audited_are_three_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = _copy(tmp_path, ADVISORY)
    asked = ["--advisories", str(copy), "--lock", str(_lock(tmp_path, "2.1"))]
    assert audit.main(asked) == audit.FOUND
    assert "shaky-thing 2.1: PYSEC-0000-1 CVE-0000-1: it breaks" in capsys.readouterr().out
    accepted = tmp_path / "accepted.toml"
    monkeypatch.setattr(audit, "ACCEPTED", accepted)
    for until, answer in (("2000-01-01", audit.FOUND), ("2999-01-01", audit.CLEAN)):
        accepted.write_text(f'[CVE-0000-1]\nwhy = "not reached"\nuntil = "{until}"\n')
        assert audit.main(asked) == answer
    accepted.unlink()
    _lock(tmp_path, "2.3")
    assert audit.main(asked) == audit.CLEAN
    assert "nothing known: 1 pins, 1 advisories" in capsys.readouterr().out
    old = time.time() - 8 * 86400
    os.utime(copy, (old, old))
    assert audit.main(asked) == audit.NOT_AUDITED
    _copy(tmp_path)
    assert audit.main(asked) == audit.NOT_AUDITED
    copy.write_text("<html>a proxy's page</html>")
    assert audit.main(asked) == audit.NOT_AUDITED
    copy.unlink()
    assert audit.main(asked) == audit.NOT_AUDITED
    assert "NOT AUDITED" in capsys.readouterr().err
