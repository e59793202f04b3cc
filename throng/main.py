"""The command line: one parser, one line a command, every heavy import left to the command that needs it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from consent_filter.errors import Broken, Misconfigured, Refused
from consent_filter.failure import describe
from throng import (
    __version__,
    access_options,
    actions,
    advertisers_options,
    adverts_options,
    counted_options,
    explore_options,
    keeping_options,
    keys_options,
    lake_options,
    marketing_options,
    partners_options,
    release_options,
    rights_options,
    security_options,
    worker_options,
)
from warehouse import without_pandas

MANUAL = """\
Throng measures a site and its adverts and reports on the crowd, never on a person.

The way of an event:
  beacon, pixel or web-server log  →  consent filter (in memory)  →  durable log
  →  facts  →  reports  →  released tables  →  dashboards, SQL, Parquet

Begin:
  throng demo                      a small marketplace with a crowd, to look at
  throng up                        collector, pipeline and dashboards on one machine
  throng access add NAME --role analyst      who may look at the dashboards, and who read what
  throng import access.log --site shop      the past, from web-server logs
  throng import export.zip --site shop --from plausible     … or as another tool has counted it
  throng imported list             what such tools have counted, and taking it away

Is it well:
  throng status | throng check     lag, freshness, balance; what is wrong and how to mend it
  throng balance                   received = stored + refused, by reason
  throng quality                   what the checks before publication have found
  throng backup /mnt/copies | throng restore /mnt/copies     whole copies while everything runs, and back
  throng keys | throng lake show   which keys there are, and until when; where facts are
  throng security networks         which networks spiked, for the security officer alone

Ask:
  throng query "SELECT day, people, views FROM traffic_day ORDER BY day"
  throng explore "people, views by country where device = 'mobile' last 28 days"    any question, released
  throng explore "funnel page '/' then event 'sign_up' last 28 days"     who went on, from an account

What people have said, and may ask:
  echo '{"site":"shop","type":"page_view","headers":{"Sec-GPC":"1"},"country":"DE"}' | throng explain
  throng decode tcf < strings.txt  what consent strings say, or why they cannot be read
  throng receipt verify FILE       is this what somebody agreed to; does the ledger hold it
  throng unsubscribe link …        one-click links for messages; throng suppression filter: who may get them
  throng rights list               requests of people about their own data; what is due
  throng hold add … | throng account close …     keep what a dispute needs; purge what a closed account leaves
  throng rehearse OLD NEW          what a change of policy would do to events, columns, reports, people
  throng policy notify --site shop < ids.txt         who has to be told of a new policy

Adverts, and what leaves the house:
  throng adverts check | import | tags …      the list of campaigns; addresses that measure them
  throng advertisers link … | throng partners link …     where they read their own rows
  throng release draft investors --period 2026-Q3    trends that may leave the house, and their budget

Jobs, once each, for cron or a scheduler (throng up runs them in a loop):
  throng facts  &&  throng reports  &&  throng publish
  throng expire                    delete and coarsen what is due; --past: what was taken away
  throng worker                    beside each task manager of a Flink cluster, if jobs run on one

Every command, and what stands below it, explains itself: throng rights --help, throng rights enter --help.
Everything is in one data folder (--data, or THRONG_DATA, else ./throng-data).
Settings are in its throng.toml; docs/settings.md explains each.
Any DuckDB client can open DATA/published/reports.duckdb while everything runs.
"""

#: What `throng decode` reads: one name a decoder in `throng/decode.py`.
KINDS = ("tcf", "gpp", "usp")
DECODE = """\
  tcf   TC strings of the IAB's Transparency and Consent Framework, version 2
        (cookie euconsent-v2, parameter gdpr_consent)
  gpp   GPP strings: European (tcfeuv2), usnat and the states' sections, uspv1; others are "unread"
  usp   US Privacy strings, version 1 (cookie usprivacy, parameter us_privacy)

Fields have the names of the IAB's own library. Vendors are ranges of ids: [[1, 3], [7, 7]] is 1, 2, 3 and 7.
A line that cannot be read gives {"error": "reason"}: empty, too_long, macro (a template that was not
filled in), characters, truncated, trailing, version, no_core, …
Every line gets one, in order, so that `paste strings.txt answers.txt` fits. Nothing is stored.

  throng decode tcf < strings.txt | jq -r '.error // "fine"' | sort | uniq -c
"""


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    whole = argparse.ArgumentParser(
        prog="throng", description=MANUAL, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    whole.add_argument("--version", action="version", version=f"throng {__version__}")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, says: str, epilog: str | None = None) -> argparse.ArgumentParser:
        one = commands.add_parser(
            name,
            help=says,
            description=says,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        actions.folder(one, _default_data())
        return one

    for name, says in (
        ("up", "run collector, pipeline and dashboards until Ctrl-C"),
        ("demo", "`up`, with a small marketplace site and a generated crowd"),
    ):
        one = command(name, says, epilog="Ports: P collector, P+1 dashboards, P+2 demo site.")
        one.add_argument("--port", type=int, metavar="P", help="port of the collector (default 8600)")
        if name == "demo":
            one.add_argument(
                "--rate", type=float, default=30.0, metavar="N", help="events a second of the crowd"
            )
            one.add_argument(
                "--seed", type=int, default=1, metavar="N", help="the crowd's dice: the same again"
            )
    counted_options.add(command)
    command("facts", "fold the log into facts, once")
    command("reports", "bring the reports up to date, once")
    command("publish", "check the released tables and publish them, once")
    one = command("balance", "received = stored + refused, by reason")
    actions.form(one)
    one = command("query", "one read-only SQL statement on the released tables")
    one.add_argument(
        "sql", metavar="SQL", help="FROM reports lists the tables; docs of each column are in it"
    )
    actions.form(one, ("table", "csv", "json", "arrow", "parquet"))
    command(
        "explain", "a JSON request a line on standard input → decision, purposes, because, a JSON line each"
    )
    one = command(
        "decode",
        "a consent string a line on standard input → its fields, or why it cannot be read, a JSON line each",
        epilog=DECODE,
    )
    one.add_argument("kind", choices=KINDS, help="what the strings are")
    one = command(
        "receipt",
        "check consent receipts off-line, or print the key that they are checked with",
        epilog="Without --key: the key and the ledger of the data folder. With it: the ledger only if --data"
        " is said.\nA JSON line for each receipt; 1 if any of them is invalid.",
    )
    one.add_argument("action", choices=("verify", "key"), help="check receipts; print the public key")
    one.add_argument(
        "file", nargs="*", default=["-"], metavar="FILE", help="a receipt a line; - is standard input"
    )
    one.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="KEY",
        help="public key: a file, or its x; may be repeated",
    )
    one.set_defaults(data=None, folder=_default_data())
    marketing_options.add(command)
    one = command("quality", "what the checks before publication have found, latest first")
    actions.form(one)
    one = command("status", "lag, freshness, balance, versions")
    actions.form(one)
    command("check", "settings, keys, disk, brokers, versions, clock: what is wrong and how to mend it")
    rights_options.add(command("rights", "requests of people about their own data: the officer's desk"))
    advertisers_options.add(command)
    partners_options.add(command)
    release_options.add(command("release", "what leaves the house: drafts, and the budget they spend"))
    one = command("backup", "a whole copy while everything runs; deletes those that are too old")
    one.add_argument("to", type=Path, nargs="?", metavar="TO", help="a folder; else [backup] places")
    one = command("restore", "make a backup the data folder again; whoever was erased since stays away")
    one.add_argument(
        "source", type=Path, metavar="FROM", help="a backup, or the folder of backups: the newest"
    )
    one.add_argument("--region", metavar="R", help="where this machine is, if its folder does not say")
    _policy(command("policy", "what is wrong with it, what keeps its sentences, what a change means"))
    _rehearse(command("rehearse", "one stream of requests under two policy packs, and what differs"))
    keeping_options.add(command)
    keys_options.add(command)
    adverts_options.add(command)
    security_options.add(command)
    explore_options.add(command)
    access_options.add(command)
    worker_options.add(command)
    lake_options.add(command)
    one = commands.add_parser("part")  # one process of `up`; not for people
    one.add_argument("name", choices=("collector", "pipeline", "dashboards", "site", "crowd"))
    one.add_argument("--data", type=Path, required=True)
    one.add_argument("--port", type=int, required=True)
    one.add_argument("--rate", type=float, default=30.0)
    one.add_argument("--seed", type=int, default=1)
    return whole


def _rehearse(one: argparse.ArgumentParser) -> None:
    """A before B; the stream is given, or a year made from a seed."""
    for name in ("old", "new"):
        one.add_argument(name, metavar=name.upper(), help="a pack that ships, or a .toml file")
    one.add_argument(
        "--requests",
        type=Path,
        metavar="FILE",
        help="requests as `throng explain` takes them, each with its time; - is standard input",
    )
    one.add_argument(
        "--seed", type=int, default=1, metavar="N", help="without requests: the dice of a made-up year"
    )
    one.add_argument("--people", type=int, default=200, metavar="N", help="who live in it")
    one.add_argument("--reports", action="store_true", help="the reports, too: in a temporary folder")
    actions.form(one)


def _policy(one: argparse.ArgumentParser) -> None:
    """The commands below `policy`."""
    command = actions.below(one, "what")
    some = command("lint", "what a policy says or leaves out against the law, in packs and in texts")
    some.add_argument("file", nargs="*", metavar="FILE", help="packs or texts (default: the packs in use)")
    two = command("diff", "which changes from one pack to another are significant, and who is asked again")
    for name in ("old", "new"):
        two.add_argument(name, metavar=name.upper(), help="a pack that ships, or a .toml file")
    one = command("fields", "every column: how it comes, what for, on which basis, how long, and who gets it")
    one.add_argument("--out", type=Path, metavar="FILE", help="write the page there")
    one = command("processors", "who works on data for us: which columns, what for, where, since when")
    one.add_argument("--out", type=Path, metavar="FILE", help="write the page there")
    for name, says in (
        ("publish", "record that the newest policy of a site is published, and what it changes"),
        ("notify", "of the ids on standard input, who has to be told of the newest policy"),
        ("notified", "record that the ids on standard input were told of it"),
    ):
        one = command(name, says)
        actions.site(one)
        if name == "publish":
            continue
        one.add_argument("--kind", choices=("user", "device"), default="user", help="what the ids are")
        one.add_argument("--country", metavar="CC", help="where they all live; else the strictest hold")
        if name == "notify":
            one.add_argument(
                "--sender", metavar="NAME", help="keyed hashes, as `throng suppression` has them"
            )
            one.add_argument("--count", action="store_true", help="how many, and nobody's id")
    one = command("promises", "each sentence of the policies: its rules, its tests, whether it is kept")
    one.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="a checkout (default: here)")
    one.add_argument(
        "--run", type=Path, metavar="FILE", help="with when each passed last, from THRONG_PROMISES"
    )
    one.add_argument("--out", type=Path, metavar="FILE", help="write the page there")


def _default_data() -> Path:
    return Path(os.environ.get("THRONG_DATA", "throng-data"))


#: command → module that has its `main(arguments) -> exit code`
_WHERE = {
    "up": "throng.up",
    "demo": "throng.demo.main",
    "import": "throng.importing",
    "imported": "throng.counted",
    "facts": "throng.jobs",
    "reports": "throng.jobs",
    "publish": "throng.jobs",
    "balance": "throng.balance",
    "query": "throng.query",
    "explore": "throng.explore",
    "explain": "throng.explain",
    "decode": "throng.decode",
    "receipt": "throng.receipt",
    "unsubscribe": "throng.unsubscribe",
    "suppression": "throng.suppression",
    "quality": "throng.quality",
    "status": "throng.status",
    "check": "throng.check",
    "backup": "throng.backup",
    "restore": "throng.restore",
    "policy": "throng.policy",
    "rights": "throng.rights",
    "rehearse": "throng.rehearse",
    "release": "throng.release",
    "expire": "throng.expire",
    "hold": "throng.hold",
    "account": "throng.account",
    "access": "throng.access",
    "keys": "throng.keys",
    "adverts": "throng.adverts",
    "security": "throng.security",
    "part": "throng.parts",
    "advertisers": "throng.advertisers",
    "partners": "throng.partners",
    **worker_options.WHERE,
    **lake_options.WHERE,
}


def _named(data: Path, site: str) -> str:
    """The id of a site that the command line calls by another name of it (M4)."""
    from ingest.settings import Sites
    from throng.settings import load

    return Sites(load(data).site).named(site)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Exit codes: 0 done, 1 something is wrong, 2 asked wrongly."""
    arguments = parser().parse_args(argv)
    try:
        if getattr(arguments, "site", None) and getattr(arguments, "data", None):
            arguments.site = _named(arguments.data, arguments.site)
        return int(import_module(_WHERE[arguments.command]).main(arguments))
    except Misconfigured as error:
        print(f"throng: {error}", file=sys.stderr)
        return 2
    except Refused as error:
        print(f"throng: {error.message} ({error.code})", file=sys.stderr)
        return 1
    except Broken as error:
        print(f"throng: stopped, because an invariant does not hold: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        # The disk, or brokers of the log: strerror is the system's or ours, and names no visitor's value.
        print(f"throng: {describe(error)}", file=sys.stderr)
        return 1
    except Exception as error:
        # Never the message: a library's may hold the value it choked on.
        print(f"throng: this should not happen: {describe(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def run() -> int:
    """`main` in a process of its own."""
    without_pandas.bar()
    return main()


if __name__ == "__main__":
    sys.exit(run())
