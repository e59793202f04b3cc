"""What is sent in is sent encrypted, or is refused, over real sockets (M102)."""

from __future__ import annotations

import json
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from consent_filter.transport import Certificate
from tests import certificates
from tests.ingest.http.wire import Answer, Line, counted, counts, event, request
from tests.ingest.test_proxied import second
from tests.ports import free_ports
from tests.whole.running import Up, until, up

SETTINGS = """
[[site]]
id = "shop"
[ingest]
"""
HSTS = "strict-transport-security"
#: Only one address of this machine is a proxy's; what others say of their way is not believed.
PROXY, STRANGER = "127.0.0.2", "127.0.0.3"
CHOICE = json.dumps({"site": "shop", "device_id": "d1", "consent": {"measurement": True}}).encode()


class Sealed(Line):
    """A connection over TLS, by whoever made that certificate."""

    def __init__(self, port: int, folder: Path, version: ssl.TLSVersion | None = None) -> None:
        context = ssl.create_default_context(cafile=str(folder / "tls.pem"))
        if version:
            context.minimum_version = context.maximum_version = version
            context.set_ciphers("ALL:@SECLEVEL=0")
        super().__init__(port)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")


class From(Line):
    """A connection in clear, from an address of this machine."""

    def __init__(self, port: int, address: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10, source_address=(address, 0))
        self._read = b""


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A collector with a certificate."""
    data = tmp_path_factory.mktemp("sealed")
    certificates.make(data)
    (data / "throng.toml").write_text(f'{SETTINGS}certificate = "tls.pem"\nkey = "tls.key"\n')
    running = Up(data, ["part", "collector"], free_ports())

    def answers() -> bool:
        with suppress(OSError, AssertionError), Sealed(running.port, data) as line:
            line.send(request(method="GET", path="/health"))
            return line.answer("GET").status == 200
        return False

    try:
        until(answers)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A collector behind a proxy that has the certificate; nothing with an id may come in clear."""
    settings = f'{SETTINGS}trusted_proxies = ["{PROXY}/32"]\nhttps_only = "identified"\n'
    with up(tmp_path_factory.mktemp("behind"), "part", "collector", settings=settings) as running:
        yield running


def ask(line: Line, *requests: bytes) -> list[Answer]:
    """What each of them, sent one after another on one connection, is answered."""
    found = []
    for one in requests:
        line.send(one)
        found.append(line.answer(one.split(b" ")[0].decode()))
    return found


def said(answers: list[Answer]) -> list[tuple[int, bool]]:
    """The status of each, and whether it tells browsers to come encrypted only."""
    return [(answer.status, HSTS in answer.head) for answer in answers]


@pytest.mark.requirement("M102")
def test_over_tls_all_is_taken_and_every_answer_tells_browsers_to_come_no_other_way(sealed: Up) -> None:
    known = request(event(device_id="d1"))
    pages = [
        request(method="GET", path=path) for path in ("/t.js", "/health", "/privacy?site=shop", "/p.gif?x")
    ]
    choice = request(CHOICE, "Content-Type: application/json", method="PUT", path="/consent")
    with Sealed(sealed.port, sealed.data) as line:
        assert line.socket.version() == "TLSv1.3"  # type: ignore[attr-defined]
        found = ask(line, known, known, known, request(b"{"), choice, *pages)
    assert said(found) == [(202, True)] * 3 + [(400, True), (200, True)] + [(200, True)] * 3 + [(400, True)]
    assert {answer.head[HSTS] for answer in found} == {"max-age=31536000"}
    with Sealed(sealed.port, sealed.data) as line:
        line.send(b"no such thing\r\n\r\n")
        assert said([line.answer()]) == [(400, True)]


@pytest.mark.requirement("M102")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_a_port_with_a_certificate_takes_nothing_in_clear_and_no_old_tls(sealed: Up) -> None:
    with Line(sealed.port) as line:
        line.send(request(event()))
        assert b"HTTP" not in line.rest()
    with Sealed(sealed.port, sealed.data, ssl.TLSVersion.TLSv1_2) as line:
        assert said(ask(line, request(event()))) == [(202, True)]
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Sealed(sealed.port, sealed.data, ssl.TLSVersion.TLSv1_1)


@pytest.mark.requirement("M102")
def test_in_clear_an_id_is_refused_and_counted_and_what_has_none_is_taken(behind: Up) -> None:
    before = counts(behind)
    batch = json.dumps([json.loads(event(user_id=who)) for who in ("u1", None, "u2")]).encode()
    sent = [event(), event(device_id="d1"), event(user_id=7), event(device_id=""), batch]
    with From(behind.port, STRANGER) as line:
        found = ask(line, *map(request, sent))
    assert said(found) == [(status, False) for status in (202, 403, 403, 202, 202)]
    assert found[1].code == "clear"
    refused = [{"index": 0, "code": "clear"}, {"index": 2, "code": "clear"}]
    assert json.loads(found[4].body) == {"accepted": 1, "refused": refused}
    assert counted(behind, before, 7) == {"received": 7, "stored": 3, "clear": 4}


@pytest.mark.requirement("M102")
def test_only_a_proxy_is_believed_about_the_way_and_no_known_head_slips_through(behind: Up) -> None:
    """The very same bytes, over and over: what a proxy sends is known to have come encrypted, what anybody
    else sends is not."""
    before = counts(behind)
    forged = request(event(device_id="d1"), "X-Forwarded-Proto: https")
    with From(behind.port, STRANGER) as stranger, From(behind.port, PROXY) as proxy:
        for _ in range(3):
            assert said(ask(proxy, forged)) == [(202, True)]
            assert said(ask(stranger, forged)) == [(403, False)]
    assert counted(behind, before, 6) == {"received": 6, "stored": 3, "clear": 3}


WAYS = {
    "X-Forwarded-Proto: https": True,
    "X-Forwarded-Proto: HTTPS , https": True,
    "X-Forwarded-Proto: http": False,
    "X-Forwarded-Proto: https, http": False,  # the visitor's own lie, and what the proxy added
    "X-Forwarded-Proto: wss": False,
    "X-Forwarded-For: 192.0.2.7": False,  # nothing is said: the connection is in clear
    "Forwarded: for=192.0.2.7;proto=https": True,
    "Forwarded: for=192.0.2.7;proto=https, for=192.0.2.8": False,
    "Forwarded: proto=https, for=192.0.2.8;proto=http": False,
    "Forwarded: for=192.0.2.7;proto=https\r\nX-Forwarded-Proto: http": False,
}


@pytest.mark.requirement("M102")
@pytest.mark.parametrize(("head", "encrypted"), WAYS.items(), ids=repr)
def test_what_a_proxy_says_of_the_way(behind: Up, head: str, encrypted: bool) -> None:
    choice = request(CHOICE, head, "Content-Type: application/json", method="PUT", path="/consent")
    with From(behind.port, PROXY) as line:
        found = ask(line, request(event(device_id="d1"), head), choice, request(event(), head))
    fate = (200, True) if encrypted else (403, False)
    assert said(found) == [(202, True) if encrypted else (403, False), fate, (202, encrypted)]
    with From(behind.port, STRANGER) as line:
        assert said(ask(line, request(event(device_id="d1"), head), choice)) == [(403, False)] * 2


@pytest.mark.requirement("M102")
def test_pages_that_take_an_id_are_refused_in_clear_and_the_others_are_not(behind: Up) -> None:
    refused = ["/consent?site=shop&device_id=d1", "/preferences?site=shop", "/rights/x", "/unsubscribe/x"]
    taken = ["/health", "/metrics", "/t.js", "/privacy?site=shop", "/.well-known/gpc.json"]
    with From(behind.port, STRANGER) as line:
        found = ask(line, *[request(method="GET", path=path) for path in refused + taken])
    assert said(found) == [(403, False)] * len(refused) + [(200, False)] * len(taken)
    assert found[0].code == "clear"


@pytest.mark.requirement("M102")
def test_a_proxys_line_says_whether_it_came_encrypted(tmp_path: Path) -> None:
    """Version 2 of the PROXY protocol can say so. What the visitor's own headers say counts for nothing."""
    settings = f'{SETTINGS}trusted_proxies = ["{PROXY}/32"]\nproxy_protocol = true\nhttps_only = "all"\n'
    over = b"\x20" + struct.pack(">H", 5) + b"\x01\0\0\0\0"
    lines = {
        second("192.0.2.7", b"\x04\0\x01a" + over): (202, True),
        second("192.0.2.7", over.replace(b"\x01\0\0\0\0", b"\x02\0\0\0\0")): (403, False),
        second("192.0.2.7"): (403, False),
        b"PROXY TCP4 192.0.2.7 127.0.0.1 5 443\r\n": (403, False),
    }
    with up(tmp_path, "part", "collector", settings=settings) as running:
        for line, expected in lines.items():
            with From(running.port, PROXY) as connection:
                connection.send(line)
                sent = request(event(), "X-Forwarded-Proto: https")
                assert said(ask(connection, sent, sent)) == [expected] * 2, line
        with From(running.port, STRANGER) as connection:
            page = request(method="GET", path="/t.js")
            assert said(ask(connection, page)) == [(403, False)], "all is all"
            assert said(ask(connection, request(method="GET", path="/health"))) == [(200, False)]


@pytest.mark.requirement("M102")
def test_a_renewed_certificate_is_taken_up_and_a_half_written_one_is_not(tmp_path: Path) -> None:
    certificates.make(tmp_path)
    pair = tmp_path / "tls.pem", tmp_path / "tls.key"
    held = Certificate(*pair)
    assert not held.renew()
    certificates.make(tmp_path, "new")
    (tmp_path / "new.pem").replace(pair[0])
    assert not held.renew(), "the key is still the old one"
    (tmp_path / "new.key").replace(pair[1])
    assert held.renew()
    assert not held.renew()
