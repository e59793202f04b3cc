"""Whatever bytes arrive, the collector lives, adds up, and keeps and says nothing of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingest.http.wire import MARK, SETTINGS, Line, ask, event, request
from tests.whole.running import Up, throng, up

MANY = settings(
    max_examples=150, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
#: The mark where a stranger could put it: each of these is refused, or taken without it.
VALID = [
    request(b'{"site":"shop","type":"%b"}' % MARK.encode(), f"X-{MARK}: {MARK}", path=f"/e?{MARK}"),
    request(event(title=MARK, id=MARK, props={MARK: MARK}, url=f"https://shop.example/?q={MARK}")),
    request(f"{{{MARK}".encode(), f"X-Forwarded-For: {MARK}", f"Cookie: {MARK}"),
    request(method="GET", path=f"/p.gif?site={MARK}&url={MARK}"),
    request(method="GET", path=f"/consent?site={MARK}&user_id={MARK}"),
    request(f'{{"site":"{MARK}","consent":{{"{MARK}":true}}}}'.encode(), method="PUT", path="/consent"),
    request(
        f'{{"site":"shop","user_id":"{MARK}","consent":{{"measurement":true}},"locale":"de"}}'.encode(),
        method="PUT",
        path="/consent?receipt=1",
    ),
    request(
        f'{{"site":"shop","user_id":"u","consent":{{}},"surface":"{MARK}","locale":"{MARK}"}}'.encode(),
        method="PUT",
        path="/consent?receipt=1",
    ),
    request(method="GET", path=f"/{MARK}"),
    request(event(), f"Content-Encoding: {MARK}", f"Content-Type: {MARK}/{MARK}"),
]
PARTS = [
    b"\r\n", b"\r\n\r\n", b"\x00", b": ", b"GET ", b"HTTP/1.1", b"\xff", b"0\r\n\r\n", b"{", b"]", b'"',
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 9\r\n", b"Expect: 100-continue\r\n",
    b"Upgrade: h2c\r\n", b"Connection: upgrade\r\n", MARK.encode(),
]  # fmt: skip


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    """One or more requests, with pieces cut out, put in, or said twice."""
    data = b"".join(draw(st.lists(st.sampled_from(VALID), min_size=1, max_size=3)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        to = min(at + draw(st.integers(0, 30)), len(data))
        piece = draw(st.sampled_from(PARTS) | st.binary(max_size=8) | st.just(data[at:to] * 2))
        data = data[:at] + piece + data[to:]
    return data


def _throw(running: Up, data: bytes) -> None:
    """Send it and go away; whatever comes back meanwhile says nothing of it."""
    with Line(running.port, 0.05) as line:
        line.send(data)
        try:
            said = line.rest()
        except TimeoutError:
            said = line._read
        assert MARK.encode() not in said
        assert b" 500 " not in said
    assert running.process.poll() is None


@pytest.fixture(scope="module")
def thrown_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A collector of its own, because its folder is looked through at the end."""
    data = tmp_path_factory.mktemp("fuzz") / "data"
    with up(data, "part", "collector", settings=SETTINGS) as running:
        yield running


@MANY
@given(st.binary(min_size=1, max_size=400))
def test_any_bytes(thrown_at: Up, data: bytes) -> None:
    _throw(thrown_at, data)


@MANY
@given(_mutated())
def test_requests_gone_wrong(thrown_at: Up, data: bytes) -> None:
    _throw(thrown_at, data)


@MANY
@given(st.binary(max_size=300))
def test_any_body(thrown_at: Up, body: bytes) -> None:
    answer = ask(thrown_at, request(body))
    assert answer.status in (400, 413)
    assert answer.code


def test_nothing_of_it_is_left_and_it_adds_up(thrown_at: Up) -> None:
    """Last in the module: the collector is healthy, then stopped and looked through."""
    for data in VALID:
        _throw(thrown_at, data)
    assert ask(thrown_at, request(event())).status == 202
    assert thrown_at.answers()
    assert thrown_at.stop() == 0
    files = [file for file in thrown_at.data.rglob("*") if file.is_file()]
    assert any(file.stat().st_size for file in (thrown_at.data / "log").rglob("*"))
    for file in files:
        assert MARK.encode() not in file.read_bytes(), file
    assert "Traceback" not in thrown_at.output.read_text()
    found = json.loads(throng(thrown_at.data, "balance", "--format", "json"))
    assert found["stored"] >= 1
    assert found["received"] == found["stored"] + sum(found["refused"].values())
