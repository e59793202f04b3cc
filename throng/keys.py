"""`throng keys`: what for each key is, since when, and until when; and another one for what is new."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from consent_filter import signing
from consent_filter.errors import Refused
from consent_filter.known import KEYS
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.rights import vault
from consent_filter.rotation import Keys, over
from throng.settings import load

_DAY = 86_400
#: Seconds after which it is said that nobody has done what is due: the collector looks every minute.
_PATIENCE = 3600
_FOR = {
    "identity": "pseudonyms of browsers and accounts",
    "advertising": "their pseudonyms under adverts",
    "event_id": "finding an event that is sent again",
    "lines": "finding a line of a log that was imported",
    "adverts": "finding the view that a click is of, and the order that a refund is of",
    "ledger": "finding what somebody has said: another would lose every refusal",
    "record": "how published numbers are moved: the same while the same people are counted",
    "day": "pseudonyms of a day",
    "import": "pseudonyms of imported days",
    "receipts": "signing receipts and certificates",
    "rights": "what people hand over to have their rights",
}


def listing(data: Path, schedule: Keys) -> list[dict[str, Any]]:
    """Every key that there is or was, and nothing that tells one. Times are seconds since 1970, None where
    there is none. `people`: who still has a pseudonym under it."""
    keys, found = Keyring.open(data / "keys.json"), list[dict[str, Any]]()
    under = _under(data, keys)
    for one in keys.lives():
        days = schedule.days(one.purpose)
        ends = one.ends
        if one.replaced and not one.destroyed and schedule.ends_days and one.purpose in KEYS.values():
            ends = one.replaced + schedule.ends_days * _DAY
        row = one._asdict() | {"ends": ends, "people": under.get(one.id)}
        row["rotates"] = one.made + days * _DAY if one.newest and days else None
        found.append(row)
    for purpose, made, ends in keys.passing():
        found.append({"purpose": purpose, "id": "", "made": made, "ends": ends})
    for purpose, name in (("receipts", signing.FILE), ("rights", vault.FILE)):
        if (data / name).exists():
            found.append({"purpose": purpose, "id": "", "made": (data / name).stat().st_mtime})
    blank = dict.fromkeys(("rotates", "replaced", "ends", "destroyed", "people"))
    return [{**blank, **one, "for": _FOR[one["purpose"]]} for one in found]


def _under(data: Path, keys: Keyring) -> dict[str, int]:
    if not (data / "ledger.sqlite").exists():
        return {}
    with closing(Ledger.open(data / "ledger.sqlite", keys, read_only=True)) as ledger:
        return {id: n for purpose in KEYS for id, n in ledger.under(purpose).items()}


def waiting(data: Path, schedule: Keys, now: float | None = None) -> list[str]:
    """What should have been done by now, in words; empty where all is as the schedule says."""
    if not (data / "keys.json").exists():
        return []
    moment = (time.time() if now is None else now) - _PATIENCE
    lives, said = Keyring.open(data / "keys.json").lives(), []
    for one in lives:
        ends = one.made + schedule.days(one.purpose) * _DAY
        if one.newest and one.made < ends <= moment:
            said.append(f"the key {one.purpose} was to be replaced on {_day(ends)}")
    return said + [f"an old key {one.purpose} was to be destroyed" for one in over(lives, schedule, moment)]


def _day(seconds: float | None) -> str:
    return "" if seconds is None else time.strftime("%Y-%m-%d", time.gmtime(seconds))


def table(rows: Iterable[dict[str, Any]]) -> str:
    """The same for people."""
    lines = [("key", "name", "made", "rotates", "replaced", "ends", "destroyed", "people", "for")]
    for one in rows:
        rotates, ends = _day(one["rotates"]), _day(one["ends"])
        if not one["replaced"] and one["purpose"] not in ("day", "import"):
            rotates = rotates or "never"
        if one["replaced"] and one["people"] and not ends:
            ends = "with the last"
        people = "" if one["people"] is None else f"{one['people']:,}"
        times = _day(one["made"]), rotates, _day(one["replaced"]), ends, _day(one["destroyed"])
        lines.append((one["purpose"], one["id"], *times, people, one["for"]))
    wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[text.ljust(n) for text, n in zip(line, wide, strict=True)] for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in padded)


def main(arguments: Namespace) -> int:
    data = arguments.data
    if not (data / "keys.json").exists():
        raise Refused(404, "no_keys", "no keys here: they are made when the first event comes")
    schedule = load(data).keys
    if arguments.action == "rotate":
        id = Keyring.open(data / "keys.json").replace(arguments.name)
        print(f"{arguments.name}: what is new is under {id} from the collector's next batch on")
        return 0
    rows = listing(data, schedule)
    print(json.dumps(rows) if arguments.format == "json" else table(rows))
    late = waiting(data, schedule)
    for one in late:
        print(f"DUE  {one}: the collector does it while `throng up` runs")
    return 1 if late else 0
