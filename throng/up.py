"""`throng up`: the collector, the pipeline loop and the dashboards as three processes under one command.

A part that dies is started again, later each time. Ctrl-C stops the parts in the order of an event's way,
so that whatever was acknowledged is in the log before the log's reader goes.
"""

from __future__ import annotations

import http.client
import signal
import socket
import ssl
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from consent_filter.errors import Misconfigured
from ingest.forwarded import Trust
from throng import access, lines, lock
from throng.settings import Settings, load

_LONGEST_WAIT = 30.0


class Part(Struct):
    """One process: how it is started, how it says that it is ready, and when it may be started again."""

    name: str
    command: list[str]
    ready: Callable[[], bool]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    wait: float = 1.0

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "throng.main", *self.command],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self.started = time.monotonic()

    def mend(self) -> None:
        """Start the process again if it has died; called often, waits longer after each early death."""
        if self.process is None or self.process.poll() is None:
            return
        now = time.monotonic()
        if now - self.started > 2 * _LONGEST_WAIT:
            self.wait = 1.0
        if now - self.started < self.wait:
            return
        self.wait = min(self.wait * 2, _LONGEST_WAIT)
        print(
            f"{self.name} ended with {self.process.returncode}; starting it again",
            file=sys.stderr,
            flush=True,
        )
        self.start()

    def stop(self, patience: float) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            print(f"{self.name} does not stop; ending it", file=sys.stderr, flush=True)
            self.process.kill()
            self.process.wait()


def answers(url: str, hello: bytes = b"") -> Callable[[], bool]:
    """Whether that page answers 200. `hello`: what a connection must begin with."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")

    def ask() -> bool:
        connection = _own(host) if scheme == "https" else http.client.HTTPConnection(host, timeout=2)
        try:
            connection.connect()
            connection.sock.sendall(hello)
            connection.request("GET", f"/{path}")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ask


def _own(host: str) -> http.client.HTTPSConnection:
    """To a part on this machine, whose certificate names another host: only whether it answers is asked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, timeout=2, context=context)


def fresh(file: Path) -> Callable[[], bool]:
    """Whether that file has been written since now."""
    begun = time.time()

    def ask() -> bool:
        try:
            return file.stat().st_mtime >= begun
        except OSError:
            return False

    return ask


def parts(data: Path, settings: Settings, port: int) -> list[Part]:
    """The parts of one machine, in the order of an event's way."""
    where = ["--data", str(data), "--port", str(port)]
    host, ingest = settings.ingest.host, settings.ingest
    # Where a proxy on this machine is trusted, our own look has to begin as the proxy's connections do.
    own = {"0.0.0.0": "127.0.0.1", "localhost": "127.0.0.1", "::": "::1"}.get(host, host)
    local = ingest.proxy_protocol and Trust(ingest.trusted_proxies).trusts(own)
    own = f"[{own}]" if ":" in own else own
    collector, pages = (_scheme(part.certificate) for part in (ingest, settings.dashboards))
    ready = answers(f"{collector}://{own}:{port}/health", b"PROXY UNKNOWN\r\n" if local else b"")
    shown = answers(f"{pages}://127.0.0.1:{port + 1}/health")
    return [
        Part("collector", ["part", "collector", *where], ready),
        Part("pipeline", ["part", "pipeline", *where], fresh(data / "status.json")),
        Part("dashboards", ["part", "dashboards", *where], shown),
    ]


def _scheme(certificate: str) -> str:
    return "https" if certificate else "http"


def run(
    data: Path,
    port: int | None,
    more: Callable[[int], list[Part]] = lambda port: [],
    greet: Callable[[int], str] = lambda port: "",
) -> int:
    """Run until Ctrl-C or SIGTERM. `more` adds parts (the demo's), started when all is ready."""
    settings = load(data)
    lines.begin("up", settings.operations.lines)
    port = port or settings.ingest.port
    with lock.alone(data):
        stop = False

        def asked(number: int, frame: object) -> None:
            nonlocal stop
            stop = True

        signal.signal(signal.SIGINT, asked)
        signal.signal(signal.SIGTERM, asked)
        first, then = parts(data, settings, port), more(port)
        _free(settings.ingest.host, port)
        for next_ in range(port + 1, port + (3 if then else 2)):
            _free("127.0.0.1", next_)
        _say(data, settings, port)
        begun = time.monotonic()
        started: list[Part] = []
        waiting = list(first)
        for part in first:
            part.start()
            started.append(part)
        try:
            while not stop:
                waiting = [part for part in waiting if not part.ready()]
                if not waiting and then:
                    for part in then:
                        part.start()
                        started.append(part)
                    waiting, then = then, []
                elif not waiting and begun:
                    print(
                        f"ready after {time.monotonic() - begun:.0f} s. {greet(port)}Stop with Ctrl-C.",
                        flush=True,
                    )
                    begun = 0.0
                for part in started:
                    part.mend()
                time.sleep(0.2)
        finally:
            print("stopping; what was acknowledged is stored", flush=True)
            for part in started[len(first) :] + first:
                part.stop(15.0)
    return 0


def _free(host: str, port: int) -> None:
    """Say what is wrong before anything is started. Raises Misconfigured where a port can't be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        why = f"can't be had at {host} ({error.strerror})"
        raise Misconfigured("--port", port, f"{why}: stop what uses it, or choose another") from None


def _say(data: Path, settings: Settings, port: int) -> None:
    host = settings.ingest.host
    collector, pages = (_scheme(part.certificate) for part in (settings.ingest, settings.dashboards))
    print(f"data        {data.resolve()}")
    print(f"collector   {collector}://{host}:{port}")
    print(f"beacon      <script defer src={collector}://{host}:{port}/t.js data-site=…></script>")
    print(f"dashboards  {pages}://127.0.0.1:{port + 1}")
    if enter := access.set_up(data, settings, port + 1):
        print(f"set up      {enter}   makes the first account; good once, for a day")
    if settings.site:
        print(f"sites       {', '.join(site.id for site in settings.site)}")
    else:
        print(
            "sites       none declared: any site is accepted, on loopback only (declare them in throng.toml)"
        )
    sys.stdout.flush()


def main(arguments: Namespace) -> int:
    return run(arguments.data, arguments.port)
