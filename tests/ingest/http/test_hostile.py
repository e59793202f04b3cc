"""Slow, greedy and random clients: they are let go, asked to wait or refused, and the others are served."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.whole.running import Up, free_ports, throng, until

SETTINGS = """
[[site]]
id = "shop"
origins = ["https://shop.example"]
timezone = "Europe/Berlin"
[ingest]
trusted_proxies = ["127.0.0.0/8"]
max_body = 20000
max_events = 20
max_connections = 40
header_timeout_s = 1.0
idle_timeout_s = 2.0
rate = 2.0
burst = 400
"""
#: Stands in every bad input, and must stand nowhere afterwards.
MARK = "zqmarkqz"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    data = tmp_path_factory.mktemp("http")
    (data / "throng.toml").write_text(SETTINGS)
    running = Up(data, ["part", "collector"], free_ports())
    until(running.answers)
    yield running
    if running.process.poll() is None:
        running.stop()


def talk(running: Up, data: bytes, *, half: bool = False, seconds: float = 5.0) -> bytes:
    """Send it all, and read until the other side closes, or falls silent after an answer."""
    with socket.create_connection(("127.0.0.1", running.port), seconds) as connection:
        connection.sendall(data)
        if half:
            connection.shutdown(socket.SHUT_WR)
        said = b""
        try:
            while part := connection.recv(65_536):
                said += part
                connection.settimeout(0.3)
        except (TimeoutError, ConnectionError):
            pass
    return said


def post(body: bytes, *head: str, path: str = "/e", length: int | None = None) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: s", "User-Agent: Mozilla/5.0 (X11; Linux) Firefox/140.0"]
    lines += ["Content-Type: text/plain", f"Content-Length: {len(body) if length is None else length}", *head]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def event(**more: object) -> bytes:
    return json.dumps({"site": "shop", "type": "page_view", "url": "/a", **more}).encode()


def status(said: bytes) -> int:
    return int(said.split(b" ", 2)[1]) if said.startswith(b"HTTP/1.1 ") else 0


def code(said: bytes) -> str:
    body = json.loads(said.partition(b"\r\n\r\n")[2])
    assert body["error"]["message"]
    return str(body["error"]["code"])


def test_a_body_said_to_be_too_large_is_refused_before_it_is_sent(collector: Up) -> None:
    said = talk(collector, post(event(note=MARK), length=10**9))
    assert status(said) == 413
    assert code(said) == "too_large"
    assert status(talk(collector, post(event(), "Expect: 100-continue", length=10**9))) == 413


@pytest.mark.parametrize("sent", [b"", b"POST /e HT", post(event())[:-20], post(b"", length=50) + b"{"])
def test_slow_and_half_open_clients_are_let_go(collector: Up, sent: bytes) -> None:
    begun = time.monotonic()
    assert talk(collector, sent, seconds=15.0) == b""
    assert 0.5 < time.monotonic() - begun < 14
    assert talk(collector, sent, half=True, seconds=15.0) == b""
    assert collector.answers()


def test_more_connections_than_allowed_are_closed_and_the_others_served(collector: Up) -> None:
    held = []
    try:
        for _ in range(60):
            held.append(socket.create_connection(("127.0.0.1", collector.port), 5))
    finally:
        for one in held:
            one.close()
    until(collector.answers)
    assert status(talk(collector, post(event()))) == 202


def test_a_client_that_sends_too_much_is_asked_to_wait(collector: Up) -> None:
    flood = b"".join([post(event(), "X-Forwarded-For: 198.51.100.9")] * 450)
    said = talk(collector, flood)
    found = [int(one[:3]) for one in said.split(b"HTTP/1.1 ")[1:]]
    assert found.count(429) >= 20
    assert found.count(202) >= 400
    assert b"retry-after: " in said.split(b"HTTP/1.1 429", 1)[1].split(b"\r\n\r\n", 1)[0].lower()
    assert status(talk(collector, post(event(), "X-Forwarded-For: 198.51.100.10"))) == 202


def test_any_page_may_ask_and_only_the_sites_own_may_send(collector: Up) -> None:
    for path in ("/e", "/consent", "/ad/impression"):
        said = talk(
            collector, f"OPTIONS {path} HTTP/1.1\r\nHost: s\r\nOrigin: https://shop.example\r\n\r\n".encode()
        )
        assert status(said) == 204
        assert b"access-control-allow-origin: *" in said.lower()
    assert status(talk(collector, post(event(), "Origin: https://shop.example"))) == 202
    assert status(talk(collector, post(event(), "Referer: https://shop.example/x"))) == 202
    assert status(talk(collector, post(event(), "Referer: https://else.example/x"))) == 403


def test_the_beacon_is_cached_for_long_in_every_encoding(collector: Up) -> None:
    def get(*head: str) -> bytes:
        return talk(collector, "\r\n".join(["GET /t.js HTTP/1.1", "Host: s", *head]).encode() + b"\r\n\r\n")

    plain = get()
    tag = next(line for line in plain.split(b"\r\n") if line.lower().startswith(b"etag:")).split(b" ")[1]
    assert b"max-age=86400" in plain
    assert b"content-encoding: br" in get("Accept-Encoding: gzip, br").lower()
    packed = get("Accept-Encoding: gzip")
    assert gzip.decompress(packed.partition(b"\r\n\r\n")[2]) == plain.partition(b"\r\n\r\n")[2]
    assert status(get(f"If-None-Match: {tag.decode()}")) == 304


def test_a_choice_is_kept_and_a_bad_one_refused(collector: Up) -> None:
    def put(body: bytes) -> bytes:
        return talk(collector, post(body, path="/consent").replace(b"POST", b"PUT", 1))

    who = {"site": "shop", "device_id": "d1"}
    assert status(put(json.dumps(who | {"consent": {"measurement": False}}).encode())) == 200
    said = talk(collector, b"GET /consent?site=shop&device_id=d1 HTTP/1.1\r\nHost: s\r\n\r\n")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["consent"]["measurement"] is False
    for bad in (b"", b"[]", b'{"site": "shop"}', json.dumps(who | {"consent": MARK}).encode(), b"x" * 30_000):
        said = put(bad)
        assert 400 <= status(said) < 500
        assert code(said)


_GOOD = post(event())


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(
        st.binary(max_size=200),
        st.builds(
            lambda at, by: _GOOD[:at] + by + _GOOD[at:], st.integers(0, len(_GOOD)), st.binary(max_size=9)
        ),
        st.builds(
            lambda at, to: _GOOD[:at] + _GOOD[to:], st.integers(0, len(_GOOD)), st.integers(0, len(_GOOD))
        ),
    )
)
def test_no_bytes_bring_it_down(collector: Up, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", collector.port), 5) as connection:
        connection.sendall(sent)
        connection.settimeout(0.02)
        try:
            said = connection.recv(65_536)
        except (TimeoutError, ConnectionError):
            said = b""
    assert said == b"" or said.startswith(b"HTTP/1.1 ")
    assert collector.process.poll() is None


def test_in_the_end_it_adds_up_and_nothing_bad_was_kept(collector: Up) -> None:
    """Last in this module, after all that was sent above."""
    until(collector.answers)
    page = collector.get("/metrics")[1]
    assert b'throng_events_total{outcome="refused",reason="invalid"}' in page
    assert collector.stop() == 0
    found = json.loads(throng(collector.data, "balance", "--format", "json"))
    assert found["refused"]["invalid"] > 20
    assert found["stored"] > 400
    assert found["received"] == found["stored"] + sum(found["refused"].values())
    files = [file for file in Path(collector.data).rglob("*") if file.is_file()]
    assert collector.output in files
    for file in files:
        assert MARK.encode() not in file.read_bytes(), file.name
    assert MARK.encode() not in page
