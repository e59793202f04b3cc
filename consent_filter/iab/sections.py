"""The sections of a GPP string, as the IAB numbers, names and lays them out."""

from __future__ import annotations

from typing import NamedTuple

TCF_EU, TCF_CANADA, USP, US_NATIONAL = 2, 5, 6, 7

#: Names and how many numbers of two bits each has; 0 is one number, and no list.
Fields = tuple[tuple[str, int], ...]


def _fields(names: str) -> Fields:
    """`Name` is a number, `Name*3` a list of three."""
    pairs = (name.partition("*") for name in names.split())
    return tuple((name, int(times or 0)) for name, _, times in pairs)


class Section(NamedTuple):
    """A section of the United States: six bits of version, then the fields.

    version: how that is named, and which there are. later: fields of the sub-section that may follow; those
    of the browser's signal (GPC) have its kind before them. place: where precise geolocation stands among
    the sensitive data, counted from 1; 0 is nowhere.
    """

    id: int
    name: str
    fields: Fields
    later: str = ""
    place: int = 8
    versions: tuple[int, ...] = (1,)
    version: str = "Version"


GPC, SENSITIVE = "gpc", "sensitive"
SENSITIVE_FIELDS = _fields("SensitiveDataProcessing*8")
_MSPA = "MspaCoveredTransaction MspaOptOutOptionMode MspaServiceProviderMode"
_NATIONAL = (
    "SharingNotice SaleOptOutNotice SharingOptOutNotice TargetedAdvertisingOptOutNotice"
    " SensitiveDataProcessingOptOutNotice SensitiveDataLimitUseNotice"
    " SaleOptOut SharingOptOut TargetedAdvertisingOptOut SensitiveDataProcessing*{sensitive}"
    f" KnownChildSensitiveDataConsents*{{child}} PersonalDataConsents {_MSPA}"
)
_CALIFORNIA = (
    "SaleOptOutNotice SharingOptOutNotice SensitiveDataLimitUseNotice SaleOptOut SharingOptOut"
    f" SensitiveDataProcessing*9 KnownChildSensitiveDataConsents*2 PersonalDataConsents {_MSPA}"
)
_NOTICES = "SaleOptOutNotice TargetedAdvertisingOptOutNotice"
_OPT_OUTS = "SaleOptOut TargetedAdvertisingOptOut"
#: Since 2025 the agreement's own fields stand first, and sensitive data in a sub-section. The IAB's drafts
#: put a header before them (id, version, sub-sections) that its encoder does not write: another version.
_LATELY = (
    f"MspaCoveredTransaction MspaMode ProcessingNotice {_NOTICES} {_OPT_OUTS}"
    "{child} AdditionalDataProcessingConsent"
)
_CHILD = " KnownChildSensitiveDataConsents"


def _state(notices: str, sensitive: int, child: int, more: str = "") -> Fields:
    """What most states have: notices, opt-outs, sensitive data, children (a number, or a list of them)."""
    children = _CHILD + (f"*{child}" if child > 1 else "")
    return _fields(f"{notices} {_OPT_OUTS} SensitiveDataProcessing*{sensitive}{children} {more} {_MSPA}")


_SHARING = f"SharingNotice {_NOTICES}"
_PROCESSING = f"ProcessingNotice {_NOTICES}"
_MORE = "AdditionalDataProcessingConsent"
#: usnat before 2025.
NATIONAL_BEFORE = _fields(_NATIONAL.format(sensitive=12, child=2))
_EARLY = _fields(_LATELY.format(child=_CHILD))

SECTIONS: dict[int, Section] = {
    section.id: section
    for section in (
        Section(US_NATIONAL, "usnat", _fields(_NATIONAL.format(sensitive=16, child=3)), GPC, versions=(1, 2)),
        Section(8, "usca", _fields(_CALIFORNIA), GPC, place=3),
        Section(9, "usva", _state(_SHARING, 8, 1)),
        Section(10, "usco", _state(_SHARING, 7, 1), GPC, place=0),
        Section(11, "usut", _state(f"{_SHARING} SensitiveDataProcessingOptOutNotice", 8, 1)),
        Section(12, "usct", _state(_SHARING, 8, 3), GPC),
        Section(13, "usfl", _state(_PROCESSING, 8, 3, _MORE)),
        Section(14, "usmt", _state(_SHARING, 8, 3, _MORE), GPC),
        Section(15, "usor", _state(_PROCESSING, 11, 3, _MORE), GPC, place=11),
        Section(16, "ustx", _state(_PROCESSING, 8, 1, _MORE), GPC),
        Section(17, "usde", _state(_PROCESSING, 9, 5, _MORE), GPC, place=9),
        Section(18, "usia", _state(f"{_PROCESSING} SensitiveDataOptOutNotice", 8, 1), GPC),
        Section(19, "usne", _state(_PROCESSING, 8, 1, _MORE), GPC),
        Section(20, "usnh", _state(_PROCESSING, 8, 3, _MORE), GPC),
        Section(21, "usnj", _state(_PROCESSING, 10, 5, _MORE), GPC),
        Section(22, "ustn", _state(_PROCESSING, 8, 1, _MORE), GPC),
        Section(23, "usmn", _state(_PROCESSING, 8, 1, _MORE), GPC),
        Section(24, "usmd", _fields(_LATELY.format(child="")), GPC, place=0, version="MspaVersion"),
        Section(25, "usin", _EARLY, SENSITIVE, version="MspaVersion"),
        Section(26, "usky", _EARLY, SENSITIVE, version="MspaVersion"),
        Section(27, "usri", _EARLY, SENSITIVE, version="MspaVersion"),
    )
}
#: All that have a name here.
NAMES = {TCF_EU: "tcfeuv2", USP: "uspv1"} | {id: section.name for id, section in SECTIONS.items()}
