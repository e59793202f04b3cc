"""Importing logs: each line once, whatever becomes of the file or the process, and no address anywhere."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
import re
import resource
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from consent_filter.counts import RECEIVED, REFUSED, STORED
from consent_filter.entropy import MOST_BITS, measure
from consent_filter.errors import Broken, Misconfigured, Refused
from consent_filter.pseudonym import Keyring
from ingest.imports import Fingerprints, Imports, forget
from ingest.log.segment import SegmentLog
from ingest.weblog import PARTITION
from tests.conftest import ROOT
from tests.ingest.import_once import once

AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
    "Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1",
]


def lines(n: int, seed: int = 1) -> list[bytes]:
    """A log of some days: pages, images, errors, and lines that are equal to their neighbour."""
    dice = random.Random(seed)
    second, out = 1_704_067_200, []
    while len(out) < n:
        second += dice.randrange(30)
        path = dice.choice(["/", "/projects", "/u/ann", "/logo.png", "/gone"])
        status = 404 if path == "/gone" else 200
        stamp = f"{datetime.fromtimestamp(second, UTC):%d/%b/%Y:%H:%M:%S}"
        address = f"198.51.{dice.randrange(4)}.{dice.randrange(1, 9)}"
        line = f'{address} - ann [{stamp} +0000] "GET {path} HTTP/1.1" {status} 7 "-" "{dice.choice(AGENTS)}"'
        out += [line.encode()] * (2 if dice.random() < 0.05 else 1)
        if dice.random() < 0.01:
            out.append(b"broken")
    return out[:n]


def write(path: Path, content: list[bytes]) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in content))
    return path


def content(data: Path) -> tuple[Counter[Any], Counter[Any]]:
    """All that the log holds, without what differs from one import to the next: events, and counts."""
    events: Counter[Any] = Counter()
    counts: Counter[Any] = Counter()
    for _, record in SegmentLog(data / "log").read({}):
        rows = record.batch.drop_columns(["received"]).to_pylist()
        events.update(tuple(row.values()) for row in rows)
        counts.update(record.counts)
    balanced = Counter(dict.fromkeys((RECEIVED, STORED, REFUSED), 0))
    for key, n in counts.items():
        balanced[key.outcome] += n
    assert balanced[RECEIVED] == balanced[STORED] + balanced[REFUSED]
    assert balanced[STORED] == sum(events.values())
    return events, counts


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A data folder with 3,000 lines imported in chunks of 700."""
    data = tmp_path / "data"
    result = once(data, write(tmp_path / "access.log", lines(3000)), chunk=700)
    assert (result.lines, result.received, result.known) == (3000, 3000, 0)
    return data


@pytest.mark.requirement("M26")
def test_each_line_is_received_and_stored_or_refused(first: Path) -> None:
    events, counts = content(first)
    log = lines(3000)
    pages = sum(b" 200 " in line and b".png" not in line for line in log)
    assert sum(events.values()) == pages
    details = Counter({key.detail: 0 for key in counts})
    for key, n in counts.items():
        details[key.detail] += n
    assert details["asset"] == sum(b".png" in line for line in log)
    assert details["status"] == sum(b" 404 " in line for line in log)
    assert details["malformed"] == log.count(b"broken")
    assert {key.day for key in counts if key.outcome == STORED} == {19_723 + d for d in range(1)}


@pytest.mark.parametrize("chunk", [1, 333, 700, 8192])
@pytest.mark.parametrize("form", ["same", "gzip", "bzip2", "xz", "two gzips"])
def test_the_same_lines_again_add_nothing(first: Path, tmp_path: Path, form: str, chunk: int) -> None:
    if chunk == 1 and form != "same":
        return
    before, text = content(first), b"\n".join(lines(3000))
    half = text.index(b"\n", len(text) // 2) + 1
    again = tmp_path / "quite another name"
    again.write_bytes(
        {
            "same": text,
            "gzip": gzip.compress(text),
            "bzip2": bz2.compress(text),
            "xz": lzma.compress(text),
            "two gzips": gzip.compress(text[:half]) + gzip.compress(text[half:]),
        }[form]
    )
    result = once(first, again, chunk=chunk)
    assert (result.lines, result.known, result.received) == (3000, 3000, 0)
    assert content(first) == before


def test_what_has_grown_adds_its_new_lines(first: Path, tmp_path: Path) -> None:
    longer = write(tmp_path / "access.log", lines(5000))
    result = once(first, longer)
    assert (result.known, result.received) == (3000, 2000)
    whole = tmp_path / "whole"
    once(whole, longer)
    assert unkeyed(content(first)) == unkeyed(content(whole))


def test_overlaps_cuts_and_joins_add_only_what_is_new(first: Path, tmp_path: Path) -> None:
    """A window of an export, the head, the tail, and two files in one."""
    log, more = lines(6000), lines(500, seed=2)
    assert once(first, write(tmp_path / "head", log[:1234])).received == 0
    assert once(first, write(tmp_path / "tail", log[1717:3000])).received == 0
    assert once(first, write(tmp_path / "window", log[2500:4000])).received == 1000
    assert once(first, write(tmp_path / "joined", more + log)).received == 2500
    assert once(first, write(tmp_path / "turned", log + more)).received == 0
    assert sum(n for key, n in content(first)[1].items() if key.outcome == RECEIVED) == 6500


def test_equal_lines_in_one_file_are_different_requests(tmp_path: Path) -> None:
    line = lines(1)[0]
    assert once(tmp_path, write(tmp_path / "a", [line] * 5)).received == 5
    assert once(tmp_path, write(tmp_path / "b", [line] * 7), chunk=2).received == 2
    assert once(tmp_path, write(tmp_path / "c", [line] * 6)).received == 0


def test_each_site_has_its_own_lines(first: Path, tmp_path: Path) -> None:
    assert once(first, write(tmp_path / "a", lines(3000)), site="other").received == 3000


def test_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    log, data = lines(11), tmp_path / "data"
    file = tmp_path / "access.log"
    file.write_bytes(b"\n".join(log[:10]) + b"\n" + log[10][:60])
    result = once(data, file)
    assert (result.received, result.unfinished) == (10, True)
    result = once(data, write(file, log))
    assert (result.received, result.known, result.unfinished) == (1, 10, False)
    file.write_bytes(b"\n".join(log))  # whole, but for the end of the line
    assert once(data, file).known == 11


def test_an_archive_that_ends_too_early_is_imported_up_to_there(tmp_path: Path) -> None:
    data, whole = tmp_path / "data", gzip.compress(b"\n".join(lines(3000)))
    file = tmp_path / "access.log.gz"
    file.write_bytes(whole[: len(whole) // 2])
    result = once(data, file)
    assert result.cut
    assert 100 < result.lines < 3000
    file.write_bytes(whole)
    result = once(data, file)
    assert (result.lines, result.cut) == (3000, False)
    assert sum(n for key, n in content(data)[1].items() if key.outcome == RECEIVED) == 3000


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_damaged_archive_is_said_to_be_one(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    """What damage turns into text is malformed lines at the most."""
    whole = bytearray(compress(b"\n".join(lines(3000))))
    whole[len(whole) // 2 : len(whole) // 2 + 64] = bytes(64)
    file = tmp_path / "access.log.gz"
    file.write_bytes(whole)
    result = once(tmp_path / "data", file)
    assert result.cut
    assert result.lines == result.received == result.stored + sum(result.refused.values())


@pytest.mark.parametrize("text", [b"", b"\n\n \n", b"\xef\xbb\xbf"])
def test_nothing_is_in_an_empty_file(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "log").write_bytes(text)
    assert once(tmp_path / "data", tmp_path / "log").lines == 0


def test_line_ends_and_marks_of_other_systems(tmp_path: Path) -> None:
    log = lines(20)
    file = tmp_path / "log"
    file.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(log) + b"\r\n\r\n")
    result = once(tmp_path / "data", file)
    assert result.received == 20
    assert result.refused["invalid", "malformed"] == log.count(b"broken")
    assert once(tmp_path / "data", write(file, log)).received == 0


def test_a_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "log"
    log = lines(20)
    with gzip.open(file, "wb", compresslevel=1) as out:
        out.write(b"\n".join(log) + b"\n")
        for _ in range(64):
            out.write(b"x" * (1 << 20))
        out.write(b"\n" + lines(1, seed=3)[0] + b"\n")
    result = once(tmp_path / "data", file)
    assert result.received == 22
    assert result.refused["invalid", "malformed"] == 1 + log.count(b"broken")


@pytest.mark.parametrize("format", ["auto", "combined", "common", "json"])
def test_a_file_of_another_kind_is_refused_whole(tmp_path: Path, format: str) -> None:
    file = write(tmp_path / "notes", [b"secret-canary is here"] * 9)
    with pytest.raises(Refused, match="in a format that is read here") as caught:
        once(tmp_path / "data", file, format=format)
    assert "canary" not in str(caught.value)
    assert not content(tmp_path / "data")[1]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"absent\.log: No such file"):
        once(tmp_path / "data", tmp_path / "absent.log")
    with pytest.raises(Refused, match="directory"):
        once(tmp_path / "data", tmp_path)


def test_one_import_at_a_time(first: Path, tmp_path: Path) -> None:
    log = SegmentLog(first / "log", PARTITION)
    with pytest.raises(Misconfigured, match="one writer at a time"):
        once(first, tmp_path / "access.log")
    log.close()


def unkeyed(both: tuple[Counter[Any], Counter[Any]]) -> tuple[Counter[Any], Counter[Any]]:
    """Without pseudonyms, which differ from one data folder to the next."""
    events, counts = both
    plain: Counter[Any] = Counter()
    for row, n in events.items():
        plain[tuple(v for v in row if not (isinstance(v, int) and v > 1 << 32))] += n
    return plain, counts


def test_a_day_in_two_files_keeps_its_pseudonyms(tmp_path: Path) -> None:
    """And another day has others: the same visitor's days are never joined."""
    data = tmp_path / "data"
    morning, evening, tomorrow = (
        f'198.51.0.1 - - [{when}:00:00 +0000] "GET /a HTTP/1.1" 200 7 "-" "{AGENTS[0]}"'.encode()
        for when in ("01/Jan/2024:07", "01/Jan/2024:20", "02/Jan/2024:07")
    )
    once(data, write(tmp_path / "a", [morning]))
    once(data, write(tmp_path / "b", [evening, tomorrow]))
    rows = [row for _, record in SegmentLog(data / "log").read({}) for row in record.batch.to_pylist()]
    assert len(rows) == 3
    people = {(row["time"].day, row["person"]) for row in rows}
    assert len(people) == 2
    assert len({person for _, person in people}) == 2
    assert {row["treatment"] for row in rows} == {"cookieless"}


def test_old_events_keep_their_dates_and_are_kept_from_today(first: Path) -> None:
    (record, *_) = [record for _, record in SegmentLog(first / "log").read({})]
    row = record.batch.to_pylist()[0]
    assert (row["time"].year, row["day"].year) == (2024, 2024)
    assert row["received"].year >= 2026


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """A limit on file size stands for it: the log's own files are the first to meet it."""
    data, file = tmp_path / "data", write(tmp_path / "access.log", lines(3000))
    once(data, write(tmp_path / "some", lines(700)), chunk=700)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (96 << 10, hard))
    try:
        with pytest.raises(Refused, match="run it again"):
            once(data, file, chunk=700)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    once(data, file, chunk=700)
    whole = tmp_path / "whole"
    once(whole, file)
    assert unkeyed(content(data)) == unkeyed(content(whole))


def test_a_kill_between_intent_and_record_forgets_the_intent(tmp_path: Path) -> None:
    prints, time = np.arange(9, dtype=np.uint64), np.full(9, 5, np.int64)
    file = tmp_path / "imports.sqlite"
    ledger = Imports(file, 0)
    ledger.intend("shop", prints, time, 0, 0)
    ledger.close()  # killed here: the log has not grown
    ledger = Imports(file, 0)
    assert ledger.unseen("shop", prints, time).all()
    ledger.intend("shop", prints, time, 0, 0)
    ledger.close()  # killed here: the record is in the log
    ledger = Imports(file, 1000)
    assert not ledger.unseen("shop", prints, time).any()
    assert ledger.unseen("other", prints, time).all()
    ledger.intend("shop", prints + 100, time, 0, 1000)
    assert not ledger.unseen("shop", prints, time).any()
    # The log could not be written, and the same process goes on.
    ledger.intend("shop", prints + 200, time, 0, 1000)
    ledger.confirm(2000)
    assert ledger.unseen("shop", prints + 100, time).all()
    assert not ledger.unseen("shop", prints + 200, time).any()
    ledger.close()
    with pytest.raises(Broken, match="ends before"):
        Imports(file, 1999)
    ledger = Imports(file, 2000)
    ledger.intend("shop", prints + 300, time, 0, 2000)
    assert forget(file, 0) == 0
    assert forget(file, 1) == 2
    assert ledger.unseen("shop", prints, time).all()
    assert not ledger.unseen("shop", prints + 300, time).any(), "not confirmed yet: left to its import"
    ledger.close()
    assert forget(tmp_path / "absent", 1) == 0
    (tmp_path / "made a moment ago").touch()
    assert forget(tmp_path / "made a moment ago", 1) == 0


def test_fingerprints_are_keyed_and_number_equal_lines() -> None:
    one, two = (Keyring.memory().state("event_id") for _ in range(2))
    log, time = [b"a", b"b", b"a", b"a", b"x", b"b", b"x"], np.array([1, 1, 1, 1, -1, 1, -1])
    prints = Fingerprints(one, "shop").of(log, time).tolist()
    assert len(set(prints)) == 7  # also the two lines without a time: they follow different ones
    assert Fingerprints(one, "shop").of([b"a", b"a", b"a", b"b"], time[:4]).tolist() == [
        prints[n] for n in (0, 2, 3, 1)
    ]
    assert not set(prints) & set(Fingerprints(two, "shop").of(log, time).tolist())
    assert not set(prints) & set(Fingerprints(one, "other").of(log, time).tolist())
    split = Fingerprints(one, "shop")
    assert [split.of([line], time[[n]])[0] for n, line in enumerate(log)] == prints


def test_killed_at_any_moment_each_line_counts_once(tmp_path: Path) -> None:
    """kill -9 again and again, at moments that dice choose, until it gets to the end."""
    file, data = write(tmp_path / "access.log", lines(12_000)), tmp_path / "data"
    dice, kills = random.Random(7), 0
    command = [sys.executable, "-m", "tests.ingest.import_once", str(data), str(file), "100"]
    for _ in range(40):
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            assert child.stdout.readline() == "ready\n", child.stderr.read()
            try:
                child.wait(dice.uniform(0.02, 0.35) if kills < 6 else None)
            except subprocess.TimeoutExpired:
                child.kill()
                kills += 1
            out, err = child.communicate()
        if child.returncode == 0:
            assert out == "done\n"
            break
        assert child.returncode == -9, err
    assert kills >= 3
    assert once(data, file).received == 0
    whole = tmp_path / "whole"
    once(whole, file)
    assert unkeyed(content(data)) == unkeyed(content(whole))


def everything(data: Path) -> bytes:
    return b"\0".join(file.read_bytes() for file in sorted(data.rglob("*")) if file.is_file())


@pytest.mark.requirement("M21", "M26")
@pytest.mark.needs("data")
def test_a_real_log_leaves_no_address_behind(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Every byte of the data folder and of what was said, and every value that the log decodes to."""
    source = data / "weblog" / "apache-combined-2015.log.gz"
    folder = tmp_path / "data"
    result = once(folder, source)
    assert (result.lines, result.received) == (10_000, 10_000)
    assert result.stored + sum(result.refused.values()) == 10_000
    with gzip.open(source, "rb") as file:
        log = file.read().splitlines()
    addresses = {line.split(b" ")[0] for line in log}
    quoted = [re.findall(rb'"([^"]*)"', line) for line in log]
    canaries = addresses | {part for parts in quoted for part in parts[1:] if len(part) > 30}
    canaries |= {parts[0].split(b"?")[1].split(b" ")[0] for parts in quoted if b"?" in parts[0]} - {
        b"",
        b"page=2",
    }
    assert len(addresses) == 1753
    said = "".join(capfd.readouterr()) + caplog.text
    rows = [row for _, record in SegmentLog(folder / "log").read({}) for row in record.batch.to_pylist()]
    haystack = everything(folder) + said.encode() + repr(rows).encode()
    assert not [canary for canary in canaries if len(canary) > 6 and canary in haystack]
    assert len(rows) == result.stored > 1000
    shutil.copy(source, tmp_path / "renamed")
    assert once(folder, tmp_path / "renamed").received == 0


@pytest.mark.requirement("M30")
@pytest.mark.needs("data")
def test_visitors_of_a_real_log_are_told_apart_by_little(data: Path, tmp_path: Path) -> None:
    """Four days of a real site: its visitors are few, and most of them still have others like them."""
    once(tmp_path / "data", data / "weblog" / "apache-combined-2015.log.gz")
    records = [record.batch for _, record in SegmentLog(tmp_path / "data" / "log").read({})]
    told = measure(pa.Table.from_batches(records))
    assert told.people > 700
    assert told.bits < MOST_BITS - 2, told
    assert told.alone < 0.2, told


@pytest.mark.requirement("M12", "M26")
def test_nobody_signed_in_is_known_by_name(tmp_path: Path) -> None:
    """Wherever a log may name a user or a browser, and visitors may be known: nothing of it is read."""
    text, data = "8 - - [01/Jan/2024:00:00:00 +0000]", tmp_path / "data"
    said = {
        "remote_addr": "73.40.1.7",
        "time_iso8601": "2024-01-01T00:00:02+00:00",
        "request": "GET /a?user_id=canary-4 HTTP/1.1",
        "status": "200",
        "http_user_agent": AGENTS[0],
        **dict.fromkeys(
            ("remote_user", "user", "user_id", "device_id", "cookie", "http_cookie", "id", "session"),
            "canary-5",
        ),
        "consent": {"measurement": True, "personalisation": True},
    }
    logs = {
        "combined": f'73.40.1.{text.replace("- -", "- canary-1")} "GET /a HTTP/1.1" 200 7 "-" "{AGENTS[0]}"',
        "common": f'73.40.1.{text.replace("- -", "canary-2 canary-3")} "GET /a HTTP/1.1" 200 7',
        "json": json.dumps(said),
    }
    for format, line in logs.items():
        result = once(data, write(tmp_path / format, [line.encode()]), format=format)
        assert (result.received, result.stored) == (1, 1), format
    rows = [row for _, record in SegmentLog(data / "log").read({}) for row in record.batch.to_pylist()]
    assert {(row["country"], row["treatment"], row["event_id"]) for row in rows} == {
        ("US", "cookieless", None)
    }
    assert b"canary" not in everything(data) + repr(rows).encode()
    assert not (data / "ledger.sqlite").exists(), "a lasting pseudonym would need a salt"
