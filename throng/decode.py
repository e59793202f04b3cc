"""`throng decode`: what a consent string says, field by field, or why it cannot be read."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from consent_filter.iab import gpp, tcf, usp
from consent_filter.iab.bits import LONGEST, Malformed

#: kind → text → its fields. Raises Malformed, and nothing else.
DECODERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "tcf": lambda text: tcf.as_json(tcf.decode(text)),
    "gpp": lambda text: gpp.as_json(gpp.decode(text)),
    "usp": lambda text: usp.as_json(usp.decode(text)),
}


def main(arguments: Namespace) -> int:
    """One answer a line, in order; a string that cannot be read is an answer, not a failure."""
    decoder = DECODERS[arguments.kind]
    for text in lines(sys.stdin.buffer):
        try:
            said = decoder(text)
        except Malformed as error:
            said = {"error": error.reason}
        print(json.dumps(said), flush=True)
    return 0


def lines(stream: BinaryIO) -> Iterator[str]:
    """The lines without their ends; of one that is too long only as much as shows it."""
    while line := stream.readline(LONGEST + 3):
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        while not line.endswith(b"\n") and line:
            line = stream.readline(1 << 16)
        # Whatever is not ASCII becomes a character that no string may have.
        yield text.decode("ascii", "replace")
