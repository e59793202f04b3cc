"""Global Privacy Control: the request header `Sec-GPC: 1`. Any other value, or none, says nothing.

It can only deny; there is no value that permits. What it denies depends on the country, so it is marked here
with every purpose and narrowed by the regime (standards: W3C GPC; 11 CCR 7025; GDPR Art. 21(5)).
"""

from __future__ import annotations

from consent_filter.purpose import ALL
from consent_filter.raw import Raw
from consent_filter.signals.said import Said, spread


def read(header: str | None) -> tuple[int, int]:
    """(grant, deny) of one header value."""
    return (0, int(ALL)) if header is not None and header.strip() == "1" else (0, 0)


def gpc(raw: Raw) -> Said:
    """The header of each row's request."""
    return spread(raw.gpc.codes, [read(header) for header in raw.gpc.values])
