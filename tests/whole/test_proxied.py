"""Behind a proxy that speaks the PROXY protocol: the visitor counts, and nobody else may say one."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from tests.ingest.test_proxied import second
from tests.ports import free_ports
from tests.whole.running import BROWSER, Up, until, up

SETTINGS = """
[[site]]
id = "shop"
[ingest]
trusted_proxies = ["127.0.0.{proxies}"]
proxy_protocol = true
[warehouse]
min_group = 1
"""


def event(path: str, more: str = "") -> bytes:
    body = json.dumps({"site": "shop", "type": "page_view", "url": f"https://shop.example{path}"})
    head = f"POST /e HTTP/1.1\r\nHost: x\r\nUser-Agent: {BROWSER}\r\nContent-Type: text/plain\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def say(port: int, source: str, *pieces: bytes) -> list[str]:
    """Send these bytes, piece by piece, from an address of this machine; the status of every answer."""
    found, pieces = b"", (*pieces, b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                connection.sendall(piece)
                while piece.endswith(b"}") and b"\r\n\r\n" not in found:
                    found += connection.recv(4096)
            while more := connection.recv(4096):
                found += more
        except ConnectionError:
            pass  # refused, and closed
    return [line[9:12].decode() for line in found.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def test_the_proxys_line_says_who_it_is(tmp_path: Path) -> None:
    with up(tmp_path, settings=SETTINGS.format(proxies="2/32")) as running:
        port, proxy = running.port, "127.0.0.2"
        line = b"PROXY TCP4 73.40.1.2 127.0.0.1 5 443\r\n"
        assert say(port, proxy, line + event("/first")) == ["202", "200"]
        assert say(port, proxy, line[:9], line[9:], event("/cut")) == ["202", "200"]
        assert say(port, proxy, second("91.64.1.2"), event("/second")) == ["202", "200"]
        # Who is behind the proxy may claim to be somebody else, and is not believed.
        lying = event("/lying", "X-Forwarded-For: 91.64.1.2\r\n")
        assert say(port, proxy, line + lying) == ["202", "200"]
        assert say(port, proxy, event("/none")) == ["400"], "the proxy says no line"
        assert say(port, "127.0.0.1", line + event("/stranger")) == ["400"], "nobody's line is believed"
        assert say(port, "127.0.0.1", event("/direct")) == ["202", "200"]

        def seen() -> dict[str, int]:
            found = running.rows("SELECT country, sum(views)::INT AS n FROM countries GROUP BY ALL")
            return {row["country"]: row["n"] for row in found}

        until(lambda: sum(seen().values()) == 5)
        assert seen() == {"US": 3, "DE": 1, "ZZ": 1}


def test_a_proxy_on_this_machine_does_not_hide_that_all_is_ready(tmp_path: Path) -> None:
    (tmp_path / "throng.toml").write_text(SETTINGS.format(proxies="0/24"))
    running = Up(tmp_path, ["up"], free_ports())
    try:
        until(lambda: "ready after" in running.output.read_text())
    finally:
        running.stop()
