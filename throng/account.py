"""`throng account`: an account that was closed. What no class needs is purged, and optional purposes end.

A command of the operator's and no event: whoever can send an event could otherwise close others' accounts.
"""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections import Counter

import numpy as np

from consent_filter.accounts import Closed, closed
from consent_filter.errors import Misconfigured
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.purpose import ALL
from ingest.settings import Sites
from throng import expire, lock
from throng.hold import everyone, ledger, subjects
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
        keys = [words.key(arguments.site, kind, id) for kind, id in whose]
        keys += [one for key in keys for one in alone(words, key)]
        found = [np.array([one.person for one in words.subject(key).persons], np.uint64) for key in keys]
        with Closed.open(arguments.data) as accounts:
            accounts.close(everyone(found), arguments.site, arguments.classes, now)
        for key in keys:
            words.refuse(key, arguments.site, int(ALL), "account_closed", now)
    print(expire.table(expire.once(arguments.data)))
    return 0


def alone(words: Ledger, account: bytes) -> list[bytes]:
    """Browsers that logins have joined to that account, and to no other: they are closed with it (M78). One
    that others have used is theirs, too, and keeps its own word."""
    return [one for one in words.subject(account).linked if words.subject(one).linked == (account,)]


def _list(arguments: Namespace) -> None:
    """How many pseudonyms were closed on which day, for which classes. Nobody is named."""
    found = Counter((one.since, one.site, one.classes) for one in closed(arguments.data))
    for (since, site, classes), n in sorted(found.items()):
        if arguments.format == "json":
            print(json.dumps({"since": str(since), "site": site, "classes": classes, "pseudonyms": n}))
        else:
            print(f"{since}  {site}  {', '.join(classes) or 'nothing is kept'}  {n} pseudonyms")
