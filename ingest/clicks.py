"""What becomes of clicks that are led on: who gets an id, and which the page has told by itself."""

from __future__ import annotations

from time import time

import numpy as np
from numpy.typing import NDArray

from consent_filter.clicks import Clicks
from consent_filter.decide import AD_MEASUREMENT, COUNT, KEPT, Decision, Verdict
from consent_filter.raw import Column
from ingest.protocols import Parsed, redirect


def agreed(verdict: Verdict) -> bool:
    """Whether an event's click may have an id that others get to see: only for who has agreed, by a word or a
    signal of theirs, to adverts being measured (M95). What the law allows unasked is not enough."""
    return verdict.treatment in KEPT and verdict.granted & AD_MEASUREMENT != 0 and verdict.basis == "consent"


def lead(parsed: Parsed, rows: NDArray[np.intp], decision: Decision, clicks: Clicks) -> Decision:
    """Give answers the id of their click where it may have one; the decision, of which clicks that the page
    tells are refused as duplicates. `rows`: the place in `parsed` of each row that is decided on.

    The page knows more of a click than a link that is followed: who it was where somebody has an identifier,
    and on which page. So of the two it is the page's that is stored, and gross is what was clicked.
    """
    codes, values = decision.verdict
    codes, values = codes.copy(), list(values)
    twice: dict[int, int] = {}
    for row, place in enumerate(rows.tolist()):
        answer, led = parsed.clicks[place]
        code = int(codes[row])
        verdict = values[code]
        if led is None or verdict.treatment not in KEPT:
            continue
        if agreed(verdict):
            parsed.answers[answer] = redirect.carry(parsed.answers[answer], clicks.make(led.click, time()))
        if led.told:
            if code not in twice:
                twice[code] = len(values)
                values.append(verdict._replace(treatment=COUNT, because="told", reason="duplicate"))
            codes[row] = twice[code]
    return Decision(Column(codes, values))
