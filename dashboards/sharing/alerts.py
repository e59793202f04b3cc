"""Alerts: what somebody wants to be told of, and what was found in released days."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

from consent_filter.errors import Refused
from dashboards import words
from dashboards.accounts.people import People
from dashboards.language import gettext, say
from dashboards.sharing.unusual import KINDS, WEEKS, judged
from dashboards.who import Role, Who
from warehouse.perturbation import bound
from warehouse.reader import Reading
from warehouse.report import Report, load
from warehouse.settings import Warehouse

#: Alerts of one account; days back that are judged, also by one that is new.
MOST, BACK = 50, 3
#: What may be watched: (report, number). By day, of people, and without a filter one row a day.
WATCHED = {
    "visitors": ("traffic_day", "people"), "views": ("traffic_day", "views"),
    "visits": ("traffic_day", "visits"), "events": ("traffic_day", "events"),
}  # fmt: skip
#: And these with a filter on the one key that each has: one row a day, too.
BY = {
    "device": "devices", "country": "countries", "path": "pages",
}  # fmt: skip


class Alert(NamedTuple):
    """what: of WATCHED. key, value: only there ("" is the whole site). kind: of KINDS; line: of `above` and
    `below`. mail: whether it is mailed, too."""

    id: str
    account: str
    site: str
    what: str
    key: str
    value: str
    kind: str
    line: float
    mail: bool
    made: int

    @property
    def says(self) -> str:
        """What it waits for, in words."""
        value = words.value(self.key, self.value) if self.key else ""
        where = {
            "country": say(" from {value}", value=value), "device": say(" by {value}", value=value),
            "path": say(" of {value}", value=value),
        }.get(self.key, "")  # fmt: skip
        parts = {"site": self.site, "how": gettext(KINDS[self.kind]), "what": words.column(self.what)}
        if self.kind == "unusual":
            return say("{site}: {what}{where}, {how}", where=where, **parts)
        line = words.said(self.line)
        return say("{site}: {how} {line} {what} a day{where}", where=where, line=line, **parts)


class Finding(NamedTuple):
    """What was found of a day: how many, and how many are usual (None where that is not known)."""

    alert: Alert
    day: date
    found: float
    low: float | None
    high: float | None
    at: int


class Alerts:
    """Those of one store."""

    def __init__(self, people: People) -> None:
        self._people, self._store = people, people.store

    def of(self, who: Who) -> list[Alert]:
        """One's own, of sites that one still may see."""
        rows = self._store.rows("SELECT * FROM alert WHERE account = ? ORDER BY made, id", who.account)
        return [one for one in map(_alert, rows) if who.sees(one.site)]

    def add(self, who: Who, site: str, what: str, only: str, kind: str, line: str, *, mail: bool) -> None:
        """Raises Refused."""
        key, _, value = (part.strip() for part in only.partition(":"))
        if not who.sees(site) or not site:
            raise Refused(404, "no_such_site", "nothing is published of that site")
        if what not in WATCHED or kind not in KINDS:
            raise Refused(
                400, "what", "one of {watched}; {kinds}", watched=", ".join(WATCHED), kinds=", ".join(KINDS)
            )
        if key and (key not in BY or not value or len(value) > 200):
            raise Refused(400, "only", "only where is one of {by}, such as country:DE", by=", ".join(BY))
        if key and WATCHED[what][1] not in ("people", *load()[BY[key]].sums):
            raise Refused(400, "only", "{what} are not counted by {key}", what=what, key=key)
        try:
            at = float(line or 0)
        except ValueError:
            at = -1.0
        if kind != "unusual" and not 0 < at < 1e12:
            raise Refused(400, "line", "above or below which number?")
        made = Alert(
            "W" + secrets.token_hex(6), who.account, site, what, key, value, kind,
            at if kind != "unusual" else 0.0, mail, self._store.now(),
        )  # fmt: skip
        with self._store.transaction() as database:
            if len(self.of(who)) >= MOST:
                raise Refused(409, "full", "{most} alerts are kept already: remove one", most=MOST)
            database.execute("INSERT INTO alert VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", made)

    def remove(self, id: str, who: Who) -> None:
        with self._store.transaction() as database:
            done = database.execute("DELETE FROM alert WHERE id = ? AND account = ?", (id, who.account))
            if not done.rowcount:
                raise Refused(404, "no_such_alert", "there is no such alert of yours")
            database.execute("DELETE FROM finding WHERE alert = ?", (id,))

    def found(self, who: Who, most: int = 100) -> list[Finding]:
        """What was found for them, the newest first."""
        mine = {one.id: one for one in self.of(who)}
        rows = self._store.rows(
            "SELECT finding.* FROM finding JOIN alert ON alert.id = finding.alert WHERE account = ?"
            " ORDER BY day DESC, at DESC LIMIT ?", who.account, most,
        )  # fmt: skip
        return [_finding(row, mine[row["alert"]]) for row in rows if row["alert"] in mine]

    def unsent(self) -> list[Finding]:
        """What is to be mailed and was not yet."""
        rows = self._store.rows(
            "SELECT finding.*, alert.* FROM finding JOIN alert ON alert.id = finding.alert"
            " WHERE mail AND NOT sent ORDER BY day, at"
        )
        return [_finding(row, _alert(row)) for row in rows]

    def sent(self, findings: list[Finding], *, done: bool = True) -> None:
        with self._store.transaction() as database:
            database.executemany(
                "UPDATE finding SET sent = ? WHERE alert = ? AND day = ?",
                [(done, one.alert.id, one.day.isoformat()) for one in findings],
            )

    def judge(self, reading: Reading, settings: Warehouse) -> int:
        """Judge the days that are over, of every alert whose owner still may see its site; how many were
        found anew. A day is found once: what is made anew later warns nobody again."""
        # A day of the westernmost zone is over at noon of the next one in UTC.
        today, n = date(1970, 1, 1) + timedelta(seconds=reading.made["time"] - 12 * 3600), 0
        for one in map(_alert, self._store.rows("SELECT * FROM alert ORDER BY id")):
            owner = self._people.get(one.account)
            if owner.ended is not None or not owner.who.has(Role.ANALYST) or not owner.who.sees(one.site):
                continue
            days = [today - timedelta(days=back) for back in range(1, 1 + BACK)]
            for day, found in self._judged(reading, settings, one, days):
                with self._store.transaction() as database:
                    done = database.execute(
                        "INSERT INTO finding VALUES (?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING",
                        (one.id, day.isoformat(), *found, self._store.now()),
                    )
                    n += done.rowcount
        return n

    def _judged(
        self, reading: Reading, settings: Warehouse, one: Alert, days: list[date]
    ) -> Iterator[tuple[date, tuple[Any, ...]]]:
        report = load()[BY[one.key] if one.key else WATCHED[one.what][0]]
        number = WATCHED[one.what][1]
        if report.name not in reading.tables or not days:
            return
        values = series(reading, report, number, one, min(days) - timedelta(weeks=WEEKS), max(days))
        for day in days:
            if day in values:
                most = moved(report, number, values[day], settings)
                warns, usual = judged(one.kind, one.line, values, day, most)
                if warns:
                    yield day, (values[day], usual.low if usual else None, usual.high if usual else None)


def series(
    reading: Reading, report: Report, number: str, one: Alert, first: date, last: date
) -> dict[date, float]:
    """The released number of each day that has one."""
    only, value = (f" AND {one.key} = ?", [one.value]) if one.key else ("", [])
    rows = reading.rows(
        f"SELECT day, {number}::DOUBLE AS v FROM {report.name} WHERE site = ? AND day BETWEEN ? AND ?{only}",
        [one.site, first, last, *value],
    )
    return {row["day"]: row["v"] for row in rows if row["v"] is not None}


def moved(report: Report, number: str, value: float, settings: Warehouse) -> float:
    """The most that release has moved that number by: people by the bound of cell keys, another number by
    what one person adds to it, which is no more than its cap nor than a share of it."""
    most = bound(settings.min_group) if settings.perturb else 0
    if not most or number in report.groups:
        return float(most)
    return min(float(report.most(number, settings)), value / max(settings.equals, 1))


def _alert(row: Any) -> Alert:
    said = {name: row[name] for name in Alert._fields}
    return Alert(**{**said, "mail": bool(said["mail"])})


def _finding(row: Any, alert: Alert) -> Finding:
    return Finding(alert, date.fromisoformat(row["day"]), row["found"], row["low"], row["high"], row["at"])
