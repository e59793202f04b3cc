"""What S3 says of encryption at rest, in front of a storage that has none: a bucket's default, what a request
asks for, what is said of an object. It encrypts nothing itself; that a real storage does is seen by hand
(docs/lake.md), as building one takes longer than the suite.
"""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from tests.lake import servers
from tests.lake.servers import Storage
from warehouse.encryption import ALGORITHM, KEY
from warehouse.signature import query, signed

_OURS = ("host", "authorization", "x-amz-date", "x-amz-content-sha256", "content-length", "connection")
_RULE = (
    "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>{}"
    "</SSEAlgorithm><KMSMasterKeyID>{}</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule>"
    "</ServerSideEncryptionConfiguration>"
)


class Encrypting(ThreadingHTTPServer):
    """It listens where it says, and passes on what is asked. `defaults`: bucket → headers of objects that ask
    for nothing. `deaf`: what a request asks for is not heard."""

    daemon_threads = True

    def __init__(self, storage: Storage) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.storage, self.address = storage, f"http://127.0.0.1:{self.server_address[1]}"
        self.defaults: dict[str, dict[str, str]] = {}
        self.deaf = False
        #: Path of an object → how it is encrypted.
        self.objects: dict[str, dict[str, str]] = {}

    def __enter__(self) -> Encrypting:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Encrypting

    def _pass(self) -> None:
        path, asked = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query, True))
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        default = self.server.defaults.get(path.split("/")[1], {})
        if "encryption" in asked:
            said = _RULE.format(default[ALGORITHM], default.get(KEY, "")) if default else ""
            self._answer(200 if default else 404, {}, said.encode())
            return
        # A write by one request, or the beginning of one in parts.
        if (self.command == "PUT" and "partNumber" not in asked) or "uploads" in asked:
            wanted = {name: self.headers[name] for name in (ALGORITHM, KEY) if self.headers[name]}
            self.server.objects[path] = default if self.server.deaf or not wanted else wanted
        sent = {name: value for name, value in self.headers.items() if name.lower() not in _OURS}
        sent = {name: value for name, value in sent.items() if name.lower() not in (ALGORITHM, KEY)}
        host, text = self.server.storage.address.partition("://")[2], query(asked)
        line = http.client.HTTPConnection(host)
        line.request(
            self.command, f"{path}?{text}" if text else path, body or None,
            signed(
                self.command, host, path, text, sent, body,
                access_key=servers.ACCESS, secret=servers.SECRET, region="us-east-1",
            ),
        )  # fmt: skip
        got = line.getresponse()
        headers = {name: value for name, value in got.getheaders() if name.lower() != "connection"}
        if got.status < 300:
            headers |= self.server.objects.get(path, {})
        self._answer(got.status, headers, got.read())
        line.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "date", "server", "transfer-encoding"):
                self.send_header(name, value)
        length = headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""
