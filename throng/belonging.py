"""Whether keys.json is that of this data folder: under another every word in its ledger is out of reach.

Nothing would fail by itself: hashes of ids would be others, so that whoever has refused would look like
somebody who never said anything. So the folder keeps a mark that only its ledger key makes, which is never
replaced.
"""

from __future__ import annotations

from pathlib import Path

from consent_filter import keyfile
from consent_filter.errors import Broken
from consent_filter.pseudonym import Keyring

#: In the data folder: sixteen bytes that tell nothing without the key.
FILE = "whose"
_SAYS = (
    "other keys find no refusal; restore keys.json, or begin in an empty folder where nothing was said yet"
)


def wrong(data: Path) -> str:
    """What is wrong with the keys of a folder, and "" where nothing is or nothing is known."""
    mark, keys = data / FILE, data / "keys.json"
    if not mark.exists():
        return ""
    if not keys.exists():
        return f"{keys} is gone: {_SAYS}"
    return "" if mark.read_bytes() == _made(Keyring.open(keys)) else f"{keys} is not of this folder: {_SAYS}"


def hold(data: Path) -> None:
    """Before a collector begins: the mark is there, and is right. Raises Broken."""
    if said := wrong(data):
        raise Broken(said)
    if not (data / FILE).exists():
        keyfile.write(data / FILE, _made(Keyring.open(data / "keys.json")))


def _made(keys: Keyring) -> bytes:
    return keys.derived("ledger", b"whose data folder")[:16].hex().encode()
