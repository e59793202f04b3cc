"""Views of adverts, and what people saw of a campaign on a day: what reports on adverts are made of (M35).

`advert_views`  one row a view (requested → served → rendered → viewable → clicked): the words of all of its
                events, since a request does not know its campaign yet, and how many events of each kind it
                had, all of them and those that no rule speaks against (`net_…`). Events that name no view
                are one row for each set of words
`contacts`      (site, day, person, way, campaign): impressions, all of them and net of invalid traffic,
                whether the person is known beyond the day, and what the device said of how often it had seen
                the campaign (S11); `flight` is the first day. `way` is advert; or one of the ways in which
                members are written to, with `messages`, of no campaign (M74).
                Only of campaigns, ways and days of which a report by day may tell: see `limit`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import duckdb

from consent_filter.marketing import CONTACT, WAYS
from consent_filter.purpose import Purpose
from warehouse.invalid.judging import judge, shared
from warehouse.report import OTHER

#: Kinds of events in the order of a view's life, and the numbers that they are counted in.
KINDS = {
    "requests": "ad_request", "served": "ad_served", "impressions": "ad_impression",
    "viewable": "ad_viewable", "ended": "ad_engagement", "clicks": "ad_click",
}  # fmt: skip
#: What is counted net of invalid traffic as well (MRC: gross and net are both told).
NET = ("impressions", "viewable", "ended", "clicks")
_WORDS = ("ad_campaign", "ad_creative", "ad_placement", "path", "continent", "country", "device")
#: What is read of `adverts`.
READS = ("site", "day", "person", "type", "ad_view", "ad_slot", "ad_share", *_WORDS)
_WORD = {"ad_placement": "coalesce(ad_placement, ad_slot)"}
_ALLOWED = f"purposes & {int(Purpose.AD_MEASUREMENT)} <> 0"
_CONTACT = f"{_ALLOWED} AND type = 'ad_impression'"
_WAYS = ", ".join(f"'{way}'" for way in WAYS)
_MESSAGE = f"{_ALLOWED} AND type = '{CONTACT}' AND ad_step IN ({_WAYS}) AND treatment = 'identified'"
#: Impressions that are judged at once, where days can be taken apart.
HELD = 2_000_000


def offer_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `advert_views` of the relation `adverts`.

    `measured` are views of which is known whether they were viewable: that were, or that ended and said how
    much of them was in view, which a frame that sees nothing of itself cannot (IAB/MRC: the rate is viewable
    / measured). A view that was viewable twice over counts twice in both, so that the part stays
    no larger than the whole; `net_` has neither.
    """
    words = {word: _WORD.get(word, word) for word in _WORDS}
    nameless = f"hash({', '.join(words.values())})"
    of = {name: f"type = '{kind}'" for name, kind in KINDS.items()}
    of["ended"] += " AND ad_share IS NOT NULL"
    counts = [f"count(*) FILTER ({said}) AS {name}" for name, said in of.items()]
    counts += [f"count(*) FILTER ({of[name]} AND invalid IS NULL) AS net_{name}" for name in NET]
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE advert_views AS SELECT * EXCLUDE (view, ended, net_ended),"
        f" {_measured('')} AS measured, {_measured('net_')} AS net_measured"
        f" FROM (SELECT site, day, person, coalesce(ad_view, {nameless}) AS view,"
        f" {', '.join(f'max({made}) AS {word}' for word, made in words.items())}, {', '.join(counts)}"
        f" FROM adverts WHERE type IN ({', '.join(repr(kind) for kind in KINDS.values())})"
        " GROUP BY site, day, person, view)"
    )


def _measured(net: str) -> str:
    return f"greatest({net}viewable, {net}ended)"


def begin(connection: duckdb.DuckDBPyConnection, facts: str) -> None:
    """Make `campaign_days`, to which every bucket adds (`note`) before any is counted; and which views
    several people have sent (`judging.shared`), of `facts`, those of everybody."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE campaign_days"
        " (site VARCHAR, day DATE, way VARCHAR, ad_campaign VARCHAR, people BIGINT)"
    )
    found = connection.execute(f"SELECT count(*) FROM {facts} WHERE ad_view IS NOT NULL").fetchone()
    shared(connection, facts, "true", int(Purpose.AD_MEASUREMENT), found[0] if found else 0)


def meet(
    connection: duckdb.DuckDBPyConnection,
    kept: str,
    everyone: str,
    judged: Mapping[date, int] | None = None,
    most: int = HELD,
) -> None:
    """Make `met` of a bucket: `contacts` of all campaigns. `kept`: the rows of those who may be counted.
    `everyone`, `judged`: as `judge` has them. Days are judged together as long as they have no more than
    `most` impressions: a verdict does not depend on that, and what is held is bounded by it."""
    run, shown = connection.execute, f"{kept} AND {_CONTACT}"
    run(
        "CREATE OR REPLACE TEMP TABLE met (site VARCHAR, day DATE, person UBIGINT, ad_campaign VARCHAR,"
        " ad_frequency VARCHAR, known BOOLEAN, impressions BIGINT, net_impressions BIGINT, way VARCHAR,"
        " messages BIGINT)"
    )
    run(
        "INSERT INTO met SELECT site, day, person, '' AS ad_campaign, NULL, true, 0, 0, ad_step AS way,"
        f" count(*) FROM {kept} AND {_MESSAGE} GROUP BY ALL"
    )
    columns = ("site", "day", "person", "ad_campaign", "ad_frequency", "treatment")
    for days in _together(
        run(f"SELECT day, count(*) FROM {shown} GROUP BY ALL ORDER BY ALL").fetchall(), most
    ):
        listed = ", ".join(f"DATE '{day.isoformat()}'" for day in days)
        run(f"CREATE OR REPLACE TEMP VIEW events AS SELECT * FROM {shown} AND day IN ({listed})")
        judge(connection, everyone, days, columns, judged)
        run(
            "INSERT INTO met SELECT site, day, person, ad_campaign, ad_frequency,"
            " treatment = 'identified' AS known, count(*) AS impressions,"
            " count(*) FILTER (invalid IS NULL) AS net_impressions, 'advert' AS way, 0 AS messages"
            " FROM adverts WHERE ad_campaign IS NOT NULL GROUP BY ALL"
        )
        run("DROP TABLE adverts")


def _together(rows: Sequence[tuple[date, int]], most: int) -> Iterator[list[date]]:
    """Days in their order, as many as have no more than `most` rows; a day of more is alone."""
    days: list[date] = []
    held = 0
    for day, n in rows:
        if days and held + n > most:
            yield days
            days, held = [], 0
        days.append(day)
        held += n
    if days:
        yield days


def limit(connection: duckdb.DuckDBPyConnection, least: int) -> None:
    """Make `contacts` of a bucket.

    A week less its published days would be the day that was hidden: so a campaign counts on days on which it
    reached a group; and where others did not, not if it is the smallest of the rest, which is hidden with
    them (`release.py`). It is the same with the ways of messages.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP VIEW contacts AS SELECT met.*, flight FROM met JOIN (SELECT site, day, way,"
        " ad_campaign, min(day) OVER (PARTITION BY site, way, ad_campaign) AS flight FROM"
        " (SELECT site, day, way, ad_campaign, people, min(people) OVER w AS fewest, row_number() OVER"
        f" (PARTITION BY site, day, way = 'advert', people >= {least:d} ORDER BY people, ad_campaign, way)"
        " AS place FROM (SELECT site, day, way, ad_campaign, sum(people) AS people FROM campaign_days"
        f" GROUP BY ALL) WINDOW w AS (PARTITION BY site, day, way = 'advert')) WHERE people >= {least:d}"
        f" AND (fewest >= {least:d} OR place > 1) AND ad_campaign <> '{OTHER}')"
        " USING (site, day, way, ad_campaign)"
    )


def note(connection: duckdb.DuckDBPyConnection, kept: str) -> None:
    """Add the bucket's people to `campaign_days`. `kept`: as `meet` has it; nothing needs to be judged for
    that."""
    connection.execute(
        "INSERT INTO campaign_days SELECT site, day, 'advert' AS way, ad_campaign, count(DISTINCT person)"
        f" FROM {kept} AND {_CONTACT} AND ad_campaign IS NOT NULL GROUP BY ALL"
        " UNION ALL SELECT site, day, ad_step AS way, '' AS ad_campaign, count(DISTINCT person)"
        f" FROM {kept} AND {_MESSAGE} GROUP BY ALL"
    )
