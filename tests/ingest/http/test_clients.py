"""Clients that are slow, many or greedy cost nobody else anything; pages may ask and choose from anywhere."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import brotli
import pytest

from tests.ingest.http.wire import SETTINGS, Line, ask, counted, counts, event, request, soon
from tests.whole.running import Up, up

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "begun",
    [b"POST /e HT", request(event())[:60], request(event())[:-5], request(method="GET", path="/health")[:-2]],
    ids=["line", "headers", "body", "page"],
)
def test_who_never_finishes_is_dropped(running: Up, begun: bytes) -> None:
    with Line(running.port, 20) as line:
        line.send(begun)
        assert line.rest() == b""
    assert running.answers()


def test_a_byte_now_and_then_buys_no_time(running: Up) -> None:
    """The time is for the whole request, so that drops of it do not hold a connection."""
    with Line(running.port, 0.2) as line:
        line.send(request(event())[:60])

        def dropped() -> bool:
            line.send(b"a")
            try:
                return line.rest() == b""
            except TimeoutError:
                return False

        soon(dropped)


@pytest.mark.parametrize("first", [b"", request(event()), request(method="GET", path="/health")])
def test_who_is_silent_is_dropped(running: Up, first: bytes) -> None:
    with Line(running.port, 20) as line:
        if first:
            line.send(first)
            assert line.answer().status in (200, 202)
        assert line.rest() == b""


def test_too_many_connections_are_closed_and_the_others_served(running: Up) -> None:
    lines = [Line(running.port, 5) for _ in range(70)]
    try:
        for line in lines:
            line.send(request(event()))
        served = 0
        for line in lines:
            with suppress(AssertionError, ConnectionResetError):  # closed: that is what the limit is for
                served += line.answer().status == 202
        assert 40 <= served <= 50
    finally:
        for line in lines:
            line.socket.close()
    soon(running.answers)


def test_the_rate_is_for_each_visitor(tmp_path: Path) -> None:
    settings = SETTINGS + "rate = 0.01\nburst = 5\n"
    with up(tmp_path / "data", "part", "collector", settings=settings) as running:

        def send(forwarded: str) -> Any:
            return ask(running, request(event(), f"X-Forwarded-For: {forwarded}"))

        before = counts(running)
        assert [send("203.0.113.5").status for _ in range(5)] == [202] * 5
        answer = send("203.0.113.5")
        assert (answer.status, answer.code) == (429, "rate")
        assert int(answer.head["retry-after"]) > 0
        assert send("198.51.100.1, 203.0.113.5").status == 429, "what the client wrote itself does not help"
        assert send("203.0.113.6").status == 202
        assert ask(running, request(event(), 'Forwarded: for="203.0.113.5:80"')).status == 429
        found = counted(running, before, 9)
        assert (found["received"], found["invalid"]) == (9, 3)


@pytest.mark.parametrize("path", ["/e", "/consent", "/ad/click"])
def test_any_page_may_ask(running: Up, path: str) -> None:
    wish = "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: content-type"
    answer = ask(running, request(b"", *wish, method="OPTIONS", path=path), "HEAD")
    assert answer.status == 204
    assert answer.head["access-control-allow-origin"] == "*"
    assert "PUT" in answer.head["access-control-allow-methods"]
    allowed = answer.head["access-control-allow-headers"].split(", ")
    assert sorted(allowed) == [
        "authorization", "content-type", "throng-device", "throng-token", "throng-user"
    ]  # fmt: skip
    assert "access-control-allow-credentials" not in answer.head


@pytest.mark.parametrize("body", [event(), b"{"])
def test_the_page_may_read_the_answer(running: Up, body: bytes) -> None:
    assert ask(running, request(body)).head["access-control-allow-origin"] == "*"


def _script(running: Up, *more: str) -> Any:
    return ask(running, request(b"", *more, method="GET", path="/t.js"))


def test_the_beacon_comes_small_and_stays_long(running: Up) -> None:
    plain = _script(running)
    assert plain.body == (ROOT / "ingest" / "beacon" / "t.js").read_bytes()
    assert "content-encoding" not in plain.head
    for said, encoding, unpack in [
        ("gzip, deflate, br, zstd", "br", brotli.decompress),
        ("gzip;q=0.8", "gzip", gzip.decompress),
    ]:
        answer = _script(running, f"Accept-Encoding: {said}")
        assert answer.head["content-encoding"] == encoding
        assert unpack(answer.body) == plain.body
        assert answer.head["vary"] == "accept-encoding"
        assert int(answer.head["cache-control"].split("max-age=")[1].split(",")[0]) >= 86_400
        assert answer.head["content-type"].startswith("text/javascript")
    for said, status in [(plain.head["etag"], 304), (f'"x", {plain.head["etag"]}', 304), ('"x"', 200)]:
        answer = _script(running, f"If-None-Match: {said}")
        assert (answer.status, bool(answer.body)) == (status, status == 200)
        assert answer.head["etag"] == plain.head["etag"]


def test_health(running: Up) -> None:
    status, body = running.get("/health")
    assert status == 200
    assert {"alive": True, "ready": True}.items() <= json.loads(body).items()


def test_no_such_page(running: Up) -> None:
    with Line(running.port) as line:
        line.send(request(event(), path="/nothing"))
        assert line.answer().status == 404


def _choose(running: Up, said: Any, *more: str) -> Any:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return ask(running, request(body, "Content-Type: application/json", *more, method="PUT", path="/consent"))


def _choice(running: Up, query: str) -> Any:
    return ask(running, request(b"", method="GET", path=f"/consent?{query}"))


@pytest.mark.requirement("M68", "M113")
def test_a_refusal_binds_the_very_next_event(running: Up) -> None:
    mine = {"site": "shop", "device_id": "device-4711"}
    assert json.loads(_choice(running, "site=shop&device_id=device-4711").body)["consent"] is None
    for number in range(5):
        for yes in (True, False):
            chosen = _choose(running, mine | {"consent": {"measurement": yes}})
            assert chosen.status == 200
            read = json.loads(_choice(running, "site=shop&device_id=device-4711").body)
            assert read == json.loads(chosen.body)
            assert read["consent"] == {"measurement": yes}
            before = counts(running)
            sent = event(id=f"{number}{yes}", device_id="device-4711")
            assert ask(running, request(sent)).status == 202
            found = counted(running, before, 1)
            assert found == {"received": 1, "stored" if yes else "consent": 1}


BAD = [
    ("empty", b"", 400, "malformed"),
    ("no JSON", b"yes", 400, "malformed"),
    ("no UTF-8", b'{"site":"\xff"}', 400, "malformed"),
    ("a list", b"[]", 400, "malformed"),
    ("deep", b"[" * 4000, 400, "malformed"),
    ("no consent", {"site": "shop", "device_id": "d"}, 400, "malformed"),
    ("a word", {"site": "shop", "device_id": "d", "consent": {"measurement": "yes"}}, 400, "malformed"),
    ("another name", {"site": "shop", "device_id": "d", "consent": {}, "x": 1}, 400, "malformed"),
    ("another site", {"site": "x", "device_id": "d", "consent": {}}, 400, "site"),
    ("nobody", {"site": "shop", "consent": {"measurement": True}}, 400, "id"),
    ("an empty id", {"site": "shop", "device_id": "", "consent": {}}, 400, "id"),
    ("a long id", {"site": "shop", "device_id": "d" * 257, "consent": {}}, 400, "device_id"),
    ("unknown purpose", {"site": "shop", "device_id": "d", "consent": {"everything": True}}, 400, "purpose"),
    ("too large", b" " * 9000, 413, "too_large"),
]


@pytest.mark.parametrize(("said", "status", "code"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_no_choice(running: Up, said: Any, status: int, code: str) -> None:
    answer = _choose(running, said)
    assert (answer.status, answer.code) == (status, code)
    assert answer.head["access-control-allow-origin"] == "*"


def test_another_site_cannot_choose(running: Up) -> None:
    body = json.dumps({"site": "shop", "device_id": "mine", "consent": {"measurement": True}}).encode()
    data = request(body, method="PUT", path="/consent").replace(b"//shop.example\r", b"//evil.example\r")
    answer = ask(running, data)
    assert (answer.status, answer.code) == (403, "origin")
    assert json.loads(_choice(running, "site=shop&device_id=mine").body)["consent"] is None


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "id"),
        ("site=shop", "id"),
        ("site=x&user_id=u", "site"),
        ("site=shop&user_id=" + "u" * 300, "user_id"),
    ],
)
def test_no_such_choice(running: Up, query: str, code: str) -> None:
    answer = _choice(running, query)
    assert (answer.status, answer.code) == (400, code)
