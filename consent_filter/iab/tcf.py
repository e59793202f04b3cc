"""TC strings of the Transparency and Consent Framework, version 2: read, and nothing decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from consent_filter.iab.bits import Bits, Malformed, Ranges, merged, whole

VERSION = 2
_CORE, _DISCLOSED, _ALLOWED, _PUBLISHER = range(4)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Restriction(msgspec.Struct, frozen=True, rename="camel"):
    """The publisher's word on one purpose. Type 0: not allowed, 1: only by consent, 2: only by interest.

    Vendors in it need not exist: the publisher has not named them by it.
    """

    purpose_id: int
    restriction_type: int
    vendors: Ranges


class Publisher(msgspec.Struct, frozen=True, rename="camel"):
    """What the publisher itself may do, as the visitor chose."""

    publisher_consents: tuple[int, ...]
    publisher_legitimate_interests: tuple[int, ...]
    num_custom_purposes: int
    publisher_custom_consents: tuple[int, ...]
    publisher_custom_legitimate_interests: tuple[int, ...]


class Tcf(msgspec.Struct, frozen=True, rename="camel"):
    """Everything a TC string says, in its order; a segment that was not sent is None."""

    version: int
    created: datetime
    last_updated: datetime
    cmp_id: int
    cmp_version: int
    consent_screen: int
    consent_language: str
    vendor_list_version: int
    policy_version: int
    is_service_specific: bool
    use_non_standard_texts: bool
    special_feature_optins: tuple[int, ...]
    purpose_consents: tuple[int, ...]
    purpose_legitimate_interests: tuple[int, ...]
    purpose_one_treatment: bool
    publisher_country_code: str
    vendor_consents: Ranges
    vendor_legitimate_interests: Ranges
    publisher_restrictions: tuple[Restriction, ...]
    vendors_disclosed: Ranges | None
    vendors_allowed: Ranges | None
    publisher: Publisher | None


def decode(text: str) -> Tcf:
    """Read a TC string. Raises Malformed, and nothing else; costs no more than its length."""
    segments = [Bits(segment) for segment in whole(text).split(".")]
    if segments[0].number(6) != VERSION:
        raise Malformed(_headless(segments))
    later: dict[int, Any] = {}
    for bits in segments[1:]:
        kind = bits.number(3)
        if kind == _CORE:
            raise Malformed("core_twice")
        if kind in later:
            raise Malformed("segment_twice")
        if kind not in _LATER:
            raise Malformed("segment_type")
        later[kind] = _LATER[kind](bits)
        bits.end()
    core = segments[0]
    tcf = Tcf(
        version=VERSION,
        created=_time(core),
        last_updated=_time(core),
        cmp_id=core.number(12),
        cmp_version=core.number(12),
        consent_screen=core.number(6),
        consent_language=_letters(core),
        vendor_list_version=core.number(12),
        policy_version=core.number(6),
        is_service_specific=core.flag(),
        use_non_standard_texts=core.flag(),
        special_feature_optins=core.ids(12),
        purpose_consents=core.ids(24),
        purpose_legitimate_interests=core.ids(24),
        purpose_one_treatment=core.flag(),
        publisher_country_code=_letters(core),
        vendor_consents=_vendors(core),
        vendor_legitimate_interests=_vendors(core),
        publisher_restrictions=_restrictions(core),
        vendors_disclosed=later.get(_DISCLOSED),
        vendors_allowed=later.get(_ALLOWED),
        publisher=later.get(_PUBLISHER),
    )
    core.end()
    return tcf


def as_json(tcf: Tcf) -> dict[str, Any]:
    """The fields by the names of the IAB's own library; ids as lists, vendors as `[[first, last], …]`.

    What stands in a segment that was not sent is null.
    """
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(tcf))
    for name, time in (("created", tcf.created), ("lastUpdated", tcf.last_updated)):
        fields[name] = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return fields | (fields.pop("publisher") or dict.fromkeys(_PUBLISHER_FIELDS))


_PUBLISHER_FIELDS = Publisher.__struct_encode_fields__


def _headless(segments: list[Bits]) -> str:
    """Why a string does not begin as one of version 2: segments begin with three bits, zeros in the core."""
    again = [bits.again().number(3) for bits in segments]
    if again[0] == _CORE:
        return "version"
    return "core_late" if _CORE in again else "no_core"


def _time(bits: Bits) -> datetime:
    return _EPOCH + timedelta(milliseconds=100 * bits.number(36))


def _letters(bits: Bits) -> str:
    """Two letters, A = 0."""
    pair = bits.number(6), bits.number(6)
    if max(pair) > 25:
        raise Malformed("letters")
    return "".join(chr(ord("A") + letter) for letter in pair)


def _vendors(bits: Bits) -> Ranges:
    """A list of vendors, as a field of bits or as ranges, whichever was shorter."""
    highest = bits.number(16)
    if bits.flag():
        ranges: list[tuple[int, int]] = []
        _entries(bits, highest, ranges)
        return merged(ranges)
    return bits.runs(highest)


def _entries(bits: Bits, highest: int, into: list[tuple[int, int]]) -> None:
    for _ in range(bits.number(12)):
        ranged = bits.flag()
        first = bits.number(16)
        last = bits.number(16) if ranged else first
        if first == 0:
            raise Malformed("vendor_zero")
        if last < first:
            raise Malformed("range_backwards")
        if last > highest:
            raise Malformed("vendor_beyond")
        into.append((first, last))


def _restrictions(bits: Bits) -> tuple[Restriction, ...]:
    said: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for _ in range(bits.number(12)):
        purpose, kind = bits.number(6), bits.number(2)
        if purpose == 0:
            raise Malformed("purpose_zero")
        if kind == 3:
            raise Malformed("restriction_type")
        _entries(bits, 0xFFFF, said.setdefault((purpose, kind), []))
    # One without a vendor restricts nobody.
    return tuple(
        Restriction(purpose, kind, merged(ranges))
        for (purpose, kind), ranges in sorted(said.items())
        if ranges
    )


def _publisher(bits: Bits) -> Publisher:
    consents, interests, custom = bits.ids(24), bits.ids(24), bits.number(6)
    return Publisher(consents, interests, custom, bits.ids(custom), bits.ids(custom))


#: How each segment after the core is read. Allowed vendors were withdrawn, and are still in old strings.
_LATER: dict[int, Callable[[Bits], Any]] = {
    _DISCLOSED: _vendors,
    _ALLOWED: _vendors,
    _PUBLISHER: _publisher,
}
