"""`throng policy processors`: the register of who works on data for us, as a page (M90; GDPR Art. 28, 30)."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from datetime import date

from msgspec import to_builtins

from consent_filter.fields import FIELDS
from throng.settings import load
from warehouse.recipient import Processor

_HEAD = """\
# Who works on data for us

Processors act on our behalf, for these purposes and no others, under a contract (GDPR Art. 28). Recipients of
releases are none: they get figures about groups, and no row about anybody.

"""


def main(arguments: Namespace) -> int:
    found = load(arguments.data).processor
    if arguments.format == "json":
        for one in found:
            print(json.dumps(to_builtins(one)))
    elif arguments.out:
        arguments.out.write_text(page(found, date.today()))
    else:
        print(page(found, date.today()), end="")
    return 0


def page(found: Sequence[Processor], today: date) -> str:
    """The register as Markdown: those at work first, each with its columns and what they mean."""
    if not found:
        return _HEAD + "Nobody: the register (`[[processor]]` in throng.toml) is empty.\n"
    parts = [_HEAD]
    for one in sorted(found, key=lambda one: (over(one, today), one.name.casefold())):
        until = f" until {one.until}" if one.until else ""
        ended = " (no longer)" if over(one, today) else ""
        columns = "".join(f"- `{name}`: {_DOC[name]}\n" for name in one.fields)
        parts.append(
            f"## {one.name}{ended}\n\n{one.does}. In {one.region}, since {one.since}{until}"
            f"{f', contract {one.contract}' if one.contract else ''}.\n\n"
            f"Purposes: {', '.join(one.purposes) or 'none that a visitor decides about'}.\n\n"
            f"{columns or 'It sees no column: released tables at most.'}\n"
        )
    return "".join(part if part.endswith("\n\n") else f"{part}\n" for part in parts).rstrip("\n") + "\n"


def over(one: Processor, today: date) -> bool:
    """Whether it works for us no longer."""
    return one.until is not None and today >= one.until


_DOC = {field.name: field.doc for field in FIELDS}
