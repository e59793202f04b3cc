"""TC and GPP strings that cases and strategies share, written from the standard's layout."""

from __future__ import annotations

from typing import Any

from consent_filter.iab.sections import GPC, SECTIONS, SENSITIVE
from tests.consent_filter.iab.encode import PLAIN, gpp, segments, text, united_states


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


def us(id: int, version: int | None = None, **said: Any) -> str:
    """A section of the United States that says this, and nothing else."""
    section = SECTIONS[id]
    fields: dict[str, Any] = {section.version: version or max(section.versions)}
    fields |= {name: [0] * count if count else 0 for name, count in section.fields}
    if section.later == GPC:
        fields |= {"GpcSegmentType": None, "Gpc": None}
    if section.later == SENSITIVE:
        fields |= {"SensitiveDataProcessing": None}
    assert set(said) <= set(fields)
    if said.get("Gpc") is not None:
        said["GpcSegmentType"] = 1
    return united_states({name: said.get(name, value) for name, value in fields.items()})


#: GPP: one section that says nothing, or opts out; with a TC string; with a child; nothing at all.
FREE = gpp({7: us(7, SaleOptOut=2, SharingOptOut=2, TargetedAdvertisingOptOut=2)})
OPTED_OUT = gpp({8: us(8, SaleOptOut=1)})
BOTH = gpp({2: EVERYTHING, 7: us(7, TargetedAdvertisingOptOut=1)})
CHILD = gpp({7: us(7, KnownChildSensitiveDataConsents=[0, 1, 0])})
EMPTY = gpp({})
