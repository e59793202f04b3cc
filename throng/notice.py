"""`throng policy publish`, `notify`, `notified`: who is to be told of a new policy, and that they were."""

from __future__ import annotations

import hmac
import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta

from consent_filter.decide import Laws, lapsed
from consent_filter.errors import Misconfigured, Refused
from consent_filter.in_force import Era
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.policy_change import changes, reset
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import names
from ingest.enrich.place import NOWHERE
from ingest.settings import Sites
from throng.ids import ids
from throng.settings import load
from throng.suppression import key_of

_SOURCE = "command"


class Notice:
    """The newest policy that a site names, which may be in force already or only announced."""

    def __init__(self, arguments: Namespace, *, writes: bool) -> None:
        sites = Sites(load(arguments.data).site)
        if arguments.site not in sites:
            raise Misconfigured("--site", arguments.site, "a site of throng.toml")
        file = arguments.data / "keys.json"
        if not file.exists():
            raise Refused(404, "no_keys", "no keys here: nothing has been collected, so nobody is to be told")
        self.keys, self.site = Keyring.open(file), arguments.site
        packs = Packs(sites)
        self.laws, self.history = Laws(packs), packs.history(self.site)
        if len(self.history.eras) < 2:
            raise Misconfigured("site.earlier", None, "the policy that was in force before")
        self.older, self.newer = (era.pack for era in self.history.eras[-2:])
        self.policy = f"{self.newer.name}/{self.newer.version}"
        path = arguments.data / "ledger.sqlite"
        self.ledger = (
            Ledger.open(path, self.keys, gives=False)
            if writes
            else Ledger.open(path, self.keys, read_only=True)
        )

    @property
    def era(self) -> Era:
        return self.history.eras[-1]

    def own(self) -> bytes:
        """Stands for the site itself in the ledger: what is recorded there is about nobody."""
        return self.ledger.key(self.site, "policy", self.policy)

    def told(self, key: bytes) -> bool:
        """Whether the ledger has on record that they were told of this policy."""
        return any(said.get("notified") == self.policy for _, said in self.ledger.subject(key).records)


def publish(arguments: Namespace) -> int:
    """Record that the newest policy is published, and what it changes. Once; again changes nothing."""
    notice = Notice(arguments, writes=True)
    with closing(notice.ledger) as ledger:
        key = notice.own()
        records = [said for _, said in ledger.subject(key).records if "policy_published" in said]
        if not records:
            found = changes(notice.older, notice.newer)
            asked = reset(notice.older, notice.newer)
            said = {
                "policy_published": notice.policy,
                "site": notice.site,
                "since": str(date(1970, 1, 1) + timedelta(days=notice.era.first)),
                "significant": sum(change.significant for change in found),
                "minor": sum(not change.significant for change in found),
                "reset": {regime: list(purposes) for regime, purposes in asked.items()},
            }
            ledger.note(key, said, _SOURCE, time.time_ns() // 1_000_000)
            records = [ledger.subject(key).records[-1][1]]
    print(json.dumps(records[0]))
    return 0


def notify(arguments: Namespace) -> int:
    """Of the sender's own list, who has to be told; nothing is stored."""
    notice = Notice(arguments, writes=False)
    hashed = key_of(notice.keys, notice.site, arguments.sender) if arguments.sender else None
    wrong, tell, again = 0, 0, 0
    found = []
    with closing(notice.ledger):
        for id, why, purposes in _judged(notice, arguments):
            if id is None:
                wrong = 1
                continue
            tell += why == "tell"
            again += bool(purposes) and why == "tell"
            name = id
            if hashed is not None:
                name = hmac.digest(hashed, id.encode("utf-8", "surrogatepass"), "sha256").hex()
            found.append((name, why, purposes))
    if hashed is not None:  # in no order of the sender's, and each once
        found = sorted({name: (name, why, purposes) for name, why, purposes in found}.values())
    if arguments.format == "json":
        for name, why, purposes in found:
            print(json.dumps({"hash" if hashed else "id": name, "why": why, "again": purposes}))
    elif not arguments.count:
        for name, why, _ in found:
            if why == "tell":
                print(name)
    if arguments.count:
        print(json.dumps({"policy": notice.policy, "asked": len(found), "tell": tell, "ask_again": again}))
    return wrong


def notified(arguments: Namespace) -> int:
    """Record for each id on standard input that they were told. Again changes nothing."""
    notice = Notice(arguments, writes=True)
    wrong = recorded = 0
    with closing(notice.ledger) as ledger:
        for id, why, _ in _judged(notice, arguments):
            if id is None:
                wrong = 1
            elif why == "tell":
                key = ledger.key(notice.site, arguments.kind, id)
                ledger.note(key, {"notified": notice.policy}, _SOURCE, time.time_ns() // 1_000_000)
                recorded += 1
    print(json.dumps({"policy": notice.policy, "recorded": recorded}))
    return wrong


def _judged(notice: Notice, arguments: Namespace) -> Iterator[tuple[str | None, str, list[str]]]:
    """Each id, whether to tell them (tell, told, erased), and what they have to be asked for again."""
    law = notice.laws.of(notice.site, arguments.country or NOWHERE.country, notice.era.first)
    turns = notice.history.turns
    for id in ids("-"):
        if isinstance(id, Refused):
            print(f"throng: {id.message} ({id.code})", file=sys.stderr)
            yield None, "", []
            continue
        user, device = (None, id) if arguments.kind == "device" else (id, None)
        word, _ = notice.ledger.word(notice.site, user, device, turns)
        if word.erased:
            yield id, "erased", []
        elif notice.told(notice.ledger.key(notice.site, arguments.kind, id)):
            yield id, "told", names(lapsed(law, word))
        else:
            yield id, "tell", names(lapsed(law, word))
