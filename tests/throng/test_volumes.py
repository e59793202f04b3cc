"""Whether a folder's volume is encrypted is read from what Linux says of devices."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from throng.settings import Settings
from throng.volumes import encrypts, found
from warehouse.bucket import Bucket
from warehouse.encryption import Encryption
from warehouse.lake_settings import LakeSettings


class Machine:
    """/sys of a machine that we make up; `here` is the device that the folder is on."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sys = folder, folder / "sys"
        number = os.stat(folder).st_dev
        self.here = f"{os.major(number)}:{os.minor(number)}"

    def device(self, number: str, uuid: str = "", on: tuple[str, ...] = ()) -> None:
        """One, by its number: of the device mapper where it has a uuid, and lying on others."""
        one = self.sys / "dev" / "block" / number
        (one / "slaves").mkdir(parents=True)
        if uuid:
            (one / "dm").mkdir()
            (one / "dm" / "uuid").write_text(f"{uuid}\n")
        for name in on:
            (one / "slaves" / name.replace(":", "-")).mkdir()
            (one / "slaves" / name.replace(":", "-") / "dev").write_text(f"{name}\n")

    def encrypts(self, mounts: Path = Path("/dev/null")) -> bool:
        return encrypts(self.folder, self.sys, mounts)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


LUKS, LVM = "CRYPT-LUKS2-0123-data", "LVM-0123"


def test_a_disk_is_not(machine: Machine) -> None:
    assert not machine.encrypts(), "nothing is known of it"
    machine.device(machine.here)
    assert not machine.encrypts()


def test_luks_is_and_what_lies_on_it(machine: Machine) -> None:
    machine.device(machine.here, LVM, on=("250:7",))
    machine.device("250:7", LUKS, on=("8:1",))
    assert machine.encrypts()


def test_a_volume_of_two_disks_is_where_both_are(machine: Machine) -> None:
    machine.device(machine.here, LVM, on=("250:7", "250:8"))
    machine.device("250:7", LUKS)
    machine.device("250:8")
    assert not machine.encrypts()
    (machine.sys / "dev" / "block" / "250:8" / "dm").mkdir()
    (machine.sys / "dev" / "block" / "250:8" / "dm" / "uuid").write_text(LUKS)
    assert machine.encrypts()


def test_a_file_system_of_no_one_device_names_its_source(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.stat
    there = {str(machine.folder): ("st_dev", os.makedev(0, 41)), "/dev/mapper/data": ("st_rdev", 64_001)}
    there["/dev/mapper/other"] = ("st_rdev", 64_002)

    class Said:
        def __init__(self, name: str, value: int) -> None:
            setattr(self, name, value)

    def stat(path: object, *rest: object, **more: object) -> object:
        return Said(*there[str(path)]) if str(path) in there else real(path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", stat)
    mounts = machine.folder / "mountinfo"
    mounts.write_text(
        "30 1 0:40 / /else rw - btrfs /dev/mapper/other rw\n"
        f"31 1 0:41 / {machine.folder} rw shared:1 - btrfs /dev/mapper/data rw,subvol=/\n"
    )
    assert not machine.encrypts(mounts)
    machine.device(f"{os.major(64_001)}:{os.minor(64_001)}", LUKS)
    assert machine.encrypts(mounts)
    mounts.write_text("31 1 0:41 / /data rw - zfs tank/data rw\n")
    assert not machine.encrypts(mounts)


@pytest.mark.parametrize("encrypt", ["", "AES256"])
def test_a_bucket_is_asked_once(encrypt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()
    monkeypatch.setattr(Bucket, "versioned", lambda _: "")
    monkeypatch.setattr(Bucket, "listed", lambda *_: [])
    monkeypatch.setattr(Bucket, "encryption", lambda _: asked.append("") or Encryption("AES256"))
    lake = LakeSettings(
        files="s3", endpoint="http://127.0.0.1:1", bucket="facts", access_key="us", secret_file="secret",
        encrypt=encrypt,
    )  # fmt: skip
    (tmp_path / "secret").write_text("a-secret-of-tests")
    said = [says for says, mend in found(tmp_path, Settings(lake=lake)) if not mend]
    assert any("the bucket facts encrypts objects: AES256" in one for one in said)
    assert asked == [""]
