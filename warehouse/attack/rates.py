"""Rate inversion: an average or a share, printed with enough digits, gives the number it was divided by."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from warehouse.attack.evidence import Evidence, Finding, Sure, place


def rates(evidence: Evidence) -> Iterator[Finding]:
    """Numbers with a fraction whose smallest possible denominator is of a few, in rows that do not say of how
    many they are, or say it beside others."""
    for one in evidence.sheets.values():
        name = f"now_{one.name}"
        columns = evidence.rows(f"DESCRIBE {name}")
        broken = [
            row["column_name"] for row in columns
            if row["column_name"] not in one.keys
            and (row["column_type"] in ("DOUBLE", "FLOAT") or row["column_type"].startswith("DECIMAL"))
        ]  # fmt: skip
        for number in broken:
            if one.off(number):
                continue
            for at, row in enumerate(evidence.rows(f"FROM {name} ORDER BY {', '.join(one.keys)}"), 1):
                if row[number] is None or not 1 < denominator(float(row[number])) < evidence.k:
                    continue
                says = f"{number} can be the quotient of numbers of a few"
                # It is their multiple as well: of whole groups only if these are published, too.
                sure = Sure.POSSIBLE if one.people else Sure.LIKELY
                yield Finding("rates", one.name, place(row, one.keys, at), says, sure)


def denominator(value: float, digits: int = 6) -> int:
    """The smallest number that a printed quotient can have been divided by: the simplest fraction among
    those that are printed so (Stern and Brocot's tree)."""
    written = Fraction(f"{value:.{digits}f}")
    half = Fraction(1, 2 * 10**digits)
    low, high = written - half, written + half
    return _simplest(low, high).denominator


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    whole = -(-low.numerator // low.denominator)
    if whole <= high:
        return Fraction(whole)
    floor = low.numerator // low.denominator
    return floor + 1 / _simplest(1 / (high - floor), 1 / (low - floor))
