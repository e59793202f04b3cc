"""`throng release verify|log|frozen|due`: packs checked off-line, what the ledger says, and what is due."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from consent_filter.errors import Refused
from throng.checking_key import PRINTED, given, own
from throng.recalling import moment
from warehouse import pack


def main(arguments: Namespace) -> int:
    does = {"verify": _verify, "log": _log, "frozen": _frozen, "due": _due}
    return does[arguments.what](arguments)


def _verify(arguments: Namespace) -> int:
    """A line for each pack; 1 where any is not whole, or not ours."""
    keys = [given(said, PRINTED) for said in arguments.key] or [own(arguments.data)]
    wrong = 0
    for path in arguments.pack:
        said: dict[str, Any] = {"pack": str(path)}
        try:
            found = pack.verify(pack.opened(path), keys)
            said |= {
                "verdict": "valid", "release": found.release, "version": found.revisions[-1].version,
                "given": found.given.recipient, "terms": found.given.terms,
                "permitted_use": found.given.permitted_use, "delivered": moment(found.delivered),
                "files": len(found.files), "key": found.key,
            }  # fmt: skip
        except Refused as error:
            said |= {"verdict": "invalid", "why": error.code, "says": error.message}
            wrong = 1
        _print([said], arguments.format)
    return wrong


def _log(arguments: Namespace) -> int:
    from warehouse import deliveries

    if not deliveries.file(arguments.data).exists():
        _print([], arguments.format)
        return 0
    found: list[dict[str, Any]] = []
    with deliveries.ledger(arguments.data) as book:
        if arguments.release:
            book.release(arguments.release)
        for one in book.releases():
            if arguments.release in ("", one.id):
                says = ": ".join(filter(None, (f"version {one.version}", one.why)))
                found.append(
                    {"at": one.at, "release": one.id, "what": "prepared", "by": one.by, "says": says}
                )
        for step in book.steps(arguments.release):
            found.append(
                {"at": step.at, "release": step.release, "what": step.step, "by": step.by, "says": step.why}
            )
        for each in book.deliveries(arguments.release):
            found.append({"at": each.at, "release": each.release, "what": "delivered", "by": each.by,
                          "says": f"to {each.recipient} ({each.region}), terms {each.terms}, until "
                                  f"{moment(each.expires)}, {each.pack_sha256[:16]}…"})  # fmt: skip
            found += [
                {"at": at, "release": each.release, "what": "fetched", "by": each.recipient, "says": ""}
                for at in book.fetches(each.id)
            ]
    found.sort(key=lambda one: one["at"])
    _print([one | {"at": moment(one["at"])} for one in found], arguments.format)
    return 0


def _frozen(arguments: Namespace) -> int:
    """1 where anything that was delivered has lost its ground."""
    from throng import due
    from throng.settings import load

    found = due.freeze(arguments.data, load(arguments.data))
    _print([one._asdict() for one in found], arguments.format)
    return int(bool(found))


def _due(arguments: Namespace) -> int:
    from throng import due
    from throng.settings import load

    settings = load(arguments.data)
    due.freeze(arguments.data, settings)
    _print(due.prepare(arguments.data, settings), arguments.format)
    return 0


def _print(rows: list[dict[str, Any]], form: str) -> None:
    if form == "json":
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
        return
    if not rows:
        print("nothing")
    elif len(rows) == 1:
        for name, value in rows[0].items():
            print(f"{name:14} {value}")
    else:
        widths = {name: max(len(str(row[name])) for row in rows) for name in rows[0]}
        for row in rows:
            print("  ".join(str(row[name]).ljust(width) for name, width in widths.items()).rstrip())
