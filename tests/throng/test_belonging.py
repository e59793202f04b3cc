"""A collector that has another folder's keys would obey no refusal, and nothing else would tell."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from consent_filter.errors import Broken
from consent_filter.pseudonym import Keyring
from tests.whole.running import ENVIRON
from throng import belonging, check


def test_keys_of_another_folder_and_none_are_refused(tmp_path: Path) -> None:
    data, other = tmp_path / "data", tmp_path / "other"
    data.mkdir()
    assert belonging.wrong(data) == ""
    belonging.hold(data)
    belonging.hold(data)
    keys = Keyring.open(data / "keys.json")
    keys.replace("identity")  # the others are replaced by schedule, and that is no other folder
    belonging.hold(data)
    Keyring.open(other / "keys.json")
    shutil.move(data / "keys.json", tmp_path / "kept.json")
    with pytest.raises(Broken, match="is gone"):
        belonging.hold(data)
    shutil.copy(other / "keys.json", data / "keys.json")
    with pytest.raises(Broken, match="is not of this folder"):
        belonging.hold(data)
    assert any("not of this folder" in one.says and one.mend for one in check.findings(data))
    command = [sys.executable, "-m", "throng.main", "part", "collector", "--data", str(data), "--port", "1"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRON)
    assert ran.returncode != 0
    assert "is not of this folder" in ran.stderr
    assert "Traceback" not in ran.stderr
    shutil.copy(tmp_path / "kept.json", data / "keys.json")
    belonging.hold(data)
