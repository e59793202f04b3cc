"""The segment log where it can go wrong: crashes, damage, full and failing disks, and other processes."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from consent_filter.errors import Broken, Misconfigured
from ingest.log import frame
from ingest.log.record import encode
from ingest.log.segment import SegmentLog
from tests.ingest.log.records import number, record


def crash(log: SegmentLog) -> None:
    """Let go of everything as a killed process does."""
    writer = log._writer
    assert writer is not None
    for fd in (writer._fd, writer._lock):
        if fd >= 0:
            os.close(fd)


def numbers(folder: Path, start: int = 0) -> list[int]:
    return [number(r) for _, r in SegmentLog(folder).read({"a": start})]


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "a").glob("*.log"))


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A closed log of three records."""
    log = SegmentLog(tmp_path, "a")
    for n in range(3):
        log.append(record(n))
    log.close()
    return tmp_path


def test_every_way_to_tear_the_last_record_loses_only_that(three: Path) -> None:
    (file,) = segments(three)
    whole = file.read_bytes()
    last = frame.FRAME + len(encode(record(2)))
    (three / "a" / "end").unlink()
    for cut in range(1, last, 37):
        file.write_bytes(whole[:-cut])
        log = SegmentLog(three, "a")
        assert numbers(three) == [0, 1]
        log.append(record(9))
        log.close()
        assert numbers(three) == [0, 1, 9]
        (three / "a" / "end").unlink()


def test_a_torn_record_leaves_nothing_behind_the_one_that_takes_its_place(three: Path) -> None:
    """What a torn record holds must not be taken for the record after a shorter one in its place."""
    (file,) = segments(three)
    inside = encode(record(99))
    shorter = frame.FRAME + len(encode(record(3)))
    with file.open("ab") as f:
        f.write(frame.pack(3, b"torn").ljust(shorter, b"\xff") + frame.pack(4, inside) + inside)
    log = SegmentLog(three, "a")
    log.append(record(3))
    crash(log)
    SegmentLog(three, "a").close()
    assert numbers(three) == [0, 1, 2, 3]


def test_damage_to_what_was_durable_stops_writer_and_reader(three: Path) -> None:
    (file,) = segments(three)
    bytes_ = bytearray(file.read_bytes())
    bytes_[len(bytes_) // 2] ^= 1
    file.write_bytes(bytes_)
    with pytest.raises(Broken, match="damaged at position"):
        SegmentLog(three, "a")
    with pytest.raises(Broken, match="damaged at position"):
        numbers(three)


def test_a_damaged_header_stops_writer_and_reader(three: Path) -> None:
    (file,) = segments(three)
    file.write_bytes(b"\0" * frame.HEADER + file.read_bytes()[frame.HEADER :])
    with pytest.raises(Broken, match="damaged"):
        SegmentLog(three, "a")
    with pytest.raises(Broken, match="damaged"):
        numbers(three)


@pytest.mark.parametrize("aside", [0, 1, 2])
def test_a_segment_set_aside_is_gone_round_and_positions_go_on(tmp_path: Path, aside: int) -> None:
    log = SegmentLog(tmp_path, "a", segment=1)
    ends = [log.append(record(n)).position for n in range(3)]
    log.close()
    file = segments(tmp_path)[aside]
    file.rename(file.with_name(file.name + frame.SET_ASIDE))
    log = SegmentLog(tmp_path, "a", segment=1)
    assert log.append(record(3)).position > ends[-1]
    log.close()
    left = [n for n in range(4) if n != aside]
    assert numbers(tmp_path) == left
    assert numbers(tmp_path, ends[0]) == [n for n in left if n > 0]


def test_positions_go_on_when_every_segment_is_lost(three: Path) -> None:
    (file,) = segments(three)
    end = SegmentLog(three).end()["a"]
    file.unlink()
    log = SegmentLog(three, "a")
    assert log.append(record(3)).position > end
    log.close()
    assert numbers(three, end) == [3]


def test_a_start_inside_a_record_is_said_to_be_wrong(three: Path) -> None:
    with pytest.raises(Broken):
        numbers(three, 5)


def test_one_writer_a_partition(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, "a")
    with pytest.raises(Misconfigured, match="one writer at a time"):
        SegmentLog(tmp_path, "a")
    other = SegmentLog(tmp_path, "b")
    log.close()
    SegmentLog(tmp_path, "a").close()
    other.close()


def test_a_reader_may_not_append(tmp_path: Path) -> None:
    with pytest.raises(Broken, match="reading"):
        SegmentLog(tmp_path).append(record(1))


def test_a_segment_begun_but_not_named_is_swept_away(three: Path) -> None:
    leftover = three / "a" / f"{12345:020d}.new"
    leftover.write_bytes(b"half")
    log = SegmentLog(three, "a")
    log.append(record(3))
    log.close()
    assert not leftover.exists()
    assert numbers(three) == [0, 1, 2, 3]


def test_readers_see_nothing_before_it_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = SegmentLog(tmp_path, "a")
    log.append(record(0))
    seen: list[list[int]] = []
    sync = os.fdatasync

    def look(fd: int) -> None:
        seen.append(numbers(tmp_path))
        sync(fd)

    monkeypatch.setattr(os, "fdatasync", look)
    log.append(record(1))
    assert seen == [[0]]
    assert numbers(tmp_path) == [0, 1]
    log.close()


def _short(fd: int, parts: list[bytes], place: int) -> int:
    data = b"".join(parts)
    return os.pwrite(fd, data[: len(data) // 2], place)


def _raise(code: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return fail


def _raise_for_folders(fd: int) -> None:
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        raise OSError(errno.EIO, "planted")


@pytest.mark.parametrize(
    ("call", "fault", "segment"),
    [
        ("fdatasync", _raise(errno.EIO), 1 << 30),
        ("pwritev", _raise(errno.EROFS), 1 << 30),
        ("pwritev", _raise(errno.ENOSPC), 1 << 30),
        ("pwritev", _short, 1 << 30),
        ("posix_fallocate", _raise(errno.ENOSPC), 1 << 30),
        ("fdatasync", _raise(errno.EIO), 1),
        ("pwritev", _short, 1),
        ("posix_fallocate", _raise(errno.ENOSPC), 1),
        ("fsync", _raise(errno.EIO), 1),
        ("fsync", _raise_for_folders, 1),
        ("rename", _raise(errno.ENOSPC), 1),
    ],
)
@pytest.mark.parametrize("killed", [False, True])
def test_a_failed_append_leaves_the_log_as_it_was(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    fault: Callable[..., int],
    segment: int,
    killed: bool,
) -> None:
    log = SegmentLog(tmp_path, "a", segment=segment)
    log.append(record(0))
    log.append(record(1))
    end = log.end()
    with monkeypatch.context() as plant:
        plant.setattr(os, call, fault)
        for _ in range(3):
            with pytest.raises(OSError):
                log.append(record(99, 5 << 20))
            assert log.end() == end
            assert numbers(tmp_path) == [0, 1]
    if killed:
        crash(log)
        log = SegmentLog(tmp_path, "a", segment=segment)
    assert number_of(log.append(record(2)), tmp_path) == 2
    crash(log)
    log = SegmentLog(tmp_path, "a")
    log.append(record(3))
    log.close()
    assert numbers(tmp_path) == [0, 1, 2, 3]


def number_of(offset: object, folder: Path) -> int:
    """The number of the last record, which stands at `offset`."""
    *_, (last, found) = SegmentLog(folder).read({})
    assert last == offset
    return number(found)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.needs("disk")
@pytest.mark.timeout(60)
def test_a_full_disk_is_an_error_until_there_is_room(small_disk: Path) -> None:
    log = SegmentLog(small_disk / "log", "a")
    kept = 0
    with suppress(OSError):
        while True:
            log.append(record(kept, 200_000))
            kept += 1
    assert kept >= 10, "what is allocated ahead must not count as full"
    with pytest.raises(OSError, match="No space"):
        log.append(record(99, 200_000))
    assert numbers(small_disk / "log") == list(range(kept))
    subprocess.run(["mount", "-o", "remount,size=6m", str(small_disk)], check=True)
    log.append(record(kept, 200_000))
    log.close()
    assert numbers(small_disk / "log") == list(range(kept + 1))


@pytest.mark.needs("disk")
def test_a_log_on_a_full_disk_opens_and_waits(small_disk: Path) -> None:
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(b"x" * (4 << 20))
    log = SegmentLog(small_disk / "log", "a")
    with pytest.raises(OSError, match="No space"):
        log.append(record(0))
    filler.unlink()
    log.append(record(1))
    log.close()
    assert numbers(small_disk / "log") == [1]


@pytest.mark.needs("disk")
def test_a_read_only_folder_is_an_error_until_it_is_not(small_disk: Path) -> None:
    (small_disk / "log").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    log = SegmentLog(small_disk / "log", "a")
    with pytest.raises(OSError, match="Read-only"):
        log.append(record(0))
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    log.append(record(1))
    log.close()
    assert numbers(small_disk / "log") == [1]


def test_a_deleted_folder_is_made_again(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, "a")
    end = log.append(record(0)).position
    for file in (tmp_path / "a").iterdir():
        file.unlink()
    (tmp_path / "a").rmdir()
    assert log.append(record(1)).position > end
    assert numbers(tmp_path, end) == [1]
    log.close()


_WRITER = """
import sys
from ingest.log.segment import SegmentLog
from tests.ingest.log.records import record
log = SegmentLog(sys.argv[1], "a", segment=200_000)
n = int(sys.argv[2])
while True:
    log.append(record(n, 1_000))
    print(n, flush=True)
    n += 1
"""


def test_a_killed_writer_loses_nothing_acknowledged_while_another_process_reads(tmp_path: Path) -> None:
    following = 0
    position = 0
    read: list[int] = []
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path), str(following)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            acknowledged = following - 1
            for line in writer.stdout:
                acknowledged = int(line)
                for offset, found in SegmentLog(tmp_path).read({"a": position}):
                    read.append(number(found))
                    position = offset.position
                if acknowledged >= following + 60:
                    break
            writer.send_signal(signal.SIGKILL)
            rest = writer.stdout.read().split(b"\n")[:-1]
            acknowledged = int(rest[-1]) if rest else acknowledged
        log = SegmentLog(tmp_path, "a", segment=200_000)
        log.close()
        stored = numbers(tmp_path)
        assert stored == list(range(len(stored))), "no gap, no double"
        assert acknowledged in stored
        following = len(stored)
    read += numbers(tmp_path, position)
    assert read == list(range(following))


def test_a_quiet_log_can_be_emptied(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, "a")
    end = log.append(record(0)).position
    log.turn(3600)
    assert len(segments(tmp_path)) == 1
    log.turn(-1)
    SegmentLog(tmp_path).trim({"a": end})
    assert [f.stat().st_size for f in segments(tmp_path)] == [frame.HEADER]
    log.turn(-1)
    assert len(segments(tmp_path)) == 1, "an empty segment is not turned"
    assert log.append(record(1)).position > end
    log.close()
