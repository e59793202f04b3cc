"""The relation `adverts`: advert events of a bucket of people, and why each is invalid, or null.

A view's rows are mostly one person's, so most of it is found inside of the bucket. Two things are not: that
another person has sent the same view, and an impression of before midnight, when a cookieless visitor was
somebody else. Both are looked up among everybody's rows, by the view alone, and nothing of them is shown.

A verdict depends on its day and on the one before, never on which days are judged together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import duckdb

from consent_filter.purpose import Purpose
from warehouse.invalid.rules import Rules, grounds, in_force

#: What a rule's condition may read, besides the columns of the row itself.
COLUMNS: dict[str, str] = {
    "nth": "which of the events of its view, type and step it is, of that day and the one before; from 1",
    "sender": "of whom this view came in first on that day, by our clock; null where nobody else sent it",
    "after_ms": "milliseconds since the view began to render, on that day or else the one before; or null",
    "unshown": "whether the view has an id, and has not begun to render on that day or the one before",
    "gap_ms": "milliseconds since the same person has clicked that advert before, there and on that day",
    "same_gaps": "how many clicks of the person on that day follow another after the same tenth of a second",
}
#: Columns of the row that conditions may read.
ROW = (
    "site", "day", "time", "type", "person", "treatment", "browser", "os", "device", "country", "duration_ms",
    "value", "ad_slot", "ad_creative", "ad_campaign", "ad_placement", "ad_size", "ad_frequency", "ad_group",
    "ad_goal", "ad_step", "ad_view", "ad_share", "ad_flags", "ad_rate",
)  # fmt: skip
#: Types that say of a view that it was on the page.
_LATER = "'ad_viewable', 'ad_engagement', 'ad_video', 'ad_click'"
#: Rows of everybody that a verdict may hang on: others say nothing of a view, even by having been there.
_ALLOWED = f"e.purposes & {int(Purpose.AD_MEASUREMENT)} <> 0"
#: By what rows of a view are told apart; and a bit for each type (and step): two seldom have the same.
_KEYS = ("site", "day", "time", "type", "person", "ad_view", "ad_step")
_OFTEN = ("ad_request", "ad_served", "ad_impression", "ad_viewable", "ad_engagement", "ad_click")
_MARK = (
    f"CASE type {' '.join(f'WHEN {kind!r} THEN {1 << n}::UBIGINT' for n, kind in enumerate(_OFTEN))}"
    f" ELSE {1 << len(_OFTEN)}::UBIGINT << (hash(type, ad_step) % {63 - len(_OFTEN)})::INTEGER END"
)
#: Rows of which one pass over everybody's holds the views; more pay for a pass, fewer hold more.
_PASS, _MOST = 4_000_000, 64


def shared(
    connection: duckdb.DuckDBPyConnection,
    everyone: str,
    where: str,
    bit: int,
    rows: int = 0,
    *,
    into: str = "ad_shared",
) -> None:
    """Make `into`: views that more than one person has sent on a day, and who was first,
    by when it was received: a copier can say an earlier time, and can't have known the id earlier.

    `everyone`: facts of all persons. `where`: a condition on the day. `rows`: about how many there are; a
    view is a hash, so passes by its range bound what is held."""
    passes = min(max(-(-rows // _PASS), 1), _MOST)
    for number in range(passes):
        first, last = (number << 64) // passes, (number + 1 << 64) // passes - 1
        part = "true" if passes == 1 else f"ad_view BETWEEN {first}::UBIGINT AND {last}::UBIGINT"
        query = (
            "SELECT site, day, ad_view, arg_min(person, (received, time, person)) AS sender"
            f" FROM {everyone} WHERE {where} AND ad_view IS NOT NULL AND {part} AND person IS NOT NULL"
            f" AND purposes & {bit:d} <> 0 GROUP BY ALL HAVING min(person) <> max(person)"
        )
        how = f"CREATE OR REPLACE TEMP TABLE {into} AS" if number == 0 else f"INSERT INTO {into}"
        connection.execute(f"{how} {query}")


def judge(
    connection: duckdb.DuckDBPyConnection,
    everyone: str,
    days: Sequence[date],
    columns: Sequence[str],
    judged: Mapping[date, int] | None = None,
    *,
    of: str = "events",
    sent: str = "ad_shared",
    into: str = "adverts",
) -> None:
    """Make `into` of the rows `of` a bucket, and of `sent` (`shared`): `columns` (and what verdicts are made
    of), `invalid` and its `ground`.

    `everyone`: facts of all persons. `judged`: the version for days that are not judged by the one in force.
    A row's verdict hangs on its person's rows of the same type on that day, and on the impressions of its
    view: so a part of a day's rows that has all of these is judged as the whole day is.
    """
    run, verdict = connection.execute, _verdict(days, judged)
    read = reads(days, judged)
    wanted = dict.fromkeys((*columns, *read))
    run(
        f"CREATE OR REPLACE TEMP TABLE {into} AS SELECT {', '.join(wanted)}, NULL::VARCHAR AS invalid,"
        f" NULL::VARCHAR AS ground FROM {of} WHERE starts_with(type, 'ad_')"
    )
    run(f"CREATE OR REPLACE TEMP VIEW ad_rows AS SELECT *, rowid AS n FROM {into}")
    _views(connection, everyone, days)
    _repeats(connection, everyone, days)
    _clicks(connection)
    # Few rows are invalid: a wide table is written once, and these are changed in it.
    run(
        f"CREATE OR REPLACE TEMP TABLE ad_invalid AS SELECT n, {verdict} AS said"
        f" FROM (SELECT {', '.join(f'r.{name}' for name in read)}, r.n, {_derived()} FROM ad_rows r"
        " LEFT JOIN ad_views v USING (site, day, person, ad_view)"
        f" LEFT JOIN {sent} s USING (site, day, ad_view)"
        " LEFT JOIN ad_again a USING (n) LEFT JOIN ad_clicks c USING (n)) WHERE said IS NOT NULL"
    )
    run(f"UPDATE {into} SET invalid = said, ground = {_ground()} FROM ad_invalid WHERE {into}.rowid = n")
    run("DROP VIEW ad_rows")
    for name in ("ad_invalid", "ad_eve", "ad_views", "ad_again", "ad_clicks"):
        run(f"DROP TABLE {name}")


def reads(days: Sequence[date], judged: Mapping[date, int] | None = None) -> list[str]:
    """The columns of a row that verdicts on those days hang on."""
    said = f"{_verdict(days, judged)} {_TIES}"
    return [name for name in ROW if name in _KEYS or re.search(rf"\b{name}\b", said)]


def _derived() -> str:
    return (
        "coalesce(a.nth, 1) AS nth, s.sender, date_diff('millisecond', v.began, r.time) AS after_ms,"
        f" r.type IN ({_LATER}) AND r.ad_view IS NOT NULL AND v.began IS NULL AS unshown,"
        " c.gap_ms, coalesce(c.same_gaps, 0) AS same_gaps"
    )


def _ground() -> str:
    """Of a verdict whether it is by lists and parameters, or by how rows go together: an expression."""
    general = ", ".join(f"'{reason}'" for reason, ground in sorted(grounds().items()) if ground == "general")
    return f"CASE WHEN said IN ({general}) THEN 'general' ELSE 'sophisticated' END"


def _views(connection: duckdb.DuckDBPyConnection, everyone: str, days: Sequence[date]) -> None:
    """Make `ad_views`: when each person's view began to render on that day; where it did not, when anybody's
    did on that day or the one before."""
    run = connection.execute
    run(
        "CREATE OR REPLACE TEMP TABLE ad_views AS SELECT site, day, person, ad_view,"
        f" min(time) FILTER (type = 'ad_impression') AS began, bool_or(type IN ({_LATER})) AS later,"
        f" count(*) > bit_count(bit_or({_MARK})) AS several"
        " FROM ad_rows WHERE ad_view IS NOT NULL GROUP BY ALL"
    )
    orphan = "SELECT site, day, ad_view FROM ad_views WHERE began IS NULL AND later"
    if not days or not run(f"{orphan} LIMIT 1").fetchone():
        return
    first, last = min(days) - timedelta(days=1), max(days)
    run(
        "CREATE OR REPLACE TEMP TABLE ad_began AS SELECT o.site, o.day, o.ad_view, min(time) AS shown"
        f" FROM {everyone} e JOIN (SELECT DISTINCT * FROM ({orphan})) o ON e.site = o.site"
        " AND e.ad_view = o.ad_view AND e.day BETWEEN o.day - 1 AND o.day WHERE type = 'ad_impression'"
        f" AND {_ALLOWED} AND e.day BETWEEN DATE '{first.isoformat()}' AND DATE '{last.isoformat()}'"
        " GROUP BY ALL"
    )
    run(
        "UPDATE ad_views SET began = shown FROM ad_began WHERE ad_views.site = ad_began.site"
        " AND ad_views.day = ad_began.day"
        " AND ad_views.ad_view = ad_began.ad_view AND ad_views.began IS NULL"
    )
    run("DROP TABLE ad_began")


def _repeats(connection: duckdb.DuckDBPyConnection, everyone: str, days: Sequence[date]) -> None:
    """Make `ad_again`: rows of views that may have sent several of a type and step on that day, or one on the
    day before, numbered. Few have: only theirs are put in order."""
    eve = " OR ".join(f"e.day = DATE '{(day - timedelta(days=1)).isoformat()}'" for day in days) or "false"
    view, same = "site, day, person, ad_view", "site, day, person, ad_view, type, step"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE ad_eve AS SELECT DISTINCT v.site, v.day, v.person, v.ad_view, e.type,"
        f" coalesce(e.ad_step, '') AS step, 1 AS before FROM {everyone} e JOIN ad_views v ON"
        " v.site = e.site AND v.person = e.person AND v.ad_view = e.ad_view AND v.day = e.day + 1"
        f" WHERE starts_with(e.type, 'ad_') AND {_ALLOWED} AND ({eve})"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE ad_again AS SELECT n, coalesce(before, 0) + row_number() OVER"
        f" (PARTITION BY {same} ORDER BY time, {_TIES}) AS nth FROM (SELECT r.*,"
        f" coalesce(ad_step, '') AS step FROM ad_rows r SEMI JOIN (SELECT {view} FROM ad_views WHERE several"
        f" UNION ALL SELECT {view} FROM ad_eve) USING ({view})) LEFT JOIN ad_eve USING ({same})"
    )


#: Of two rows of one moment the order must not depend on where they lie.
_TIES = (
    "treatment, duration_ms, ad_share, ad_flags, ad_rate, value, ad_slot, ad_campaign, ad_creative, ad_size,"
    " country, browser"
)


def _clicks(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `ad_clicks`: of each click how long ago the one before was, and how many came as regularly."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE ad_clicks AS SELECT n, gap_ms,"
        " CASE WHEN beat IS NULL THEN 0 ELSE count(*) OVER (PARTITION BY site, person, day, beat) END"
        " AS same_gaps"
        " FROM (SELECT n, site, person, day,"
        " date_diff('millisecond', lag(time) OVER same, time) AS gap_ms,"
        " (date_diff('millisecond', lag(time) OVER theirs, time) + 50) // 100 AS beat"
        " FROM ad_rows WHERE type = 'ad_click' WINDOW"
        " same AS (PARTITION BY site, person, day, ad_campaign, ad_creative, ad_slot"
        f" ORDER BY time, {_TIES}),"
        f" theirs AS (PARTITION BY site, person, day ORDER BY time, {_TIES}))"
    )


def _verdict(days: Sequence[date], judged: Mapping[date, int] | None) -> str:
    """The first reason that holds by the rules of the row's day: an expression."""
    by: dict[int, tuple[Rules, list[date]]] = {}
    for day in days:
        rules = in_force(day, judged)
        by.setdefault(rules.version, (rules, []))[1].append(day)
    cases = []
    for rules, some in by.values():
        reasons = " ".join(f"WHEN {rule.when} THEN '{rule.id}'" for rule in rules.rules)
        listed = ", ".join(f"DATE '{day.isoformat()}'" for day in some)
        where = f"day IN ({listed})" if len(by) > 1 else "true"
        cases.append(f"WHEN {where} THEN CASE {reasons} END")
    return f"CASE {' '.join(cases)} END" if cases else "NULL::VARCHAR"
