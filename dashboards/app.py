"""Routes, and the one error shape."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from consent_filter.errors import Refused
from consent_filter.rights.settings import Rights
from consent_filter.security import look, looks, networks
from consent_filter.site import Site
from dashboards import api_document, security_page
from dashboards.access import WITH_SCRIPTS, Access, bearer
from dashboards.accounts.door import Door
from dashboards.accounts.settings import AccountSettings
from dashboards.administration import Administration
from dashboards.adverts_page import AdvertsPage, catalogued
from dashboards.catalogue_api import CatalogueApi
from dashboards.console import Console
from dashboards.elsewhere import ElsewherePages
from dashboards.explore_page import ExplorePage
from dashboards.exports import Exports
from dashboards.following import Following
from dashboards.funnel_page import FunnelPage
from dashboards.gate import Gate
from dashboards.journeys import Journeys
from dashboards.kept import Kept
from dashboards.language import Spoken, say
from dashboards.mine import Mine
from dashboards.own_account import OwnAccount
from dashboards.own_pages import OwnPages, advertisers, partners
from dashboards.own_passkeys import OwnPasskeys
from dashboards.pages import Pages
from dashboards.panel_page import PanelPage
from dashboards.report_page import ReportPage
from dashboards.second_step import SecondStep
from dashboards.segments import Segments
from dashboards.settings import Dashboards
from dashboards.sharing.alerts_page import AlertsPage
from dashboards.sharing.clockwork import Clockwork
from dashboards.sharing.files import Files
from dashboards.sharing.letters import Post
from dashboards.sharing.mails_page import MailsPage
from dashboards.sharing.notes_page import NotesPage
from dashboards.sharing.shared_page import SharedPage
from dashboards.sharing.shares_page import SharesPage
from dashboards.sharing.views_page import ViewsPage
from dashboards.sign_in import LINK, SignIn
from dashboards.speed_page import SpeedPage
from dashboards.sql_page import SqlPage
from dashboards.topic_pages import TopicPages
from dashboards.trials import Trials
from dashboards.who import SCOPE, Role, Who
from warehouse.advert_settings import Adverts
from warehouse.reader import mark
from warehouse.recipient import Recipient
from warehouse.release_settings import Release
from warehouse.settings import Warehouse

#: Seconds that a thread may keep the interpreter while others wait. A request passes it on several times, and
#: beside a thread that makes pages (`ahead.py`) waits so long each time: five milliseconds, by default.
_TURN = 0.001
_STATIC = Path(__file__).parent / "static"


def create(
    data: Path,
    settings: Dashboards,
    warehouse: Warehouse,
    *,
    generated: bool = False,
    rights: Rights | None = None,
    sites: Mapping[str, Site] | None = None,
    adverts: Adverts | None = None,
    accounts: AccountSettings | None = None,
    recipients: Iterable[Recipient] = (),
    release: Release = Release(),  # noqa: B008
    link: str = LINK,
) -> Starlette:
    """The ASGI application over one data folder's published tables; with the console where it is on.
    link: the command that prints links which sign in."""
    door = Door(data, accounts)
    pages = Pages(data, warehouse, generated, console=settings.console, sites=sites, release=release)
    shown = adverts or Adverts()
    campaigns = AdvertsPage(pages, lambda: catalogued(data / shown.catalogue), shown)
    kept = Kept(pages.reader, lambda: door.open().store.shown())
    listed = lambda: mark(data / shown.catalogue)  # noqa: E731
    sign_in = SignIn(door, pages, console=settings.console, link=link)
    console = Console(data, pages, rights or Rights(), sites or {}) if settings.console else None

    explore, reports = ExplorePage(data, pages), ReportPage(pages)
    post = Post(rights or Rights(), settings.at, settings.language)
    clockwork = Clockwork(door, pages, post, sites or {})

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        sys.setswitchinterval(_TURN)
        clockwork.start()
        kept.ahead.start()
        yield
        await run_in_threadpool(kept.ahead.end)
        await run_in_threadpool(clockwork.end)
        await run_in_threadpool(pages.close)
        await run_in_threadpool(explore.close)
        await run_in_threadpool(door.close)
        if console:
            await run_in_threadpool(console.close)

    def html(
        make: Callable[[Request], str], of: Callable[[], Hashable] | None = tuple
    ) -> Callable[[Request], object]:
        """of: what else the page is made of than tables, or None where it can't be kept."""

        async def answer(request: Request) -> Response:
            # Lists under a filter come one by one, and the numbers of a page that is live by themselves.
            scripts = not request.query_params.keys().isdisjoint({"where", "live"})
            head = WITH_SCRIPTS if scripts else None
            if of is None:
                return HTMLResponse(await run_in_threadpool(make, request), headers=head)
            return await run_in_threadpool(kept.answer, request, make, head, of)

        return answer

    async def csv(request: Request) -> Response:
        name = request.path_params["name"]
        return _file(await run_in_threadpool(pages.csv, name, request.query_params), f"{name}.csv")

    async def health(request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def security(request: Request) -> Response:
        """Networks that spiked, for the role `security` alone (M44)."""
        asked: Who = request.scope[SCOPE]
        if asked.has(Role.SECURITY) and (not asked.key or "security" in asked.scopes):
            rows = await run_in_threadpool(look, data, asked.name, time.time())
        else:
            rows = await run_in_threadpool(networks, data, bearer(request), time.time())
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(await run_in_threadpool(lambda: security_page.page(pages, rows, looks(data))))
        return JSONResponse([row._asdict() for row in rows])

    async def icon(request: Request) -> Response:
        return FileResponse(_STATIC / "icon.svg", media_type="image/svg+xml")

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        program = request.url.path.startswith("/api/")
        if program or "text/html" not in request.headers.get("accept", ""):
            return JSONResponse(error.body(), error.status)
        if error.code == "nothing_published":
            return HTMLResponse(await run_in_threadpool(pages.nothing))
        page = await run_in_threadpool(pages.page, "wrong.html", "", title=say("Not so"), error=error)
        return HTMLResponse(page, error.status)

    async def missing(request: Request, error: Exception) -> Response:
        return await refused(request, Refused(404, "no_such_page", "there is no such page"))

    return Starlette(
        routes=[
            Route("/", html(lambda request: pages.overview(request.query_params))),
            Route(
                "/report/{name:str}",
                html(lambda request: reports.page(request.path_params["name"], request.query_params)),
            ),
            Route("/attribution", html(lambda request: pages.attribution(request.query_params))),
            Route("/csv/{name:str}.csv", csv),
            Route("/adverts", html(lambda request: campaigns.page(request.query_params), listed)),
            Route("/about", html(lambda request: pages.about(), None)),
            Route("/quality", html(lambda request: pages.quality(), None)),
            Route("/about-numbers", html(lambda request: pages.about_numbers(), None)),
            Route("/security", security),
            Route("/health", health),
            Route("/favicon.ico", icon),
            Mount("/static", StaticFiles(directory=_STATIC)),
            *SqlPage(data, pages).routes(),
            *explore.routes(),
            *PanelPage(pages, explore.gate).routes(),
            *TopicPages(pages, kept).routes(),
            *Following(pages, kept).routes(),
            *FunnelPage(pages, kept, explore.gate).routes(),
            *SpeedPage(pages).routes(),
            *Trials(pages, sites or {}).routes(),
            *Journeys(pages, explore.gate).routes(),
            *api_document.routes(),
            *Files(pages).routes(),
            *ViewsPage(door, pages).routes(),
            *NotesPage(door, pages).routes(),
            *AlertsPage(door, pages, post).routes(),
            *MailsPage(door, pages, post).routes(),
            *SharesPage(door, pages, settings).routes(),
            *SharedPage(door, pages, settings).routes(),
            *Segments(pages, settings.segments).routes(),
            *Exports(data, pages, sites or {}).routes(),
            *CatalogueApi(data, data / shown.catalogue).routes(),
            *OwnPages(data, pages, advertisers(data / shown.catalogue)).routes(),
            *OwnPages(data, pages, partners(recipients)).routes(),
            *Mine(data, pages, data / shown.catalogue).routes(),
            *sign_in.routes(),
            *SecondStep(door, pages, sign_in).routes(),
            *OwnAccount(door, pages).routes(),
            *(ElsewherePages(door, sign_in).routes() if door.settings.issuer.address else ()),
            *OwnPasskeys(door, pages, sign_in).routes(),
            *Administration(door, pages).routes(),
            *(console.routes() if console else ()),
        ],
        exception_handlers={Refused: refused, 404: missing},
        middleware=[
            Middleware(
                Access,
                hosts=settings.hosts,
                outside=settings.outside,
                hsts_days=settings.hsts_days,
            ),
            Middleware(Spoken, default=settings.language),
            Middleware(Gate, door=door, refused=refused),
        ],
        lifespan=life,
    )


def _file(body: bytes, name: str) -> Response:
    head = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type="text/csv", headers=head)
