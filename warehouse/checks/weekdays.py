"""Yesterday beside the same weekdays before: is it there, is there as much, is it the same crowd.

What it finds is said and stops nothing: a strike, a feast and a broken tag look the same from here. It reads
released tables only, so that whatever it says could be read there.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from warehouse.checks.expectations import Suite
from warehouse.released import Store

#: Weeks that are looked back, and how many of them must have the day before anything is compared.
WEEKS, LEAST = 8, 3
#: So many times as much or as little as the median is too much, unless the weeks themselves differ as much.
FACTOR = 2.0
#: Share of the crowd that may stand elsewhere than on the weekdays before (half the sum of the differences of
#: shares); a small crowd moves by itself, by about one over the root of its number.
MOVED = 0.2
#: The balance's refused share may move by so much.
REFUSED = 0.2
#: Reports whose crowd is compared: name → the key that tells its parts.
PARTS = {"devices": "device", "countries": "country", "sources": "referrer_group"}
EXPECTED = {
    "day_missing": "yesterday is there, where the weekday was there before",
    "people_unusual": "as many people as on this weekday before",
    "views_unusual": "as many page views as on this weekday before",
    "refused_unusual": "about the same share is refused",
    **{f"{name}_moved": f"about the same {name}" for name in PARTS},
}
SUITE = Suite("weekdays", "site", EXPECTED, stop=False)


def control(store: Store, day: date) -> list[dict[str, Any]]:
    """One row a site that has a history; 1 where something is unusual. `day`: over in every site's zone."""
    if "traffic_day" not in store.versions():
        return []
    weeks = [day - timedelta(weeks=n) for n in range(1, WEEKS + 1)]
    listed = ", ".join(f"DATE '{one}'" for one in (day, *weeks))
    run = store.connection.execute
    known: dict[str, dict[date, tuple[int, int]]] = {}
    for site, at, people, views in run(
        f"SELECT site, day, people, views FROM traffic_day WHERE day IN ({listed})"
    ).fetchall():
        known.setdefault(site, {})[at] = (people, views)
    refused = _refused(store, listed)
    rows = []
    for site, days in sorted(known.items()):
        past = [days[week] for week in weeks if week in days]
        if len(past) < LEAST:
            continue
        row: dict[str, Any] = dict.fromkeys(EXPECTED, 0) | {"site": site}
        if day not in days:
            row["day_missing"] = 1
        else:
            row["people_unusual"] = int(_unusual(days[day][0], [people for people, _ in past]))
            row["views_unusual"] = int(_unusual(days[day][1], [views for _, views in past]))
            shares = [refused[site, week] for week in weeks if (site, week) in refused]
            if (site, day) in refused and len(shares) >= LEAST:
                row["refused_unusual"] = int(abs(refused[site, day] - _median(shares)) > REFUSED)
            for name, key in PARTS.items():
                row[f"{name}_moved"] = int(_moved(store, name, key, site, day, listed, days[day][0]))
        rows.append(row)
    return rows


def _unusual(n: int, past: list[int]) -> bool:
    usual = _median([float(one) for one in past])
    spread = max(max(one, usual) / max(min(one, usual), 1.0) for one in past)
    factor = max(n, usual) / max(min(n, usual), 1.0)
    return factor > max(FACTOR, spread)


def _refused(store: Store, listed: str) -> dict[tuple[str, date], float]:
    if "balance" not in store.versions():
        return {}
    rows = store.connection.execute(
        f"SELECT site, day, refused / received FROM balance WHERE received > 0 AND day IN ({listed})"
    ).fetchall()
    return {(site, day): share for site, day, share in rows}


def _moved(store: Store, report: str, key: str, site: str, day: date, listed: str, people: int) -> bool:
    """Whether the crowd's parts stand otherwise than on the weekdays before: half the sum of differences."""
    if report not in store.versions():
        return False
    rows = store.connection.execute(
        f"WITH parts AS (SELECT day, {key} AS part, sum(views) AS n FROM {report}"
        f" WHERE site = ? AND day IN ({listed}) GROUP BY ALL),"
        " shares AS (SELECT day, part, n / sum(n) OVER (PARTITION BY day) AS share FROM parts WHERE n > 0),"
        " days AS (SELECT count(DISTINCT day) FILTER (day <> ?) AS n FROM shares)"
        " SELECT any_value(days.n), sum(abs(now - before)) / 2 FROM days, (SELECT part,"
        " coalesce(sum(share) FILTER (day = ?), 0) AS now,"
        " coalesce(sum(share) FILTER (day <> ?), 0) / (SELECT greatest(n, 1) FROM days) AS before"
        " FROM shares GROUP BY part)",
        [site, day, day, day],
    ).fetchall()
    ((weeks, moved),) = rows
    return bool(weeks and weeks >= LEAST and moved > MOVED + max(people, 1) ** -0.5)


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
