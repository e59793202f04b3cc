"""What is left of facts at an age, as SQL: `consent_filter.retention` for whole columns at once.

The rule is worked out for each distinct (policy, because, purposes), of which there are few, and joined to
the rows. Rows that are held stay as they are; rows of closed accounts are judged by the classes that still
run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter.fields import BY_NAME, EVENT, FACTS
from consent_filter.policy import Pack
from consent_filter.purpose import Purpose
from consent_filter.retention import DEGREES, NULLED, RECORD, Ends, Retention, ends, regime
from warehouse.extensions import quote
from warehouse.relations import hold

#: policy, because, purposes.
Key = tuple[str, str, int]


class Due(NamedTuple):
    """All that a rewrite must know besides the rows.

    today: the UTC day. schedule: what ends when, by (policy, because, purposes). most: days that no row of a
    policy outlives. held: person, first, last. closed: person, `state`, the place in `sets` of the columns
    that stay, or -1 where no row does, and `changed`, since which day that is so. gone: persons who have
    withdrawn, whose rows may not lose the pseudonym that says so. cuts: day, days, key: what makes
    pseudonyms of that day.
    """

    today: date
    schedule: Mapping[Key, Ends] = {}
    most: Mapping[str, int] = {}
    held: pa.Table | None = None
    closed: pa.Table | None = None
    sets: tuple[frozenset[str], ...] = ()
    gone: NDArray[np.uint64] = np.zeros(0, np.uint64)
    cuts: pa.Table | None = None


def kinds(
    connection: duckdb.DuckDBPyConnection, facts: str, paths: Collection[str] | None = None
) -> list[Key]:
    """Every (policy, because, purposes) that there are rows of; in those files only, if they are said."""
    where = "true" if paths is None else "filename IN (" + ", ".join(f"'{quote(one)}'" for one in paths) + ")"
    return connection.execute(
        f"SELECT DISTINCT coalesce(policy, ''), coalesce(because, ''), coalesce(purposes, 0) FROM {facts}"
        f" WHERE {where}"
    ).fetchall()


def schedule(found: Iterable[Key], packs: Mapping[str, Pack]) -> tuple[dict[Key, Ends], dict[str, int]]:
    """What ends when for every kind of row, and the most days of each policy. `packs`: by `policy` as rows
    name it; a policy that nobody knows keeps rows for the longest time."""
    rules, most, nothing = dict[Key, Ends](), dict[str, int](), Retention()
    for policy, because, purposes in found:
        pack = packs.get(policy)
        days = pack.facts_days if pack else FACTS.days
        said = pack.retention if pack else nothing
        where = regime(because)
        known = where if pack and where in pack.regimes else ""
        rules[policy, because, purposes] = ends(said, days, known, purposes)
        most[policy] = days
    return rules, most


def offer(connection: duckdb.DuckDBPyConnection, due: Due) -> None:
    """Make the tables that `stays`, `column` and `judged` read."""
    hold(connection, "due_schedule", _table(due))
    if due.held is not None and due.held.num_rows:
        hold(connection, "due_held", due.held)
    if due.closed is not None and due.closed.num_rows:
        hold(connection, "due_closed", due.closed)
    if len(due.gone):
        hold(connection, "due_gone", pa.table({"person": pa.array(due.gone, pa.uint64())}))
    if due.cuts is not None:
        hold(connection, "due_cuts", due.cuts)


def _table(due: Due) -> pa.Table:
    """One row a key; null where a thing never ends before its row does."""
    keys, said = list(due.schedule), list(due.schedule.values())
    columns: dict[str, Any] = {
        "of_policy": pa.array([key[0] for key in keys], pa.string()),
        "of_because": pa.array([key[1] for key in keys], pa.string()),
        "of_purposes": pa.array([key[2] for key in keys], pa.uint32()),
        "most": pa.array([due.most[key[0]] for key in keys], pa.int32()),
        "r": pa.array([one.row for one in said], pa.int32()),
    }
    for purpose in Purpose:
        columns[f"p_{int(purpose)}"] = [one.purposes.get(int(purpose)) for one in said]
    for name in NULLED:
        columns[f"f_{name}"] = [one.fields.get(name) for one in said]
    for name, order in DEGREES.items():
        for degree in order:
            columns[f"d_{name}_{degree}"] = [one.degrees.get((name, degree)) for one in said]
    kinds = {name: pa.array(value, pa.int32()) for name, value in columns.items() if isinstance(value, list)}
    return pa.table(columns | kinds)


def judged(facts: str, due: Due) -> str:
    """The rows, and what `STAYS` and `column` need: `days_old`, `held`, `state`, `gone`, when what ends."""
    joins = (
        " LEFT JOIN due_schedule s ON s.of_policy = coalesce(e.policy, '')"
        " AND s.of_because = coalesce(e.because, '') AND s.of_purposes = coalesce(e.purposes, 0)"
    )
    held, state, gone, cut = "false", "NULL::INTEGER", "false", "NULL::VARCHAR"
    changed = "NULL::DATE"
    if due.held is not None and due.held.num_rows:
        held = (
            "EXISTS (SELECT 1 FROM due_held h WHERE h.person = e.person"
            ' AND e.day BETWEEN h."first" AND h."last")'
        )
    if due.closed is not None and due.closed.num_rows:
        joins += " LEFT JOIN due_closed c ON c.person = e.person"
        state, changed = "c.state", "c.changed"
    if len(due.gone):
        joins += " LEFT JOIN due_gone g ON g.person = e.person"
        gone = "g.person IS NOT NULL"
    if due.cuts is not None:
        joins += " LEFT JOIN due_cuts k ON k.day = e.day AND k.days = s.d_person_day"
        cut = "k.key"
    return (
        f"(SELECT e.*, s.*, (DATE '{due.today.isoformat()}' - e.received::DATE) + 1 AS days_old,"
        f" {held} AS held, {state} AS state, {changed} AS changed, {gone} AS gone, {cut} AS cut"
        f" FROM {facts} e{joins})"
    )


def _over(column: str) -> str:
    return f"coalesce(days_old >= {column}, false)"


#: Whether a row may stay. Whoever has withdrawn goes when their pseudonym would: nobody could tell any more.
STAYS = (
    "(held OR CASE WHEN state IS NOT NULL THEN state >= 0 AND days_old < most"
    f" ELSE NOT {_over('r')} AND NOT (gone AND treatment = 'identified' AND {_over('d_person_day')}) END)"
)
_MIDNIGHT = {
    "time": "day::TIMESTAMP_MS",
    "received": "date_trunc('day', received)::TIMESTAMP_MS",
    "offset_min": "0::SMALLINT",
}


def column(name: str, due: Due) -> str:
    """What stays of a column, in rows of `judged`."""
    closed = name
    if name == "purposes":  # kept for its class, and for no purpose
        closed = "0::UINTEGER"
    elif name in NULLED or name in _MIDNIGHT:
        listed = "time" if name in _MIDNIGHT else name
        states = ", ".join(str(k) for k, some in enumerate(due.sets) if listed in some) or "-1"
        closed = f"CASE WHEN state IN ({states}) THEN {name} ELSE {_MIDNIGHT.get(name, 'NULL')} END"
    usual = _usual(name)
    if usual == name == closed:
        return name
    return (
        f"CASE WHEN held THEN {name} WHEN state IS NOT NULL THEN {closed} ELSE {usual} END"
        if due.closed is not None and due.closed.num_rows
        else f"CASE WHEN held THEN {name} ELSE {usual} END"
    )


def _usual(name: str) -> str:
    if name == "purposes":
        over = " | ".join(
            f"(CASE WHEN {_over(f'p_{int(purpose)}')} THEN {int(purpose)} ELSE 0 END)" for purpose in Purpose
        )
        return f"(purposes & ~({over})::UINTEGER)::UINTEGER"
    if name in ("time", "received"):
        offset = "to_minutes(offset_min)" if name == "time" else "to_minutes(0)"
        steps = " ".join(
            f"WHEN {_over(f'd_time_{degree}')}"
            f" THEN (date_trunc('{degree}', {name} + {offset}) - {offset})::TIMESTAMP_MS"
            for degree in ("hour", "minute", "second")
        )
        return f"CASE WHEN {_over('d_time_day')} THEN {_MIDNIGHT[name]} {steps} ELSE {name} END"
    if name == "offset_min":
        return f"CASE WHEN {_over('d_time_day')} THEN 0::SMALLINT ELSE offset_min END"
    cut = f"treatment = 'identified' AND {_over('d_person_day')}"
    if name == "person":
        made = "('0x' || substr(sha256(cut || '/' || site || '/' || person), 1, 16))::UBIGINT"
        return f"CASE WHEN {_over('d_person_none')} THEN NULL WHEN {cut} THEN {made} ELSE person END"
    if name == "treatment":
        return f"CASE WHEN {_over('d_person_none')} OR ({cut}) THEN 'cookieless' ELSE treatment END"
    if name not in NULLED:
        return name
    value = name
    if name == "path":
        section = "'/' || regexp_extract(regexp_replace(path, '^/', ''), '^[^/?]*')"
        value = f"CASE WHEN {_over('d_path_section')} THEN {section} ELSE path END"
    return f"CASE WHEN {_over(f'f_{name}')} THEN NULL ELSE {value} END"


def columns(due: Due, now: float, least: timedelta) -> str:
    """The select list of a rewrite. `least`: what fields that are kept for less stay at least."""
    return ", ".join(_ending(field.name, column(field.name, due), now, least) for field in EVENT)


def _ending(name: str, value: str, now: float, least: timedelta) -> str:
    """Fields that the catalogue keeps for less, whoever's: an id that no retry can repeat helps nobody."""
    keep = BY_NAME[name].keep
    if keep is None or keep >= FACTS:
        return f"{value} AS {name}"
    over = now - max(keep, least).total_seconds()
    return f"CASE WHEN received >= make_timestamp({round(over * 1e6)}) THEN {value} END AS {name}"


def made_cuts(keys: Iterable[tuple[date, int, str]]) -> pa.Table:
    """`Due.cuts` of (day, days, key)."""
    found = list(keys)
    return pa.table(
        {
            "day": pa.array([day for day, _, _ in found], pa.date32()),
            "days": pa.array([days for _, days, _ in found], pa.int32()),
            "key": pa.array([key for _, _, key in found], pa.string()),
        }
    )


assert set(RECORD) <= {field.name for field in EVENT}
