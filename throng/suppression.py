"""`throng suppression filter`: of a sender's own list, whom it may write to. Nothing is stored."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from contextlib import closing

from consent_filter.errors import Misconfigured, Refused
from consent_filter.ledger import Ledger
from consent_filter.marketing import may
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from ingest.enrich.place import NOWHERE
from ingest.settings import Sites
from throng.ids import ids
from throng.settings import load


def main(arguments: Namespace) -> int:
    """A line that is no id is nobody to write to: it is named on standard error, and the exit code is 1."""
    sites = Sites(load(arguments.data).site)
    if arguments.site not in sites:
        raise Misconfigured("--site", arguments.site, "a site of throng.toml")
    country = arguments.country or NOWHERE.country
    if not (len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()):
        raise Misconfigured("--country", "…", "two capital letters, as ISO 3166 has them")
    pack = Packs(sites)[arguments.site]
    regime = pack.regimes[pack.regime(country)]
    file = arguments.data / "keys.json"
    if not file.exists():
        raise Refused(404, "no_keys", "no keys here: without them nobody's word is found, so nobody is named")
    wrong = 0
    with closing(Ledger.open(arguments.data / "ledger.sqlite", Keyring.open(file), read_only=True)) as ledger:
        for id in ids("-"):
            if isinstance(id, Refused):
                wrong = 1
                print(f"throng: {id.message} ({id.code})", file=sys.stderr)
                continue
            user, device = (None, id) if arguments.kind == "device" else (id, None)
            word, _ = ledger.word(arguments.site, user, device)
            allowed, why = may(word, regime, arguments.channel)
            if arguments.format == "json":
                print(json.dumps({"id": id, "send": allowed, "why": why}))
            elif allowed != arguments.refused:
                print(id)
    return wrong
