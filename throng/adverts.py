"""`throng adverts`: the list of campaigns at a terminal, what is measured beside it, and its addresses."""

from __future__ import annotations

import getpass
import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from consent_filter import advert_links
from consent_filter.advert_links import Seals
from consent_filter.errors import Misconfigured, Refused
from consent_filter.pseudonym import Keyring
from consent_filter.tokens import Made, Tokens
from throng import advert_tags, invalid, invalid_options
from throng.settings import Settings, load
from warehouse import catalogue, catalogue_file, catalogue_import, elsewhere
from warehouse.catalogue import Catalogue
from warehouse.catalogue_rows import KINDS, Campaign

#: Seconds of a day, and the longest that a token or an address may be good.
_DAY, _LONGEST = 86_400, 3650


def main(arguments: Namespace) -> int:
    if arguments.action in invalid_options.ACTIONS:
        return invalid.main(arguments)
    settings = load(arguments.data)
    file = arguments.data / settings.adverts.catalogue
    match arguments.action:
        case "list":
            found = catalogue.read(file)
            _table([_campaign(found, one) for one in found.campaign], arguments.format)
        case "show":
            _show(catalogue.read(file), arguments)
        case "check":
            return _check(file, settings, arguments)
        case "import":
            return _import(file, arguments)
        case "elsewhere":
            _elsewhere(settings, arguments)
        case "history":
            _table([one._asdict() for one in catalogue_file.history(file)], arguments.format)
        case "tags":
            _good(arguments.days)
            said = advert_tags.tags(catalogue.read(file), _seals(arguments.data), settings, arguments)
            print(json.dumps(said) if arguments.format == "json" else advert_tags.page(said))
        case "token":
            _good(arguments.days)
            if not 0 < len(arguments.name) <= 64 or not arguments.name.isprintable():
                raise Misconfigured("NAME", arguments.name, "1 to 64 printable characters")
            now = time.time()
            until = int(now) + arguments.days * _DAY
            made = advert_links.token(_seals(arguments.data), arguments.use, arguments.name, until)
            Tokens(arguments.data).note(made, arguments.use, arguments.name, until, now)
            print(made)
        case "tokens":
            _table([_made(one, time.time()) for one in Tokens(arguments.data).listed()], arguments.format)
        case "revoke":
            print(_revoke(arguments.data, arguments.token, time.time()))
    return 0


def _made(one: Made, now: float) -> dict[str, Any]:
    state = "taken back" if one.ended else "over" if one.until < now else "good"
    day = {name: str(date.fromtimestamp(at)) for name, at in (("made", one.made), ("until", one.until))}
    return {"id": one.id, "for": one.use, "name": one.name, **day, "state": state}


def _revoke(data: Path, said: str, now: float) -> str:
    """Take a token back by its id; or by itself, which is read from standard input and may be older than the
    list is."""
    tokens = Tokens(data)
    if said == "-":
        token = sys.stdin.readline().strip()
        use, end = [*token.split("."), "", "", "", ""][1:4:2]
        name = advert_links.whose(_seals(data), token, use, 0)
        if name is None:
            raise Refused(404, "no_such_token", "that is no token of this data folder")
        said = tokens.note(token, use, name, int(end), now)
    one = tokens.end(said, now)
    return f"{one.id}: the token of {one.name} for {one.use} is believed no more"


def _seals(data: Path) -> Seals:
    file = data / "keys.json"
    if not file.exists():
        raise Refused(404, "no_keys", "there are no keys yet: start the collector on this data folder first")
    return Seals.of(Keyring.open(file))


def _good(days: int) -> None:
    if not 0 < days <= _LONGEST:
        raise Misconfigured("--days", days, f"1 to {_LONGEST}")


def _campaign(found: Catalogue, one: Campaign) -> dict[str, Any]:
    span, today = found.span(one), date.today()
    state = (
        "over"
        if span.ends and span.ends < today
        else "planned"
        if span.starts and span.starts > today
        else "on"
    )
    creatives = sum(row.campaign == one.id for row in found.creative)
    days = {"starts": str(span.starts or ""), "ends": str(span.ends or ""), "state": state}
    goals = {"impressions": span.impressions, "clicks": span.clicks, "creatives": creatives}
    return {"campaign": one.id, "advertiser": one.advertiser, "name": one.name} | days | goals


def _show(found: Catalogue, said: Namespace) -> None:
    one = advert_tags.campaign(found, said.campaign)
    flights = [row for row in found.flight if row.campaign == one.id]
    placed = {row.placement for row in flights}
    whole = {
        "campaign": _campaign(found, one) | {"price_model": one.price_model, "holdout": one.holdout},
        "hosts": list(one.hosts),
        "creatives": [row for row in found.creative if row.campaign == one.id],
        "flights": flights,
        "placements": [row for row in found.placement if row.id in placed],
        "goals": [row for row in found.goal if row.campaign == one.id or row.advertiser == one.advertiser],
    }
    plain = to_builtins(whole)
    if said.format == "json":
        print(json.dumps(plain))
        return
    for name, value in plain["campaign"].items():
        print(f"{name:12} {'' if value is None else value}")
    for name in ("creatives", "flights", "placements", "goals"):
        print(f"\n{name}")
        _table(plain[name], "table")


def _check(file: Path, settings: Settings, said: Namespace) -> int:
    """1 where the list is wrong; what is measured and not listed is said, and is no fault."""
    asked = said.file or file
    if said.file and not asked.exists():
        raise Misconfigured("FILE", str(asked), "a list that is there")
    found = catalogue.read(asked)
    counts = {kind: len(found.rows(kind)) for kind in KINDS}
    unlisted = list(_unlisted(said.data, found, settings))
    bare = [one.id for one in found.campaign if not any(row.campaign == one.id for row in found.creative)]
    if said.format == "json":
        print(json.dumps({"listed": counts, "unlisted": unlisted, "without_creatives": bare}))
        return 0
    print(f"{asked.name} is well: {', '.join(f'{n} {kind}s' for kind, n in counts.items())}")
    for one in bare:
        print(f"note: campaign {one} has no creative")
    for row in unlisted:
        print(f"unlisted: {row['kind']} {row['id']}, {row['impressions']} impressions published")
    return 0


def _unlisted(data: Path, found: Catalogue, settings: Settings) -> Iterator[dict[str, Any]]:
    """Ids in the published numbers that nobody has listed. None before the first publication."""
    from warehouse import query  # brings DuckDB

    for kind in ("campaign", "creative"):
        listed = {row.id for row in found.rows(kind)}
        sql = f"SELECT ad_{kind} AS id, sum(impressions)::BIGINT AS n FROM adverts GROUP BY ALL ORDER BY ALL"
        try:
            rows = json.loads(query.run(data, sql, "json", settings.warehouse))
        except Refused:
            return
        for row in rows:
            if row["id"] not in listed and not row["id"].startswith("("):
                yield {"kind": kind, "id": row["id"], "impressions": row["n"]}


def _elsewhere(settings: Settings, said: Namespace) -> None:
    """Takes totals in, then shows all of them beside the visits that were published."""
    from warehouse import query  # brings DuckDB

    if said.file:
        new, changed = elsewhere.add(said.data, elsewhere.parse(_text(said.file)))
        print(f"{new} new, {changed} changed", file=sys.stderr)
    first, last = _day("--since", said.since, date.min), _day("--until", said.until, date.max)
    totals = [one for one in elsewhere.read(said.data) if first <= one.day <= last]
    # Of the days that totals are of: a visit on another day was not paid for by them.
    days = ", ".join(f"DATE '{day.isoformat()}'" for day in sorted({one.day for one in totals}))
    sql = "SELECT utm_campaign AS c, sum(visits)::BIGINT AS n FROM campaigns"
    sql += f" WHERE day IN ({days}) GROUP BY ALL"
    try:
        rows = json.loads(query.run(said.data, sql, "json", settings.warehouse)) if totals else []
    except Refused:
        rows = []
    _table(elsewhere.beside(totals, [(row["c"], row["n"]) for row in rows]), said.format)


def _day(key: str, said: str, otherwise: date) -> date:
    try:
        return date.fromisoformat(said) if said else otherwise
    except ValueError:
        raise Misconfigured(key, said, "a day, such as 2026-03-01") from None


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise Misconfigured("FILE", file, "a CSV file in UTF-8") from None


def _import(file: Path, said: Namespace) -> int:
    text = _text(said.file)
    before = catalogue_file.edition(file).number
    found, counts = catalogue_import.merge(catalogue.read(file), catalogue_import.rows(text, said.kind))
    told = ", ".join(f"{n} {what}" for what, n in counts.items())
    if said.dry_run or not counts["added"] + counts["changed"]:
        print(f"{told}: nothing was written")
        return 0
    what = f"import {Path(said.file).name}: {told}"
    made = catalogue_file.write(file, found, said.by or getpass.getuser(), what, expect=before)
    print(f"{told}: edition {made.number}")
    return 0


def _table(rows: Iterable[Any], form: str) -> None:
    """Rows under their names, or a JSON line each."""
    plain = [to_builtins(row) for row in rows]
    if form == "json":
        print("\n".join(json.dumps(row) for row in plain))
        return
    if not plain:
        print("none")
        return
    cells = [[*plain[0]], *[["" if cell is None else str(cell) for cell in row.values()] for row in plain]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
