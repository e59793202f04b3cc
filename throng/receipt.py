"""`throng receipt`: check consent receipts off-line, and print the key that they are checked with."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, BinaryIO

from consent_filter.errors import Refused
from consent_filter.ledger import Ledger
from consent_filter.receipt import LARGEST, held, read
from consent_filter.signing import FILE, PublicKey, SigningKey
from throng.checking_key import given, own


def main(arguments: Namespace) -> int:
    """A JSON line for each receipt; the exit code is 1 if any is invalid."""
    folder: Path = arguments.data or arguments.folder
    if arguments.action == "key":
        return _print_key(folder)
    keys = [given(said) for said in arguments.key]
    data = arguments.data
    if not keys:
        data = folder
        keys = [own(folder)]
    with ExitStack() as stack:
        ledger = None
        if data is not None:
            ledger = stack.enter_context(closing(Ledger.open(data / "ledger.sqlite", read_only=True)))
        whole = ledger is None or ledger.verify()
        wrong = 0
        for name in arguments.file:
            for number, line in _lines(name):
                said = {"file": name, "line": number, **_judge(line, keys, ledger, whole)}
                wrong |= said["receipt"] != "valid"
                print(json.dumps(said, ensure_ascii=False), flush=True)
    return wrong


def _judge(
    line: bytes | Refused, keys: list[PublicKey], ledger: Ledger | None, whole: bool
) -> dict[str, Any]:
    try:
        if isinstance(line, Refused):
            raise line
        receipt = read(line, keys)
        found = {"id": receipt.id, "site": receipt.site, "time": receipt.time}
        if ledger is None:
            return {"receipt": "valid", **found}
        if not whole:
            raise Refused(400, "chain", "the ledger's chain does not verify: restore it from a backup")
        where = held(receipt, ledger.find(receipt.ledger.position))
        says = {"held": "the ledger holds the record"}.get(
            where, "the record's content is gone, its commitment stands"
        )
        return {"receipt": "valid", **found, "ledger": where, "says": says}
    except Refused as error:
        return {"receipt": "invalid", "why": error.code, "says": error.message}


def _lines(name: str) -> Iterator[tuple[int, bytes | Refused]]:
    """Each line that is not empty, with its number; in place of one that can't be read, why."""
    number = 0
    try:
        with ExitStack() as stack:
            file: BinaryIO = sys.stdin.buffer if name == "-" else stack.enter_context(open(name, "rb"))
            empty = True
            while line := file.readline(LARGEST + 2):
                number += 1
                whole = line.removesuffix(b"\n")
                if whole:
                    empty = False
                    yield number, whole
                if len(whole) > LARGEST:
                    return  # whatever follows: this is no file of receipts
            if empty:
                yield number, Refused(400, "empty", "there is no receipt here")
    except OSError as error:
        yield number, Refused(400, "unreadable", f"it can't be read: {error.strerror}")


def _print_key(folder: Path) -> int:
    try:
        print(json.dumps(SigningKey.read(folder / FILE).public.jwk()))
    except FileNotFoundError:
        raise Refused(404, "no_key", "no key yet: it is made when the first receipt is asked for") from None
    return 0
