"""Subtraction: what follows about a few from figures together, of one recipient or of several (S8).

Numbers that add up (events, people by day, people by country) are a system of equations, solved exactly
(`algebra.py`). Distinct people of overlapping parts don't add up; of two figures of which one covers the
other the difference still is who is in the one only.

Noisy figures count with their error: `off` is twice the deviation of their noise. So a difference of two of
them is a finding only where it tells a few from none and from a group in 19 of 20 draws. That noise protects
a person at all is the budget's affair (`budget.py`); here it is looked at whether figures that overlap
(time zones, complements) leave less than a group between them that the noise does not cover.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from warehouse.attack.algebra import isolated
from warehouse.attack.atoms import by_measure, inside, systems
from warehouse.attack.evidence import CLOSED, EVERYONE, Finding, Sure
from warehouse.attack.figures import Figure

#: Figures that a finding names; the others are counted.
NAMED = 4


def subtract(figures: Sequence[Figure], k: int) -> list[Finding]:
    """Findings, the same one once. Only of numbers of people, and of events where these are fewer."""
    asked = [one for one in dict.fromkeys(figures) if one.measure.rsplit(":", 1)[-1] in ("people", *EVERYONE)]
    return sorted({*_combined(asked, k), *_contained(asked, k)})


def _combined(figures: Sequence[Figure], k: int) -> Iterator[Finding]:
    for system in systems(figures):
        values = [one.value for one in system.figures]
        off = [one.off for one in system.figures]
        for region in isolated([atoms.tolist() for atoms in system.atoms], values, off, k):
            made = {system.figures[n]: int(by) if by.denominator == 1 else by
                    for n, by in region.made_of.items()}  # fmt: skip
            yield Finding("subtract", _reports(list(made)), where(list(made)), _says(made), Sure.CERTAIN)


def _contained(figures: Sequence[Figure], k: int) -> Iterator[Finding]:
    for group in by_measure(figures).values():
        for larger, smaller in inside(group):
            one, other = group[larger], group[smaller]
            if _sums(one) or _sums(other):
                continue
            off = one.off + other.off
            if off < one.value - other.value < k - off:
                made = {one: 1, other: -1}
                yield Finding("subtract", _reports([one, other]), where([one]), _says(made), Sure.CERTAIN)


def _sums(figure: Figure) -> bool:
    """Whether people are counted several times: once a day, over more days than one."""
    return figure.unit == "day" and figure.ends - figure.begins > 26


def _reports(figures: Sequence[Figure]) -> str:
    return ", ".join(sorted({one.said for one in figures}))


def where(figures: Sequence[Figure]) -> str:
    """The sites and hours that figures are about."""
    sites = sorted({site for one in figures for site in one.sites})
    begins, ends = min(one.begins for one in figures), max(one.ends for one in figures)
    return f"site {', '.join(sites)}, {_clock(begins)} to {_clock(ends)}"


def _says(made: Mapping[Figure, object]) -> str:
    """Which figures give it, with their signs and without their numbers."""
    terms = [f"{'+' if str(by)[0] != '-' else '-'}{_times(by)} {_name(one)}" for one, by in made.items()]
    more = f", and {len(terms) - NAMED} more" if len(terms) > NAMED else ""
    return f"a group too small: {'; '.join(terms[:NAMED])}{more}"


def _times(by: object) -> str:
    size = str(by).lstrip("-")
    return "" if size == "1" else f"{size} ×"


def _name(figure: Figure) -> str:
    said = [f"{figure.measure.rsplit(':', 1)[-1]} of {figure.said}"]
    for one in figure.where:
        words = ", ".join(one.words) if one.key in CLOSED else f"{len(one.words)} words"
        if one.words:
            said.append(f"{one.key} {'not ' if one.other else ''}{words}")
    said.append(f"{_clock(figure.begins)} to {_clock(figure.ends)}")
    return " ".join(said)


def _clock(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%d %H:%M")
