"""TC strings that cases and strategies share, written from the standard's layout."""

from __future__ import annotations

from typing import Any

from tests.consent_filter.iab.encode import PLAIN, segments, text


def tc(**said: Any) -> str:
    """A TC string that says this, and otherwise what a plain refusal says; the publisher refuses too."""
    none = {"publisherConsents": [], "publisherLegitimateInterests": [], "numCustomPurposes": 0}
    custom = {"publisherCustomConsents": [], "publisherCustomLegitimateInterests": []}
    return ".".join(text(bits) for bits in segments({**PLAIN, **none, **custom, **said}))


_ALL = list(range(1, 12))
#: Everything, by the publisher and by vendor 7; visits by the publisher only; nothing; an outdated policy.
EVERYTHING = tc(
    publisherConsents=_ALL, purposeConsents=_ALL, vendorConsents=[[7, 7]], specialFeatureOptins=[1, 2]
)
VISITS = tc(publisherConsents=[1, 8, 9])
NOTHING = tc()
OLD = tc(publisherConsents=_ALL, policyVersion=2)
