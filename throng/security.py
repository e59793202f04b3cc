"""`throng security`: who has the role, and what it may read (M44)."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Sequence

from consent_filter import security
from consent_filter.pseudonym import Keyring
from consent_filter.security import Network
from ingest.rates import hashed, prefix


def main(arguments: Namespace) -> int:
    data, now = arguments.data, time.time()
    if arguments.action == "admit":
        print(security.admit(data, arguments.officer, now))
    elif arguments.action == "dismiss":
        print(f"{security.dismiss(data, arguments.officer)} tokens are over")
    else:
        found = security.networks(data, sys.stdin.readline().strip(), now)
        if arguments.network:
            keys = Keyring.open(data / "keys.json")
            one = hashed(keys, prefix(arguments.network.partition("/")[0])).hex()
            found = [row for row in found if row.network == one]
        print(json.dumps([row._asdict() for row in found]) if arguments.format == "json" else table(found))
    return 0


def table(rows: Sequence[Network]) -> str:
    """The same for people."""
    lines = [f"{'hour (UTC)':<18}{'network of the day':<20}{'events':>10}{'most in minutes':>18}"]
    for row in rows:
        hour = time.strftime("%Y-%m-%d %H:00", time.gmtime(row.hour))
        lines.append(f"{hour:<18}{row.network:<20}{row.events:>10,}{row.peak:>18,}")
    return "\n".join(lines if rows else ["nothing has spiked"])
