"""What becomes of an element's failure on its way through a runner, which keeps it in logs of its own.

A worker elsewhere says only what may be said (`consent_filter.failure`), and this process raises it again as
what it was. What the runner itself says is read, and never passed on.
"""

from __future__ import annotations

import errno
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from consent_filter.errors import Broken, Misconfigured, Refused
from consent_filter.failure import describe
from pipelines.settings import Pipelines

_KINDS: dict[str, type[Exception]] = {one.__name__: one for one in (Broken, Misconfigured, Refused, OSError)}
#: What Beam adds to the message of an exception.
_WHILE = re.compile(r" \[while running '[^']*'\]")
_MARK = re.compile(r"\[throng:([A-Za-z0-9_=-]+)\]")


def telling(work: Callable[..., Any]) -> Callable[..., Any]:
    """The same work, whose failure holds nothing that a runner's log may not have."""

    def careful(*element: Any) -> Any:
        try:
            return work(*element)
        except Exception as error:
            failed = RuntimeError(f"{describe(error)} [throng:{_packed(error)}]")
        raise failed  # outside of the block: nothing hangs on it

    return careful


def _packed(error: Exception) -> str:
    said: list[Any] = [type(error).__name__]
    if isinstance(error, Misconfigured):
        said += [error.key, str(error.value), error.allowed]
    elif isinstance(error, Refused):
        said += [error.status, error.code, error.message]
    elif isinstance(error, OSError) and error.errno:
        said = ["OSError", error.errno, error.strerror or ""]
    else:
        said = ["Broken", str(error) if isinstance(error, Broken) else f"a worker failed: {describe(error)}"]
    return urlsafe_b64encode(json.dumps(said).encode()).decode()


def as_it_was(error: Exception, settings: Pipelines) -> Exception:
    """What a job's failure is: an element's, as it was raised there; else what is wrong with the runner."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, Broken):
            return Broken(_WHILE.sub("", str(found)))
        if isinstance(found, Misconfigured | Refused):
            return found
        if mark := _MARK.search(str(found)):
            kind, *rest = json.loads(urlsafe_b64decode(mark[1]))
            return _KINDS[kind](*rest)
        if isinstance(found, OSError):
            return found
        found = found.__cause__ or found.__context__
    if settings.runner != "flink":
        return error
    if "Connection refused" in str(error) and f":{settings.workers.rpartition(':')[2]}" in str(error):
        allowed = "where `throng worker` listens beside every task manager; none does there"
        return Misconfigured("pipelines.workers", settings.workers, allowed)
    return OSError(
        errno.EIO, "the cluster has not finished the job, and its own log says why; it comes again"
    )
