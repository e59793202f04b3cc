"""TC strings written bit by bit from the standard's layout, so that also wrong ones can be written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def number(value: int, width: int) -> str:
    digits = format(value, f"0{width}b")
    assert len(digits) == width
    return digits


def ids(chosen: Iterable[int], width: int) -> str:
    field = ["0"] * width
    for one in chosen:
        field[one - 1] = "1"
    return "".join(field)


def letters(pair: str) -> str:
    return "".join(number(ord(letter) - ord("A"), 6) for letter in pair)


def deciseconds(time: str) -> str:
    return number(round(datetime.fromisoformat(time).timestamp() * 10), 36)


def entries(ranges: Sequence[Sequence[int]]) -> str:
    """Ranges with their number before them; of one vendor without its end."""
    written = [
        "0" + number(first, 16) if first == last else "1" + number(first, 16) + number(last, 16)
        for first, last in ranges
    ]
    return number(len(ranges), 12) + "".join(written)


def vendors(ranges: Sequence[Sequence[int]], *, as_ranges: bool, highest: int | None = None) -> str:
    highest = max((last for _, last in ranges), default=0) if highest is None else highest
    if as_ranges:
        return number(highest, 16) + "1" + entries(ranges)
    return number(highest, 16) + "0" + ids((i for a, b in ranges for i in range(a, b + 1)), highest)


def restrictions(said: Sequence[Mapping[str, Any]]) -> str:
    return number(len(said), 12) + "".join(
        number(one["purposeId"], 6) + number(one["restrictionType"], 2) + entries(one["vendors"])
        for one in said
    )


def text(bits: str, fill: int = 8) -> str:
    """Base64url of the bits after zeros up to a multiple of `fill`, and then of a character."""
    bits += "0" * (-len(bits) % fill)
    bits += "0" * (-len(bits) % 6)
    return "".join(DIGITS[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6))


def core(said: Mapping[str, Any], *, as_ranges: bool = False) -> str:
    """The bits of a core segment that says this."""
    return (
        number(said["version"], 6)
        + deciseconds(said["created"])
        + deciseconds(said["lastUpdated"])
        + number(said["cmpId"], 12)
        + number(said["cmpVersion"], 12)
        + number(said["consentScreen"], 6)
        + letters(said["consentLanguage"])
        + number(said["vendorListVersion"], 12)
        + number(said["policyVersion"], 6)
        + number(said["isServiceSpecific"], 1)
        + number(said["useNonStandardTexts"], 1)
        + ids(said["specialFeatureOptins"], 12)
        + ids(said["purposeConsents"], 24)
        + ids(said["purposeLegitimateInterests"], 24)
        + number(said["purposeOneTreatment"], 1)
        + letters(said["publisherCountryCode"])
        + vendors(said["vendorConsents"], as_ranges=as_ranges)
        + vendors(said["vendorLegitimateInterests"], as_ranges=as_ranges)
        + restrictions(said["publisherRestrictions"])
    )


def publisher(said: Mapping[str, Any]) -> str:
    custom = said["numCustomPurposes"]
    return (
        number(3, 3)
        + ids(said["publisherConsents"], 24)
        + ids(said["publisherLegitimateInterests"], 24)
        + number(custom, 6)
        + ids(said["publisherCustomConsents"], custom)
        + ids(said["publisherCustomLegitimateInterests"], custom)
    )


def segments(said: Mapping[str, Any], *, as_ranges: bool = False) -> list[str]:
    """The bits of each segment that says something; the core first."""
    written = [core(said, as_ranges=as_ranges)]
    for kind, name in ((1, "vendorsDisclosed"), (2, "vendorsAllowed")):
        if said[name] is not None:
            written.append(number(kind, 3) + vendors(said[name], as_ranges=as_ranges))
    if said["numCustomPurposes"] is not None:
        written.append(publisher(said))
    return written


#: A plain refusal, as a page of today would send it.
PLAIN: dict[str, Any] = {
    "version": 2,
    "created": "2026-03-01T00:00:00.000Z",
    "lastUpdated": "2026-03-01T00:00:00.000Z",
    "cmpId": 7,
    "cmpVersion": 1,
    "consentScreen": 1,
    "consentLanguage": "EN",
    "vendorListVersion": 150,
    "policyVersion": 5,
    "isServiceSpecific": True,
    "useNonStandardTexts": False,
    "specialFeatureOptins": [],
    "purposeConsents": [],
    "purposeLegitimateInterests": [],
    "purposeOneTreatment": False,
    "publisherCountryCode": "DE",
    "vendorConsents": [],
    "vendorLegitimateInterests": [],
    "publisherRestrictions": [],
    "vendorsDisclosed": [[1, 100]],
    "vendorsAllowed": None,
    "publisherConsents": None,
    "publisherLegitimateInterests": None,
    "numCustomPurposes": None,
    "publisherCustomConsents": None,
    "publisherCustomLegitimateInterests": None,
}
PUBLISHER: dict[str, Any] = {
    "publisherConsents": [],
    "publisherLegitimateInterests": [],
    "numCustomPurposes": 0,
    "publisherCustomConsents": [],
    "publisherCustomLegitimateInterests": [],
}


def string(said: Mapping[str, Any], *, as_ranges: bool = False, fill: int = 8) -> str:
    return ".".join(text(bits, fill) for bits in segments(said, as_ranges=as_ranges))


def fibonacci(value: int) -> str:
    """The sum of Fibonacci numbers that it is, the smallest first, and a 1 that ends it."""
    numbers = [1, 2]
    while numbers[-1] <= value:
        numbers.append(numbers[-1] + numbers[-2])
    digits = ""
    for number_ in reversed(numbers):
        digits = str(int(value >= number_)) + digits
        value -= number_ * (value >= number_)
    return digits.rstrip("0") + "1"


def header(ranges: Sequence[Sequence[int]], *, kind: int = 3, version: int = 1) -> str:
    """The bits of a GPP header; each range is told by its distance from the one before it."""
    bits, before = number(kind, 6) + number(version, 6) + number(len(ranges), 12), 0
    for first, last in ranges:
        bits += str(int(last > first)) + fibonacci(first - before)
        bits += fibonacci(last - first) if last > first else ""
        before = last
    return bits


def runs(chosen: Iterable[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for one in sorted(chosen):
        if found and found[-1][1] == one - 1:
            found[-1][1] = one
        else:
            found.append([one, one])
    return found


def pairs(said: Mapping[str, Any]) -> str:
    """Two bits for each number, in the order in which they stand."""
    listed = [value if isinstance(value, list) else [value] for value in said.values()]
    return "".join(number(value, 2) for values in listed for value in values)


def united_states(said: Mapping[str, Any], fill: int = 8) -> str:
    """A section whose first field is its version and whose fields stand in order, sub-sections last.

    What is None is not sent; `Gpc` has its kind before it, `SensitiveDataProcessing` at the end has none.
    """
    fields = list(said.items())
    later = 2 if fields[-1][0] == "Gpc" else 1 if fields[-1][0] == "SensitiveDataProcessing" else 0
    (_, version), *core = fields[: len(fields) - later]
    segments = [number(version, 6) + pairs(dict(core))]
    if later == 2 and said["Gpc"] is not None:
        segments.append(number(said["GpcSegmentType"], 2) + number(said["Gpc"], 1))
    if later == 1 and fields[-1][1] is not None:
        segments.append(pairs(dict(fields[-1:])))
    return ".".join(text(bits, fill) for bits in segments)


def gpp(sections: Mapping[int, str]) -> str:
    """A GPP string of those sections."""
    return "~".join([text(header(runs(sections))), *(sections[id] for id in sorted(sections))])
