"""A web server that shows pages with the real t.js and writes down exactly what they send."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parents[2] / "ingest" / "beacon"
#: As the README says to write it: what is called before the script is there waits.
STUB = "<script>window.throng=window.throng||function(){(throng.q=throng.q||[]).push(arguments)}</script>"


class Recorder:
    """What was asked for and sent, in the order of arrival. `fail` answers the next posts with 503."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, dict[str, str]]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        self.fail = 0
        self.origin = ""

    def page(self, path: str, body: str = "", *, tag: str = "", stub: str = STUB, **head: str) -> str:
        """Put a page there; its address."""
        script = f'<script defer src="{self.origin}/t.js" data-site="shop" {tag}></script>'
        html = f"<!doctype html><title>Page</title>{stub}{script}<body>{body}"
        self.pages[path] = (html, {name.replace("_", "-"): value for name, value in head.items()})
        return self.origin + path

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for path, _, body in list(self.posts) if path == "/e" for event in json.loads(body)]

    @property
    def choices(self) -> list[dict[str, Any]]:
        return [json.loads(body) for path, _, body in list(self.posts) if path == "/consent"]

    def of(self, type_: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == type_]

    def views(self) -> list[str]:
        return [event["url"].removeprefix(self.origin) for event in self.of("page_view")]


def quiet(page: Any, ms: int = 500) -> None:
    """Long enough for anything that was going to be sent."""
    page.wait_for_timeout(ms)


def _handler(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _answer(self, status: int, body: bytes = b"", **head: str) -> None:
            self.send_response(status)
            for name, value in {"access-control-allow-origin": "*", **head}.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            recorder.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            if path in ("/t.js", "/v.js", "/p.js", "/cmp.js"):
                return self._answer(200, (SCRIPTS / path[1:]).read_bytes(), content_type="text/javascript")
            if path == "/favicon.ico":
                return self._answer(204)
            html, head = recorder.pages.get(path, ("", {}))
            return self._answer(200 if html else 404, html.encode(), **{"content-type": "text/html", **head})

        def do_OPTIONS(self) -> None:
            self._answer(
                204, access_control_allow_methods="POST, PUT", access_control_allow_headers="content-type"
            )

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if recorder.fail > 0:
                recorder.fail -= 1
                return self._answer(503, retry_after="1")
            recorder.posts.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            return self._answer(202)

        do_PUT = do_POST

    return Handler


@contextmanager
def recorder() -> Iterator[Recorder]:
    """A recorder on a free port of loopback."""
    one = Recorder()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(one))
    server.daemon_threads = True
    one.origin = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield one
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
