"""The tables of a page, made from the packs: `python -m consent_filter.retention_page docs/retention.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from consent_filter.policy import Pack, load
from consent_filter.purpose import BY_NAME
from consent_filter.retention import DEGREES, KEEPING, Term, ends

BEGIN, END = "<!-- made from the packs -->", "<!-- end -->"
SHIPPED = ("workallies-2024", "worktasker-2014")


def tables(packs: tuple[Pack, ...]) -> str:
    """Per pack: purpose × regime × what ends or gets coarser, in days since receipt; and closed accounts."""
    return "\n".join(line for pack in packs for line in _of(pack))


def _of(pack: Pack) -> Iterator[str]:
    yield from (f"### {pack.name}", "", "| purpose | regime | the row, for it | no finer than | null |")
    yield "|---|---|---|---|---|"
    for purpose, bit in BY_NAME.items():
        if not any(purpose in regime.purposes for regime in pack.regimes.values()):
            continue
        found: dict[tuple[str, str, str], list[str]] = {}
        for name in (name for name, regime in pack.regimes.items() if purpose in regime.purposes):
            term = pack.retention.term(name, purpose, pack.facts_days)
            if bit & KEEPING:
                rule = ends(pack.retention, pack.facts_days, name, int(bit))
                degrees = _joined(
                    (rule.degrees[column, degree], f"{column} {degree}")
                    for column, order in DEGREES.items()
                    for degree in order
                    if degree in term.degrees.get(column, {}) and (column, degree) in rule.degrees
                )
                nulls = _joined((days, column) for column, days in rule.fields.items())
                found.setdefault((f"{rule.row}", degrees, nulls), []).append(name)
            else:
                found.setdefault((_keeps_none(term, pack), "", ""), []).append(name)
        for (row, degrees, nulls), names in found.items():
            yield f"| {purpose} | {', '.join(names)} | {row} | {degrees} | {nulls} |"
    yield from ("", "| closed account | days | columns besides those of any record |", "|---|---|---|")
    for name, one in pack.retention.closed.items():
        yield f"| {name} | {one.days} | {', '.join(one.fields)} |"
    yield ""


def _keeps_none(term: Term, pack: Pack) -> str:
    return f"{min(term.days, pack.facts_days)}; keeps no row"


def _joined(said: Iterator[tuple[int, str]]) -> str:
    by: dict[int, list[str]] = {}
    for days, what in said:
        by.setdefault(days, []).append(what)
    return "; ".join(f"{days}: {', '.join(what)}" for days, what in sorted(by.items()))


def written(page: str) -> str:
    """The page with its tables as the packs have them now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables(tuple(map(load, SHIPPED)))}{END}{after}"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(written(file.read_text()))
