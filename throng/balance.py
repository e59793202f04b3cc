"""`throng balance`: received = stored + refused, by reason, to the last acknowledged event (S15)."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from consent_filter.counts import REASONS
from consent_filter.errors import Broken
from pipelines.balance import balance


def whole(data: Path) -> dict[str, Any]:
    """`{"received", "stored", "refused": {reason: n}}` of facts and of what is still in the log."""
    found = balance(data)
    if found["received"] != found["stored"] + sum(found["refused"].values()):
        raise Broken(
            f"received {found['received']} is not stored {found['stored']} "
            f"+ refused {sum(found['refused'].values())}"
        )
    return found


def table(found: dict[str, Any]) -> str:
    """The same for people, with what each reason means."""
    lines = [f"received {found['received']:>12,}", f"stored   {found['stored']:>12,}"]
    lines.append(f"refused  {sum(found['refused'].values()):>12,}")
    lines += [f"  {reason:<10}{n:>9,}  {REASONS[reason]}" for reason, n in sorted(found["refused"].items())]
    return "\n".join(lines)


def main(arguments: Namespace) -> int:
    found = whole(arguments.data)
    print(json.dumps(found) if arguments.format == "json" else table(found))
    return 0
