"""`throng check` says what is wrong, and how to mend it, and that is how it is mended."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.signing import Signer
from tests.consent_filter.rights.desk import desk
from tests.throng.conftest import Said, Throng


def well(said: Said) -> None:
    assert said.code == 0, said.out
    assert "WRONG" not in said.out
    assert said.out.endswith("all is well\n")


def wrong(said: Said, what: str, mend: str) -> None:
    """Exactly one thing is wrong: this."""
    assert said.code == 1
    assert said.out.count("WRONG") == 1, said.out
    assert re.search(rf"WRONG +{what}.*\n +to mend it: {mend}", said.out), said.out
    assert said.out.endswith("1 to mend\n")


def test_a_folder_that_is_not_there_yet_is_well(tmp_path: Path, throng: Throng) -> None:
    well(throng("check"))
    assert list(tmp_path.iterdir()) == [], "to look makes nothing"


def test_a_folder_in_use_is_well(tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "throng.toml").write_text('[[site]]\nid = "shop"\ntimezone = "Asia/Kolkata"\n')
    keys = Keyring.open(data / "keys.json")
    Ledger.open(data / "ledger.sqlite", keys).close()
    said = throng("check")
    well(said)
    assert "shop: workallies-2024" in said.out
    assert "Asia/Kolkata" in said.out
    assert "hash chain verifies" in said.out


@pytest.mark.parametrize(
    ("toml", "what"),
    [
        ("[ingest]\nprot = 1\n", "unknown field `prot`"),
        ("[ingest]\nport = 'x'\n", r"Expected `int`, got `str` - at `\$.ingest.port`"),
        ("[ingest\n", "line 1"),
        ('[[site]]\nid = "shop"\npack = "no-such-pack"\n', "no-such-pack"),
        ('[[site]]\nid = "shop"\ntimezone = "Mars/Olympus"\n', "Mars/Olympus"),
        ('[ingest]\nhost = "0.0.0.0"\n', "none declared, yet the collector binds 0.0.0.0"),
        ('[ingest]\ngeo = "nowhere.mmdb"\n', "nowhere.mmdb"),
    ],
)
def test_a_setting(toml: str, what: str, tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "throng.toml").write_text(toml)
    said = throng("check")
    wrong(said, f".*{what}", ".*throng.toml")
    (data / "throng.toml").write_text("")
    well(throng("check"))


@pytest.mark.parametrize("name", ["keys.json", "receipts.key"])
def test_keys_that_others_can_read(name: str, tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    data.mkdir()
    file = data / name
    Keyring.open(data / "keys.json")
    Signer(data / "receipts.key").key()
    well(throng("check"))
    file.chmod(0o644)
    said = throng("check")
    wrong(said, f"keys +{file} has mode 644", f"chmod 600 {file}")
    command = re.search(r"to mend it: (chmod .*)", said.out)
    assert command is not None
    subprocess.run(command[1], shell=True, check=True)
    well(throng("check"))


def test_a_key_of_receipts_that_is_damaged(tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    data.mkdir()
    file = data / "receipts.key"
    Signer(file).key()
    file.write_bytes(file.read_bytes()[:-40])
    wrong(throng("check"), f"keys +{file} is no key: no receipt can be signed", f"restore {file}")
    file.rename(data / "receipts.old")
    well(throng("check"))


def test_a_register_that_was_changed_outside_or_has_lost_its_key(tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with desk(data) as one:
        one.receive("access")
        well(throng("check"))
        one.register.store.database.execute("UPDATE content SET text = replace(text, 'person', 'nobody')")
    wrong(throng("check"), "requests +its hash chain does not verify", "the register was changed")
    (data / "rights.key").unlink()
    wrong(throng("check"), "requests +Broken: .*rights.key is gone", "see above")


def test_a_ledger_that_was_changed_outside(tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    data.mkdir()
    keys = Keyring.open(data / "keys.json")
    ledger = Ledger.open(data / "ledger.sqlite", keys)
    for number in range(3):
        ledger.put("shop", "device", f"d{number}", {"measurement": False}, "site", 1_000)
    ledger.close()
    well(throng("check"))
    con = sqlite3.connect(data / "ledger.sqlite")
    con.execute("DELETE FROM chain WHERE seq = 2")
    con.commit()
    con.close()
    wrong(throng("check"), "ledger +the hash chain does not verify", "the ledger was changed outside Throng")


@pytest.mark.parametrize(("days", "ahead"), [(0.0, False), (0.001, False), (2.0, True)])
def test_a_clock_that_is_behind(days: float, ahead: bool, tmp_path: Path, throng: Throng) -> None:
    data = tmp_path / "data"
    (data / "log").mkdir(parents=True)
    newest = data / "log" / "1.log"
    newest.write_text("x")
    later = time.time() + days * 86_400
    os.utime(newest, (later, later))
    said = throng("check")
    if ahead:
        wrong(said, r"clock +it is 172\d\d\d s behind the newest file here", r"set the clock \(NTP\)")
    else:
        well(said)


def test_files_that_go_while_it_looks(
    tmp_path: Path, throng: Throng, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running pipeline removes files all the time; that is no fault of the clock."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "1.parquet").write_text("x")
    is_file = Path.is_file

    def gone(self: Path) -> bool:
        there = is_file(self)
        if self.suffix == ".parquet":
            self.unlink()
        return there

    monkeypatch.setattr(Path, "is_file", gone)
    well(throng("check"))


@pytest.mark.needs("disk")
def test_a_folder_that_can_not_be_written(
    tmp_path: Path, throng: Throng, small_disk: Callable[[str], Path]
) -> None:
    data = small_disk("2g")
    well(throng("check", data=data))
    subprocess.run(["mount", "-o", "remount,ro", str(data)], check=True)
    wrong(throng("check", data=data), f"disk +{data} can't be written", f"chown or chmod {data}")


@pytest.mark.needs("disk")
def test_a_disk_that_is_nearly_full(throng: Throng, small_disk: Callable[[str], Path]) -> None:
    wrong(throng("check", data=small_disk("8m")), "disk +0.0 GiB free", "make room")
