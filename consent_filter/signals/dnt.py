"""Do Not Track: the request header `DNT: 1`. `0` was "I agree" once and is taken as silence.

Dropped as a standard in 2019 and still sent; a German court held it a valid objection and forbade a site to
say that it ignores it (LG Berlin 16 O 420/19, 2023). What it denies is for the regime to say.
"""

from __future__ import annotations

from consent_filter.signals.said import Signal, objects

#: The header of each row's request.
dnt = Signal("dnt", objects)
