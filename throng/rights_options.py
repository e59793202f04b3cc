"""The options and the manual of `throng rights`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from pathlib import Path

from throng import actions

#: As `consent_filter/rights/case.py` has them; a test compares.
RIGHTS = ("access", "rectify", "restrict", "lift", "object", "withdraw", "erase", "guardian", "complaint")
CHANNELS = ("letter", "telephone", "email", "ticket", "form")
_WAYS = ("email", "post", "sms", "phone", "account")
MARKETING = (*_WAYS, "adverts", *(f"affiliate_{way}" for way in _WAYS), "referral")
ASSURANCE = ("low", "substantial", "high")
_SURE = "how sure that is (default: substantial)"
GROUNDS = (
    "identity", "repetitive", "unfounded", "disproportionate", "impractical", "others", "law", "claims",
    "compelling", "basis", "withdrawn",
)  # fmt: skip
MANUAL = """\
Requests of people about their own data (GDPR Art. 7(3), 12-22, 77), however they come: over HTTP
(POST /rights), at the console, or entered here. docs/rights.md says it for each reader.

A request goes: received, proved (who asks), carried out, answered, emptied. It has one number, R-…

  throng rights list                            what is open, most urgent first
  throng rights show R-…                        one request with its history; who looks is recorded
  throng rights enter --site shop --right withdraw --marketing email \\
      --channel letter --received 2026-11-20 --note "letter, folder 12" --user-id -
                                                what came by letter, telephone, mail, ticket or form
  throng rights verify R-… --method passport --assurance high --note "seen by me"
  throng rights code R-…                        a code for your own mailer, to the address on file
  throng rights answer R-… > answer.zip         the answer, for who can't fetch it
  throng rights pause | resume | extend | refuse | close R-…
  throng rights statistics --month 2026-11      what came, what became of it, how long it took
  throng rights key --site shop                 a key for the site's server, to say who is signed in

  throng rights run                             carry out now what waits for the pipeline
  throng rights preview | prove | access ID     what would go, what is left, all that is held
  throng rights certificate CERT                whether a certificate of erasure is true

Withdrawing and objecting are done at once when it is known who asks. Erasing, restricting, lifting,
correcting, copies and guardians' requests are carried out by the next pass of the pipeline.

Where an id or a note is -, it is read from standard input (the id is its first line), so that it stands in
no history of a shell. --version refuses where somebody else has changed the request meanwhile.
"""
KEY = """\
  throng rights key --site shop                 a new shared secret (HS256), printed once
  throng rights key --site shop --public FILE   takes a public key (Ed25519, JWK or its x) instead
  throng rights key --site shop --list          names of keys, never the keys
  throng rights key --site shop --end NAME      no token of that key is believed any more

The site's server signs a JWT with it: {"site", "user_id" or "device_id", "right", "exp", "jti"}, header
{"alg": "HS256" or "EdDSA", "kid": NAME}. It is good once, for at most 24 hours.
"""


def add(one: argparse.ArgumentParser) -> None:
    """Everything below `rights`."""
    one.description = MANUAL
    one.formatter_class = argparse.RawDescriptionHelpFormatter
    command = actions.below(one, "what")

    def change(name: str, says: str) -> argparse.ArgumentParser:
        said = command(name, says)
        said.add_argument("request", metavar="R-…", help="its number")
        said.add_argument("--officer", metavar="NAME", help="who does it (default: who is logged in here)")
        said.add_argument("--version", type=int, metavar="N", help="as you have seen it")
        return said

    command("list", "open requests, most urgent first").add_argument(
        "--closed", action="store_true", help="those that are closed instead"
    )
    change("show", "one request, with its history")
    _enter(command)
    _bytes(command)
    said = change("verify", "it is known who asks")
    said.add_argument("--method", metavar="HOW", help="passport, call back, in person, …")
    said.add_argument("--assurance", choices=ASSURANCE, default="substantial", help=_SURE)
    said.add_argument("--note", metavar="TEXT", help="the evidence; kept sealed, emptied after the answer")
    said.add_argument("--days", type=int, default=60, metavar="N", help="how long that holds (default: 60)")
    said.add_argument("--code", metavar="CODE", help="the code that they were sent, instead")
    said = change("code", "a new code, for your own mailer to send to the address on file")
    said.add_argument("--send", action="store_true", help="by [rights] mail_host, to the address on file")
    said = change("secret", "the secret that opens the answer, for who has proved who they are")
    change("answer", "the answer itself on standard output, to send it by post; recorded")
    said = change("refuse", "close it without doing it")
    said.add_argument(
        "--ground", required=True, choices=GROUNDS, help="why, as the law has it: docs/rights.md"
    )
    said.add_argument(
        "--until",
        type=date.fromisoformat,
        metavar="DAY",
        help="of law, claims, compelling: how long it holds",
    )
    said.add_argument("--note", metavar="TEXT", help="for the person")
    said = change("pause", "the clock stands while it is asked who asks (Art. 12(6))")
    said.add_argument("--why", required=True, metavar="TEXT", help="what is asked of them")
    change("resume", "the clock runs again")
    said = change("extend", "two months more, once (Art. 12(3))")
    said.add_argument("--why", required=True, metavar="TEXT", help="the person is told this")
    said = change("close", "it was answered by hand: a complaint, or what no job does")
    said.add_argument("--note", required=True, metavar="TEXT", help="for the person")
    said.add_argument("--answer", type=Path, metavar="FILE", help="what they may fetch; sealed")
    command("statistics", "one month in numbers").add_argument(
        "--month", metavar="2026-11", help="which (default: the one that runs)"
    )
    said = command("key", "keys by which a site's server says who asks", KEY)
    actions.site(said)
    what = said.add_mutually_exclusive_group()
    what.add_argument("--public", metavar="FILE", help="a public key of the site's own")
    what.add_argument("--list", action="store_true", help="names of its keys")
    what.add_argument("--end", metavar="NAME", help="a key that is believed no more")
    said = command("console", "officers have accounts now: throng access")
    said.add_argument("--officer", metavar="NAME", help=argparse.SUPPRESS)


def _bytes(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """What the officer does and shows about the data itself (`throng/erasure.py`)."""
    command("run", "carry out what is asked for and proved, and removals, now")
    for name, says in (
        ("preview", "what an erasure would take away, and each released figure that counts them"),
        ("prove", "search every byte for one person; 1 if anything is left"),
        ("access", "everything held about one person, as a zip: page, JSON, Parquet"),
    ):
        said = command(name, says)
        said.add_argument("id", metavar="ID", help="as PUT /consent has it; - is standard input")
        actions.site(said)
        said.add_argument("--kind", choices=("user", "device"), default="user", help="what the id is")
        if name == "preview":
            said.add_argument("--minor", action="store_true", help="a child's: every linked pseudonym, too")
        if name == "prove":
            said.add_argument(
                "--backup", type=Path, action="append", default=[], metavar="DIR", help="search there, too"
            )
        if name == "access":
            said.add_argument("--out", required=True, metavar="FILE", help="- is standard output")
    said = command("certificate", "whether certificates of erasure are true")
    said.add_argument("certificate", nargs="+", metavar="CERT", help="a certificate's file")
    said.add_argument("--key", metavar="KEY", help="public key: a file, or its x")
    said.add_argument("--against", type=Path, metavar="DIR", help="hold them against this data folder, too")


def _enter(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    said = command("enter", "a request that came off-line")
    actions.site(said)
    said.add_argument("--right", required=True, choices=RIGHTS, help="what is asked for")
    said.add_argument("--channel", required=True, choices=CHANNELS, help="how it came")
    said.add_argument("--received", required=True, metavar="DATE", help="the day it came, 2026-11-20")
    said.add_argument("--note", required=True, metavar="TEXT", help="what shows that it came: kept sealed")
    said.add_argument("--officer", metavar="NAME", help="who enters it (default: who is logged in here)")
    whose = said.add_mutually_exclusive_group()
    whose.add_argument("--user-id", metavar="ID", help="as PUT /consent has it; - is standard input")
    whose.add_argument("--device-id", metavar="ID", help="the same for a browser's id")
    whose.add_argument("--contact", metavar="ADDRESS", help="e-mail or telephone of who has no account")
    said.add_argument("--email", metavar="ADDRESS", help="on file: a code may be sent there")
    said.add_argument("--purpose", action="append", metavar="P", help="withdraw, object: which; repeatable")
    said.add_argument(
        "--marketing", action="append", choices=MARKETING, help="withdraw, object: which channel of marketing"
    )
    said.add_argument("--change", action="append", metavar="FIELD=VALUE", help="rectify: what is right")
    said.add_argument("--past", action="store_true", help="withdraw: and remove what was collected before")
    said.add_argument("--minor", action="store_true", help="the data is a child's: it comes first")
    said.add_argument("--country", metavar="CC", help="object: where they live (ISO 3166)")
    said.add_argument("--about", action="append", default=[], metavar="R-…", help="complaint: about which")
    said.add_argument("--method", metavar="HOW", help="how it is known who asks, if it is")
    said.add_argument("--assurance", choices=ASSURANCE, default="substantial", help=_SURE)
