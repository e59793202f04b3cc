"""Global Privacy Control: the request header `Sec-GPC: 1`. Any other value, or none, says nothing.

It can only deny; there is no value that permits. What it denies depends on the country, so it is heard here
as an objection and narrowed by the regime (W3C GPC; 11 CCR 7025; GDPR Art. 21(5)).
"""

from __future__ import annotations

from consent_filter.signals.said import Signal, objects

#: The header of each row's request, as the edge received it: a page's script is not to be trusted.
gpc = Signal("gpc", objects)
