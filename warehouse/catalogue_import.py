"""Rows of the catalogue of adverts from a CSV file: the first line names the keys, a line is a row."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from msgspec.structs import fields

from consent_filter.errors import Misconfigured
from warehouse import catalogue
from warehouse.catalogue import Catalogue
from warehouse.catalogue_rows import KINDS, Row

#: Keys that make a row: another row with the same takes its place.
_SAME = {"flight": ("campaign", "placement", "starts")}
_READ: dict[str, tuple[Callable[[str], Any], str]] = {
    "starts": (date.fromisoformat, "a day, such as 2026-03-01"),
    "ends": (date.fromisoformat, "a day, such as 2026-03-31"),
    "impressions": (int, "a whole number"), "clicks": (int, "a whole number"),
    "window_click_days": (int, "days"), "window_view_days": (int, "days"), "holdout": (float, "percent"),
    "hosts": (lambda said: tuple(said.split()), "hosts with spaces between them"),
}  # fmt: skip


def rows(text: str, kind: str = "") -> list[tuple[str, Row]]:
    """The rows of a CSV file, each with its kind: `kind`, or what the column `kind` says. A comma, a
    semicolon or a tab divides, whichever the first line has most of. Raises Misconfigured with the line."""
    lines = text.removeprefix("\ufeff")
    first = lines.partition("\n")[0]
    divider = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(lines), delimiter=divider, strict=True)
    names = [name.strip().lower() for name in reader.fieldnames or []]
    reader.fieldnames = names
    if len(set(names)) < len(names):
        raise Misconfigured("line 1", first.strip(), "each key once")
    if "kind" not in names and kind not in KINDS:
        raise Misconfigured("--kind", kind, f"one of {', '.join(KINDS)}, or a column `kind` in the file")
    found = []
    try:
        for said in reader:
            found.append(_row(said, kind, f"line {reader.line_num}"))
    except csv.Error as error:
        raise Misconfigured(f"line {reader.line_num}", "…", f"CSV (RFC 4180); {error}") from None
    return found


def _row(said: dict[str | None, Any], kind: str, line: str) -> tuple[str, Row]:
    # A creative has a `kind` of its own: where the file is about one kind, the column is that.
    named = kind or str(said.pop("kind", "") or "").strip()
    make = KINDS.get(named)
    if make is None:
        raise Misconfigured(f"{line}: kind", named, f"one of {', '.join(KINDS)}")
    known = [field.name for field in fields(make)]
    values = {}
    for name, cell in said.items():
        if name is None or (name not in known and cell and cell.strip()):
            raise Misconfigured(f"{line}: {name or 'cells'}", cell, f"keys of a {named}: {', '.join(known)}")
        if cell is None or not cell.strip() or name not in known:
            continue
        read, allowed = _READ.get(name, (str, ""))
        try:
            values[name] = read(cell.strip())
        except ValueError:
            raise Misconfigured(f"{line}: {name}", cell.strip(), allowed) from None
    try:
        return named, make(**values)
    except Misconfigured as error:
        raise Misconfigured(f"{line}: {error.key}", error.value, error.allowed) from None
    except TypeError:
        needed = [field.name for field in fields(make) if field.required and field.name not in values]
        raise Misconfigured(f"{line}: {', '.join(needed)}", "", f"a value: a {named} needs one") from None


def merge(old: Catalogue, some: Iterable[tuple[str, Row]]) -> tuple[Catalogue, Counter[str]]:
    """The catalogue with these rows added, or in place of those of the same id; and how many were added,
    changed, and the same. Raises Misconfigured where they do not fit together."""
    counts: Counter[str] = Counter(added=0, changed=0, same=0)
    whole = {kind: {_id(kind, row): row for row in old.rows(kind)} for kind in KINDS}
    for kind, row in some:
        id = _id(kind, row)
        before = whole[kind].get(id)
        counts["added" if before is None else "same" if before == row else "changed"] += 1
        whole[kind][id] = row
    found = Catalogue(**{kind: tuple(kept.values()) for kind, kept in whole.items()})
    catalogue.check(found)
    return found, counts


def _id(kind: str, row: Row) -> tuple[Any, ...]:
    return tuple(getattr(row, key) for key in _SAME.get(kind, ("id",)))
