"""The one way by which a file leaves the house: packs, by links that expire and are logged (M54, M89, M101).

A pack is served as it was signed, or not at all: only what a person has approved, to whom it was delivered,
as long as nothing has recalled it and the ground on which it may be read there holds. Logged is that and when
a pack was fetched, never by which address.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consent_filter import signing
from consent_filter.errors import Broken, Refused
from consent_filter.policy import Packs
from consent_filter.signing import PublicKey, SigningKey
from consent_filter.site import Site
from dashboards.language import say
from dashboards.outside import outside
from dashboards.packs import reading
from dashboards.pages import Pages
from warehouse import deliveries, grounds, link, pack, period
from warehouse.deliveries import Delivery, Release


class Found(NamedTuple):
    """A delivery that may be fetched now. `left`: how often."""

    delivery: Delivery
    release: Release
    left: int


class Exports:
    """The pages below `/packs`."""

    def __init__(self, data: Path, pages: Pages, sites: Mapping[str, Site]) -> None:
        self._data, self._pages, self._sites = data, pages, sites

    def routes(self) -> list[Route]:
        return [
            Route("/packs/{word:str}", outside(self._page, self._refused), methods=["GET"]),
            Route("/packs/{word:str}/pack.zip", outside(self._file, self._refused), methods=["GET"]),
        ]

    def _refused(self, error: Refused) -> Response:
        return self._html(error.status, title=say("This pack can't be had"), error=error)

    def _page(self, request: Request) -> Response:
        """What is behind the link: to look at it counts as nothing."""
        word = request.path_params["word"]
        found = self._find(word)
        return self._html(
            200, title=reading.AUDIENCES[found.release.audience], error=None, found=found, word=word,
            span=reading.span(period.read(found.release.period)), key=self._key().id,
            expires=datetime.fromtimestamp(found.delivery.expires / 1000, UTC),
        )  # fmt: skip

    def _html(self, status: int, **said: Any) -> Response:
        return HTMLResponse(self._pages.templates.get_template("pack.html").render(**said), status)

    def _file(self, request: Request) -> Response:
        """The pack itself; that it was fetched is on the disk before the first byte goes out."""
        word = request.path_params["word"]
        body = self._body(self._find(word).delivery)
        with deliveries.ledger(self._data) as book, book.changing():
            delivery = self._find(word, book).delivery
            if request.method == "GET":
                book.fetch(delivery.id)
        head = {"content-disposition": f'attachment; filename="{delivery.release}.zip"'}
        return Response(body, media_type="application/zip", headers=head)

    def _find(self, word: str, book: deliveries.Ledger | None = None) -> Found:
        if not deliveries.file(self._data).exists():
            raise Refused(404, "no_such_link", "nothing was ever delivered from here")
        if book is None:
            with deliveries.ledger(self._data) as one:
                return self._find(word, one)
        delivery = book.delivery(link.read(self._key(), word, deliveries.now()))
        if delivery is None:
            raise Refused(404, "no_such_link", "the release ledger knows nothing of this delivery")
        release = book.release(delivery.release)
        may_be_fetched(book, delivery, release)
        self._stands(delivery, release, book.homes(release.id))
        left = delivery.times - len(book.fetches(delivery.id))
        if left <= 0:
            raise Refused(
                410, "link_used", "this pack was fetched as often as was agreed: ask for a new link"
            )
        return Found(delivery, release, left)

    def _stands(self, delivery: Delivery, release: Release, homes: grounds.Homes) -> None:
        """Days pass while this process runs, also when nobody else looks."""
        if any(site not in self._sites for site in release.sites):
            return  # the loop, which reads the settings anew, has looked
        histories = Packs({site: self._sites[site] for site in release.sites}).history
        today, span = datetime.now(UTC).date(), period.read(release.period)
        why = grounds.lapsed(histories, homes, delivery, release.sites, span, today)
        if why:
            raise Refused(451, "transfer_lapsed", next(iter(why.values())))

    def _body(self, delivery: Delivery) -> bytes:
        """Raises Broken where the pack is not the one that was delivered."""
        body = deliveries.packed(self._data, delivery.id).read_bytes()
        if pack.sha256(body) != delivery.pack_sha256:
            raise Broken(f"the pack of delivery {delivery.id} is not the one that was signed")
        return body

    def _key(self) -> PublicKey:
        try:
            return SigningKey.read(self._data / signing.FILE).public
        except FileNotFoundError:
            raise Refused(404, "no_such_link", "nothing was ever signed here") from None


def may_be_fetched(book: deliveries.Ledger, delivery: Delivery, release: Release) -> None:
    """Raises Refused where the ledger speaks against it: recalled or superseded (410), frozen (451), never
    approved (403)."""
    state = book.state(release.id)
    if state == deliveries.RECALLED:
        recalled = book.step(release.id, "recalled")
        raise Refused(
            410, "recalled", "this release was recalled: {why}", why=recalled.why if recalled else ""
        )
    if state != deliveries.APPROVED:
        raise Refused(403, "not_approved", "nobody has approved this release")
    if newer := book.newer(release):
        says = f"there is a newer version, {newer.version}: {newer.why}; ask for a link to it"
        raise Refused(410, "superseded", says)
    if why := book.frozen(delivery.id):
        raise Refused(451, "transfer_lapsed", why)
