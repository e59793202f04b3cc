"""What may leave the house as a table: groups, by what their draft says of them, and nothing else (M89).

A positive list: each column is a key or a number that the draft names, each number has its interval, and no
key is one by which a person, an event or a device is known. Every pack is asked, whoever made its draft.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from consent_filter.errors import Broken
from consent_filter.fields import FIELDS
from warehouse.draft import Draft, Table

#: Columns of events that may be a key of a released table: those that tell what, when, where or whence, in
#: classes. All others tell who.
OPEN_KEYS = frozenset((
    "site", "day", "type", "name", "path", "treatment", "policy", "continent", "country", "region", "network",
    "device", "browser", "os", "referrer_group", "referrer_host", "utm_source", "utm_medium", "utm_campaign",
    "ad_slot", "ad_campaign", "ad_creative", "ad_placement", "ad_size", "ad_frequency", "ad_group", "ad_goal",
    "ad_step", "age", "gender",
))  # fmt: skip
#: Columns of events that none may be, and other names of the same.
CLOSED = frozenset(field.name for field in FIELDS) - OPEN_KEYS | {
    "id", "visitor", "user", "user_id", "device_id", "session", "visit", "email", "ip", "address", "agent",
}  # fmt: skip
#: The fewest people a row that leaves may be about.
FEWEST = 50


def inspect(draft: Draft, tables: Mapping[str, pa.Table]) -> None:
    """Raises Broken where a table is not one that may leave; the message names table and column, no value."""
    for one in draft.tables:
        wrong = _wrong(one, tables[one.name])
        if wrong:
            raise Broken(f"the table {one.name} of {draft.id} may not leave: {wrong}")


def _wrong(one: Table, table: pa.Table) -> str:
    names = [number.name for number in one.numbers]
    allowed = {*one.keys, *(f"{name}{end}" for name in names for end in ("", "_low", "_high"))}
    if more := sorted(set(table.column_names) - allowed):
        return f"it has the columns {', '.join(more)}, which its draft does not name"
    if fewer := sorted(allowed - set(table.column_names)):
        return f"it lacks the columns {', '.join(fewer)}"
    if who := sorted(CLOSED.intersection(one.keys)):
        return f"{', '.join(who)} tells who somebody is"
    if one.least < FEWEST:
        return f"its rows may be about {one.least} people, and {FEWEST} are the fewest"
    if table.num_rows != one.rows:
        return "it has more or fewer rows than its draft says"
    for name in names:
        n, low, high = (table.column(f"{name}{end}") for end in ("", "_low", "_high"))
        if not all(pa.types.is_integer(column.type) or not len(column) for column in (n, low, high)):
            return f"{name} is no whole number"
        inside = pc.and_(pc.less_equal(low, n), pc.less_equal(n, high))
        if table.num_rows and not pc.all(pc.and_(inside, pc.greater_equal(low, 0))).as_py():
            return f"{name} does not lie in its interval"
    return ""
