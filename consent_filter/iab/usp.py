"""US Privacy strings, version 1: "1YNN"; also section 6 of a GPP string."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from consent_filter.iab.bits import Malformed, whole

VERSION = 1
_FORM = re.compile(r"[YN-]{3}")


class Usp(NamedTuple):
    """Y, N or -, which says that the law does not apply, or that nobody knows."""

    notice: str
    opt_out_sale: str
    lspa_covered: str


def decode(text: str) -> Usp:
    """Read a US Privacy string. Raises Malformed, and nothing else."""
    whole(text)
    if len(text) != 4:
        raise Malformed("length")
    if text[0] != str(VERSION):
        raise Malformed("version")
    if not _FORM.fullmatch(text, 1):
        raise Malformed("letters")
    return Usp(*text[1:])


def as_json(usp: Usp) -> dict[str, Any]:
    """The fields by the names of the IAB's own library."""
    return {
        "Version": VERSION,
        "Notice": usp.notice,
        "OptOutSale": usp.opt_out_sale,
        "LspaCovered": usp.lspa_covered,
    }
