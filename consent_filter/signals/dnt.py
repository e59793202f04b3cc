"""Do Not Track: the request header `DNT: 1`. `0` was "I agree" once and is taken as silence.

Dropped as a standard in 2019 and still sent; a German court held it a valid objection (LG Berlin 16 O 420/19,
2023). Marked with every purpose and narrowed by the regime.
"""

from __future__ import annotations

from consent_filter.purpose import ALL
from consent_filter.raw import Raw
from consent_filter.signals.said import Said, spread


def read(header: str | None) -> tuple[int, int]:
    """(grant, deny) of one header value."""
    return (0, int(ALL)) if header is not None and header.strip() == "1" else (0, 0)


def dnt(raw: Raw) -> Said:
    """The header of each row's request."""
    return spread(raw.dnt.codes, [read(header) for header in raw.dnt.values])
