"""`throng release attack` and `explain`: what could be found out from a draft, alone or with earlier ones."""

from __future__ import annotations

import json
from argparse import Namespace

import msgspec

from throng.settings import load
from warehouse import draft
from warehouse.attack import drafts
from warehouse.attack.evidence import Finding
from warehouse.attack.suite import stops
from warehouse.known import Figures


def main(arguments: Namespace) -> int:
    return _attack(arguments) if arguments.what == "attack" else _explain(arguments)


def _attack(arguments: Namespace) -> int:
    found = drafts.attack_draft(arguments.data, arguments.draft)
    if arguments.format == "json":
        print(msgspec.json.encode(found).decode())
    else:
        _say(list(found.findings))
        took = sum(found.seconds.values())
        print(f"{len(found.seconds)} attacks in {took:.1f} s: {len(found.stopping)} findings stop it")
    return 1 if found.stopping else 0


def _explain(arguments: Namespace) -> int:
    zones = {site.id: site.timezone for site in load(arguments.data).site}
    tables = drafts.of_draft(arguments.data, arguments.draft, zones)
    least = drafts.least(draft.read(arguments.data, arguments.draft))
    who = [arguments.to, *arguments.others]
    with Figures.open(arguments.data) as figures:
        has = len(figures.held(who))
        kept, why = figures.fitting(who, tables, least)
    if arguments.format == "json":
        left_out = [name for name in tables if name not in kept]
        found = {"has": has, "fits": kept, "left_out": left_out, "findings": msgspec.to_builtins(why)}
        print(json.dumps(found))
    else:
        print(f"{', '.join(who)}: {has:,} figures so far; {sum(map(len, tables.values())):,} in this draft")
        _say(why)
        print(f"may go     {', '.join(kept) or 'nothing'}")
        if why:
            print(f"left out   {', '.join(name for name in tables if name not in kept)}")
        else:
            print("nothing about a group too small would follow")
    return 1 if why else 0


def _say(findings: list[Finding]) -> None:
    for one in findings:
        print(f"{'STOPS' if stops(one) else 'noted'}  {one.attack}: {one.report}: {one.where}: {one.says}")
