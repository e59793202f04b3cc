"""What a TC string permits: the Framework's rules on top of its fields."""

from __future__ import annotations

from typing import Literal

from consent_filter.iab.bits import within
from consent_filter.iab.tcf import Tcf

Basis = Literal["consent", "interest"]

#: Policies that are known here: 4 since TCF 2.2, 5 since 2.3. What a later one means nobody can say yet.
POLICIES = range(4, 6)
#: Legitimate interest is no basis for these, whatever the bits say: storage, profiles and their use.
CONSENT_ONLY = frozenset({1, 3, 4, 5, 6})
#: Kind of restriction → the basis that a flexible purpose has by it. The lowest kind wins; 0 is none at all.
_FLIPPED: dict[int, Basis] = {1: "consent", 2: "interest"}


def invalid(tcf: Tcf) -> str | None:
    """Why the string counts as a denial although it can be read, or None."""
    if tcf.policy_version not in POLICIES:
        return "old_policy" if tcf.policy_version < POLICIES.start else "new_policy"
    if not tcf.is_service_specific:
        return "not_service_specific"
    if tcf.vendors_disclosed is None:
        return "not_disclosed"
    return None


def permits(tcf: Tcf, purpose: int, basis: Basis = "consent") -> bool:
    """May the publisher itself, who is no vendor? Never without the segment that says so.

    Whatever stores on or reads from a device also needs purpose 1.
    """
    said = tcf.publisher
    if said is None or invalid(tcf) is not None:
        return False
    return _agreed(purpose, basis, said.publisher_consents, said.publisher_legitimate_interests)


def permits_vendor(
    tcf: Tcf, vendor: int, purpose: int, basis: Basis = "consent", *, flexible: bool = False
) -> bool:
    """May a vendor, who declared that basis for the purpose, and perhaps to be flexible about it?

    Whatever stores on or reads from a device also needs purpose 1.
    """
    disclosed = tcf.vendors_disclosed
    if disclosed is None or invalid(tcf) is not None or not within(disclosed, vendor):
        return False
    restrictions = (r for r in tcf.publisher_restrictions if r.purpose_id == purpose)
    kind = min((r.restriction_type for r in restrictions if within(r.vendors, vendor)), default=None)
    if kind == 0:
        return False
    if kind is not None and flexible:
        basis = _FLIPPED[kind]
    vendors = tcf.vendor_consents if basis == "consent" else tcf.vendor_legitimate_interests
    agreed = _agreed(purpose, basis, tcf.purpose_consents, tcf.purpose_legitimate_interests)
    return agreed and within(vendors, vendor)


def _agreed(purpose: int, basis: Basis, consents: tuple[int, ...], interests: tuple[int, ...]) -> bool:
    if basis == "consent":
        return purpose in consents
    return purpose in interests and purpose not in CONSENT_ONLY
