"""What reports read: facts of some days, or of all, as relations in one connection, bucket by bucket.

Offered to reports by day (`Days`):
  events     rows granted the report's purpose, without those who have withdrawn; `local`: the site's time
  profiles   views and events of each (site, day, person) by country, device, browser, os, basis and signal
  visits     see `sessions.py`
  deals      what a marketplace's events say of each of their two people: site, day, name, person, `side`
             (0: who sent it, 1: the other), `category`, `band` (`consent_filter/market.py`)
  adverts    for advert measurement only: the ad_* rows of `events`, `invalid`, the reason why one is no valid
             traffic, and `ground` of the reason; both null where it is valid (`warehouse/invalid/judging.py`)
  advert_views   one row a view of an advert (`advert_views.py`), for advert measurement only
  orders, touches, ways, labels: see `paths.py`
Offered to reports over all days (`History`), of published days only, for measurement only:
  days       (site, day, person): identified, views, events
  firsts     (site, person): `first` day of identified people; `grouped`, where its new people may be told
  steps      (site, day, person): name and time of each custom event that a group did on that day
  trials     see `trials.py`
And for advert measurement only: `contacts`, what each saw of a campaign on a day (`advert_views.py`).
A row of nobody (`retention.py`: person, none) is in none of them: nothing could say how many they are.
For advert measurement, by day: catalogue_advertisers, …_campaigns, …_creatives, …_placements, …_flights and
…_goals: what the operator lists (`catalogue.py`), which is about nobody.
To both: `received`, the counts of the balance, which are about nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from typing import NamedTuple, Protocol

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter import market
from consent_filter.counterpart import TYPE
from consent_filter.purpose import Purpose
from warehouse import advert_views, paths, trials
from warehouse.catalogue import NOTHING, Catalogue
from warehouse.days import named
from warehouse.invalid.judging import judge, shared
from warehouse.report import Report
from warehouse.sessions import SELECT, visits

#: Up to so many rows are held in memory once; above, each report reads its own few columns of the files.
FEW = 200_000
COLUMNS = (
    "site, day, time, received, type, person, treatment, purposes, signal, basis, name, path, utm_source,"
    " utm_medium, utm_campaign, referrer_host, referrer_group, browser, os, device, country, duration_ms,"
    " scroll, ad_slot, ad_creative, ad_campaign, ad_placement, ad_size, ad_frequency, ad_group, ad_goal,"
    " ad_step, ad_view, ad_order, ad_share, ad_flags, ad_rate, continent, gender, cell, value,"
    " referral_channel, props"
)
#: Events of a marketplace's own, and the one property that they may have, as the filter writes it.
_DEALS = ", ".join(f"'{name}'" for name in market.EVENTS)
_CATEGORY = f"nullif(regexp_extract(props, '^[{{]\"{market.CATEGORY}\":\"([a-z0-9_-]+)\"[}}]$', 1), '')"
_PROFILE = "site, day, person, country, device, browser, os, basis, signal"
#: Persons who are not counted on a day of a site, though no word of theirs is against it any more.
ABSENT = pa.schema([("site", pa.string()), ("day", pa.date32()), ("person", pa.uint64())])
#: Rows that are events: not the narrow ones of other people's (`consent_filter/counterpart.py`).
OWN = f"type IS DISTINCT FROM '{TYPE}'"
_ADVERTS = int(Purpose.AD_MEASUREMENT)
#: The most rows of a group that a report makes of one event (`reports/viewing.sql`).
ROWS = 3
_MEASURED = f"purposes & {int(Purpose.MEASUREMENT)} <> 0"


class Bucket(NamedTuple):
    """One of `of` equal ranges of persons, whatever their number. A person is in the same one always."""

    number: int = 0
    of: int = 1

    @property
    def where(self) -> str:
        first, last = (self.number << 64) // self.of, (self.number + 1 << 64) // self.of - 1
        return "true" if self.of == 1 else f"person BETWEEN {first}::UBIGINT AND {last}::UBIGINT"


class Relations(Protocol):
    """What a build needs of relations: to be moved to a bucket, and to show a report what it may see."""

    def move(self, bucket: Bucket, reports: Sequence[Report]) -> None: ...
    def show(self, report: Report) -> None: ...


@contextmanager
def lent(connection: duckdb.DuckDBPyConnection, **tables: pa.Table) -> Iterator[None]:
    """Let SQL read Arrow tables by these names, without copying them."""
    for name, table in tables.items():
        connection.register(name, table)
    try:
        yield
    finally:
        for name in tables:
            connection.unregister(name)


def hold(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    """Copy an Arrow table into the connection, under a name."""
    with lent(connection, incoming=table):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM incoming")


def offer_withdrawn(
    connection: duckdb.DuckDBPyConnection, persons: NDArray[np.uint64], absent: pa.Table | None = None
) -> None:
    """The persons whom no report may count any more, as the table `withdrawn`; and who has come back and is
    not counted yet on some days (site, day, person; `departures.py`), as the table `absent`."""
    hold(connection, "withdrawn", pa.table({"person": pa.array(persons, pa.uint64())}))
    hold(connection, "absent", ABSENT.empty_table() if absent is None else absent)


def counted(connection: duckdb.DuckDBPyConnection) -> str:
    """The join that leaves whom a report may count."""
    join = "ANTI JOIN withdrawn USING (person)"
    some = connection.execute("SELECT 1 FROM absent LIMIT 1").fetchall()
    return f"{join} ANTI JOIN absent USING (site, day, person)" if some else join


def others(connection: duckdb.DuckDBPyConnection, everyone: str) -> str:
    """Facts of everyone whom a report may count: a verdict on somebody's rows must not show what was done by
    who has left. `everyone`: facts of all persons."""
    return f"(SELECT * FROM {everyone} {counted(connection)})"


class Days:
    """Facts of some days, for reports by day. `rows`: about how many there are. `everyone`: facts of all
    persons, where `facts` are some's: orders are looked up there, and what others sent again. `judged`: which
    rules of invalid traffic days are judged by, where it is not those in force."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        facts: str,
        received: str,
        days: Sequence[date],
        *,
        rows: int = 0,
        many: int,
        everyone: str = "",
        judged: Mapping[date, int] | None = None,
        catalogue: Catalogue = NOTHING,
    ) -> None:
        self._con, self._facts, self._received = connection, facts, received
        self._everyone, self._judged, self._shared = everyone or facts, judged, False
        self._catalogue: Catalogue | None = catalogue
        self._days, self._rows, self._many = days, rows, many
        self._bucket, self._bit = Bucket(), 0
        #: What is there of this bucket and this purpose.
        self._made: set[str] = set()
        self._reports: Sequence[Report] = ()
        self._soon: Future[pa.Table] | None = None

    def move(self, bucket: Bucket, reports: Sequence[Report]) -> None:
        """Make `facts`, `received`, and `busy`: who has so many events (n) that a cap of rows may be met."""
        run = self._con.execute
        held = self._rows // bucket.of <= FEW
        source = "held" if held else self._facts
        if held:
            run(
                f"CREATE OR REPLACE TEMP TABLE held AS SELECT {COLUMNS}, offset_min FROM {self._facts}"
                f" WHERE {named(self._days)} AND {bucket.where}"
            )
        where = "true" if held else f"{named(self._days)} AND {bucket.where}"
        run(
            f"CREATE OR REPLACE TEMP VIEW sides AS SELECT {COLUMNS}, time + to_minutes(offset_min) AS local"
            f" FROM {source} {counted(self._con)} WHERE person IS NOT NULL AND {where}"
        )
        run(f"CREATE OR REPLACE TEMP VIEW facts AS FROM sides WHERE {OWN}")
        once = named(self._days) if bucket.number == 0 else "false"
        run(f"CREATE OR REPLACE TEMP VIEW received AS SELECT * FROM {self._received} WHERE {once}")
        caps = [one.caps.get("cells", self._many) for one in reports if one.people and one.rest]
        run(
            "CREATE OR REPLACE TEMP TABLE busy AS SELECT day, person, count(*) AS n FROM sides"
            f" GROUP BY ALL HAVING {ROWS} * count(*) > {min([self._many, *caps]):d}"
        )
        self._bucket, self._bit, self._reports = bucket, 0, reports
        if self._catalogue is not None and any(one.bit == _ADVERTS for one in reports):
            for name, table in self._catalogue.tables().items():
                hold(self._con, name, table)
            self._catalogue = None  # the same for every bucket

    def show(self, report: Report) -> None:
        """Make `events` of the report's purpose, and what the report reads that is made of them."""
        if report.bit != self._bit:
            self._offer(report.bit)
            self._con.execute(
                "CREATE OR REPLACE TEMP VIEW deals AS SELECT site, day, name, person, value AS band,"
                f" CASE WHEN {OWN} THEN 0 ELSE 1 END AS side, {_CATEGORY} AS category FROM sides"
                f" WHERE name IN ({_DEALS}) AND type IN ('event', '{TYPE}')"
                f" AND purposes & {report.bit:d} <> 0"
            )
            self._bit, self._soon = report.bit, None
            self._made.clear()
            if any(one.bit == report.bit and one.mentions("visits") for one in self._reports):
                self._begin_visits()
        if report.mentions("profiles") and self._lacks("profiles"):
            self._con.execute(
                f"CREATE OR REPLACE TEMP TABLE profiles AS SELECT {_PROFILE},"
                " count(*) FILTER (type = 'page_view') AS views, count(*) AS events FROM events GROUP BY ALL"
            )
        if report.mentions("visits") and self._soon is not None:
            hold(self._con, "visits", self._soon.result())
            self._soon = None
        views = report.mentions("advert_views")
        led = any(report.mentions(name) for name in paths.RELATIONS)
        if (views or led or report.mentions("adverts")) and self._lacks("adverts"):
            self.judge(report.bit, ["person", *self._mentioned()])
        if views and self._lacks("advert_views"):
            advert_views.offer_views(self._con)
        if led and self._lacks("ways"):
            where = self._bucket.where
            everyone = others(self._con, self._everyone)
            paths.offer(self._con, self._facts, everyone, self._days, where, report.bit, self._judged)

    def _lacks(self, name: str) -> bool:
        """Whether that is to be made; from now on it is there."""
        lacks = name not in self._made
        self._made.add(name)
        return lacks

    def judge(self, bit: int, columns: Sequence[str]) -> None:
        """Make `adverts` with those columns, of `events` of that purpose."""
        if self._bit != bit:
            self._offer(bit)
        if not self._shared:
            shared(self._con, others(self._con, self._everyone), named(self._days), bit, self._rows)
            self._shared = True
        judge(self._con, others(self._con, self._everyone), self._days, columns, self._judged)

    def _mentioned(self) -> list[str]:
        """The columns that any report reads of `adverts`."""
        reading = [one for one in self._reports if one.mentions("adverts")]
        viewed = any(one.mentions("advert_views") for one in self._reports)
        led = any(one.mentions(name) for one in self._reports for name in paths.RELATIONS)
        return [
            name
            for name in (*COLUMNS.split(", "), "local")
            if (viewed and name in advert_views.READS)
            or (led and name in paths.READS)
            or any(one.mentions(name) for one in reading)
        ]

    def _offer(self, bit: int) -> None:
        self._con.execute(
            f"CREATE OR REPLACE TEMP VIEW events AS SELECT * FROM facts WHERE purposes & {bit:d} <> 0"
        )

    def _begin_visits(self) -> None:
        """Find visits while the database makes the reports that read none: numpy is one core's work."""
        columns = self._con.sql(f"SELECT {SELECT} FROM events").to_arrow_table()
        pool = ThreadPoolExecutor(1, thread_name_prefix="visits")
        self._soon = pool.submit(visits, columns)
        pool.shutdown(wait=False)


class History:
    """Facts of all published days, for reports over all days.

    A day that `traffic_day` doesn't publish is left out: else a week less its published days would be the
    day that was hidden. `firsts.grouped` is true where `new_returning` publishes the new people of a day: a
    cohort that held others, less the new people of its published days, would be those; they, or who is
    hidden with them, may be few. Likewise `steps` has no event that fewer than a group did on a day.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        facts: str,
        received: str,
        published: pa.Table,
        buckets: Sequence[Bucket] = (Bucket(),),
        *,
        min_group: int,
        judged: Mapping[date, int] | None = None,
    ) -> None:
        self._con, self._facts, self._received, self._least = connection, facts, received, min_group
        self._judged = judged
        hold(connection, "published", published.select(["site", "day"]))
        for name in ("kinds", "done"):
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {name} (site VARCHAR, day DATE, name VARCHAR, people BIGINT)"
            )
        self._at: Bucket | None = None
        self._met: Bucket | None = None
        advert_views.begin(connection, others(connection, facts))
        trials.begin(connection)
        for bucket in buckets:
            self._load(bucket)
            connection.execute(
                "INSERT INTO kinds SELECT d.site, d.day, CASE WHEN NOT identified THEN 'unknown'"
                " WHEN d.day = first THEN 'new' ELSE 'returning' END AS name, count(*)"
                " FROM days d LEFT JOIN begun USING (site, person) GROUP BY ALL"
            )
            connection.execute(
                "INSERT INTO done SELECT site, day, name, count(DISTINCT person) FROM named GROUP BY ALL"
            )
            advert_views.note(connection, self._kept(bucket))
            trials.note(connection)

    def move(self, bucket: Bucket, reports: Sequence[Report]) -> None:
        """Make `days`, `firsts`, `steps` and `received` of a bucket."""
        if bucket != self._at:
            self._load(bucket)
        if bucket != self._met and any(report.mentions("contacts") for report in reports):
            advert_views.meet(self._con, self._kept(bucket), others(self._con, self._facts), self._judged)
            advert_views.limit(self._con, self._least)
            self._met = bucket
        k = f"{self._least:d}"
        # What is hidden with a kind of too few is the next smallest kind, by name where they are equal.
        run, k = self._con.execute, f"{self._least:d}"
        run(
            "CREATE OR REPLACE TEMP TABLE firsts AS SELECT f.*, coalesce(grouped, false) AS grouped"
            " FROM begun f LEFT JOIN (SELECT site, day AS first,"
            f" max(people) FILTER (name = 'new') AS fresh, fresh >= {k} AND"
            f" (coalesce(sum(people) FILTER (people < {k}), {k}) >= {k}"
            f" OR fresh > min(people) FILTER (people >= {k} AND name <> 'new')) AS grouped"
            " FROM (SELECT site, day, name, sum(people) AS people FROM kinds GROUP BY ALL) GROUP BY ALL)"
            " USING (site, first)"
        )
        run(
            "CREATE OR REPLACE TEMP VIEW steps AS SELECT * FROM named SEMI JOIN (SELECT site, day, name"
            f" FROM done GROUP BY ALL HAVING sum(people) >= {k}) USING (site, day, name)"
        )
        trials.limit(self._con, self._least)
        once = "true" if bucket.number == 0 else "false"
        run(f"CREATE OR REPLACE TEMP VIEW received AS SELECT * FROM {self._received} WHERE {once}")

    def _load(self, bucket: Bucket) -> None:
        run, self._at = self._con.execute, bucket
        kept = (
            f"{self._facts} SEMI JOIN published USING (site, day) {counted(self._con)}"
            f" WHERE {_MEASURED} AND {OWN} AND person IS NOT NULL AND {bucket.where}"
        )
        run(
            "CREATE OR REPLACE TEMP TABLE days AS SELECT site, day, person,"
            " bool_or(treatment = 'identified') AS identified,"
            f" count(*) FILTER (type = 'page_view') AS views, count(*) AS events FROM {kept} GROUP BY ALL"
        )
        run(
            "CREATE OR REPLACE TEMP TABLE begun AS SELECT site, person, min(day) AS first FROM days"
            " WHERE identified GROUP BY ALL"
        )
        run(
            "CREATE OR REPLACE TEMP VIEW named AS SELECT site, day, person, name, time FROM"
            f" {kept} AND type = 'event' AND name IS NOT NULL"
        )
        trials.load(self._con, kept)

    def _kept(self, bucket: Bucket) -> str:
        """Facts of all days and purposes of those in a bucket who may be counted, up to a condition."""
        return f"{self._facts} {counted(self._con)} WHERE {OWN} AND person IS NOT NULL AND {bucket.where}"

    def show(self, report: Report) -> None:
        """Nothing to do: `contacts` are of advert measurement, all others of measurement."""
