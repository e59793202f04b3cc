"""GPP strings of the Global Privacy Platform, version 1: read, and nothing decided.

A header with the ids of the sections, then the sections, `~` between them; in a section sub-sections, `.`
between them. A section that is not known here is left as it is, and so is Canada's (5): the IAB's encoder has
written its vendors in two ways that nothing in the string tells apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from consent_filter.iab import tcf, usp
from consent_filter.iab.bits import Bits, Malformed, whole
from consent_filter.iab.sections import (
    GPC,
    NAMES,
    NATIONAL_BEFORE,
    SECTIONS,
    SENSITIVE_FIELDS,
    TCF_EU,
    US_NATIONAL,
    USP,
    Fields,
    Section,
)

VERSION = 1
_HEADER = 3
_GPC_KIND = 1
_CHARACTERS = re.compile(r"[A-Za-z0-9_.-]+")
#: Width of usnat's first layout with as many zeros as fill it up to whole groups of 24.
_BEFORE_FILLED = 72


class Gpp(NamedTuple):
    """What a GPP string says.

    sections: by id, those that are known: TC strings as Tcf, US Privacy as Usp, those of the United States
    as their fields. texts: each as it was sent, known or not, in the order of the header.
    """

    texts: dict[int, str]
    sections: dict[int, Any]


def decode(text: str) -> Gpp:
    """Read a GPP string. Raises Malformed, and nothing else; costs no more than its length."""
    header, *parts = whole(text).split("~")
    ids = _ids(header, len(parts))
    texts = dict(zip(ids, parts, strict=True))
    return Gpp(texts, {id: said for id, part in texts.items() if (said := _section(id, part)) is not None})


def as_json(gpp: Gpp) -> dict[str, Any]:
    """The sections by name, with the fields by the names of the IAB's own library.

    What stands in a sub-section that was not sent is null. `unread`: ids of sections that are not known.
    """
    said = {NAMES[id]: _AS_JSON.get(id, dict)(section) for id, section in gpp.sections.items()}
    unread = [id for id in gpp.texts if id not in gpp.sections]
    return {"sectionIds": list(gpp.texts), "sections": said, "unread": unread}


_AS_JSON: dict[int, Callable[[Any], dict[str, Any]]] = {TCF_EU: tcf.as_json, USP: usp.as_json}


def _ids(header: str, there: int) -> list[int]:
    """The ids that the header names, ascending: as many as there are sections, and not one more is made."""
    bits = Bits(header)
    if bits.number(6) != _HEADER:
        raise Malformed("header")
    if bits.number(6) != VERSION:
        raise Malformed("version")
    ids: list[int] = []
    last = 0
    for _ in range(bits.number(12)):
        ranged = bits.flag()
        first = last + bits.fibonacci()
        last = first + bits.fibonacci() if ranged else first
        if len(ids) + last - first >= there:
            raise Malformed("sections")
        ids.extend(range(first, last + 1))
    bits.end()
    if len(ids) != there:
        raise Malformed("sections")
    return ids


def _section(id: int, text: str) -> Any:
    if id == TCF_EU:
        return tcf.decode(text)
    if id == USP:
        return usp.decode(text)
    if id in SECTIONS:
        return _united_states(SECTIONS[id], text)
    if not text:
        raise Malformed("empty")
    if not _CHARACTERS.fullmatch(text):
        raise Malformed("characters")
    return None


def _united_states(section: Section, text: str) -> dict[str, Any]:
    core, *later = text.split(".")
    if len(later) > (section.later != ""):
        raise Malformed("segments")
    bits = Bits(core)
    version = bits.number(6)
    if version not in section.versions:
        raise Malformed("section_version")
    fields = section.fields
    if section.id == US_NATIONAL and version == 1 and _before(bits):
        fields = NATIONAL_BEFORE
    said = {section.version: version} | _values(bits, fields)
    bits.end()
    if section.later:
        read = _gpc if section.later == GPC else _sensitive
        said |= read(Bits(later[0]) if later else None)
    return said


def _before(bits: Bits) -> bool:
    """Whether usnat's version 1 is of the first layout: the second was for a while sent as version 1, too.

    They differ in length, unless the first was filled up: then the second would say nothing at its end.
    """
    return bits.width < _BEFORE_FILLED or bits.zeros(12)


def _values(bits: Bits, fields: Fields) -> dict[str, Any]:
    """Numbers of two bits, of which 3 means nothing."""
    digits = bits.take(2 * sum(count or 1 for _, count in fields))
    values = [int(digits[at : at + 2], 2) for at in range(0, len(digits), 2)]
    if 3 in values:
        raise Malformed("value")
    said: dict[str, Any] = {}
    at = 0
    for name, count in fields:
        said[name] = values[at : at + count] if count else values[at]
        at += count or 1
    return said


def _gpc(bits: Bits | None) -> dict[str, Any]:
    if bits is None:
        return {"GpcSegmentType": None, "Gpc": None}
    if bits.number(2) != _GPC_KIND:
        raise Malformed("segment_type")
    said = {"GpcSegmentType": _GPC_KIND, "Gpc": bits.flag()}
    bits.end()
    return said


def _sensitive(bits: Bits | None) -> dict[str, Any]:
    if bits is None:
        return {name: None for name, _ in SENSITIVE_FIELDS}
    said = _values(bits, SENSITIVE_FIELDS)
    bits.end()
    return said
