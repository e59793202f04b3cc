"""Share links: one view of one site for whoever has the link, until a day, as it may leave the house.

What is in a link is decided when it is made: a copy of the view's address. A link tells less than its view:
of the tables that may be told outside only (`warehouse/outward.py`), and nothing that its maker may not see
any more. Its word is signed and stored nowhere; that it was opened is counted by the minute, and never from
where.
"""

from __future__ import annotations

import json
import re
import secrets
from datetime import date, timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from consent_filter.errors import Refused
from dashboards.accounts import log, password
from dashboards.accounts.people import People, named
from dashboards.sharing.views import View, owns
from dashboards.who import Role, Who
from warehouse import outward

#: Links of one account; sites that one may stand in; characters of a password.
MOST, FRAMES, LEAST_PASSWORD = 100, 10, 8
#: Days that a link shows at most.
LONGEST = 1_500
#: How often a link may be opened in a minute, from wherever.
PER_MINUTE = 120
#: Pages that can be shared → the tables that each tells outside, besides those at `/report/`.
PAGES: dict[str, tuple[str, ...]] = {
    "/": ("traffic_day", "sources", "pages", "countries", "devices", "browsers", "campaigns"),
    "/sources": ("traffic_day", "sources", "campaigns"),
    "/pages": ("traffic_day", "pages"),
    "/audience": ("traffic_day", "countries", "devices", "browsers"),
}
#: Days of the periods that an address names.
_PERIODS = {"day": 1, "7": 7, "28": 28, "90": 90, "365": 365}
_ORIGIN = re.compile(r"https://[a-z0-9.-]+(:\d{1,5})?|http://(localhost|127\.0\.0\.1)(:\d{1,5})?")
_DAY, _MINUTE, _HOUR = 86_400_000, 60_000, 60


class Share(NamedTuple):
    """until, ended, made: milliseconds since 1970. frames: sites whose pages may have it in a frame. locked:
    by a password. opened: how often, and when last."""

    id: str
    account: str
    name: str
    address: str
    locked: bool
    frames: tuple[str, ...]
    made: int
    until: int
    ended: int | None
    opened: int = 0
    last: int | None = None


class Told(NamedTuple):
    """What a link tells: which tables of a site, which days (the last of them None: the newest there is), and
    the only values of some keys."""

    site: str
    reports: tuple[str, ...]
    days: int
    first: date | None
    last: date | None
    where: dict[str, str]

    def span(self, newest: date) -> tuple[date, date]:
        """First and last day, as of that newest one."""
        if self.first and self.last:
            return self.first, self.last
        return newest - timedelta(days=self.days - 1), newest


def told(address: str) -> Told:
    """What a link to that address would tell. Raises Refused where it could tell nothing."""
    parts = urlsplit(address)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = dict(reversed(pairs))
    reports: tuple[str, ...] = PAGES.get(parts.path, ())
    if parts.path.startswith("/report/"):
        reports = (outward.told(parts.path.removeprefix("/report/")).name,)
    site = query.get("site", "")
    if not reports or not site:
        raise Refused(
            400,
            "view",
            "the overview, sources, pages, the audience or a report can be shared, of a site that it names",
        )
    where = dict(value.split(":", 1) for name, value in pairs if name == "where" and ":" in value)
    reports = tuple(
        name for name in reports if where.keys() <= set(outward.told(name).keys) - {"site", "day"}
    )
    if not reports:
        raise Refused(400, "view", "no table that is told outside has {where}", where=" and ".join(where))
    said = [query.get("first") or query.get("last"), query.get("last") or query.get("first")]
    try:
        first, last = (date.fromisoformat(one) if one else None for one in said)
    except ValueError:
        raise Refused(400, "period", "first and last are dates") from None
    if first and last and not 0 <= (last - first).days < LONGEST:
        raise Refused(
            400, "period", "last is not before first, and less than {longest} days after it", longest=LONGEST
        )
    return Told(site, reports, _PERIODS.get(query.get("period", ""), 28), first, last, where)


class Shares:
    """Those of one store. longest: days that a link is good at most, 0 where there are none."""

    def __init__(self, people: People, longest: int) -> None:
        self._people, self._store, self.longest = people, people.store, longest

    def make(self, who: Who, view: View, days: int, password_: str, frames: str) -> Share:
        """A new one, for what the view's address says now. Raises Refused."""
        if not self.longest:
            raise Refused(403, "no_shares", "there are no share links here: [dashboards] share_days is 0")
        one, sites = told(view.address), _origins(frames)
        if not who.sees(one.site):
            raise Refused(404, "no_such_site", "nothing is published of that site")
        if not 1 <= days <= self.longest:
            raise Refused(400, "days", "a link is good for 1 to {longest} days", longest=self.longest)
        if password_ and len(password_) < LEAST_PASSWORD:
            raise Refused(
                400,
                "password",
                "a password has {least_password} characters or more",
                least_password=LEAST_PASSWORD,
            )
        id, now = "L" + secrets.token_hex(16), self._store.now()
        kept = password.locked(password_) if password_ else ""
        sealed = self._store.vault.seal(kept.encode(), f"share {id}") if kept else None
        with self._store.transaction() as database:
            ((n,),) = database.execute(
                "SELECT count(*) FROM share WHERE account = ? AND ended IS NULL AND until > ?",
                (who.account, now),
            )
            if n >= MOST:
                raise Refused(409, "full", "{most} links are good already: end one", most=MOST)
            database.execute(
                "INSERT INTO share VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                (id, who.account, named(view.name, "name"), view.address, sealed, json.dumps(sites), now,
                 now + days * _DAY),
            )  # fmt: skip
            log.note(
                self._store,
                who.account,
                "share made",
                of=id,
                site=one.site,
                days=days,
                locked=bool(sealed),
                frames=sites,
            )
        return self.get(id)

    def end(self, id: str, who: Who) -> None:
        """It opens nothing any more, from the next request on. Raises Refused where it is not theirs."""
        one = next((one for one in self.listed(who) if one.id == id), None)
        if one is None:
            raise Refused(404, "no_such_share", "there is no such link for you")
        with self._store.transaction() as database:
            database.execute(
                "UPDATE share SET ended = ? WHERE id = ? AND ended IS NULL", (self._store.now(), id)
            )
            log.note(self._store, who.account, "share ended", of=id)

    def listed(self, who: Who) -> list[Share]:
        """One's own, and to an administrator all; the newest first."""
        rows = self._store.rows(
            "SELECT share.*, coalesce(sum(n), 0) AS opened, max(minute) AS last FROM share"
            " LEFT JOIN opening ON share = id GROUP BY id ORDER BY made DESC, id"
        )
        return [_share(row) for row in rows if owns(who, row["account"])]

    def get(self, id: str) -> Share:
        """Raises Refused where there is none."""
        row = self._store.row("SELECT *, 0 AS opened, NULL AS last FROM share WHERE id = ?", id)
        if row is None:
            raise Refused(404, "no_such_link", "there is no such link any more")
        return _share(row)

    def good(self, id: str) -> tuple[Share, Told]:
        """A link that may be opened now. Raises Refused: 410 where it has ended, or its maker may no longer
        see what it is of."""
        one = self.get(id)
        if not self.longest or one.ended is not None or self._store.now() >= one.until:
            raise Refused(410, "link_ended", "this link was ended: ask for a new one")
        maker, what = self._people.get(one.account), told(one.address)
        if maker.ended is not None or not maker.who.has(Role.ANALYST) or not maker.who.sees(what.site):
            raise Refused(410, "link_ended", "who made this link may not share it any more")
        return one, what

    def opens(self, id: str, said: str) -> bool:
        """Whether that is the link's password. As slow as an account's."""
        row = self._store.row("SELECT password FROM share WHERE id = ? AND password IS NOT NULL", id)
        kept = self._store.vault.open(row["password"], f"share {id}").decode() if row else None
        return password.matches(kept, said)

    def note(self, one: Share) -> None:
        """That it was opened, on the disk when this returns; the log has the first time of each hour."""
        minute = self._store.now() // _MINUTE
        with self._store.transaction() as database:
            since = database.execute("SELECT max(minute) FROM opening WHERE share = ?", (one.id,)).fetchone()[
                0
            ]
            database.execute(
                "INSERT INTO opening VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1", (one.id, minute)
            )
            if since is None or since // _HOUR != minute // _HOUR:
                log.note(self._store, "", "share opened", "/shared/…", of=one.id)


def _origins(said: str) -> list[str]:
    """Sites as they were typed, one after the other. Raises Refused."""
    found = [one.rstrip("/").lower() for one in said.replace(",", " ").split()]
    if len(found) > FRAMES or not all(_ORIGIN.fullmatch(one) for one in found):
        raise Refused(400, "frames", "at most {frames} sites, such as https://www.example.com", frames=FRAMES)
    return sorted(set(found))


def _share(row: object) -> Share:
    said = {name: row[name] for name in Share._fields if name != "locked"}  # type: ignore[index]
    last = said["last"]
    return Share(**{
        **said, "locked": row["password"] is not None,  # type: ignore[index]
        "frames": tuple(json.loads(said["frames"])), "last": None if last is None else last * _MINUTE,
    })  # fmt: skip
