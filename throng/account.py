"""`throng account`: an account that was closed. What no class needs is purged, and optional purposes end.

A command of the operator's and no event: whoever can send an event could otherwise close others' accounts.
"""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections import Counter

from consent_filter.accounts import Closed, closed
from consent_filter.errors import Misconfigured
from consent_filter.policy import Packs
from consent_filter.purpose import ALL
from ingest.settings import Sites
from throng import expire, lock
from throng.hold import everyone, ledger, persons, subjects
from throng.settings import load


def main(arguments: Namespace) -> int:
    """Close accounts, each id once; or list how many are closed."""
    if arguments.action == "list":
        _list(arguments)
        return 0
    now = round(time.time() * 1000)
    pack = Packs(Sites(load(arguments.data).site)).get(arguments.site)
    for name in arguments.classes if pack else ():
        if pack is not None and name not in pack.retention.closed:
            raise Misconfigured("--class", name, "a class of the pack's [retention.closed]")
    whose = subjects(arguments)
    # The pipeline waits: nothing is folded between the word and the purge.
    with lock.pipeline(arguments.data), ledger(arguments.data, arguments.site, write=True) as words:
        found = [persons(words, arguments.site, kind, id) for kind, id in whose]
        with Closed.open(arguments.data) as accounts:
            accounts.close(everyone(found), arguments.site, arguments.classes, now)
        for kind, id in whose:
            words.refuse(words.key(arguments.site, kind, id), arguments.site, int(ALL), "account_closed", now)
    print(expire.table(expire.once(arguments.data)))
    return 0


def _list(arguments: Namespace) -> None:
    """How many pseudonyms were closed on which day, for which classes. Nobody is named."""
    found = Counter((one.since, one.site, one.classes) for one in closed(arguments.data))
    for (since, site, classes), n in sorted(found.items()):
        if arguments.format == "json":
            print(json.dumps({"since": str(since), "site": site, "classes": classes, "pseudonyms": n}))
        else:
            print(f"{since}  {site}  {', '.join(classes) or 'nothing is kept'}  {n} pseudonyms")
