"""Every request gets the answer its sender can act upon, and is counted once, whatever its bytes are."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from tests.ingest.http.wire import MARK, Line, ask, chunked, counted, counts, event, request
from tests.whole.running import Up

GOOD = event()
BIG = b" " * 20_001
BOMB = b" " * 5_000_000
GZIP, DEFLATE = "Content-Encoding: gzip", "Content-Encoding: deflate"
CHUNKED = "Transfer-Encoding: chunked"


def _raw(body: str) -> bytes:
    return request(body.encode())


#: name, request, status, code of the error; every one is received once and refused once as invalid.
BAD = [
    ("too large, declared", request(BIG), 413, "too_large"),
    ("too large, said before it is sent", request(GOOD, length=10**9), 413, "too_large"),
    ("too large, in chunks", request(chunked(BIG), CHUNKED), 413, "too_large"),
    ("gzip bomb", request(gzip.compress(BOMB), GZIP), 413, "too_large"),
    ("deflate bomb", request(zlib.compress(BOMB), DEFLATE), 413, "too_large"),
    ("unknown encoding", request(GOOD, "Content-Encoding: br"), 415, "encoding"),
    ("two encodings", request(GOOD, GZIP, GZIP), 415, "encoding"),
    ("no gzip", request(GOOD, GZIP), 400, "malformed"),
    ("gzip cut short", request(gzip.compress(GOOD)[:-5], GZIP), 400, "malformed"),
    ("one huge header", request(GOOD, "X-A: " + "a" * 40_000), 413, "too_large"),
    ("many headers", request(GOOD, *[f"X-{n}: {'a' * 30}" for n in range(1200)]), 413, "too_large"),
    ("huge address", request(GOOD, path="/e?" + "a" * 70_000), 413, "too_large"),
    ("GET", request(method="GET"), 405, "method"),
    ("PUT", request(GOOD, method="PUT"), 405, "method"),
    ("POST to the pixel", request(GOOD, path="/p.gif"), 405, "method"),
    ("form with a file", request(GOOD, "Content-Type: multipart/form-data; boundary=x"), 415, "media_type"),
    ("XML", request(GOOD, "Content-Type: application/xml"), 415, "media_type"),
    ("no request line", b"hello\r\n\r\n", 400, "malformed"),
    ("unknown method", request(GOOD, method="FETCH"), 400, "malformed"),
    ("another version", b"POST /e HTTP/9.9\r\nHost: c\r\n\r\n", 400, "malformed"),
    ("NUL bytes", b"\x00" * 200, 400, "malformed"),
    ("NUL in a header", request(GOOD, "X-A: a\x00b"), 400, "malformed"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(90), 400, "malformed"),
    ("two lengths", request(GOOD, "Content-Length: 3"), 400, "malformed"),
    ("length and chunks", request(chunked(GOOD), CHUNKED, "Content-Length: 5"), 400, "malformed"),
    ("negative length", request(GOOD, length=-1), 400, "malformed"),
    ("bad chunk", request(b"zz\r\nabc\r\n0\r\n\r\n", CHUNKED), 400, "malformed"),
    ("no JSON", _raw(f"hello {MARK}"), 400, "malformed"),
    ("no body", request(), 400, "empty"),
    ("NaN", _raw('{"site":"shop","type":"event","name":"a","value":NaN}'), 400, "malformed"),
    ("no UTF-8", request(b'{"site":"\xff\xfe"}'), 400, "malformed"),
    ("lone surrogate", _raw('{"site":"shop","type":"page_view","url":"https://shop.example/\\ud800"}'), 400,
     "malformed"),
    ("duplicate key", _raw('{"site":"shop","site":"shop","type":"page_view","url":"https://shop.example/"}'),
     400, "duplicate_key"),
    ("10,000 deep in lists", _raw("[" * 9_999 + "]" * 9_999), 400, "malformed"),
    ("3,000 deep in objects", _raw('{"a":' * 3_000 + "1" + "}" * 3_000), 400, "malformed"),
    ("9,999 events", _raw("[" + "0," * 9_998 + "0]"), 413, "too_many"),
    ("21 events", _raw(json.dumps([json.loads(GOOD)] * 21)), 413, "too_many"),
    ("a number", _raw("7"), 400, "not_an_object"),
    ("a string", _raw(f'"{MARK}"'), 400, "not_an_object"),
    ("null", _raw("null"), 400, "not_an_object"),
    ("an empty array", _raw("[]"), 400, "empty"),
    ("events: []", _raw('{"events":[]}'), 400, "empty"),
    ("an empty object", _raw("{}"), 400, "site"),
    ("an array of null", _raw("[null]"), 400, "not_an_object"),
    ("site a number", request(event(site=7)), 400, "site"),
    ("another site", request(event(site=MARK)), 400, "site"),
    ("type an array", request(event(type=[])), 400, "type"),
    ("url an object", request(event(url={})), 400, "url"),
    ("url too long", request(event(url="https://shop.example/" + "a" * 5000)), 400, "url"),
    ("title a number", request(event(title=7)), 400, "title"),
    ("consent too long", request(event(consent={"measurement": True, "a": "b" * 4200})), 400, "consent"),
    ("time a list", request(event(time=[])), 400, "time"),
    ("1e999", _raw('{"site":"shop","type":"vital","url":"https://shop.example/","name":"LCP","value":1e999}'),
     400, "value"),
    ("foreign origin", request(GOOD).replace(b"//shop.example\r", b"//evil.example\r"), 403, "origin"),
    ("foreign referer", request(GOOD).replace(b"Origin: https://shop.example", b"Referer: https://evil.example/x"),
     403, "origin"),
]  # fmt: skip

#: name, request: taken, and counted once as received.
TAKEN = [
    ("plain", request(GOOD)),
    ("JSON", request(GOOD, "Content-Type: application/json; charset=utf-8")),
    ("form", request(GOOD, "Content-Type: application/x-www-form-urlencoded")),
    ("gzip", request(gzip.compress(GOOD), GZIP)),
    ("GZIP", request(gzip.compress(GOOD), "Content-Encoding: GZIP")),
    ("deflate", request(zlib.compress(GOOD), DEFLATE)),
    ("identity", request(GOOD, "Content-Encoding: identity")),
    ("chunked", request(chunked(GOOD, 7), CHUNKED)),
    ("chunked gzip", request(chunked(gzip.compress(GOOD), 7), CHUNKED, GZIP)),
    ("an array", request(b"[" + GOOD + b"]")),
    ("NUL in a string", request(event(title="a\x00b"))),
    ("the pixel", request(method="GET", path="/p.gif?site=shop&url=https%3A%2F%2Fshop.example%2F")),
]


@pytest.mark.parametrize(("data", "status", "code"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_refused(running: Up, data: bytes, status: int, code: str) -> None:
    before = counts(running)
    answer = ask(running, data)
    assert (answer.status, answer.code) == (status, code)
    assert MARK not in answer.body.decode()
    assert counted(running, before, 1) == {"received": 1, "invalid": 1}


@pytest.mark.parametrize("data", [row[1] for row in TAKEN], ids=[row[0] for row in TAKEN])
def test_taken(running: Up, data: bytes) -> None:
    before = counts(running)
    answer = ask(running, data)
    assert answer.status in (200, 202, 204), answer
    assert "invalid" not in (found := counted(running, before, 1))
    assert found["received"] == 1


def test_three_in_one_go_are_answered_in_order(running: Up) -> None:
    before = counts(running)
    with Line(running.port) as line:
        line.send(request(GOOD) + request(b"{") + request(GOOD, "Connection: close"))
        answers = [line.answer() for _ in range(3)]
        assert [answer.status for answer in answers] == [202, 400, 202]
        assert answers[1].code == "malformed"
        assert line.rest() == b""
    assert counted(running, before, 3)["invalid"] == 1


def test_one_refused_at_once_waits_for_the_one_before_it(running: Up) -> None:
    """405 is known long before the first is durable, and is still the second answer."""
    with Line(running.port) as line:
        line.send(request(GOOD) + request(method="GET") + request(GOOD))
        assert [line.answer().status for _ in range(3)] == [202, 405, 202]


def test_a_connection_is_kept(running: Up) -> None:
    with Line(running.port) as line:
        for data, status in [(GOOD, 202), (b"[]", 400), (GOOD, 202)] * 5:
            line.send(request(data))
            answer = line.answer()
            assert answer.status == status
            assert answer.head.get("connection") != "close"


def test_events_and_pages_share_a_connection(running: Up) -> None:
    with Line(running.port) as line:
        for _ in range(3):
            line.send(request(GOOD))
            assert line.answer().status == 202
            line.send(request(method="GET", path="/health"))
            assert line.answer().status == 200


@pytest.mark.parametrize("path", ["/e", "/health"])
def test_connection_close_closes(running: Up, path: str) -> None:
    method, body = ("POST", GOOD) if path == "/e" else ("GET", b"")
    with Line(running.port) as line:
        line.send(request(body, "Connection: close", path=path, method=method))
        answer = line.answer()
        assert answer.status in (200, 202)
        assert answer.head["connection"] == "close"
        assert line.rest() == b""


def test_http_1_0_is_answered_and_closed(running: Up) -> None:
    with Line(running.port) as line:
        line.send(request(GOOD).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert line.answer().status == 202
        assert line.rest() == b""


def test_who_waits_for_100_gets_it(running: Up) -> None:
    with Line(running.port) as line:
        whole = request(GOOD, "Expect: 100-continue")
        line.send(whole[: -len(GOOD)])
        assert line.answer().status == 100
        line.send(GOOD)
        assert line.answer().status == 202


def test_bytes_one_at_a_time(running: Up) -> None:
    with Line(running.port) as line:
        for byte in request(GOOD):
            line.send(bytes([byte]))
        assert line.answer().status == 202


def test_what_is_in_one_body_is_judged_one_by_one(running: Up) -> None:
    before = counts(running)
    answer = ask(running, request(b"[" + GOOD + b"," + event(site="x") + b",7]"))
    assert answer.status == 202
    found = counted(running, before, 3)
    assert (found["received"], found["invalid"]) == (3, 2)
