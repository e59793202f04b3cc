"""A wire that can be cut, slowed and mended: between clients and a broker on this machine."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress


class Proxy:
    """Listens on one port and passes everything on to another."""

    def __init__(self, port: int, to: int) -> None:
        self._to, self._lock = to, threading.Lock()
        self._open: set[socket.socket] = set()
        #: Seconds that each piece is held back; whether nothing passes at all.
        self.delay, self.cut_off = 0.0, False
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
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                if self.delay:
                    time.sleep(self.delay)
                other.sendall(data)
        self._end(one, other)

    def _end(self, *sockets: socket.socket) -> None:
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
            with self._lock:
                self._open.discard(one)

    def cut(self) -> None:
        """End every connection, wherever it is in a message."""
        with self._lock:
            ends = list(self._open)
        self._end(*ends)

    def close(self) -> None:
        """For good."""
        self._listener.close()
        self.cut()
