"""A wire that can be cut, slowed, silenced and mended: between clients and a server on this machine."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

#: What a storage says whose own disks have failed.
FAILED = (
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/xml\r\ncontent-length: 72\r\n"
    b"connection: close\r\n\r\n<Error><Code>InternalError</Code><Message>We failed.</Message></Error>  "
)


class Proxy:
    """Listens on one port and passes everything on to another."""

    def __init__(self, port: int, to: int) -> None:
        self.port, self._to, self._lock = port, to, threading.Lock()
        self._open: set[socket.socket] = set()
        self._silenced: set[socket.socket] = set()
        #: Seconds that each piece is held back; whether nothing passes; what every request is answered.
        self.delay, self.cut_off, self.answer = 0.0, False, b""
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self.cut_off:
                    raise OSError
                far = socket.create_connection(("127.0.0.1", self._to), 2)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(one, other, one is near), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, asks: bool) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                if self.delay:
                    time.sleep(self.delay)
                if one in self._silenced or other in self._silenced:
                    continue  # sent, and never heard
                if asks and self.answer:
                    one.sendall(self.answer)
                    break
                other.sendall(data)
        self._end(one, other)

    def _end(self, *sockets: socket.socket) -> None:
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
            with self._lock:
                self._open.discard(one)
                self._silenced.discard(one)

    def cut(self) -> None:
        """End every connection, wherever it is in a message."""
        with self._lock:
            ends = list(self._open)
        self._end(*ends)

    def silence(self) -> None:
        """Every connection that is open stays so, and nothing of it arrives any more: the other end is gone
        without a word. New ones are heard."""
        with self._lock:
            self._silenced |= self._open

    def found_out(self) -> None:
        """Silenced connections end, as when the kernel gives them up."""
        with self._lock:
            ends = list(self._silenced)
        self._end(*ends)

    def close(self) -> None:
        """For good."""
        self._listener.close()
        self.cut()
