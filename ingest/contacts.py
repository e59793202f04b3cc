"""Contacts of nobody in particular are not kept: without an identifier all members would be one person."""

from __future__ import annotations

from consent_filter.decide import COOKIELESS, COUNT, Decision, Verdict
from consent_filter.raw import Column, Raw, pair
from ingest.protocols import contact

#: What such a refusal is counted as, in the place of a rule.
NAMELESS = "nameless"


def named(raw: Raw, decision: Decision) -> Decision:
    """The decision; contacts that are allowed without an identifier alone are refused for want of consent."""
    if contact.NAME not in raw.protocol.values:
        return decision
    found: Column[Verdict] = pair(raw.protocol, decision.verdict).few(_one)
    return Decision(found)


def _one(both: tuple[str, Verdict]) -> Verdict:
    protocol, verdict = both
    if protocol != contact.NAME or verdict.treatment != COOKIELESS:
        return verdict
    return verdict._replace(granted=0, treatment=COUNT, because=NAMELESS, reason="consent")
