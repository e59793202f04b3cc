"""Notes on days of a site ("campaign started"), by whom and when; and the marks under charts that show them.

A note is the text of somebody of the house: it is kept and shown as it was typed, within a length, and says
nothing to whoever may not see the site.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import date
from html import escape
from typing import NamedTuple

from markupsafe import Markup

from consent_filter.errors import Refused
from dashboards.accounts.store import Store
from dashboards.charts import _SHAPES
from dashboards.period import Period
from dashboards.sharing.views import owns
from dashboards.who import Who

#: Characters of a note, and notes on one site.
LONGEST, MOST = 200, 2_000
_TALL = 20


class Note(NamedTuple):
    """made: milliseconds since 1970. account: whose."""

    id: str
    site: str
    day: date
    text: str
    account: str
    made: int


class Marks(NamedTuple):
    """What a page shows of notes. strip: numbered flags on the scale of the curve above. at: point of the
    curve → the numbers of its notes. notes: in the order of their numbers."""

    strip: Markup
    at: dict[int, list[int]]
    notes: list[Note]


class Notes:
    """Those of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, site: str, who: Who, first: date = date.min, last: date = date.max) -> list[Note]:
        """Those of a site that they may see, by day; none of another."""
        if not who.sees(site):
            return []
        rows = self._store.rows(
            "SELECT * FROM note WHERE site = ? AND day BETWEEN ? AND ? ORDER BY day, made",
            site, first.isoformat(), last.isoformat(),
        )  # fmt: skip
        return [Note(**{**dict(row), "day": date.fromisoformat(row["day"])}) for row in rows]

    def add(self, who: Who, site: str, day: str, text: str) -> Note:
        """Raises Refused."""
        text = " ".join(text.split())
        if not 0 < len(text) <= LONGEST or not text.isprintable():
            raise Refused(400, "text", "a note has 1 to {longest} characters, on one line", longest=LONGEST)
        try:
            at = date.fromisoformat(day)
        except ValueError:
            raise Refused(400, "day", "a note is on a day, such as 2026-11-23") from None
        if not who.sees(site):
            raise Refused(404, "no_such_site", "nothing is published of that site")
        made = Note("N" + secrets.token_hex(6), site, at, text, who.account, self._store.now())
        with self._store.transaction() as database:
            ((n,),) = database.execute("SELECT count(*) FROM note WHERE site = ?", (site,))
            if n >= MOST:
                raise Refused(409, "full", "there are {most} notes on that site: remove one", most=MOST)
            database.execute(
                "INSERT INTO note VALUES (?, ?, ?, ?, ?, ?)", (*made[:2], at.isoformat(), *made[3:])
            )
        return made

    def remove(self, id: str, who: Who) -> None:
        """Raises Refused where it is not theirs to take away."""
        with self._store.transaction() as database:
            row = self._store.row("SELECT site, account FROM note WHERE id = ?", id)
            if row is None or not who.sees(row["site"]):
                raise Refused(404, "no_such_note", "there is no such note")
            if not owns(who, row["account"]):
                raise Refused(403, "not_yours", "only who has written it, or an administrator, removes it")
            database.execute("DELETE FROM note WHERE id = ?", (id,))


def place(day: date, first: date, grain: str) -> int:
    """Which point of a curve a day is, whose first point has the day `first`. A note has no hour: it stands
    at the beginning of its day."""
    match grain:
        case "hour":
            return 24 * (day - first).days
        case "week":
            return (_monday(day) - _monday(first)).days // 7
        case "month":
            return 12 * (day.year - first.year) + day.month - first.month
    return (day - first).days


def marks(found: Iterable[Note], period: Period, grain: str, points: int) -> Marks:
    """Of notes in a period, on a curve of so many points."""
    notes, at = list(found), dict[int, list[int]]()
    for number, one in enumerate(notes, 1):
        at.setdefault(min(max(place(one.day, period.first, grain), 0), points - 1), []).append(number)
    strip = Markup("").join(_strip(shape, at, points) for shape in _SHAPES) if at else Markup("")
    return Marks(strip, at, notes)


def marker(open: Callable[[], Store], present: Callable[[], Who]) -> Callable[..., Marks]:
    """What templates call: `noted(site, period, grain, points)`."""

    def noted(site: str, period: Period, grain: str, points: int) -> Marks:
        return marks(Notes(open()).of(site, present(), period.first, period.last), period, grain, points)

    return noted


def _strip(shape: str, at: dict[int, list[int]], points: int) -> Markup:
    """Nothing for who does not see it: the notes stand below as a list, and in the table."""
    width, _, left, right, _ = _SHAPES[shape]
    out = [f'<svg viewBox="0 0 {width} {_TALL}" class="curve marks {shape}" aria-hidden="true">']
    for point, numbers in sorted(at.items()):
        x = left + (width - left - right) * (point / (points - 1) if points > 1 else 0.5)
        said = escape(", ".join(map(str, numbers)) if len(numbers) < 3 else f"{numbers[0]}–{numbers[-1]}")
        out.append(f'<path class="flag" d="M{x:.1f} 0l5 6h-10z"/>')
        place = "middle" if 12 < x < width - 12 else "end" if x > 12 else "start"
        out.append(f'<text class="tick" x="{x:.1f}" y="18" text-anchor="{place}">{said}</text>')
    return Markup("".join(out) + "</svg>")


def _monday(day: date) -> date:
    return date.fromordinal(day.toordinal() - day.weekday())
