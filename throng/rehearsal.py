"""One stream of requests under one policy pack, for a rehearsal (S5).

The stream is in memory only: nothing of a visitor's is written. Each event goes through the collector's own
path, by itself, so that what became of it can be said; the clock is the stream's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from consent_filter.counts import REFUSED
from consent_filter.errors import Refused
from consent_filter.fields import EVENT
from consent_filter.ledger import Ledger
from consent_filter.policy import Pack
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Place
from ingest.enrich import Enrich
from ingest.enrich.agent import Agents
from ingest.enrich.continent import CONTINENT
from ingest.log.record import Record
from ingest.path import Path
from ingest.request import Browser, Request
from ingest.settings import Sites

#: Columns that say what was decided: they differ where the policies do, and are no data of the visitor's.
DECIDED = frozenset({"person", "treatment", "purposes", "because", "signal", "basis", "policy"})
FIELDS = tuple(name for name in EVENT.names if name not in DECIDED)
_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_LATEST = 253_402_300_799_000


class Step(NamedTuple):
    """One event, or one choice (`PUT /consent`), at its time (UTC milliseconds)."""

    time: int
    site: str
    country: str
    said: Mapping[str, Any]
    choice: Mapping[str, Any] | None


class Fate(NamedTuple):
    """What became of one event: how it is kept (or refused: reason and rule), what is stored of it, and for
    which purposes (a bitmask)."""

    treatment: str
    because: str
    stored: Mapping[str, Any]
    purposes: int = 0


class Run(NamedTuple):
    """The stream under one pack. `bytes`: of all stored values, as they are, without the decision's own."""

    pack: Pack
    fates: list[Fate]
    records: list[Record]
    ledger: Ledger
    bytes: int


def read(lines: Iterable[bytes]) -> list[Step]:
    """Requests as `throng explain` takes them, a JSON object a line, in any order; one with a `choice` in it
    is a choice. Raises Refused for what is none, by its number."""
    steps = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            said = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise Refused(400, "malformed", f"line {number} is no request in JSON")
        steps.append(step(said, f"line {number}"))
    return sorted(steps, key=lambda one: one.time)


def step(said: Mapping[str, Any], where: str) -> Step:
    """One request. Raises Refused."""
    inner = said.get("event")
    event = {**said, **inner} if isinstance(inner, dict) else dict(said)
    time, site, choice = event.get("time"), event.get("site"), event.get("choice")
    if not isinstance(time, int) or not 0 <= time < _LATEST:
        raise Refused(400, "time", f"{where} has no time: UTC milliseconds")
    if not isinstance(site, str):
        raise Refused(400, "site", f"{where} names no site")
    if choice is not None and not isinstance(choice, dict):
        raise Refused(400, "choice", f"{where}: a choice is an object of purpose to true or false")
    country = event.get("country")
    return Step(time, site, country.upper() if isinstance(country, str) else "", event, choice)


def run(
    steps: Sequence[Step],
    sites: Sites,
    packs: Mapping[str, Pack],
    keys: Callable[[Callable[[], float]], Keyring],
    ledger: Callable[[Keyring], Ledger],
    look: Callable[[str], Place],
    agents: Agents | None = None,
) -> Run:
    """The stream as the collector would have taken it, each step at its own time."""
    clock = [steps[0].time / 1000 if steps else 0.0]
    ring = keys(lambda: clock[0])
    book = ledger(ring)

    def place(address: str) -> Place:
        country, _, rest = address.partition("|")
        return Place(CONTINENT.get(country), country, None, "unknown") if country else look(rest)

    path = Path(sites, Enrich(sites, place, agents), packs, book, ring, bounded=False)
    fates, records, browsers = [], [], dict[Any, Browser]()
    for one in steps:
        clock[0] = one.time / 1000
        if one.choice is not None:
            _choose(book, one)
            continue
        record, answers = path.run([_request(one, browsers)])
        records.append(record)
        fates.append(_fate(record, answers[0].status))
    size = sum(_size(value) for fate in fates for value in fate.stored.values())
    return Run(next(iter(packs.values())), fates, records, book, size)


def _choose(ledger: Ledger, one: Step) -> None:
    kind = "user" if isinstance(one.said.get("user_id"), str) else "device"
    id = one.said.get(f"{kind}_id")
    if isinstance(id, str) and id:
        ledger.put(one.site, kind, id, one.choice or {}, "rehearsal", one.time)


_OURS = frozenset({"country", "address", "ip", "headers", "choice", "event"})


def _request(one: Step, browsers: dict[Any, Browser]) -> Request:
    headers = one.said.get("headers")
    said = {str(k).lower(): str(v) for k, v in headers.items()} if isinstance(headers, dict) else {}
    key = tuple(said.get(name) for name in ("user-agent", "sec-gpc", "dnt"))
    if key not in browsers:
        browsers[key] = Browser((key[0] or _AGENT, ("", "", ""), None), gpc=key[1], dnt=key[2])
    event = {"type": "page_view", "url": "/"} | {k: v for k, v in one.said.items() if k not in _OURS}
    address = one.said.get("address") or one.said.get("ip") or ""
    body = json.dumps(event, separators=(",", ":")).encode()
    return Request("beacon", "POST", b"", body, f"{one.country}|{address}", browsers[key], one.time)


def _fate(record: Record, status: int) -> Fate:
    if record.events.n:
        (row,) = record.batch.to_pylist()
        stored = {name: row[name] for name in FIELDS if row[name] is not None}
        return Fate(row["treatment"], row["because"], stored, row["purposes"])
    for key in record.counts:
        if key.outcome == REFUSED:
            return Fate(f"refused: {key.reason}", key.detail, {})
    return Fate(f"refused: {status}", "", {})


def _size(value: Any) -> int:
    return len(value.encode()) if isinstance(value, str) else 8
