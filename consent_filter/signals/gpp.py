"""IAB GPP: one string (`gpp`) of sections, of which those apply that are named beside it (`gpp_sid`).

| section | says | denies |
|---|---|---|
| tcfeuv2 | a TC string | as `tcf.py` understands it, grants too; EU law applies where `gpp_sid` names it |
| uspv1 | a US Privacy string | as `usp.py` understands it |
| usnat, the states | opted out of sale, sharing or targeting, or by the browser (GPC) | the same |
| | no consent to precise geolocation | that |
| | a known child | everything, with or without an identifier |
| others | nobody can tell | everything where `gpp_sid` names it, else nothing |

`gpp_sid` is `7,8`, [7, 8] or 7. Without it, or with 0, every section of the string counts; -1 says that none
applies. What is malformed is a refusal, the list as well as the string (standards 1.2, 1.9).
"""

from __future__ import annotations

import re
from functools import lru_cache, reduce
from operator import or_
from typing import Any

from consent_filter.iab.bits import LONGEST, Malformed
from consent_filter.iab.gpp import Gpp, decode
from consent_filter.iab.sections import SECTIONS, TCF_EU, USP, Section
from consent_filter.purpose import Purpose
from consent_filter.signals.members import members
from consent_filter.signals.said import CHILD, SILENCE, UNREADABLE, Said, Signal
from consent_filter.signals.tcf import hear as tc_string
from consent_filter.signals.usp import OPTED_OUT
from consent_filter.signals.usp import understand as us_privacy

_OPT_OUTS = ("SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut")
#: Opted out, and no consent given: the same number.
_OUT = 1
_PLACES = int(Purpose.PRECISE_GEO)
#: In `gpp_sid`: no section applies; nobody knows which does.
_NONE, _UNKNOWN = -1, 0
#: As addresses have them. One or two is usual, as many as there are sections is possible.
_LIST = re.compile(r"-?[0-9]{1,4}(?:[,_] ?-?[0-9]{1,4}){0,49}")
_MOST, _HIGHEST = 50, 9999


def read(text: bytes | None) -> Said:
    """The GPP string in an event's `consent`; silence where none was sent."""
    found = members(text)
    if "gpp" not in found and "gpp_sid" not in found:
        return SILENCE
    try:
        applying = _applying(found.get("gpp_sid"))
    except Malformed:
        return UNREADABLE
    regulated = applying is not None and TCF_EU in applying
    return _hear(found.get("gpp"), applying)._replace(regulated=regulated)


def _applying(named: Any) -> frozenset[int] | None:
    """The sections that `gpp_sid` names; None where it names none and all count."""
    if isinstance(named, str) and named:
        if not _LIST.fullmatch(named):
            raise Malformed("sections")
        named = [int(id) for id in re.split("[,_]", named)]
    ids = named if isinstance(named, list) else [] if named is None or named == "" else [named]
    if len(ids) > _MOST or not all(type(id) is int and _NONE <= id <= _HIGHEST for id in ids):
        raise Malformed("sections")
    if _NONE in ids:
        if len(ids) > 1:
            raise Malformed("sections")
        return frozenset()
    return frozenset(ids) if ids and _UNKNOWN not in ids else None


def _hear(string: Any, applying: frozenset[int] | None) -> Said:
    """A GPP string; absent (None or ""), or with no section that applies, it is silence."""
    if string is None or string == "" or applying == frozenset():
        return SILENCE
    # What is remembered is bounded: in number, and so in length.
    if not isinstance(string, str) or len(string) > LONGEST:
        return UNREADABLE
    return understand(string, applying)


@lru_cache(maxsize=4096)
def understand(text: str, applying: frozenset[int] | None = None) -> Said:
    """What the sections of a GPP string that apply say together; None: all of them."""
    try:
        gpp = decode(text)
    except Malformed:
        return UNREADABLE
    words = {id: _word(gpp, id, applying) for id in gpp.texts if applying is None or id in applying}
    if any(word.child for word in words.values()):
        return CHILD
    if any(word.unreadable for word in words.values()):
        return UNREADABLE
    european = words.pop(TCF_EU, SILENCE)
    denied = reduce(or_, (word.deny for word in words.values()), 0)
    grant, deny = european.grant & ~denied, european.deny | denied
    return Said(grant, deny, tcf=european.tcf, besides=denied if european.tcf else 0)


def _word(gpp: Gpp, id: int, applying: frozenset[int] | None) -> Said:
    """What one section says."""
    if id == TCF_EU:
        return tc_string(gpp.texts[id])
    if id == USP:
        return us_privacy(gpp.sections[id])
    if id in SECTIONS:
        return _united_states(SECTIONS[id], gpp.sections[id])
    return SILENCE if applying is None else UNREADABLE


def _united_states(section: Section, said: dict[str, Any]) -> Said:
    if _any(said.get("KnownChildSensitiveDataConsents")):
        return CHILD
    deny = 0
    if said.get("Gpc") or any(said.get(name) == _OUT for name in _OPT_OUTS):
        deny |= OPTED_OUT.deny
    sensitive = said.get("SensitiveDataProcessing")
    if sensitive and section.place and sensitive[section.place - 1] == _OUT:
        deny |= _PLACES
    return Said(0, deny)


def _any(consents: int | list[int] | None) -> bool:
    return any(consents) if isinstance(consents, list) else bool(consents)


#: A consent platform's string for wherever the visitor may be.
gpp = Signal("consent", read)
