"""A log that cannot be written: senders come back later, nothing is half taken, and it goes on by itself."""

from __future__ import annotations

import http.client
import json
import resource
from pathlib import Path

import pytest

from tests.whole.running import BROWSER, Up, throng, until, up

SETTINGS = '[[site]]\nid = "shop"\n'


def send(running: Up, method: str, path: str, body: object) -> tuple[int, str | None]:
    """The status, and after how long to come back."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    try:
        connection.request(
            method, path, json.dumps(body), {"User-Agent": BROWSER, "Content-Type": "text/plain"}
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("retry-after")
    finally:
        connection.close()


def event(number: int) -> dict[str, object]:
    return {"site": "shop", "type": "page_view", "url": "https://shop.example/", "id": f"e{number}"}


@pytest.mark.timeout(120)
def test_the_sender_is_told_to_come_back_until_it_can_be_written_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    choice = {"site": "shop", "device_id": "d1", "consent": {"measurement": False}}
    with up(data, "part", "collector", settings=SETTINGS) as running:
        assert send(running, "POST", "/e", event(0)) == (202, None)
        for turn in (1, 2):
            # Whatever the file system is, no file can grow any more: as on a disk that has become read-only.
            unlimited = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (0, unlimited[1]))
            for number in range(5):
                status, after = send(running, "POST", "/e", event(turn * 100 + number))
                assert status == 503
                assert after is not None
                assert int(after) > 0
            status, _ = send(running, "PUT", "/consent", choice)
            assert status == 503, "a choice that is not durable is not taken"
            assert running.process.poll() is None
            resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, unlimited)
            until(lambda turn=turn: send(running, "POST", "/e", event(turn))[0] == 202)
            for number in range(5):
                assert send(running, "POST", "/e", event(turn * 100 + number))[0] == 202, "the retry"
        assert send(running, "PUT", "/consent", choice)[0] == 200
        assert send(running, "POST", "/e", {**event(999), "device_id": "d1"})[0] == 202
    throng(data, "facts")
    found = json.loads(throng(data, "balance", "--format", "json"))
    assert found["received"] == found["stored"] + sum(found["refused"].values())
    assert found["stored"] == 13
    assert found["refused"]["consent"] == 1
