"""`throng hold`: rows that a dispute or an investigation needs stay, and leave every report (M80, M81)."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from consent_filter.errors import Misconfigured, Refused
from consent_filter.holds import Hold, Holds
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from ingest.settings import Sites
from throng import expire, lock
from throng.ids import ids
from throng.settings import load


def main(arguments: Namespace) -> int:
    """Places, lists and releases. Nothing that is purged meanwhile is lost in between: the pipeline waits."""
    now = round(time.time() * 1000)
    if arguments.action == "list":
        with Holds.open(arguments.data) as holds:
            _print(holds.all(now), arguments.format)
        return 0
    with lock.pipeline(arguments.data), Holds.open(arguments.data) as holds:
        if arguments.action == "add":
            whose = subjects(arguments)
            with ledger(arguments.data, arguments.site) as words:
                found = [persons(words, arguments.site, kind, id) for kind, id in whose]
            id = holds.add(
                everyone(found),
                site=arguments.site,
                owner=arguments.owner,
                reason=arguments.reason,
                reference=arguments.reference,
                expires=_midnight(arguments.expires),
                now=now,
                first=arguments.since,
                last=arguments.to,
            )
            print(id)
            return 0
        holds.release(arguments.id, arguments.owner, now)
    print(expire.table(expire.once(arguments.data)))
    print("an erasure that waited is carried out by the next pass of the pipeline", file=sys.stderr)
    return 0


@contextmanager
def ledger(data: Path, site: str, *, write: bool = False) -> Iterator[Ledger]:
    """The ledger with its keys, of a data folder whose settings know the site."""
    if site not in Sites(load(data).site):
        raise Misconfigured("--site", site, "a site of throng.toml")
    file = data / "keys.json"
    if not file.exists():
        raise Refused(404, "no_keys", "no keys here: without them nobody's pseudonym is found")
    keys = Keyring.open(file)
    words = Ledger.open(data / "ledger.sqlite", keys, read_only=not write, gives=False)
    with closing(words):
        yield words


def subjects(arguments: Namespace) -> list[tuple[str, str]]:
    """(kind, id) of each that the options name. Raises Refused for the first that is no id."""
    kind, said = ("device", arguments.device_id) if arguments.device_id else ("user", arguments.user_id)
    found = []
    for id in ids(said):
        if isinstance(id, Refused):
            raise id
        found.append((kind, id))
    return found


def persons(words: Ledger, site: str, kind: str, id: str) -> NDArray[np.uint64]:
    """Every pseudonym of an id whose rows may still be there, those that were withdrawn too."""
    subject = words.subject(words.key(site, kind, id))
    return np.array([one.person for one in subject.persons], np.uint64)


def everyone(found: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Each pseudonym once."""
    return np.unique(np.concatenate([np.zeros(0, np.uint64), *found]))


def _midnight(day: date) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _print(found: list[Hold], form: str) -> None:
    for one in found:
        if form == "json":
            print(json.dumps(one._asdict()))
            continue
        state = "stands" if one.standing else "released" if one.released else "expired"
        period = "all days" if one.first == date.min.isoformat() else f"{one.first} to {one.last}"
        if one.last == date.max.isoformat() and one.first != date.min.isoformat():
            period = f"since {one.first}"
        until = datetime.fromtimestamp(one.expires / 1000, UTC).date()
        print(
            f"{one.id}  {state:8}  {one.site}  {one.reason}  {one.reference}  by {one.owner}"
            f"  until {until}  {period}  {one.persons} pseudonyms"
        )
