"""Golden cases: `cases/<protocol>/<name>.http` holds requests, `<name>.jsonl` what becomes of them.

A `.http` file begins with `# why the case exists`; requests follow, with `###` between two. A line
`# escaped` says that bodies are written with Python's escapes, for bytes that no text file holds. The
`.jsonl` has the same sentence, then an answer for each request, then the events, then the rejects.

After a change on purpose: `python -m tests.ingest.protocols.cases`, and read the difference.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from consent_filter.advert_links import Seals
from consent_filter.clicks import Clicks
from consent_filter.experiment import Experiment
from consent_filter.raw import Place, Raw
from consent_filter.site import Site
from ingest.enrich import Enrich
from ingest.protocols import ROUTES, Parsing, parse
from ingest.protocols.columns import UNFILLED
from ingest.request import Browser, Request
from ingest.settings import Ingest, Sites

HERE = Path(__file__).parent / "cases"
#: Every case was received at this moment.
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)

SITES = Sites(
    [
        Site(
            id="market",
            origins=("https://market.example",),
            timezone="Europe/Berlin",
            paths=("/u/{user}", "/project/{project}"),
            props=("plan", "step", "note"),
            categories=("web", "design"),
            query=("category",),
            experiments=(
                Experiment(name="checkout", variants=("a", "b"), until=date(2026, 11, 23)),
                Experiment(name="hero", variants=("plain", "film"), since=date(2026, 11, 24)),
            ),
        ),
        Site(id="strict", timezone="Asia/Kolkata", events=("sign_up", "bid_placed")),
    ]
)

#: What addresses and ids in cases are signed with.
SEALS, CLICKS = Seals(b"s" * 32), Clicks(b"c" * 64)


def look(address: str) -> Place:
    """Half of the world is in Germany."""
    return Place("EU", "DE", None, "unknown") if address.endswith("1") else Place(None, "ZZ", None, "unknown")


def files() -> list[Path]:
    return sorted(HERE.rglob("*.http"))


def browser(headers: dict[str, str]) -> Browser:
    """What the collector makes of these headers."""
    hints = tuple(headers.get(name, "") for name in ("sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform"))
    purpose = headers.get("sec-purpose") or headers.get("purpose") or headers.get("x-moz")
    origin = headers.get("origin") or "/".join(headers.get("referer", "").split("/")[:3])
    said = headers.get("user-agent", ""), hints, purpose
    return Browser(said, headers.get("sec-gpc"), headers.get("dnt"), origin)


def read(file: Path) -> tuple[str, list[Request]]:
    """Why the case exists, and its requests."""
    why, _, text = file.read_text().partition("\n")
    escaped = text.startswith("# escaped\n")
    text = text.removeprefix("# escaped\n")
    requests = []
    for part in text.split("\n###\n"):
        head, _, body = part.strip("\n").partition("\n\n")
        first, *lines = head.split("\n")
        method, target = first.split(" ")[:2]
        path, _, query = target.partition("?")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        address = headers.get("x-test-address", "192.0.2.1")
        data = body.encode().decode("unicode_escape").encode("latin-1") if escaped else body.encode()
        requests.append(
            Request(ROUTES[path][1], method, query.encode(), data, address, browser(headers), NOW_MS)
        )
    return why.removeprefix("# "), requests


def run(file: Path) -> str:
    """The text of the case's `.jsonl`."""
    why, requests = read(file)
    parsed = parse(requests, Parsing(SITES, Ingest(max_events=5), seals=SEALS, clicks=CLICKS))
    lines: list[dict[str, Any]] = [{"why": why}]
    for answer in parsed.answers:
        said: Any = answer.type.decode()
        if answer.type == b"application/json":
            said = json.loads(answer.body) if answer.body else None
        line = {"status": answer.status, "answer": said}
        lines.append(line | {"leads": answer.leads.decode()} if answer.leads else line)
    if parsed.raw.n:
        lines += sorted(events(Enrich(SITES, look).fill(parsed.raw)), key=json.dumps)
    rejects = [
        {"rejected": n, **{k: v for k, v in key._asdict().items() if v}} for key, n in parsed.rejects.items()
    ]
    lines += sorted(rejects, key=json.dumps)
    return "".join(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n" for line in lines)


def events(raw: Raw) -> list[dict[str, Any]]:
    """One object a row with what is not null. Addresses and agents are what the case says anyway."""
    found = []
    for row in range(raw.n):
        one: dict[str, Any] = {}
        for name in raw.__struct_fields__:
            if name in ("n", "address", "agent", "received"):
                continue
            values = getattr(raw, name)
            if isinstance(values, list):
                value = values[row]
            elif isinstance(values, np.ndarray):
                value = values[row].item()
                value = None if value in (-1, -1.0) or value != value else value
            elif values is UNFILLED or values is None:
                continue
            else:
                value = values.values[values.codes[row]]
            if isinstance(value, tuple):
                value = {k: v for k, v in value._asdict().items() if v not in (None, 0, -1)}  # type: ignore[attr-defined]
            if isinstance(value, bytes):
                value = value.decode(errors="backslashreplace")
            if value not in (None, "", {}):
                one[name] = value
        found.append(one)
    return found


if __name__ == "__main__":
    for case in files():
        golden, text = case.with_suffix(".jsonl"), run(case)
        if not golden.exists() or golden.read_text() != text:
            golden.write_text(text)
            print(f"written {golden.relative_to(HERE)}", file=sys.stderr)
