"""Ports that no other process of the tests listens on, now or later.

A collector that is killed leaves its port; a client of one test must not find another test's collector there.
So each process of the tests has a block of ports of its own, which it holds by listening on the first of it.
"""

from __future__ import annotations

import os
import socket

_FIRST, _END, _BLOCK = 20_000, 32_000, 120
_held: list[socket.socket] = []
_next = 0


def free_ports(n: int = 3) -> int:
    """The first of n ports in a row that nobody listens on; another each time, until all have been had."""
    global _next
    if not _held:
        _held.append(_block())
    start: int = _held[0].getsockname()[1]
    for _ in range(_BLOCK):
        first = start + 1 + _next % (_BLOCK - n - 1)
        _next += n
        if all(map(_free, range(first, first + n))):
            return first
    raise AssertionError("no free ports")


def _block() -> socket.socket:
    """A socket that holds the first port of a block that nobody has."""
    blocks = range(_FIRST, _END, _BLOCK)
    for n in range(len(blocks)):
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", blocks[(os.getpid() + n) % len(blocks)]))
        except OSError:
            holder.close()
            continue
        holder.listen()
        return holder
    raise AssertionError("no free ports")


def _free(port: int) -> bool:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
