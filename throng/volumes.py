"""What `throng check` says of disks: whether what lies there is encrypted, as far as this machine sees."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from consent_filter.errors import Misconfigured
from throng.settings import Settings
from warehouse.depot import Depot


def found(data: Path, settings: Settings) -> Iterator[tuple[str, str]]:
    """What there is, and how to mend what is wrong with it ("" where nothing is). Raises OSError where the
    storage is away."""
    places = [data, *map(Path, settings.backup.places)]
    yield from dict.fromkeys((_volume(place.resolve()), "") for place in places)
    told = settings.lake
    if told.files != "s3":
        return
    depot = Depot(data, told)
    try:
        itself = depot.by_itself()
        depot.check(itself)
    except Misconfigured as error:
        yield str(error), "correct the bucket, or [lake]"
        return
    says = f"the bucket {told.bucket} encrypts objects: {itself}"
    if not told.encrypt:
        yield f"{says}; [lake] encrypt does not insist on it", ""
        return
    unlike = depot.unlike(depot.files())
    mend = "move the lake to another prefix (`throng lake move`)" if unlike else ""
    yield f"{says}; {unlike} files were written before" if unlike else says, mend


def _volume(place: Path) -> str:
    while not place.exists():
        place = place.parent
    if encrypts(place):
        return f"{place} is on an encrypted volume"
    return f"{place} is on a volume that this machine does not encrypt; who provides it may"


def encrypts(place: Path, sys: Path = Path("/sys"), mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether the volume of a folder, or all that it is made of, is the device mapper's encryption (dm-crypt,
    as LUKS is). False where that can't be seen: ZFS, fscrypt, a provider's own.

    sys, mounts: where Linux tells of devices and of what is mounted (sysfs(5), proc(5)).
    """
    number = os.stat(place).st_dev
    devices = [f"{os.major(number)}:{os.minor(number)}"]
    if os.major(number) == 0:  # of no one device, as btrfs has it: its source is named
        devices = [one for line in _lines(mounts) if (one := _source(line, devices[0]))]
    return bool(devices) and all(_sealed(sys, device) for device in devices)


def _sealed(sys: Path, device: str) -> bool:
    """Of one device (MAJOR:MINOR): itself, or each that it lies on."""
    folder = sys / "dev" / "block" / device
    if any(line.startswith("CRYPT-") for line in _lines(folder / "dm" / "uuid")):
        return True
    below = [one for file in (folder / "slaves").glob("*/dev") for one in _lines(file)]
    return bool(below) and all(_sealed(sys, one) for one in below)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def _source(line: str, number: str) -> str:
    """The device that a line of mountinfo names for that number; "" where it is another line."""
    before, _, after = line.partition(" - ")
    fields, source = before.split(), after.split()[1:2]
    if number not in fields[2:3] or not source:
        return ""
    try:
        device = os.stat(source[0]).st_rdev
    except OSError:
        return ""
    return f"{os.major(device)}:{os.minor(device)}"
