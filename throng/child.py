"""A part of `throng up` in a process of its own: it starts on a word and never outlives its parent."""

from __future__ import annotations

import os
import signal
import stat
import threading


def follow_parent() -> bool:
    """Stop, as on SIGTERM, when the parent is gone: its end of our standard input closes, even on kill -9.
    Whether there is a parent.

    Call once, in the main thread, before the work begins. Ctrl-C in a terminal reaches the whole process
    group; a child leaves it to the parent, which stops the parts in the right order. Whoever runs a part by
    itself (a container, a unit) gives it no pipe, and ends it by SIGTERM.
    """
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return False
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()
    return True
