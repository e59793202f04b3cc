"""What some persons add to each report: its own SQL, run as the report runs it, and only their rows kept.

By day a report's SQL needs nobody's rows but theirs, and whoever else told of the same orders. Over all days
it does (what too few did on a day is no step), so that there everyone's are read, of their sites.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter.links import Linked
from warehouse import report as reports
from warehouse.cells import contribute
from warehouse.invalid.judged import judged
from warehouse.links import offer
from warehouse.relations import Bucket, Days, History, hold, offer_withdrawn
from warehouse.report import Report
from warehouse.settings import Warehouse

#: Nobody has logged in.
NONE = Linked(np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.int64))
EVENTS, RECEIVED = "lake.events", "lake.received"
#: A report may count a person once a day, as `growth` does: by a hash of both.
_ONLY = (
    "person IN (SELECT person FROM seen_as)"
    " OR person IN (SELECT hash(person, day) FROM days SEMI JOIN seen_as USING (person))"
)


def choose(connection: duckdb.DuckDBPyConnection, persons: NDArray[np.uint64], absent: pa.Table) -> None:
    """Make the table `chosen` of these persons, and `absent` (`relations.offer_withdrawn`)."""
    hold(connection, "chosen", pa.table({"person": pa.array(persons, pa.uint64())}))
    offer_withdrawn(connection, persons[:0], absent)


def places(connection: duckdb.DuckDBPyConnection, events: str = EVENTS) -> list[tuple[str, date, int]]:
    """(site, day, how many) of the days on which the chosen have facts of whatever purpose."""
    theirs = f"(SELECT * FROM {events} SEMI JOIN chosen USING (person))"
    return connection.execute(
        f"SELECT site, day, count(DISTINCT person) FROM {theirs} ANTI JOIN absent USING (site, day, person)"
        " GROUP BY ALL ORDER BY ALL"
    ).fetchall()


def footprints(
    connection: duckdb.DuckDBPyConnection,
    others: NDArray[np.uint64],
    absent: pa.Table,
    published: pa.Table,
    settings: Warehouse,
    logins: Linked = NONE,
    buckets: Sequence[Bucket] = (Bucket(),),
    events: str = EVENTS,
) -> Iterator[Report]:
    """Report by report that the chosen may count in, and bucket by bucket; each time the table
    `contributions` holds what they add to its rows (keys, person, sums capped), before small rows are hidden.

    `others`: persons not to be counted, as when the tables were made. `published`: (site, day) that may be.
    `logins`: by which rows of a browser are an account's, which then is the person of both. `events`: the
    facts, where they are not those of the lake as they stand.
    """
    found = places(connection, events)
    if not found:
        return
    run, many = connection.execute, settings.max_cells
    offer_withdrawn(connection, others[:0], absent)
    on = sorted({day for _, day, _ in found})
    _reach(connection, logins)
    met = offer(connection, f"(SELECT * FROM {events} SEMI JOIN reach USING (person))", logins, on)
    hold(connection, "gone_before", pa.table({"person": pa.array(others, pa.uint64())}))
    theirs = f"(SELECT * FROM {met} SEMI JOIN seen_as USING (person))"
    everyone = f"(SELECT * FROM {events} ANTI JOIN gone_before USING (person))"
    days = Days(connection, theirs, RECEIVED, on, many=many, everyone=everyone, judged=judged(connection))
    by_day = sorted((one for one in _counted() if one.grain == "day"), key=lambda one: one.bit)
    days.move(Bucket(), by_day)
    for report in by_day:
        days.show(report)
        contribute(connection, report, settings)
        yield report
    sites = ", ".join(f"'{site.replace(chr(39), chr(39) * 2)}'" for site in sorted({one[0] for one in found}))
    offer_withdrawn(connection, others, absent)
    facts = offer(connection, f"(SELECT * FROM {events} WHERE site IN ({sites}))", logins)
    history = History(
        connection, facts, RECEIVED, published, buckets, min_group=settings.min_group,
        judged=judged(connection),
    )  # fmt: skip
    over_all = [one for one in _counted() if one.grain == "all"]
    for bucket in buckets:
        history.move(bucket, over_all)
        for report in over_all:
            contribute(connection, report, settings)
            run(f"DELETE FROM contributions WHERE NOT ({_ONLY})")
            yield report


def _reach(connection: duckdb.DuckDBPyConnection, logins: Linked) -> None:
    """Make `reach`: the chosen and the browsers of their accounts; and `seen_as`: the chosen and the accounts
    of their browsers, as whom reports may count them."""
    chosen = np.asarray(connection.execute("FROM chosen").fetchnumpy()["person"], np.uint64)
    browsers = logins.device[np.isin(logins.account, chosen)]
    accounts = logins.account[np.isin(logins.device, chosen)]
    for name, more in (("reach", browsers), ("seen_as", accounts)):
        hold(connection, name, pa.table({"person": np.unique(np.concatenate([chosen, more]))}))


def _counted() -> list[Report]:
    return [one for one in reports.load().values() if one.people]
