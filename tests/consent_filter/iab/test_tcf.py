"""TC strings: read as the standard says, refused with a reason, and never more work than they are long."""

from __future__ import annotations

import pytest

from consent_filter.iab.bits import Malformed
from consent_filter.iab.tcf import decode

#: A core of the standard's own time: three purposes, three vendors, no restriction.
CORE = "COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA"


def refusal(text: str) -> str:
    with pytest.raises(Malformed) as error:
        decode(text)
    return error.value.reason


def test_a_core_alone_is_read() -> None:
    tcf = decode(CORE)
    assert tcf.purpose_consents == (1, 2, 3)
    assert tcf.vendor_consents == ((2, 2), (6, 6), (8, 8))
    assert tcf.vendors_disclosed is None


def test_what_is_none_has_a_reason() -> None:
    assert refusal("") == "empty"
    assert refusal("${GDPR_CONSENT_123}") == "macro"
    assert refusal(CORE + "." + CORE) == "core_twice"
