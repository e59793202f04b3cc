"""Orders, and what led to them: what attribution reads of people who allowed advert measurement.

  orders   one row a conversion of the days shown: number, site, day, time, person, goal, campaign (its own),
           value in whole units; `counts` (false: the order was told before), `refunded` (something was given
           back), `returned` (all of it), `given` (how much)
  touches  what an order that stands is credited to: number, campaign, `n` of `of` in the order of time,
           `hours` before it
  ways     by person and day: the campaigns that led to an order of a `goal`, as one word, and how many; or to
           none: then of who saw something that day, with the goal (none)
  labels   people of a campaign's experiment, on the day that they came into their group, and on that of their
           first order since: site, day, person, campaign, `part`, `stage`

A click counts for `window_click_days` of the goal (30), a viewable impression for `window_view_days` (1);
where there is a click, impressions count for nothing. A view is one touch a day, and what rules of invalid
traffic speak against is none. An order is one of the site, its goal and its number, whoever tells it: the
first counts.

Of days before the order's own the hour is read, and nothing finer: so a day comes out the same as long as its
own facts are as they were, though those before it have become coarser (S22).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import duckdb

from warehouse.days import named
from warehouse.invalid.judging import judge, reads, shared

#: How far back a path, a label or the first telling of an order is looked for, in days. No window is longer.
BACK = 30
#: How long after an order what was given back of it is counted, in days.
AHEAD = 60
#: Windows where the catalogue says nothing of a goal: days after a click, and after an impression in view.
CLICK_DAYS, VIEW_DAYS = 30, 1
#: Campaigns of a way, the latest of them.
MOST = 4
#: What is made, and its columns.
RELATIONS = {
    "orders": "number BIGINT, site VARCHAR, day DATE, time TIMESTAMP_MS, person UBIGINT, goal VARCHAR,"
    " campaign VARCHAR, value BIGINT, counts BOOLEAN, refunded BOOLEAN, returned BOOLEAN, given BIGINT",
    "touches": "number BIGINT, campaign VARCHAR, hours BIGINT, n BIGINT, of BIGINT",
    "ways": "site VARCHAR, day DATE, person UBIGINT, goal VARCHAR, campaigns VARCHAR, orders BIGINT",
    "labels": "site VARCHAR, day DATE, person UBIGINT, campaign VARCHAR, part VARCHAR, stage VARCHAR",
}
#: What stands where no campaign led to an order; and between the campaigns of one way.
NOBODY, AND = "(unattributed)", " + "
_STANDS = "counts AND NOT returned"
_GOAL = "coalesce(ad_goal, '(none)')"
_CAMPAIGN = "coalesce(ad_campaign, '(none)')"
_VALUE = "round(greatest(coalesce(value, 0), 0))::BIGINT"
#: What is read of `adverts`.
READS = ("site", "day", "time", "type", "person", "ad_view", "ad_order", "ad_goal", "ad_campaign", "value")
#: A touch, seen from a moment of a day: to the millisecond on that day, to the hour before it.
_AT = "CASE WHEN t.day = o.day THEN t.time ELSE date_trunc('hour', t.time) END"


def offer(
    connection: duckdb.DuckDBPyConnection,
    facts: str,
    everyone: str,
    days: Sequence[date],
    bucket: str,
    bit: int,
    judged: Mapping[date, int] | None = None,
) -> None:
    """Make RELATIONS of these days. `facts`, of which the condition `bucket` names a bucket, and `everyone`,
    in whom orders and refunds are looked up, are relations of facts; `events` is what reports see, and
    `adverts` the same, judged, with READS. `judged`: see `invalid/judged.py`."""
    run = connection.execute
    if not run("SELECT 1 FROM adverts LIMIT 1").fetchall():
        for name, columns in RELATIONS.items():
            run(f"CREATE OR REPLACE TEMP TABLE {name} ({columns})")
        return
    first, last = min(days), max(days)
    before, after = first - timedelta(days=BACK), last + timedelta(days=AHEAD)
    granted = f"purposes & {bit:d} <> 0 AND person IS NOT NULL"
    _goals(connection)
    run("CREATE OR REPLACE TEMP TABLE here AS SELECT DISTINCT site, day, person FROM events")
    _order(connection, everyone, f"{granted} AND day BETWEEN DATE '{before}' AND DATE '{after}'")
    run(f"CREATE OR REPLACE TEMP TABLE fires AS {_fires('adverts')}")
    run(  # orders that stand, and whoever saw something on a day and ordered nothing
        "CREATE OR REPLACE TEMP TABLE ends AS SELECT number, site, day, person, goal, time FROM orders"
        f" WHERE {_STANDS} UNION ALL SELECT -row_number() OVER (), site, day, person, '(none)', max(time)"
        f" FROM fires ANTI JOIN (FROM orders WHERE {_STANDS}) USING (site, day, person)"
        " GROUP BY site, day, person"
    )
    _look_back(connection, facts, everyone, days, f"{granted} AND {bucket}", bit, judged)
    run(
        f"CREATE OR REPLACE TEMP TABLE led AS SELECT o.number, t.campaign, t.click, {_AT} AS seen,"
        " date_diff('hour', date_trunc('hour', seen), date_trunc('hour', o.time)) AS hours FROM ends o"
        " LEFT JOIN windows w USING (goal) JOIN fires t ON t.site = o.site AND t.person = o.person"
        " AND (t.day < o.day OR (t.day = o.day AND t.time <= o.time))"
        f" WHERE {_AT} >= date_trunc('hour', o.time) - to_days(CASE WHEN t.click"
        f" THEN coalesce(w.after_click, {CLICK_DAYS}) ELSE coalesce(w.after_view, {VIEW_DAYS}) END)"
    )
    run(  # where there is a click, impressions count for nothing
        "DELETE FROM led WHERE NOT click AND number IN (SELECT number FROM led WHERE click)"
    )
    run(
        "CREATE OR REPLACE TEMP TABLE touches AS SELECT number, campaign, hours,"
        " row_number() OVER (PARTITION BY number ORDER BY seen, campaign) AS n,"
        " count(*) OVER (PARTITION BY number) AS of FROM led WHERE number > 0"
    )
    run(
        "CREATE OR REPLACE TEMP TABLE ways AS WITH latest AS (SELECT number, campaign FROM led"
        " GROUP BY number, campaign"
        f" QUALIFY row_number() OVER (PARTITION BY number ORDER BY max(seen) DESC, campaign) <= {MOST}),"
        f" sets AS (SELECT number, string_agg(campaign, '{AND}' ORDER BY campaign) AS campaigns FROM latest"
        f" GROUP BY ALL) SELECT site, day, person, goal, coalesce(campaigns, '{NOBODY}') AS campaigns,"
        " count(*) FILTER (number > 0) AS orders FROM ends LEFT JOIN sets USING (number)"
        " WHERE number > 0 OR campaigns IS NOT NULL GROUP BY ALL"
    )
    _label(connection, facts, f"{granted} AND {bucket} AND day BETWEEN DATE '{before}' AND DATE '{last}'")


def _order(connection: duckdb.DuckDBPyConnection, everyone: str, which: str) -> None:
    """Make `orders`. `which`: a condition on `everyone`, of the days on which the same may have been told."""
    run = connection.execute
    run(
        f"CREATE OR REPLACE TEMP TABLE mine AS SELECT row_number() OVER () AS number, site, day, time,"
        f" person, {_GOAL} AS goal, {_CAMPAIGN} AS campaign, ad_order, {_VALUE} AS value,"
        f" row_number() OVER (PARTITION BY site, day, {_GOAL}, ad_order, person"
        " ORDER BY time, ad_campaign, value) AS place FROM adverts"
        " WHERE type = 'ad_conversion' AND (invalid IS NULL OR invalid = 'duplicate')"
    )
    told = run("SELECT 1 FROM mine WHERE ad_order IS NOT NULL LIMIT 1").fetchall()
    run(
        "CREATE OR REPLACE TEMP TABLE told AS SELECT site, day, time, type, person, ad_order, value,"
        f" {_GOAL} AS goal FROM {everyone} ANTI JOIN withdrawn USING (person)"
        f" WHERE type IN ('ad_conversion', 'ad_refund') AND ad_order IS NOT NULL"
        f" AND {which if told else 'false'}"
    )
    same = "m.site = t.site AND m.goal = t.goal AND m.ad_order = t.ad_order"
    run(
        "CREATE OR REPLACE TEMP TABLE orders AS WITH"
        f" again AS (SELECT DISTINCT number FROM mine m JOIN told t ON {same} AND t.type = 'ad_conversion'"
        f" AND t.day >= m.day - {BACK} AND (t.day, t.time, t.person) < (m.day, m.time, m.person)),"
        " back AS (SELECT number, bool_or(t.value IS NULL) AS everything,"
        f" sum({_VALUE.replace('value', 't.value')})::BIGINT AS returns FROM mine m JOIN told t ON {same}"
        f" AND t.type = 'ad_refund' AND t.day BETWEEN m.day - 1 AND m.day + {AHEAD} GROUP BY ALL)"
        " SELECT m.* EXCLUDE (place), (ad_order IS NULL OR place = 1) AND a.number IS NULL AS counts,"
        " counts AND returns IS NOT NULL AS refunded,"
        " refunded AND (everything OR returns >= value) AS returned,"
        " CASE WHEN returned THEN value WHEN refunded THEN returns ELSE 0 END AS given"
        " FROM mine m LEFT JOIN again a USING (number) LEFT JOIN back USING (number)"
    )


def _fires(judged: str) -> str:
    """A query: clicks and what was viewable, of rows that are judged; those of one view are one."""
    what = f"{_CAMPAIGN} AS campaign, type = 'ad_click' AS click FROM {judged}"
    valid = "type IN ('ad_click', 'ad_viewable') AND invalid IS NULL"
    return (
        f"SELECT site, day, min(time) AS time, person, {what} WHERE {valid} AND ad_view IS NOT NULL"
        f" GROUP BY site, day, person, ad_view, campaign, click"
        f" UNION ALL SELECT site, day, time, person, {what} WHERE {valid} AND ad_view IS NULL"
    )


def _look_back(
    connection: duckdb.DuckDBPyConnection,
    facts: str,
    everyone: str,
    days: Sequence[date],
    which: str,
    bit: int,
    judged: Mapping[date, int] | None,
) -> None:
    """Add to `fires` what those of `ends` did on days that are not shown, or not shown of them (`absent`).

    Nothing but clicks is read of a day that no window of impressions reaches, and of what a verdict hangs on
    (`judge`) only that: of views that were clicked the impressions.
    """
    run = connection.execute
    away = run("SELECT 1 FROM absent LIMIT 1").fetchall()
    shown = set[date]() if away else set(days)
    near = [day for n in range(BACK + (max(days) - min(days)).days + 1)
            if (day := min(days) - timedelta(days=BACK - n)) not in shown]  # fmt: skip
    if not near:
        return
    ((wide,),) = run("SELECT greatest(max(after_view), ?) FROM windows", [VIEW_DAYS]).fetchall()
    # Two days more: windows are of hours, and days of a site's clock, which may have been put forward.
    seen = [day for day in near if any(0 <= (one - day).days <= wide + 2 for one in days)]
    theirs = (
        f"FROM {facts} ANTI JOIN withdrawn USING (person)"
        " SEMI JOIN (SELECT site, person FROM ends) USING (site, person)"
        f"{' ANTI JOIN here USING (site, day, person)' if away else ''} WHERE {which} AND"
    )
    columns = ", ".join(dict.fromkeys((*READS, *reads(near, judged))))
    run(
        f"CREATE OR REPLACE TEMP TABLE back_rows AS SELECT {columns} {theirs}"
        f" ((type = 'ad_click' AND {named(near)})"
        f" OR (type IN ('ad_impression', 'ad_viewable') AND {named(seen)}))"
    )
    if far := sorted(set(near) - set(seen)):
        view = "site, day, person, ad_view"
        run(
            f"INSERT INTO back_rows BY NAME SELECT {view}, type, time FROM {facts}"
            f" SEMI JOIN (SELECT {view} FROM back_rows WHERE type = 'ad_click') USING ({view})"
            f" WHERE {which} AND type = 'ad_impression' AND {named(far)}"
        )
    if run("SELECT 1 FROM back_rows LIMIT 1").fetchall():
        run(  # these views, whoever has sent them
            "CREATE OR REPLACE TEMP TABLE back_views AS SELECT site, day, time, received, type, person,"
            f" purposes, ad_view, ad_step FROM {everyone}"
            " SEMI JOIN (SELECT ad_view FROM back_rows) USING (ad_view)"
            f" WHERE {named([near[0] - timedelta(days=1), *near])}"
        )
        shared(connection, "back_views", named(near), bit, into="back_shared")
        judge(
            connection,
            "back_views",
            near,
            READS,
            judged,
            of="back_rows",
            sent="back_shared",
            into="back_judged",
        )
        run(f"INSERT INTO fires {_fires('back_judged')}")


def _label(connection: duckdb.DuckDBPyConnection, facts: str, which: str) -> None:
    """Make `labels`. `which`: a condition on facts, of the days that are near."""
    run = connection.execute
    run(
        "CREATE OR REPLACE TEMP TABLE labelled AS SELECT site, person, day, time, ad_group,"
        f" {_CAMPAIGN} AS campaign FROM {facts} ANTI JOIN withdrawn USING (person)"
        f" WHERE ad_group IS NOT NULL AND {which}"
    )
    if not run("SELECT 1 FROM labelled LIMIT 1").fetchall():
        run(f"CREATE OR REPLACE TEMP TABLE labels ({RELATIONS['labels']})")
        return
    run(
        "CREATE OR REPLACE TEMP TABLE labels AS WITH since AS (SELECT s.*, o.day AS met FROM labelled s"
        " JOIN here o"
        f" USING (site, person) WHERE s.day BETWEEN o.day - {BACK} AND o.day),"
        " groups AS (SELECT site, person, campaign, met, min(day) AS first,"
        " arg_min(ad_group, (day, ad_group)) AS part, min(time) FILTER (day = met) AS today"
        " FROM since GROUP BY ALL),"
        f" before AS (SELECT DISTINCT site, person, day FROM {facts} WHERE type = 'ad_conversion'"
        f" AND {which})"
        " SELECT site, met AS day, person, campaign, part, 'entered' AS stage FROM groups WHERE first = met"
        " UNION ALL SELECT g.site, g.met, g.person, g.campaign, g.part, 'ordered' FROM groups g SEMI JOIN"
        f" (FROM orders WHERE {_STANDS}) o ON o.site = g.site AND o.person = g.person AND o.day = g.met"
        " AND (g.first < g.met OR o.time >= g.today) ANTI JOIN before b ON b.site = g.site"
        " AND b.person = g.person AND b.day >= g.first AND b.day < g.met"
    )


def _goals(connection: duckdb.DuckDBPyConnection) -> None:
    """Windows by goal, as the catalogue has them, where there is one."""
    try:
        connection.execute("FROM catalogue_goals LIMIT 0")
        source = "catalogue_goals"
    except duckdb.CatalogException:
        source = "(SELECT '' AS goal, 0 AS window_click_days, 0 AS window_view_days WHERE false)"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE windows AS SELECT goal, least({BACK}, coalesce(window_click_days,"
        f" {CLICK_DAYS}))::INTEGER AS after_click, least({BACK}, coalesce(window_view_days, {VIEW_DAYS}))"
        f"::INTEGER AS after_view FROM {source}"
    )
