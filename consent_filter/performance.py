"""What pages tell of their speed and their errors (M47): closed lists of names, and numbers as their bands.

A number to the microsecond tells browsers apart, and a message or a stack may hold what somebody has written.
So of a vital only the band is kept that it is in, and of an error only of which kind it was, and how often.
"""

from __future__ import annotations

from itertools import product

#: Vital → the most that is good, and from where on it is poor: milliseconds, CLS without a unit. By web.dev
#: (https://web.dev/articles/vitals, 2024) at the 75th percentile of page loads; of `load`, which has none
#: there, ours.
VITALS: dict[str, tuple[float, float]] = {
    "LCP": (2500.0, 4000.0),
    "INP": (200.0, 500.0),
    "CLS": (0.1, 0.25),
    "FCP": (1800.0, 3000.0),
    "TTFB": (800.0, 1800.0),
    "load": (3000.0, 6000.0),
}
#: Kinds of errors: of ECMAScript and the DOM; a rejection that nobody handles, a file that does not load, a
#: script of another origin, of which a browser tells nothing, and all others.
ERRORS = (
    "Error", "TypeError", "ReferenceError", "RangeError", "SyntaxError", "DOMException", "promise",
    "resource", "foreign", "other",
)  # fmt: skip
_TIMES = (1.0, 2.0, 5.0, 10.0, 20.0)


def limits(good: float, poor: float) -> tuple[float, ...]:
    """Where the six bands of a vital begin: two each of good, middling and poor."""
    return (0.0, good / 2, good, (good + poor) / 2, poor, 2 * poor)


#: (type, name) of an event → where the bands of its number begin.
EDGES: dict[tuple[str, str | None], tuple[float, ...]] = {
    **{("vital", name): limits(*both) for name, both in VITALS.items()},
    **dict.fromkeys(product(("error",), ERRORS), _TIMES),
}
#: Types of which only these names are taken.
TYPES = frozenset(type for type, _ in EDGES)
