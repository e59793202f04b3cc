"""Requests that are proved, as far as the pipeline carries them out: a child's first, then as they came."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec import Struct

from consent_filter.errors import Refused
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.read import linked
from consent_filter.rights.case import Case
from consent_filter.rights.register import Register
from pipelines import access, rectify
from pipelines.removal import FOLDER, Removal
from pipelines.settings import Pipelines
from warehouse.counted import counted
from warehouse.settings import Warehouse

#: What ends with a removal.
_LEAVING = ("erase", "guardian")


class Asked(Struct):
    """Requests that end with a removal. child: somebody's age is the reason for one of them. stuck: requests
    that can't be carried out as they are, and why."""

    ids: list[str] = []
    child: bool = False
    reasons: list[str] = []
    closed: int = 0
    stuck: list[str] = []

    def new(self, standing: Sequence[Removal]) -> list[str]:
        """Those that no removal has taken in yet."""
        taken = {id for one in standing for id in one.requests}
        return [id for id in self.ids if id not in taken]


def words(
    data: Path,
    settings: Pipelines,
    now: int,
    warehouse: Warehouse = Warehouse(),  # noqa: B008
) -> Asked:
    """Say in the ledger what is asked for, and do at once what needs no removal. `now`: UTC milliseconds.
    `warehouse`: see `rectify.carry`."""
    asked = Asked()
    if not (data / "rights.sqlite").exists():
        return asked
    with closing(Register.open(data)) as register:
        cases = register.pending()
        if not cases:
            return asked
        ledger = Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"), gives=False)
        with closing(ledger):
            for case in cases:
                if case.key is None:
                    continue
                if case.right in _LEAVING:
                    if case.child:
                        _list(data, register, ledger, case, case.key)
                    _erase(ledger, case, case.key, now)
                    asked.ids.append(case.id)
                    asked.child |= case.child
                    asked.reasons.append("minor" if case.child else "erase")
                    continue
                try:
                    outcome, answer = _do(data, ledger, case, case.key, settings, now, warehouse)
                except Refused as error:  # an officer's to answer: it stays open, and says why
                    asked.stuck.append(f"{case.id}: {error.message}")
                    continue
                media = _MEDIA.get(case.right, "application/json")
                register.finish(case.id, outcome, answer, media=media)
                asked.closed += 1
    return asked


_MEDIA = {"access": "application/zip"}


def _list(data: Path, register: Register, ledger: Ledger, case: Case, key: bytes) -> None:
    """Keep with the request which releases count the child, under every pseudonym, while that can be found
    (S23): report, site, day, version, and how many figures. Which ones is what the child did, and goes."""
    if _said(ledger, case, key) or "releases" in case.outcome:
        return
    whose = [one.person for id in (key, *ledger.subject(key).linked) for one in ledger.subject(id).persons]
    found = Counter[tuple[Any, ...]]()
    for row in counted(data, whose, linked(data / "ledger.sqlite")).to_pylist():
        day = row["day"] and row["day"].isoformat()
        found[row["report"], row["site"], day, row["version"]] += 1
    names = ("report", "site", "day", "version", "figures")
    register.keep(case.id, {"releases": [dict(zip(names, (*at, n), strict=True)) for at, n in found.items()]})


def _said(ledger: Ledger, case: Case, key: bytes) -> bool:
    return any(record.get("source") == f"request {case.id}" for _, record in ledger.subject(key).records)


def _erase(ledger: Ledger, case: Case, key: bytes, now: int) -> None:
    """A child's linked ids go first, their own last: as long as it stands, the others are found again."""
    minor, source = case.child, f"request {case.id}"
    whose = [*ledger.subject(key).linked, key] if minor else [key]
    for one in whose:
        # Once only: who agrees anew while the rows are still leaving is not to be erased again.
        if not _said(ledger, case, one):
            ledger.erase_key(one, source, now, minor=minor)


def _do(
    data: Path,
    ledger: Ledger,
    case: Case,
    key: bytes,
    settings: Pipelines,
    now: int,
    warehouse: Warehouse,
) -> tuple[dict[str, Any], bytes | None]:
    source = f"request {case.id}"
    if case.right == "restrict":
        ledger.restrict(key, source, now)
        return {"restricted": True, "at": now}, None
    if case.right == "lift":
        ledger.lift(key, source, now)
        return {"restricted": False, "at": now}, None
    if case.right == "rectify":
        changes = case.detail.get("changes", {})
        done = rectify.carry(data, ledger.subject(key), changes, settings, now, warehouse)
        return done, json.dumps(done).encode()
    bundle = access.bundle(data, ledger.subject(key), now)
    return {"rows": bundle.rows, "at": now}, access.packed(bundle)


def close(data: Path, asked: Asked, standing: Sequence[Removal]) -> int:
    """Close the requests whose removal is certified, or of whom there was nothing; how many."""
    waiting = {id for one in standing for id in one.requests}
    ids = [id for id in asked.ids if id not in waiting]
    if not ids:
        return asked.closed
    drawn: dict[str, Path] = {}
    for file in sorted((data / FOLDER).glob("E-*.json")):
        for id in json.loads(file.read_bytes())["requests"]:
            drawn[id] = file
    with closing(Register.open(data)) as register:
        keys = Keyring.open(data / "keys.json")
        with closing(Ledger.open(data / "ledger.sqlite", keys, read_only=True)) as ledger:
            for id in ids:
                key = register.get(id).key
                if key is not None and any(p.standing == "removing" for p in ledger.subject(key).persons):
                    continue
                outcome, answer = _answer(drawn.get(id))
                register.finish(id, {**register.get(id).outcome, **outcome}, answer)
                asked.closed += 1
    return asked.closed


def _answer(file: Path | None) -> tuple[dict[str, Any], bytes | None]:
    """What is said of a removal: what remains, why, until when (M85, M119); and the certificate."""
    if file is None:
        return {"removed": [], "note": "nothing was held that could be deleted"}, None
    line = file.read_bytes()
    said = json.loads(line)
    outcome = {
        "certificate": said["id"],
        "removed": [text for store in said["searched"] for text in store["removed"]],
        "retained": [
            {"what": one["what"], "ground": one["why"], "until": one["until"]} for one in said["remains"]
        ],
        "copies_until": said["copies_until"],
    }
    return outcome, line
