"""The promises, on the real collector: nothing raw on disk, nothing lost, a refusal binds, it adds up."""

from __future__ import annotations

import json
import random
import signal
import threading
from pathlib import Path

import pytest

from ingest.log.segment import SegmentLog
from tests.ports import free_ports
from tests.whole.running import Up, throng, until, up

PART = ("part", "collector")
SETTINGS = """
[[site]]
id = "shop"
timezone = "Asia/Kolkata"
props = ["note"]
[ingest]
trusted_proxies = ["127.0.0.0/8"]
[warehouse]
min_group = 1
"""
#: What must never be found: planted in every place where a request has room for it.
CANARIES = {
    "address": "203.0.113.77",
    "address6": "2001:db8:cafe::77",
    "agent": "CanaryBrowser/7.7",
    "user": "canary-user-4711",
    "device": "canarydevice00112233",
    "mail": "canary@example.org",
    "token": "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.c2lnbmF0dXJlY2FuYXJ5",
    "card": "4111111111111111",
    "title": "CanaryTitle",
    "query": "canaryquery",
    "id": "canary-event-id",
}


def _event(number: int = 0, **more: object) -> dict[str, object]:
    return {"site": "shop", "type": "page_view", "url": "https://shop.example/a", "id": f"e{number}", **more}


@pytest.mark.requirement("M5", "M9", "M12", "M21", "M128")
def test_nothing_that_was_planted_is_in_any_byte(tmp_path: Path) -> None:
    data, c = tmp_path / "data", CANARIES
    with up(data, *PART, settings=SETTINGS) as running:
        agent = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {c['agent']} Chrome/141.0.0.0 Safari/537.36"
        event = _event(
            1,
            id=c["id"],
            url=f"https://shop.example/u/{c['mail']}/{c['token']}/{c['card']}?q={c['query']}&mail={c['mail']}",
            referrer=f"https://other.example/{c['query']}?t={c['token']}",
            title=c["title"],
            user_id=c["user"],
            device_id=c["device"],
            consent={"measurement": True},
            props={"note": c["mail"], "other": c["query"]},
        )
        for address in (c["address"], c["address6"]):
            head = {"X_Forwarded_For": address, "User_Agent": agent}
            assert running.post(event, **head) == 202
            assert running.post(_event(2, consent={"measurement": False}, user_id=c["user"]), **head) == 202
            assert running.post({**event, "type": c["query"]}, **head) == 400
            assert running.post({**event, "url": 7, "name": c["mail"]}, **head) == 400
        body = f'{{"site": "shop", "user_id": "{c["user"]}", '
        assert running.post(body) == 400
        choice = {"site": "shop", "device_id": c["device"], "consent": {"measurement": True}}
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", running.port)
        connection.request("PUT", "/consent", json.dumps(choice))
        assert connection.getresponse().status == 200
        connection.close()
        page = running.get("/metrics")[1]
        assert b"\nthrong_redacted_total " in page
        assert b"\nthrong_redacted_total 0\n" not in page
        throng(data, "facts")
        throng(data, "reports")
        throng(data, "publish")
    held = {file: file.read_bytes() for file in data.rglob("*") if file.is_file()}
    assert len(held) > 20
    held[Path("metrics")] = page
    for name, value in c.items():
        for file, content in held.items():
            assert value.encode() not in content, f"{name} is in {file.name}"
    found = json.loads(throng(data, "balance", "--format", "json"))
    assert found["received"] == found["stored"] + sum(found["refused"].values())


def test_a_plant_would_be_found(tmp_path: Path) -> None:
    """The search above can find something: the same search finds a word that is rightly kept."""
    data = tmp_path / "data"
    with up(data, *PART, settings=SETTINGS) as running:
        assert running.post(_event(1, url="https://shop.example/kept-word")) == 202
    assert any(b"/kept-word" in file.read_bytes() for file in data.rglob("*") if file.is_file())


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "throng.toml").write_text(SETTINGS)
    dice, acknowledged, sent = random.Random(1), set[int](), 0
    for _ in range(5):
        running = Up(data, list(PART), free_ports())
        until(running.answers)
        lock = threading.Lock()

        def load(running: Up = running, lock: threading.Lock = lock) -> None:
            nonlocal sent
            while True:
                with lock:
                    sent += 1
                    number = sent
                try:
                    if running.post(_event(number)) == 202:
                        acknowledged.add(number)
                except OSError:
                    return

        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        threading.Event().wait(0.4 + dice.random())
        running.stop(signal.SIGKILL)
        for thread in threads:
            thread.join()
    assert len(acknowledged) > 100
    stored = sum(record.batch.num_rows for _, record in SegmentLog(data / "log").read({}))
    found = json.loads(throng(data, "balance", "--format", "json"))
    assert found["stored"] == stored >= len(acknowledged)
    throng(data, "facts")
    assert json.loads(throng(data, "balance", "--format", "json")) == found
    throng(data, "facts")
    assert json.loads(throng(data, "balance", "--format", "json")) == found


def test_a_retry_adds_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data, *PART, settings=SETTINGS) as running:
        for _ in range(3):
            assert running.post([_event(1), _event(2)]) == 202
            throng(data, "facts")
    found = json.loads(throng(data, "balance", "--format", "json"))
    assert found == {"received": 6, "stored": 2, "refused": {"duplicate": 4}}


@pytest.mark.requirement("M68")
def test_a_refusal_binds_the_very_next_event(tmp_path: Path) -> None:
    data = tmp_path / "data"
    import http.client

    with up(data, *PART, settings=SETTINGS) as running:

        def choose(measurement: bool) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", running.port)
            body = {"site": "shop", "device_id": "d1", "consent": {"measurement": measurement}}
            connection.request("PUT", "/consent", json.dumps(body))
            assert connection.getresponse().status == 200
            connection.close()

        for number in range(40):
            choose(number % 2 == 0)
            assert running.post(_event(number, device_id="d1")) == 202
    found = json.loads(throng(data, "balance", "--format", "json"))
    assert found == {"received": 40, "stored": 20, "refused": {"consent": 20}}


@pytest.mark.needs("disk")
def test_a_full_disk_is_answered_and_got_over(tmp_path: Path) -> None:
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(disk)], check=True)
    try:
        data = disk / "data"
        with up(data, *PART, settings=SETTINGS) as running:
            assert running.post(_event(0)) == 202
            filler = disk / "filler"
            with filler.open("wb") as file:
                try:
                    while True:
                        file.write(b"\0" * (1 << 20))
                except OSError:
                    pass
            taken, statuses = 1, set()
            for number in range(1, 120):
                status = running.post(
                    [_event(number * 500 + i, url="https://shop.example/" + "x" * 80) for i in range(500)]
                )
                statuses.add(status)
                taken += 500 if status == 202 else 0
            assert 503 in statuses
            filler.unlink()
            assert until(lambda: running.post(_event(999_999)) == 202)
        found = json.loads(throng(data, "balance", "--format", "json"))
        assert found["stored"] == taken + 1
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
