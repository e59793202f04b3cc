"""Zero and absence: what follows from a number that is nought, and from a row that has all there are."""

from __future__ import annotations

from collections.abc import Iterator

from warehouse.attack.evidence import ONE_EACH, Evidence, Finding, Sure, named, place


def absence(evidence: Evidence) -> Iterator[Finding]:
    """Rows that everyone of a total is in: of anybody known to be there the row is known, too."""
    for coarse, fine in evidence.pairs():
        rest = {*fine.keys} - {*coarse.keys}
        if not coarse.people or not rest <= ONE_EACH or coarse.off("people") or fine.off("people"):
            continue
        by = ", ".join(coarse.keys)
        for row in evidence.rows(
            f"SELECT f.* FROM now_{fine.name} f JOIN now_{coarse.name} c USING ({by})"
            f" WHERE f.people = c.people AND {named(fine.keys, 'f.')}"
        ):
            says = f"everyone of {coarse.name} is in this row"
            yield Finding("absence", fine.name, place(row, fine.keys, "?"), says, Sure.POSSIBLE)


def unlimited(evidence: Evidence) -> Iterator[Finding]:
    """Tables whose rows are there only if somebody came, and which ask for no group; and those whose first
    rows add up to a total elsewhere, without asking what is left of it."""
    for one in evidence.declared.values():
        if one.people and one.least <= 1 < evidence.k:
            says = "a row is there as soon as one person is in it"
            yield Finding("unlimited", one.name, "the whole table", says, Sure.CERTAIN)
        if one.elsewhere and not one.beside:
            says = "what is left out of a total elsewhere need be no group"
            yield Finding("unlimited", one.name, "the whole table", says, Sure.CERTAIN)
