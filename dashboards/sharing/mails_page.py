"""`/mails`: which saved views come by mail; and `/mails/stop/WORD`, which ends them without signing in."""

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
from dashboards.outside import outside
from dashboards.pages import Pages
from dashboards.sharing import told
from dashboards.sharing.letters import Post
from dashboards.sharing.mailings import EVERY, FROM, Mailings
from dashboards.sharing.views import View, Views
from dashboards.who import who
from warehouse import link


class MailsPage:
    """The pages. post: whether and where mails go."""

    def __init__(self, door: Door, pages: Pages, post: Post) -> None:
        self._door, self._pages, self._post = door, pages, post
        self._signer = Signer(door.data / signing.FILE)

    def routes(self) -> list[Route]:
        both = ["GET", "POST"]
        return [
            Route("/mails", forms.page(self._page), methods=both),
            Route("/mails/stop/{word:str}", outside(self._stop, self._refused), methods=both),
        ]

    def _page(self, request: Request, form: FormData | None) -> Response:
        opened, me, wrong = self._door.open(), who(request), None
        mailings, to = Mailings(opened.people), self._post.to(opened.people.get(me.account))
        if form is not None:
            try:
                match forms.text(form, "act"):
                    case "add":
                        if not to:
                            raise Refused(409, "no_mail", "no mails go to this account: the page says why")
                        mailings.add(me, forms.text(form, "view"), forms.text(form, "every"))
                    case "end":
                        if not mailings.end(forms.text(form, "mailing"), me.account):
                            raise Refused(404, "no_such_mail", "there are no such mails of yours")
                    case _:
                        raise Refused(400, "act", "there is no such thing to do")
                return RedirectResponse("/mails", 303)
            except Refused as error:
                wrong = error
        page = self._pages.page(
            "mails.html", "views", title=say("Mails"), wrong=wrong, mailings=mailings.of(me),
            mailed_to=to, hour=FROM, every=EVERY, on=self._post.on,
            views=[one for one in Views(opened.store).all(me) if can(one)],
            chosen=request.query_params.get("view", ""),
        )  # fmt: skip
        return HTMLResponse(page, wrong.status if wrong else 200)

    def _stop(self, request: Request) -> Response:
        """Scanners of mail follow links: only the button acts, or a mail program's own (RFC 8058). Whoever
        has the word has the mail; there is no cookie in it, so no other page can lend one."""
        id = link.read(
            self._signer.key().public, request.path_params["word"], self._door.open().store.now(), link.MAILS
        )
        done = request.method == "POST"
        if done:
            Mailings(self._door.open().people).end(id)
        return self._html(200, title=say("Mails of the dashboards"), error=None, done=done)

    def _refused(self, error: Refused) -> Response:
        return self._html(error.status, title=say("These mails can't be ended here"), error=error)

    def _html(self, status: int, **said: object) -> Response:
        return HTMLResponse(self._pages.templates.get_template("mails_stop.html").render(**said), status)


def can(view: View) -> bool:
    """Whether a mail can tell that view."""
    try:
        told.can(view.address)
    except Refused:
        return False
    return True
