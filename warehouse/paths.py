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

from warehouse.invalid.judging import judge, shared

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
_READ = ("site", "day", "time", "type", "person", "ad_view", "ad_order", "ad_goal", "ad_campaign", "value")
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
    in whom orders and refunds are looked up, are relations of facts; `events` is what reports see, and is
    another relation afterwards. `judged`: see `invalid/judged.py`."""
    run = connection.execute
    if not run("SELECT 1 FROM events WHERE starts_with(type, 'ad_') LIMIT 1").fetchall():
        for name, columns in RELATIONS.items():
            run(f"CREATE OR REPLACE TEMP TABLE {name} ({columns})")
        return
    first, last = min(days), max(days)
    before = first - timedelta(days=BACK)
    near = [before + timedelta(days=by) for by in range((last - before).days + 1)]
    after = last + timedelta(days=AHEAD)
    granted = f"purposes & {bit:d} <> 0 AND person IS NOT NULL"
    _goals(connection)
    _judge(connection, facts, everyone, near, f"{granted} AND {bucket}", bit, judged)
    run(
        "CREATE OR REPLACE TEMP TABLE told AS SELECT site, day, time, type, person, ad_order, value,"
        f" {_GOAL} AS goal FROM {everyone} ANTI JOIN withdrawn USING (person)"
        f" WHERE type IN ('ad_conversion', 'ad_refund') AND ad_order IS NOT NULL AND {granted}"
        f" AND day BETWEEN DATE '{before}' AND DATE '{after}'"
    )
    run(
        f"CREATE OR REPLACE TEMP TABLE mine AS SELECT row_number() OVER () AS number, site, day, time,"
        f" person, {_GOAL} AS goal, {_CAMPAIGN} AS campaign, ad_order, {_VALUE} AS value,"
        f" row_number() OVER (PARTITION BY site, day, {_GOAL}, ad_order, person"
        " ORDER BY time, ad_campaign, value) AS place FROM around SEMI JOIN here USING (site, day, person)"
        " WHERE type = 'ad_conversion' AND (invalid IS NULL OR invalid = 'duplicate')"
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
    run(
        f"CREATE OR REPLACE TEMP TABLE fires AS SELECT site, day, min(time) AS time, person,"
        f" {_CAMPAIGN} AS campaign, type = 'ad_click' AS click FROM around"
        " WHERE type IN ('ad_click', 'ad_viewable') AND invalid IS NULL"
        f" GROUP BY site, day, person, ad_view, {_CAMPAIGN}, click, CASE WHEN ad_view IS NULL THEN n END"
    )
    run(
        f"CREATE OR REPLACE TEMP VIEW told_by AS SELECT site, person, day FROM {facts} WHERE {granted}"
        f" AND type = 'ad_conversion' AND {bucket} AND day BETWEEN DATE '{before}' AND DATE '{last}'"
    )
    run(  # orders that stand, and whoever saw something on a day and ordered nothing
        "CREATE OR REPLACE TEMP TABLE ends AS SELECT number, site, day, person, goal, time FROM orders"
        f" WHERE {_STANDS} UNION ALL SELECT -row_number() OVER (), site, day, person, '(none)', max(time)"
        f" FROM fires ANTI JOIN (FROM orders WHERE {_STANDS}) USING (site, day, person)"
        " SEMI JOIN here USING (site, day, person) GROUP BY site, day, person"
    )
    run(
        f"CREATE OR REPLACE TEMP TABLE led AS SELECT o.number, t.campaign, t.click, {_AT} AS seen,"
        " date_diff('hour', date_trunc('hour', seen), date_trunc('hour', o.time)) AS hours,"
        " bool_or(t.click) OVER (PARTITION BY o.number) AS clicked FROM ends o"
        " LEFT JOIN windows w USING (goal) JOIN fires t ON t.site = o.site AND t.person = o.person"
        " AND (t.day < o.day OR (t.day = o.day AND t.time <= o.time))"
        f" WHERE {_AT} >= date_trunc('hour', o.time) - to_days(CASE WHEN t.click"
        f" THEN coalesce(w.after_click, {CLICK_DAYS}) ELSE coalesce(w.after_view, {VIEW_DAYS}) END)"
    )
    run(
        "CREATE OR REPLACE TEMP TABLE touches AS SELECT number, campaign, hours,"
        " row_number() OVER (PARTITION BY number ORDER BY seen, campaign) AS n,"
        " count(*) OVER (PARTITION BY number) AS of FROM led WHERE number > 0 AND click = clicked"
    )
    run(
        "CREATE OR REPLACE TEMP TABLE ways AS WITH latest AS (SELECT number, campaign FROM led"
        " WHERE click = clicked GROUP BY number, campaign"
        f" QUALIFY row_number() OVER (PARTITION BY number ORDER BY max(seen) DESC, campaign) <= {MOST}),"
        f" sets AS (SELECT number, string_agg(campaign, '{AND}' ORDER BY campaign) AS campaigns FROM latest"
        f" GROUP BY ALL) SELECT site, day, person, goal, coalesce(campaigns, '{NOBODY}') AS campaigns,"
        " count(*) FILTER (number > 0) AS orders FROM ends LEFT JOIN sets USING (number)"
        " WHERE number > 0 OR campaigns IS NOT NULL GROUP BY ALL"
    )
    run(
        "CREATE OR REPLACE TEMP TABLE labels AS WITH said AS (SELECT site, person, day, time, ad_group,"
        f" {_CAMPAIGN} AS campaign FROM {facts} ANTI JOIN withdrawn USING (person)"
        f" WHERE ad_group IS NOT NULL AND {granted} AND {bucket}"
        f" AND day BETWEEN DATE '{before}' AND DATE '{last}'),"
        " since AS (SELECT s.*, o.day AS met FROM said s"
        " JOIN here o"
        f" USING (site, person) WHERE s.day BETWEEN o.day - {BACK} AND o.day),"
        " groups AS (SELECT site, person, campaign, met, min(day) AS first,"
        " arg_min(ad_group, (day, ad_group)) AS part, min(time) FILTER (day = met) AS today"
        " FROM since GROUP BY ALL),"
        " before AS (SELECT DISTINCT site, person, day FROM told_by)"
        " SELECT site, met AS day, person, campaign, part, 'entered' AS stage FROM groups WHERE first = met"
        " UNION ALL SELECT g.site, g.met, g.person, g.campaign, g.part, 'ordered' FROM groups g SEMI JOIN"
        f" (FROM orders WHERE {_STANDS}) o ON o.site = g.site AND o.person = g.person AND o.day = g.met"
        " AND (g.first < g.met OR o.time >= g.today) ANTI JOIN before b ON b.site = g.site"
        " AND b.person = g.person AND b.day >= g.first AND b.day < g.met"
    )


def _judge(
    connection: duckdb.DuckDBPyConnection,
    facts: str,
    everyone: str,
    near: Sequence[date],
    which: str,
    bit: int,
    judged: Mapping[date, int] | None,
) -> None:
    """Make `here`, who is on which of the days shown; and `around`, their advert events of all days near, and
    why each is `invalid`. The verdicts on the days shown stay as they are where there are any."""
    run, mine = connection.execute, ("adverts", "ad_shared")
    span = f"day BETWEEN DATE '{near[0]}' AND DATE '{near[-1]}'"
    run("CREATE OR REPLACE TEMP TABLE here AS SELECT DISTINCT site, day, person FROM events")
    run(
        f"CREATE OR REPLACE TEMP TABLE near_here AS SELECT * FROM {facts} ANTI JOIN withdrawn USING (person)"
        " SEMI JOIN here USING (site, person) WHERE starts_with(type, 'ad_')"
        f" AND {which} AND {span}"
    )
    for name in mine:
        run(f"ALTER TABLE IF EXISTS {name} RENAME TO {name}_shown")
    run("CREATE OR REPLACE TEMP VIEW events AS FROM near_here")
    same = f"(SELECT * FROM {everyone} SEMI JOIN (SELECT ad_view FROM near_here) USING (ad_view))"
    shared(connection, same, span, bit)
    judge(connection, everyone, near, _READ, judged)
    run("CREATE OR REPLACE TEMP TABLE around AS SELECT *, row_number() OVER () AS n FROM adverts")
    for name in mine:
        run(f"DROP TABLE {name}")
        run(f"ALTER TABLE IF EXISTS {name}_shown RENAME TO {name}")


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
