"""Adverts to the last event: received = net + filtered + ended + refused, by reason (S15, M44).

Numbers of whole sites and days, for the operator: nothing here is by campaign, and nobody is in it. Reports
say the rest, to whom they may (`reports/invalid_traffic.sql`, `reports/advert_balance.sql`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
from msgspec import Struct

from consent_filter.counts import RECEIVED, REFUSED, STORED
from consent_filter.errors import Broken
from consent_filter.purpose import Purpose
from warehouse.invalid.judged import judged
from warehouse.invalid.rules import grounds
from warehouse.lake import Lake
from warehouse.relations import Bucket, Days, offer_withdrawn

#: Rows that are judged at once.
_MANY = 2_500_000


class Line(Struct):
    """Of one site and type of event. `gross`: what was measured, kept or not; `ended`: stored then, and no
    row any more, because its time is over. `filtered` and `refused` are by reason."""

    site: str
    event: str
    received: int = 0
    net: int = 0
    filtered: dict[str, int] = {}
    ended: int = 0
    refused: dict[str, int] = {}

    @property
    def general(self) -> int:
        """Filtered by lists and parameters."""
        kinds = grounds()
        return sum(n for reason, n in self.filtered.items() if kinds.get(reason) == "general")

    @property
    def sophisticated(self) -> int:
        """Filtered by how rows go together."""
        return sum(self.filtered.values()) - self.general


def reconcile(lake: Lake, days: Sequence[date]) -> list[Line]:
    """Each site and type of event on those days. Raises Broken where the numbers do not meet."""
    found: dict[tuple[str, str], Line] = {}
    stored: dict[tuple[str, date, str], int] = {}
    con = lake.connection.cursor()
    try:
        listed = ", ".join(f"DATE '{day.isoformat()}'" for day in days) or "NULL"
        rows = con.execute(
            "SELECT site, day, event, outcome, reason, sum(n)::BIGINT FROM lake.received"
            f" WHERE event <> '' AND day IN ({listed}) GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        for site, day, event, outcome, reason, n in rows:
            line = found.setdefault((site, event), Line(site, event))
            if outcome == RECEIVED:
                line.received += n
            elif outcome == REFUSED and n:
                line.refused[reason] = line.refused.get(reason, 0) + n
            elif outcome == STORED:
                stored[site, day, event] = n
        for (site, day, event), n in _judge(lake, days, found).items():
            counted = stored.get((site, day, event), 0)
            if n > counted:
                raise Broken(f"{n} {event} stand on {day}, and {counted} were counted")
        for (site, _, event), n in stored.items():
            found[site, event].ended += n
        for line in found.values():
            line.ended -= line.net + sum(line.filtered.values())
            parts = line.net + sum(line.filtered.values()) + line.ended + sum(line.refused.values())
            if parts != line.received:
                raise Broken(f"{line.received} {line.event} were received, and {parts} are accounted for")
        return [found[at] for at in sorted(found)]
    finally:
        con.close()


def _judge(
    lake: Lake, days: Sequence[date], found: dict[tuple[str, str], Line]
) -> dict[tuple[str, date, str], int]:
    """Put the rows that stand into their lines; how many there are by site, day and type."""
    con = lake.connection.cursor()
    try:
        offer_withdrawn(con, np.zeros(0, np.uint64))
        total = lake.count()
        of = min(max(-(-total // _MANY), 1), 64)
        relations = Days(
            con, "lake.events", "lake.received", days, rows=total, many=1 << 30, judged=judged(con)
        )
        there: dict[tuple[str, date, str], int] = {}
        for number in range(of):
            relations.move(Bucket(number, of), ())
            relations.judge(int(Purpose.AD_MEASUREMENT), ("site", "day", "type"))
            rows = con.execute(
                "SELECT site, day, type, invalid, count(*) FROM adverts GROUP BY ALL"
            ).fetchall()
            for site, day, event, why, n in rows:
                line = found.setdefault((site, event), Line(site, event))
                there[site, day, event] = there.get((site, day, event), 0) + n
                if why is None:
                    line.net += n
                else:
                    line.filtered[why] = line.filtered.get(why, 0) + n
        return there
    finally:
        con.close()
