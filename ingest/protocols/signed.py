"""Addresses that the operator has signed: what stands in one, if it is as it was made and is not over."""

from __future__ import annotations

from collections.abc import Container, Sequence

from ingest.protocols.parsing import Parsing
from ingest.protocols.query import named


def opened(
    query: bytes, names: Container[str], kind: str, signed: Sequence[str], parsing: Parsing, now: int
) -> dict[str, str] | str:
    """Those names of the query; or the code of `ingest.rejects` why it is not believed.

    `signed`: what the signature `sig` is over, in that order; `until`, seconds since 1970, is among it.
    `now`: UTC milliseconds."""
    try:
        said = named(query, names)
    except UnicodeError:
        return "query"
    except ValueError as error:
        return str(error)
    signature = said.get("sig", "")
    if not signature or parsing.seals is None:
        return "unsigned"
    if not parsing.seals.holds(signature, kind, *[said.get(name, "") for name in signed]):
        return "altered"
    until = said.get("until", "")
    if not until.isdecimal() or int(until[:12]) * 1000 < now:
        return "expired"
    return said
