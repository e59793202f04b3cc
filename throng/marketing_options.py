"""The options and the manuals of `throng unsubscribe` and `throng suppression`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from throng import actions

#: As `consent_filter/marketing.py` has them.
_WAYS = ("email", "post", "sms", "phone", "account")
CHANNELS = (*_WAYS, "adverts", *(f"affiliate_{way}" for way in _WAYS), "referral")
UNSUBSCRIBE = """\
The link, and the two headers of RFC 8058 for the sender's mail system, which must sign both (DKIM):

  throng unsubscribe link --site shop --channel email --at https://collect.shop.example --user-id - < ids.txt

Channels: email, post, sms, phone and account; the same of others, affiliate_email and so on; adverts; and
referral, being written to because a member has named one.

With `-`, an id a line on standard input gives a link a line, in order; a line that is no id gives an empty
one and the exit code 1. `--format json`: {"link", "headers"} a line. Nothing is stored; a link holds no id.
"""
SUPPRESSION = """\
Reads the sender's own list, an id a line, and prints those that may be written to now: whoever agreed, or
has said nothing where the site's policy allows that. Nothing is stored. Ask just before sending:

  throng suppression filter --site shop --channel email < ids.txt > may-be-written-to.txt

Channels are those of `throng unsubscribe --help`. `--format json` names everyone: {"id", "send", "why"}; why
is agreed, default, silent, refused, erased, or unnamed (the policy does not name this channel). A line that
is no id is never printed, and gives the exit code 1.

For a sender elsewhere: HMAC-SHA-256 of each id under that sender's own key, sorted, instead of ids.

  throng suppression key --site shop --sender mailer          once; whoever has it can try ids
  throng suppression filter --site shop --channel email --sender mailer < ids.txt > may-be-written-to.txt
"""


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """`command`: makes one, of a name, a sentence and what stands at its end."""
    one = command("unsubscribe", "one-click unsubscribe links (RFC 8058) for messages", UNSUBSCRIBE)
    one.add_argument("action", choices=("link",), help="make them")
    actions.site(one)
    one.add_argument(
        "--channel",
        required=True,
        action="append",
        choices=CHANNELS,
        metavar="CHANNEL",
        help="what it stops, one of those below; may be repeated",
    )
    one.add_argument("--at", required=True, metavar="URL", help="the collector, as readers of mail reach it")
    whose = one.add_mutually_exclusive_group(required=True)
    whose.add_argument("--user-id", metavar="ID", help="as PUT /consent has it; - is standard input")
    whose.add_argument("--device-id", metavar="ID", help="the same for a browser's id")
    whose.add_argument("--contact", metavar="ADDRESS", help="e-mail or telephone of who has no account")
    actions.form(one, ("text", "json"))
    one = command("suppression", "of a sender's list, who may be written to", SUPPRESSION)
    one.add_argument(
        "action", choices=("filter", "key"), help="pass on who may be written to; make a sender's key"
    )
    actions.site(one)
    one.add_argument("--channel", choices=CHANNELS, metavar="CHANNEL", help="one of those below")
    one.add_argument("--sender", metavar="NAME", help="who gets keyed hashes instead of ids")
    one.add_argument("--kind", choices=("user", "device", "contact"), default="user", help="what the ids are")
    one.add_argument(
        "--country", metavar="CC", help="where they all live (ISO 3166); else the strictest rules hold"
    )
    one.add_argument("--refused", action="store_true", help="print the others instead")
    actions.form(one, ("text", "json"))
