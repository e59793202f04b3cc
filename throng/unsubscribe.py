"""`throng unsubscribe link`: the links and headers that a sender puts into its messages."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from urllib.parse import urlsplit

from consent_filter.errors import Misconfigured, Refused
from consent_filter.marketing import contact, mask
from consent_filter.pseudonym import Keyring
from consent_filter.unsubscribe import Links
from ingest.settings import Sites
from throng.ids import ids
from throng.settings import load

_HERE = ("localhost", "127.0.0.1", "[::1]")


def main(arguments: Namespace) -> int:
    """One link a line, in the order of the ids; the headers besides where there is one id."""
    at = start(arguments.at)
    if arguments.site not in Sites(load(arguments.data).site):
        raise Misconfigured("--site", arguments.site, "a site of throng.toml")
    file = arguments.data / "keys.json"
    if not file.exists():
        raise Refused(404, "no_keys", "there are no keys yet: start the collector on this data folder first")
    links, purposes = Links(Keyring.open(file)), mask(arguments.channel)
    told = {"user": arguments.user_id, "device": arguments.device_id, "contact": arguments.contact}
    kind, said = next((kind, id) for kind, id in told.items() if id is not None)
    wrong = 0
    for id in ids(said, contact if kind == "contact" else None):
        if isinstance(id, Refused):
            wrong = 1
            print(json.dumps(id.body()) if arguments.format == "json" else "", flush=True)
            print(f"throng: {id.message} ({id.code})", file=sys.stderr)
            continue
        link = f"{at}/unsubscribe/{links.make(arguments.site, kind, id, purposes)}"
        head = {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        if arguments.format == "json":
            print(json.dumps({"link": link, "headers": head}))
        else:
            print(link)
            if said != "-":
                print(*(f"{name}: {value}" for name, value in head.items()), sep="\n")
    return wrong


def start(at: str) -> str:
    """The address in front of the collector, as readers of mail reach it."""
    try:
        parts = urlsplit(at)
        host = parts.netloc.rpartition(":")[0] or parts.netloc
        ok = parts.scheme == "https" or (parts.scheme == "http" and host in _HERE)
        ok = ok and bool(host) and not parts.query and not parts.fragment and "@" not in parts.netloc
    except ValueError:
        ok = False
    if not ok or not at.isascii() or any(letter in " <>\r\n\t" for letter in at):
        raise Misconfigured("--at", "…", "https:// and the address that leads to the collector (RFC 8058)")
    return at.rstrip("/")
