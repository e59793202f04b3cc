"""`/shares`: making a link to a view for somebody outside, and ending it."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter import signing
from consent_filter.errors import Refused
from consent_filter.signing import Signer
from dashboards import forms
from dashboards.accounts.door import Door
from dashboards.language import say
from dashboards.own_account import number, stale_session
from dashboards.pages import Pages
from dashboards.settings import Dashboards
from dashboards.sharing.shares import FRAMES, Share, Shares, told
from dashboards.sharing.views import View, Views
from dashboards.who import who
from warehouse import link, outward, own_rows


class SharesPage:
    """The page. settings: for how long links may be good, and by which name they come in."""

    def __init__(self, door: Door, pages: Pages, settings: Dashboards) -> None:
        self._door, self._pages, self._settings = door, pages, settings
        self._signer = Signer(door.data / signing.FILE)

    def routes(self) -> list[Route]:
        return [Route("/shares", forms.page(self._page), methods=["GET", "POST"])]

    def _page(self, request: Request, form: FormData | None) -> Response:
        opened, me, wrong, made = self._door.open(), who(request), None, ""
        shares, views = Shares(opened.people, self._settings.share_days), Views(opened.store).all(me)
        if form is not None and (stale := stale_session(request, "/shares", opened)):
            return stale
        if form is not None:
            try:
                match forms.text(form, "act"):
                    case "make":
                        view = next((one for one in views if one.id == forms.text(form, "view")), None)
                        if view is None:
                            raise Refused(404, "no_such_view", "there is no such view, or it is not for you")
                        one = shares.make(
                            me, view, number(form, "days"), forms.raw(form, "password"),
                            forms.text(form, "frames"),
                        )  # fmt: skip
                        made = one.id
                    case "end":
                        shares.end(forms.text(form, "share"), me)
                        return RedirectResponse("/shares", 303)
                    case _:
                        raise Refused(400, "act", "there is no such thing to do")
            except Refused as error:
                wrong = error
        listed, now = shares.listed(me), opened.store.now()
        good = [one for one in listed if one.ended is None and one.until > now]
        key = self._signer.key() if good else None
        address = lambda one: f"{self._from(request)}/shared/{link.make(key, one.id, one.until, link.SHARED)}"  # type: ignore[arg-type]  # noqa: E731
        page = self._pages.page(
            "shares.html", "views", title=say("Share links"), wrong=wrong, good=good, address=address,
            made=next((one for one in good if one.id == made), None), frame=_frame,
            over=[one for one in listed if one not in good][:50], names=opened.people.names(),
            views=[one for one in views if can(one)], chosen=request.query_params.get("view", ""),
            longest=shares.longest, most=FRAMES,
            least=own_rows.LEAST, delay=own_rows.DELAY, told=outward.TOLD,
        )  # fmt: skip
        return HTMLResponse(page, wrong.status if wrong else 200)

    def _from(self, request: Request) -> str:
        """How whoever is outside comes to us, as far as the settings say it."""
        if self._settings.outside:
            return f"https://{self._settings.outside[0]}"
        return f"{request.url.scheme}://{request.url.netloc}"


def _frame(address: str, one: Share) -> str:
    """What a page has in it to show that link."""
    return f'<iframe src="{address}" title="{one.name}" width="100%" height="600" loading="lazy"></iframe>'


def can(view: View) -> bool:
    """Whether a link can show that view."""
    try:
        told(view.address)
    except Refused:
        return False
    return True
