"""Mails of saved views: whose, of which view, how often; and which are due."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from consent_filter.errors import Refused
from consent_filter.site import Site
from dashboards.accounts import log
from dashboards.accounts.people import People
from dashboards.sharing import told
from dashboards.sharing.views import View, Views
from dashboards.who import Who

#: Mails of one account; the hour of the site's clock from which they go, and by which they wait no longer
#: for yesterday to be published.
MOST, FROM, WAIT = 20, 7, 12
EVERY = {"day": "every day", "week": "every Monday"}


class Mailing(NamedTuple):
    """every: of EVERY. last: the day of the last one, as ISO 8601; "" before the first."""

    id: str
    account: str
    view: str
    every: str
    made: int
    last: str


class Mailings:
    """Those of one store."""

    def __init__(self, people: People) -> None:
        self._people, self._store = people, people.store

    def of(self, who: Who) -> list[tuple[Mailing, View | None]]:
        """One's own, with the view; None where it is there no more for them."""
        views = {one.id: one for one in Views(self._store).all(who)}
        rows = self._store.rows("SELECT * FROM mailing WHERE account = ? ORDER BY made, id", who.account)
        return [(one, views.get(one.view)) for one in map(_mailing, rows)]

    def all(self) -> list[Mailing]:
        return [_mailing(row) for row in self._store.rows("SELECT * FROM mailing ORDER BY id")]

    def add(self, who: Who, view: str, every: str) -> None:
        """Raises Refused."""
        told.can(Views(self._store).get(view, who).address)
        if every not in EVERY:
            raise Refused(400, "every", "every is one of {every}", every=", ".join(EVERY))
        made = Mailing("E" + secrets.token_hex(8), who.account, view, every, self._store.now(), "")
        with self._store.transaction() as database:
            ((n,),) = database.execute("SELECT count(*) FROM mailing WHERE account = ?", (who.account,))
            if n >= MOST:
                raise Refused(409, "full", "{most} mails are sent already: end one", most=MOST)
            database.execute("INSERT INTO mailing VALUES (?, ?, ?, ?, ?, ?)", made)
            log.note(self._store, who.account, "mails begun", of=made.id, every=every)

    def end(self, id: str, account: str = "") -> bool:
        """No more of them; `account`: only if it is theirs. Whether there were any."""
        with self._store.transaction() as database:
            row = self._store.row("SELECT account FROM mailing WHERE id = ?", id)
            if row is None or (account and row["account"] != account):
                return False
            database.execute("DELETE FROM mailing WHERE id = ?", (id,))
            log.note(self._store, row["account"], "mails ended", of=id)
        return True

    def claim(self, one: Mailing, day: date) -> None:
        """That the one of that day goes now. Written first: a crash loses a mail, and sends none twice."""
        self._last(one.id, day.isoformat())
        log.note(self._store, one.account, "mailed", "/mails", of=one.id)

    def unclaim(self, one: Mailing) -> None:
        """That it did not go: the server would not have it."""
        self._last(one.id, one.last)

    def _last(self, id: str, day: str) -> None:
        with self._store.transaction() as database:
            database.execute("UPDATE mailing SET last = ? WHERE id = ?", (day, id))


def due(one: Mailing, site: Site | None, newest: date, now: float) -> date | None:
    """The day of the mail that is due, by the site's clock; None where none is. newest: the newest day that
    is published: until noon a mail waits for yesterday."""
    at = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(site.timezone if site else "UTC"))
    day = at.date()
    if one.every == "week":
        day -= timedelta(days=day.weekday())
    begun = datetime.fromtimestamp(one.made / 1000, UTC).astimezone(at.tzinfo).date()
    if (one.last and day <= date.fromisoformat(one.last)) or day < begun or at.hour < FROM:
        return None
    if day == at.date() and at.hour < WAIT and newest < day - timedelta(days=1):
        return None
    return day


def site_of(sites: Mapping[str, Site], name: str) -> Site | None:
    """What is declared of a site; None where sites are not."""
    try:
        return sites[name]
    except KeyError:
        return None


def _mailing(row: Any) -> Mailing:
    return Mailing(**{name: row[name] for name in Mailing._fields})
