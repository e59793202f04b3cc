"""Which of the events that were sent a folder's facts hold: ids are stored as keyed hashes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from consent_filter.pseudonym import Keyring, event_ids
from consent_filter.raw import column


def numbers(data: Path, ids: Sequence[str]) -> dict[int, int]:
    """The index of each id by its hash, under every key: one is replaced when a clock is behind it."""
    keys, found, sites = Keyring.open(data / "keys.json"), dict[int, int](), column(["shop"] * len(ids))
    for one in keys.lives():
        if one.purpose == "event_id" and (state := keys.under("event_id", one.id)) is not None:
            hashes = event_ids(keys, sites, list(ids), state).tolist()
            found.update(zip(hashes, range(len(ids)), strict=True))
    return found
