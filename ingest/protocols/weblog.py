"""Lines of a web server's log to events: page views go on, everything else is counted."""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from consent_filter.counts import REFUSED, Counts, Key
from consent_filter.raw import Column, Raw
from consent_filter.site import Site, local
from ingest.protocols.columns import UNFILLED, column
from ingest.protocols.logline import Line, unescaped
from ingest.protocols.pageview import answered, aside, target
from ingest.protocols.parsing import Parsed

PROTOCOL = "weblog"
_NAMES = "JanFebMarAprMayJunJulAugSepOctNovDec"
_MONTHS = {_NAMES[3 * n : 3 * n + 3]: n + 1 for n in range(12)}
_CLF = re.compile(
    r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d)(?:\.\d+)? ([+-])(\d\d)(\d\d)", re.ASCII
)
#: There was no web to log before 1990, and what lies beyond the year 4000 is no clock's.
_FIRST_MS, _LAST_MS = 631_152_000_000, 64_060_588_800_000
_PORT = re.compile(r"(\d+\.\d+\.\d+\.\d+):\d+|\[([0-9A-Fa-f:.]+)\](?::\d+)?")
_HOST = re.compile(r"https?://([^/?#\\@\s]+)", re.IGNORECASE)
UNREADABLE = -1


class Own(NamedTuple):
    """The site's hosts where a log names none: the one to write into URLs, and its variants."""

    host: str
    hosts: frozenset[str]


def times(lines: Sequence[Line | None]) -> NDArray[np.int64]:
    """When each line says it happened, in UTC milliseconds; UNREADABLE where line or time is."""
    said = column(
        [line.time if line is not None and line.address not in ("", "-") else None for line in lines]
    )
    return np.array([_time(one) for one in said.values], np.int64)[said.codes]


def _time(said: Any) -> int:
    """A time in the common format, ISO 8601 (UTC where it names no zone), or seconds or milliseconds."""
    try:
        if isinstance(said, str):
            found = _CLF.fullmatch(said)
            if found:
                day, month, year, hour, minute, second = found.group(1, 2, 3, 4, 5, 6)
                date = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute))
                offset = (int(found[8]) * 60 + int(found[9])) * (1 if found[7] == "+" else -1)
                if int(second) > 60 or abs(offset) > 14 * 60:
                    return UNREADABLE
                ms = (timegm(date.timetuple()) + min(int(second), 59) - offset * 60) * 1000
            elif said.replace(".", "", 1).isdecimal():
                ms = _epoch(float(said))
            else:
                moment = datetime.fromisoformat(said)
                ms = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
        elif isinstance(said, (int, float)):
            ms = _epoch(float(said))
        else:
            return UNREADABLE
    except (ValueError, OverflowError, KeyError):
        return UNREADABLE
    return ms if _FIRST_MS <= ms <= _LAST_MS else UNREADABLE


def _epoch(said: float) -> int:
    """Seconds, or milliseconds where seconds would lie beyond the year 5000."""
    return int(said if said > 1e11 else said * 1000)


def own(lines: Iterable[Line | None]) -> Own | None:
    """The host that most images and scripts were asked for by: only a site's own pages ask for them.

    Without it, every step within the site would look like a visit from elsewhere. None where no host has
    half of them, or the log names the host itself.
    """
    asked: dict[str, int] = {}
    for line in lines:
        if line is None or line.host:
            continue
        url = target(line.request)
        found = _HOST.match(line.referrer or "")
        if url and found and aside(url, line.media) == "asset":
            name = found[1].lower().removeprefix("www.")
            asked[name] = asked.get(name, 0) + 1
    best = max(asked, key=lambda name: asked[name], default=None)
    if best is None or asked[best] * 2 < sum(asked.values()):
        return None
    return Own(best, frozenset((best, f"www.{best}")))


def parse(
    lines: Sequence[Line | None], time: NDArray[np.int64], site: Site, received: int, host: Own | None = None
) -> Parsed:
    """The page views of one site as columns, and all other lines as counts.

    `time` is that of `times`; what lies after `received` (UTC milliseconds) is taken to have happened then. A
    refusal counts on the line's own day, or the day of the import where it has none.
    """
    time = np.minimum(time, received)
    known = column(
        [
            None if t < 0 or li is None else (li.request, li.status, li.media)
            for li, t in zip(lines, time.tolist(), strict=True)
        ]
    )
    judged = [_judge(one) for one in known.values]
    against = column([code for code, _ in judged])
    codes = against.codes[known.codes]
    rejects = Counts()
    pages = np.zeros(len(lines), np.bool_)
    for code, why in enumerate(against.values):
        rows = codes == code
        if why is None:
            pages = rows
        else:
            rejects.update(_refused(time[rows], site, received, why))
    rows = np.flatnonzero(pages)
    views = [line for row in rows.tolist() if (line := lines[row]) is not None]
    urls = [judged[code][1] for code in known.codes[rows].tolist()]
    return Parsed(_raw(views, urls, time[rows], site, received, host), [], rejects)


def _judge(said: tuple[str, str, str | None] | None) -> tuple[str | None, str]:
    """What is held against a request (None: nothing), and what it asked for."""
    if said is None:
        return "malformed", ""
    request, status, media = said
    url = target(unescaped(request))
    if url is None:
        return "request", ""
    if not answered(status):
        return "status", ""
    return aside(url, media), url


def _refused(time: NDArray[np.int64], site: Site, received: int, why: str) -> Counts:
    counts = Counts()
    days, _ = local(site.timezone, np.where(time < 0, received, time))
    reason = "invalid" if why == "malformed" else "not_a_page"
    for day, n in zip(*np.unique(days, return_counts=True), strict=True):
        counts[Key(site.id, int(day), PROTOCOL, "ZZ", REFUSED, reason, why)] += int(n)
    return counts


def _raw(
    views: list[Line], urls: list[str], time: NDArray[np.int64], site: Site, received: int, own: Own | None
) -> Raw:
    n = len(views)

    def all_(value: Any) -> Column[Any]:
        return Column(np.zeros(n, np.int32), [value])

    whole = column([(v.host, url, v.referrer) for v, url in zip(views, urls, strict=True)])
    return Raw(
        n=n,
        site=all_(site.id),
        protocol=all_(PROTOCOL),
        type=all_("page_view"),
        name=all_(None),
        received=np.full(n, received, np.int64),
        time=time,
        id=[None] * n,
        address=column([v.address for v in views]).map(_address),
        agent=column([(v.agent, v.purpose) for v in views]).map(_agent),
        url=whole.map(lambda said: _url(said[0], said[1], said[2], own)),
        referrer=whole.map(lambda said: _referrer(said[2])),
        user_id=all_(None),
        device_id=all_(None),
        consent=all_(None),
        gpc=column([v.gpc for v in views]),
        dnt=column([v.dnt for v in views]),
        props=all_(None),
        ad=all_(None),
        member=all_(None),
        referral=all_(None),
        geo=all_(None),
        counterpart=all_(None),
        declared=all_(None),
        duration_ms=np.full(n, -1, np.int32),
        scroll=np.full(n, -1, np.int16),
        value=np.full(n, np.nan),
        browser=UNFILLED,
        place=UNFILLED,
        page=UNFILLED,
        source=UNFILLED,
    )


def _address(said: str) -> str:
    """Without the port that some proxies write behind it."""
    found = _PORT.fullmatch(said)
    return (found[1] or found[2]) if found else said


def _agent(said: tuple[str | None, str | None]) -> tuple[str, tuple[str, str, str], str | None]:
    agent = unescaped(said[0] or "")
    return ("" if agent == "-" else agent, ("", "", ""), said[1])


def _referrer(said: str | None) -> str | None:
    return None if said is None or said in ("", "-") else unescaped(said)


def _url(host: str | None, url: str, referrer: str | None, own: Own | None) -> str:
    """The whole URL; where the log names no host, that of our own hosts the visitor came from."""
    if not url.startswith("/"):
        return url
    if not host and own:
        found = _HOST.match(referrer or "")
        host = found[1].lower() if found and found[1].lower() in own.hosts else own.host
    return f"http://{host}/{url.lstrip('/')}" if host else url
