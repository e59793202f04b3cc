"""`/alerts`: what somebody wants to be told of, and what was found."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import forms
from dashboards.accounts.door import Door
from dashboards.language import say
from dashboards.pages import Pages
from dashboards.sharing import seen, unusual
from dashboards.sharing.alerts import BY, WATCHED, Alerts
from dashboards.sharing.letters import Post
from dashboards.who import who


class AlertsPage:
    """The page. post: whether and where mails go."""

    def __init__(self, door: Door, pages: Pages, post: Post) -> None:
        self._door, self._pages, self._post = door, pages, post

    def routes(self) -> list[Route]:
        return [Route("/alerts", forms.page(self._page), methods=["GET", "POST"])]

    def _page(self, request: Request, form: FormData | None) -> Response:
        opened, me, wrong = self._door.open(), who(request), None
        alerts, sites = Alerts(opened.people), seen.sites(self._pages)
        account = opened.people.get(me.account)
        if form is not None:
            said = lambda name: forms.text(form, name)  # noqa: E731
            try:
                match said("act"):
                    case "add":
                        mail = bool(said("mail")) and bool(self._post.to(account))
                        alerts.add(
                            me,
                            said("site"),
                            said("what"),
                            said("only"),
                            said("kind"),
                            said("line"),
                            mail=mail,
                        )
                    case "remove":
                        alerts.remove(said("alert"), me)
                    case _:
                        raise Refused(400, "act", "there is no such thing to do")
                return RedirectResponse("/alerts", 303)
            except Refused as error:
                wrong = error
        page = self._pages.page(
            "alerts.html", "views", title=say("Alerts"), wrong=wrong, alerts=alerts.of(me), sites=sites,
            found=alerts.found(me), watched=WATCHED, by=BY, kinds=unusual.KINDS, weeks=unusual.WEEKS,
            least=unusual.LEAST, mailed_to=self._post.to(account),
        )  # fmt: skip
        return HTMLResponse(page, wrong.status if wrong else 200)
