"""`throng suppression`: of a sender's own list, whom it may write to. Nothing is stored."""

from __future__ import annotations

import hmac
import json
import re
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from consent_filter.decide import Laws, lapsed
from consent_filter.errors import Misconfigured, Refused
from consent_filter.ledger import Ledger
from consent_filter.marketing import contact, may
from consent_filter.policy import Pack, Packs, Regime
from consent_filter.pseudonym import Keyring
from consent_filter.site import Site, day
from ingest.enrich.place import NOWHERE
from ingest.settings import Sites
from throng.ids import ids
from throng.settings import load

_SENDER = re.compile(r"[\w.-]{1,64}", re.ASCII)


def main(arguments: Namespace) -> int:
    """A line that is no id is nobody to write to: it is named on standard error, and the exit code is 1."""
    sites = Sites(load(arguments.data).site)
    if arguments.site not in sites:
        raise Misconfigured("--site", arguments.site, "a site of throng.toml")
    file = arguments.data / "keys.json"
    if not file.exists():
        raise Refused(404, "no_keys", "no keys here: without them nobody's word is found, so nobody is named")
    keys = Keyring.open(file)
    key = key_of(keys, arguments.site, arguments.sender) if arguments.sender is not None else None
    if arguments.action == "key":
        if key is None:
            raise Misconfigured("--sender", None, "a name for the one who gets the lists")
        print(key.hex())
        return 0
    if arguments.channel is None:
        raise Misconfigured("--channel", None, "the channel that they are written to by")
    packs = Packs(sites)
    regime = _regime(packs[arguments.site], arguments.country or NOWHERE.country)
    with closing(Ledger.open(_there(arguments.data / "ledger.sqlite"), keys, read_only=True)) as ledger:
        judged = _Judged(ledger, regime, Laws(packs), sites[arguments.site], arguments)
        if key is None:
            judged.print("id", judged.lines())
        else:
            # In no order of the sender's, and each once.
            hashes = {hmac.digest(key, _bytes(id), "sha256").hex(): said for id, said in judged.lines()}
            judged.print("hash", iter(sorted(hashes.items())))
    return judged.wrong


def key_of(keys: Keyring, site: str, sender: str) -> bytes:
    """What a sender's ids are hashed with."""
    if not _SENDER.fullmatch(sender):
        raise Misconfigured("--sender", "…", "1 to 64 letters, digits, dots, hyphens, underscores")
    return keys.derived("ledger", f"suppression list\0{site}\0{sender}".encode())


class _Judged:
    """The ids on standard input, each with whether it may be written to, and why."""

    def __init__(self, ledger: Ledger, regime: Regime, laws: Laws, site: Site, arguments: Namespace) -> None:
        self._ledger, self._regime, self._arguments = ledger, regime, arguments
        today, _ = day(site.timezone, time.time_ns() // 1_000_000)
        self._turns = laws.turns(site.id)
        self._law = laws.of(site.id, arguments.country or NOWHERE.country, today)
        self.wrong = 0

    def lines(self) -> Iterator[tuple[str, tuple[bool, str]]]:
        asked = self._arguments
        for id in ids("-", contact if asked.kind == "contact" else None):
            if isinstance(id, Refused):
                self.wrong = 1
                print(f"throng: {id.message} ({id.code})", file=sys.stderr)
                continue
            self._ledger.refresh()
            word = self._ledger.now(self._ledger.key(asked.site, asked.kind, id), self._turns)
            word = word._replace(grant=word.grant & ~lapsed(self._law, word))
            yield id, may(word, self._regime, asked.channel)

    def print(self, name: str, lines: Iterator[tuple[str, tuple[bool, str]]]) -> None:
        for one, (allowed, why) in lines:
            if self._arguments.format == "json":
                print(json.dumps({name: one, "send": allowed, "why": why}))
            elif allowed != self._arguments.refused:
                print(one)


def _regime(pack: Pack, country: str) -> Regime:
    if not (len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()):
        raise Misconfigured("--country", "…", "two capital letters, as ISO 3166 has them")
    return pack.regimes[pack.regime(country)]


def _there(ledger: Path) -> Path:
    if not ledger.exists():
        # An empty ledger would say that nobody has refused.
        raise Refused(404, "no_ledger", "no ledger here: who has refused is not known, so nobody is named")
    return ledger


def _bytes(id: str) -> bytes:
    return id.encode("utf-8", "surrogatepass")
