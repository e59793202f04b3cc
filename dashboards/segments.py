"""`/segments`: what adverts meet on which kind of page, where and on what device, for the ad server (M46).

Released rows of `interest` only: there is nobody in them, and nothing to choose a person by. Asked for with a
key of which the settings hold the SHA-256; without one the address is not there.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import numbers, period
from dashboards.access import bearer
from dashboards.pages import Pages
from warehouse.answer import render
from warehouse.report import OTHER

FORMATS = {
    "json": "application/json", "csv": "text/csv", "parquet": "application/vnd.apache.parquet",
}  # fmt: skip
_ROWS = "FROM interest WHERE site = ? AND day BETWEEN ? AND ?"
_NUMBERS = "0 AS impressions, 0 AS viewable, 0 AS clicks"
#: `index` is 100 where a segment clicks as often as the site does; none where too few clicked to be told.
_SEGMENTS = f"""
SELECT category, country, device, sum(impressions)::BIGINT AS impressions, sum(viewable)::BIGINT AS viewable,
    sum(clicks)::BIGINT AS clicks, CASE WHEN sum(clicks) > 0 AND sum(impressions) > 0
        THEN round(100 * sum(clicks) / sum(impressions)
            / (sum(sum(clicks)) OVER () / sum(sum(impressions)) OVER ()))
    END::INTEGER AS index
{_ROWS} GROUP BY category, country, device
ORDER BY category = '{OTHER}', impressions DESC, category, country, device
"""


class Segments:
    """The address below one data folder's published tables. `key`: SHA-256 of the key, in hexadecimal.
    What it gives may be on the way out of the house, so it counts as that."""

    def __init__(self, pages: Pages, key: str) -> None:
        self._pages, self._key = pages, key

    def routes(self) -> list[Route]:
        return [Route("/segments/{site:str}", self.answer, methods=["GET"])]

    async def answer(self, request: Request) -> Response:
        """The segments of a site: `?period=day|7|28|90` or `first` and `last`, `format` of FORMATS."""
        self._let(bearer(request))
        made, body, kind = await run_in_threadpool(
            self._segments, request.path_params["site"], request.query_params
        )
        tag = f'"{made}-{hashlib.sha256(body).hexdigest()[:16]}"'
        head = {"etag": tag, "cache-control": "private, max-age=300"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=head)
        return Response(body, media_type=kind, headers=head)

    def _let(self, given: str) -> None:
        """Raises Refused where the key is not the one."""
        if not self._key:
            raise Refused(404, "no_segments", "no key is set: [dashboards] segments")
        found = hashlib.sha256(given.encode()).hexdigest()
        if not given or not hmac.compare_digest(found, self._key):
            raise Refused(401, "key", "Authorization: Bearer, with the key that was agreed")

    def _segments(self, site: str, query: Mapping[str, str]) -> tuple[int, bytes, str]:
        form = query.get("format", "json")
        if form not in FORMATS:
            raise Refused(400, "format", f"format is one of {', '.join(FORMATS)}")
        with self._pages.reader.reading() as reading:
            known = next((one for one in numbers.published_sites(reading) if one["site"] == site), None)
            if known is None or "interest" not in reading.tables:
                raise Refused(404, "no_such_site", "nothing is published of that site")
            span = period.read(query, known["oldest"], known["newest"])
            days = [site, span.first, span.last]
            out = reading.table(f"SELECT DISTINCT day, {_NUMBERS} {_ROWS}", days)
            self._pages.leave({"interest": out}, site)
            found = reading.table(_SEGMENTS, days)
            return reading.made["generation"], render(found, form), FORMATS[form]
