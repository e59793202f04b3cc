"""The field catalogue: how each column comes, what for, on which basis, how long, and who gets it (M41).

Made from `fields.py`, the packs and the reports; nothing of it is written by hand but the sentences there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from consent_filter.fields import FIELDS, MODES, Field
from consent_filter.policy import Pack
from consent_filter.purpose import ALL, names
from consent_filter.retention import KEEPING


class Entry(NamedTuple):
    """One column. `bases`, `days`, `recipients`: by pack; bases by purpose and regime, where it is named.
    `reports`: the released tables that it goes into. `days`: by pack and regime, the longest that a purpose
    keeps it; None for what is never stored."""

    field: Field
    bases: dict[str, dict[str, dict[str, str]]]
    days: dict[str, dict[str, float]] | None
    recipients: dict[str, tuple[str, ...]]
    reports: tuple[str, ...]


def entries(packs: Iterable[Pack], readers: Mapping[str, Iterable[str]]) -> list[Entry]:
    """Every field. `readers`: which reports read a column, by its name."""
    shipped = list(packs)
    return [
        Entry(
            field,
            {pack.name: _bases(field, pack) for pack in shipped},
            None if field.keep is None else {pack.name: _days(field, pack) for pack in shipped},
            {pack.name: pack.recipients if readers.get(field.name) else () for pack in shipped},
            tuple(sorted(readers.get(field.name, ()))),
        )
        for field in FIELDS
    ]


def _bases(field: Field, pack: Pack) -> dict[str, dict[str, str]]:
    """Purpose → regime → legal basis; without an identifier where a regime exempts that."""
    found: dict[str, dict[str, str]] = {}
    for purpose in names(field.purposes):
        for name, regime in pack.regimes.items():
            use = regime.purposes.get(purpose)
            if use is not None:
                exempt = f", else {use.cookieless}" if use.cookieless and field.alone else ""
                found.setdefault(purpose, {})[name] = use.basis + exempt
    return found


def _days(field: Field, pack: Pack) -> dict[str, float]:
    """Regime → days, where any of its purposes is named there and keeps anything (`retention.py`)."""
    assert field.keep is not None
    found: dict[str, float] = {}
    for name, regime in pack.regimes.items():
        for purpose in names(field.purposes & KEEPING):
            if purpose in regime.purposes:
                term = pack.retention.term(name, purpose, pack.facts_days)
                days = min(term.fields.get(field.name, term.days), term.days, pack.facts_days)
                kept = min(float(days), field.keep.total_seconds() / 86_400)
                found[name] = max(found.get(name, 0.0), kept)
    return found


def plain(entry: Entry) -> dict[str, Any]:
    """An entry as JSON has it."""
    field = entry.field
    return {
        "name": field.name,
        "type": str(field.type),
        "means": field.doc,
        "mode": field.mode,
        "stored": field.keep is not None,
        "without_identifier": field.keep is not None and field.alone,
        "purposes": names(field.purposes),
        "basis": entry.bases,
        "days": entry.days,
        "recipients": entry.recipients,
        "reports": entry.reports,
    }


def page(found: Iterable[Entry]) -> str:
    """The catalogue as a page: what is stored, then what is only ever in memory."""
    known = list(found)
    stored = [entry for entry in known if entry.days is not None]
    lines = [
        "# Every column",
        "",
        "Made by `throng policy fields` from `consent_filter/fields.py`, the policy packs and the reports; a"
        " test compares (M41). What is not here cannot be collected: schemas are derived from the same list.",
        "",
        *[f"- **{mode}**: {says}" for mode, says in MODES.items()],
        "",
        "A column is null where none of its purposes was granted. Legal bases are those of its purposes, by"
        " pack and regime; `exempt` is without an identifier. Time is in days, by pack, of the regime that"
        " keeps it least to the one that keeps it longest. Recipients get released tables, in groups, and"
        " never a row: those of the pack, through the reports named.",
        "",
        "## Stored",
        "",
        "| column | means | comes | purposes | legal basis | days | through |",
        "|---|---|---|---|---|---|---|",
    ]
    for entry in stored:
        field = entry.field
        alone = "" if field.alone else "; only with an identifier"
        lines.append(
            f"| `{field.name}` | {field.doc}{alone} | {field.mode} | {_purposes(field)} | {_basis(entry)} |"
            f" {_time(entry)} | {', '.join(entry.reports) or 'no report'} |"
        )
    lines += ["", "## In memory only", "", "| what | means | comes |", "|---|---|---|"]
    lines += [f"| `{e.field.name}` | {e.field.doc} | {e.field.mode} |" for e in known if e.days is None]
    lines += ["", "## Recipients", "", "| pack | released tables go to |", "|---|---|"]
    packs: dict[str, tuple[str, ...]] = {}
    for entry in stored:
        packs |= {name: who for name, who in entry.recipients.items() if who}
    lines += [f"| {name} | {', '.join(who)} |" for name, who in packs.items()]
    return "\n".join(lines) + "\n"


def _purposes(field: Field) -> str:
    return "any that was granted" if field.purposes == ALL else ", ".join(names(field.purposes))


def _basis(entry: Entry) -> str:
    """What its purposes stand on; a column of every record stands on that of the purpose it is there for."""
    if entry.field.purposes == ALL:
        return "that purpose's"
    parts = []
    for pack, purposes in entry.bases.items():
        found = sorted({basis for regimes in purposes.values() for basis in regimes.values()})
        parts.append(f"{pack}: {' / '.join(found) if found else 'never granted'}")
    return "<br>".join(parts)


def _time(entry: Entry) -> str:
    assert entry.days is not None
    parts = []
    for by in entry.days.values():
        least, most = min(by.values(), default=0.0), max(by.values(), default=0.0)
        parts.append(f"{most:g}" if least == most else f"{least:g}–{most:g}")
    return " / ".join(parts)
