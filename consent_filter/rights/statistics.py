"""A month of requests in numbers: what came, what became of it, why refused, how long it took (M117)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from consent_filter.errors import Refused
from consent_filter.rights.store import Store

_DAY = 86_400_000


def month(store: Store, of: str) -> dict[str, Any]:
    """One month, "2026-11", in UTC. Raises Refused for what is none."""
    start, end = _span(of)

    def by(column: str, when: str, more: str = "") -> dict[str, int]:
        rows = store.rows(
            f"SELECT {column} AS name, count(*) AS n FROM request"
            f" WHERE {when} >= ? AND {when} < ? AND state != 'joined' {more} GROUP BY 1 ORDER BY 1",
            start, end,
        )  # fmt: skip
        return {row["name"]: row["n"] for row in rows}

    took = [
        (row["closed"] - row["received"]) // _DAY
        for row in store.rows(
            "SELECT received, closed FROM request WHERE closed >= ? AND closed < ? AND state != 'joined'"
            " ORDER BY closed - received",
            start, end,
        )
    ]  # fmt: skip
    late = store.rows(
        "SELECT count(*) AS n FROM request WHERE closed >= ? AND closed < ? AND closed >= due"
        " AND ground != 'identity' AND state != 'joined'",
        start, end,
    )[0]["n"]  # fmt: skip
    bad = {row["code"]: row["n"] for row in store.rows(
        "SELECT code, n FROM bad_proof WHERE month = ? ORDER BY code", of)}  # fmt: skip
    return {
        "month": of,
        "received": {"total": sum(by("asked", "received").values()), "by_right": by("asked", "received"),
                     "by_channel": by("channel", "received")},
        "closed": {"total": len(took), "by_outcome": by("state", "closed"),
                   "refused_by_ground": by("ground", "closed", "AND state = 'refused'"),
                   "by_proof": by("method", "closed", "AND method != ''"), "late": late,
                   "extended": sum(by("asked", "closed", "AND extended").values()),
                   "median_days": took[len(took) // 2] if took else None,
                   "longest_days": took[-1] if took else None},
        "proofs_refused": bad,
        "children": children(store, start, end),
    }  # fmt: skip


def children(store: Store, start: int = 0, end: int = 1 << 62) -> dict[str, Any]:
    """How long a child's data stood after it was known to be a child's (S23): seconds from the proof to the
    certificate that nothing is left, of requests that ended in that time; and how many are under way."""
    rows = store.rows(
        "SELECT closed - proved AS ms, closed FROM request WHERE child AND proved IS NOT NULL AND closed >= ?"
        " AND closed < ? ORDER BY closed",
        start, end,
    )  # fmt: skip
    took = sorted(row["ms"] for row in rows)
    pending = store.cases("WHERE state = 'verified' AND asked IN ('guardian', 'erase')")
    times = {name: took[min(-(-len(took) * of // 100), len(took)) - 1] / 1000 if took else None
             for name, of in (("p50_seconds", 50), ("p99_seconds", 99))}  # fmt: skip
    last = rows[-1]["ms"] / 1000 if rows else None
    return {"erased": len(took), **times, "last_seconds": last, "open": sum(one.child for one in pending)}


def _span(of: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", of)
    if found is None or not 1970 < int(found[1]) < 9999:
        raise Refused(400, "month", "a month is written 2026-11")
    year, n = int(found[1]), int(found[2])
    first, after = datetime(year, n, 1, tzinfo=UTC), datetime(year + n // 12, n % 12 + 1, 1, tzinfo=UTC)
    return int(first.timestamp()) * 1000, int(after.timestamp()) * 1000
