"""The officer's console: requests with their clock, one with its history, and what an officer does to it.

It is there only when `[dashboards] console` is on, for who is signed in with a token that `throng rights
console` prints. Every change is a POST with a word that only our own page knows, and says which version of
the request it was made on: of two officers at once the second is told what the first has done.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter import signing
from consent_filter.errors import Refused
from consent_filter.ledger import Ledger
from consent_filter.marketing import CHANNELS as MARKETING
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.rights import clock
from consent_filter.rights.case import AT_ONCE, CHANNELS, GROUNDS, RIGHTS, Case
from consent_filter.rights.mail import address
from consent_filter.rights.office import Office
from consent_filter.rights.officers import SESSION, Officers
from consent_filter.rights.proof import ASSURANCE, HOLDS, Judgement
from consent_filter.rights.register import Register
from consent_filter.rights.settings import Rights
from consent_filter.signing import Signer
from consent_filter.site import Site
from dashboards.pages import Pages

_COOKIE, _LARGEST = "throng_console", 65_536
_HEAD = {"cache-control": "no-store"}


class Console:
    """The pages below `/console`. Register and ledger are opened when they are first needed."""

    def __init__(self, data: Path, pages: Pages, rights: Rights, sites: Mapping[str, Site]) -> None:
        self._data, self._pages, self._rights, self._sites = data, pages, rights, sites
        self._lock = threading.Lock()
        self._held: tuple[Office, Ledger] | None = None
        pages.templates.filters |= {"moment": moment, "left": left}

    def routes(self) -> list[Route]:
        return [
            Route("/console", self._answer(self._list), methods=["GET"]),
            Route("/console/enter", self._enter, methods=["POST"]),
            Route("/console/leave", self._answer(self._leave), methods=["POST"]),
            Route("/console/new", self._answer(self._new), methods=["GET", "POST"]),
            Route("/console/statistics", self._answer(self._statistics), methods=["GET"]),
            Route("/console/request/{id:str}/answer", self._answer(self._fetch), methods=["GET"]),
            Route("/console/request/{id:str}", self._answer(self._one), methods=["GET", "POST"]),
        ]

    def close(self) -> None:
        if self._held is not None:
            office, ledger = self._held
            office.register.close()
            ledger.close()

    def _office(self) -> Office:
        with self._lock:
            if self._held is None:
                keys = self._data / "keys.json"
                if not keys.exists():
                    raise Refused(503, "no_keys", "there are no keys yet: start the collector first")
                keyring = Keyring.open(keys)
                ledger = Ledger.open(self._data / "ledger.sqlite", keyring, gives=False)
                register = Register.open(self._data, self._rights)
                signer = Signer(self._data / signing.FILE)
                packs = Packs(self._sites)
                self._held = Office(register, ledger, keyring, self._sites, packs, signer), ledger
            return self._held[0]

    # Signing in.

    async def _enter(self, request: Request) -> Response:
        form = await _form(request)

        def enter() -> Response:
            session = Officers(self._office().register).enter(_text(form, "token"))
            answer = RedirectResponse("/console", 303, _HEAD)
            answer.set_cookie(
                _COOKIE, session, max_age=SESSION // 1000, path="/console", httponly=True, samesite="strict",
                secure=request.url.scheme == "https",
            )  # fmt: skip
            return answer

        return await run_in_threadpool(enter)

    def _answer(self, page: Callable[[_Asked], Response]) -> Callable[[Request], Awaitable[Response]]:
        """A page for who is signed in; the others get to sign in. A POST must come from our own page."""

        async def answer(request: Request) -> Response:
            form = await _form(request) if request.method == "POST" else FormData()

            def make() -> Response:
                session = request.cookies.get(_COOKIE, "")
                name = Officers(self._office().register).name(session)
                if name is None:
                    status = 401 if request.method == "POST" else 200
                    return self._html("console_sign_in.html", status, title="Sign in")
                asked = _Asked(request, form, session, name)
                if request.method == "POST" and not secrets.compare_digest(
                    _text(form, "word").encode(), asked.word.encode()
                ):
                    raise Refused(403, "word", "this form is not of this session: open the page again")
                return page(asked)

            return await run_in_threadpool(make)

        return answer

    def _leave(self, asked: _Asked) -> Response:
        Officers(self._office().register).leave(asked.session)
        return RedirectResponse("/console", 303, _HEAD)

    # Pages.

    def _list(self, asked: _Asked) -> Response:
        register = self._office().register
        register.tidy()
        closed = asked.request.query_params.get("show") == "closed"
        said = {"cases": register.cases(closed=closed)[:500], "closed": closed, "now": register.now()}
        return self._html("console.html", 200, asked, title="Requests", counts=register.counts(), **said)

    def _one(self, asked: _Asked) -> Response:
        register, id = self._office().register, asked.request.path_params["id"]
        wrong, status = None, 200
        if asked.request.method == "POST":
            try:
                done = self._act(asked, id)
                return RedirectResponse(f"/console/request/{done.id}", 303, _HEAD)
            except Refused as error:
                if error.status == 404:
                    raise
                wrong, status = error, error.status
        case = register.look(id, asked.name)
        said = {"case": case, "steps": register.history(case.id), "now": register.now(), "wrong": wrong}
        said["answered"] = register.answers(case.id)
        said |= {"grounds": GROUNDS, "assurances": ASSURANCE, "holds": HOLDS, "mails": self._rights.mail_host}
        return self._html("console_request.html", status, asked, title=f"Request {case.id}", **said)

    def _fetch(self, asked: _Asked) -> Response:
        """The answer, for who can't fetch it: to be sent by post."""
        register, id = self._office().register, asked.request.path_params["id"]
        case = register.look(id, asked.name)
        found = register.answer(id)
        if found is None:
            raise Refused(404, "no_answer", "there is no answer, or it has been emptied")
        name = f"{case.id}.{'zip' if found[0] == 'application/zip' else 'json'}"
        head = _HEAD | {"content-disposition": f'attachment; filename="{name}"'}
        return Response(found[1], headers=head, media_type=found[0])

    def _act(self, asked: _Asked, id: str) -> Case:
        office, name, form = self._office(), asked.name, asked.form
        register, why = office.register, _text(form, "why")
        version = int(_text(form, "version")) if _text(form, "version").isdigit() else -1
        match _text(form, "act"):
            case "verify":
                days = int(_text(form, "days")) if _text(form, "days").isdigit() else 0
                proof = Judgement(_text(form, "method"), _text(form, "assurance"), why, name, days)
                return office.prove(id, proof, version=version)
            case "address":
                case = register.vouch(id, _address(_text(form, "email")), name, version=version)
                office.send_code(id)
                return case
            case "pause":
                return register.pause(id, name, why, version=version)
            case "resume":
                return register.resume(id, name, version=version)
            case "extend":
                return register.extend(id, name, why, version=version)
            case "refuse":
                until = _until(_text(form, "until"))
                return register.refuse(
                    id, _text(form, "ground"), name, why or None, until=until, version=version
                )
            case "close":
                return register.close_by_hand(id, name, why, version=version)
        raise Refused(400, "act", "there is no such thing to do")

    def _new(self, asked: _Asked) -> Response:
        wrong = None
        if asked.request.method == "POST":
            try:
                case = self._take(asked)
                return RedirectResponse(f"/console/request/{case.id}", 303, _HEAD)
            except Refused as error:
                wrong = error
        said: dict[str, Any] = {"wrong": wrong, "said": asked.form, "sites": list(self._sites)}
        said |= {"rights": RIGHTS, "channels": CHANNELS[1:], "marketing": list(MARKETING)}
        said |= {"assurances": ASSURANCE}
        status = 200 if wrong is None else wrong.status
        return self._html("console_new.html", status, asked, title="A request that came off-line", **said)

    def _take(self, asked: _Asked) -> Case:
        form, name = asked.form, asked.name
        site, right, note = _text(form, "site"), _text(form, "right"), _text(form, "note")
        if site not in self._sites:
            raise Refused(400, "site", "site is not one that is measured here")
        if not note:
            raise Refused(400, "note", "say what shows that it came")
        try:
            received = clock.begin(self._sites[site].timezone, date.fromisoformat(_text(form, "received")))
        except ValueError:
            raise Refused(400, "received", "the day it came, such as 2026-11-20") from None
        channels = [one for one in form.getlist("marketing") if isinstance(one, str)]
        detail: dict[str, Any] = {"channels": channels or None} if right in AT_ONCE else {}
        if right == "rectify":
            detail["changes"] = {_text(form, "field"): _text(form, "value")}
        proof = None
        if _text(form, "method"):
            proof = Judgement(_text(form, "method"), _text(form, "assurance"), note, name)
        elif right in AT_ONCE:
            proof = Judgement(_text(form, "channel"), "low", note, name)
        kind = "device" if _text(form, "kind") == "device" else "user"
        return self._office().receive(
            site, right, kind, _text(form, "id"), detail=detail, text=note, received=received,
            about=_text(form, "about").split(), channel=_text(form, "channel"), officer=name, proof=proof,
        )  # fmt: skip

    def _statistics(self, asked: _Asked) -> Response:
        register = self._office().register
        month = asked.request.query_params.get("month") or datetime.now(UTC).strftime("%Y-%m")
        said = register.statistics(month)
        return self._html("console_statistics.html", 200, asked, title=f"Requests of {month}", month=said)

    def _html(self, template: str, status: int, asked: _Asked | None = None, **said: Any) -> Response:
        more = {"officer": asked.name if asked else None, "word": asked.word if asked else ""}
        return HTMLResponse(self._pages.page(template, "console", **more, **said), status, _HEAD)


class _Asked:
    """One request of an officer. word: what only our own page of this session knows."""

    def __init__(self, request: Request, form: FormData, session: str, name: str) -> None:
        self.request, self.form, self.session, self.name = request, form, session, name
        self.word = blake2b(session.encode(), digest_size=16, person=b"console word").hexdigest()


async def _form(request: Request) -> FormData:
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > _LARGEST:
        raise Refused(413, "too_large", f"a form has at most {_LARGEST} bytes")
    return await request.form(max_files=0, max_fields=100)


def _text(form: FormData, name: str) -> str:
    said = form.get(name, "")
    return said.strip() if isinstance(said, str) else ""


def _until(said: str) -> date | None:
    try:
        return date.fromisoformat(said) if said else None
    except ValueError:
        raise Refused(400, "until", "a day such as 2027-06-30") from None


def _address(text: str) -> str:
    if not address(text):
        raise Refused(400, "email", "email is one plain address")
    return text


def moment(at: int, zone: str = "UTC", *, minutes: bool = False) -> str:
    """A time as people write it, in the site's zone."""
    when = datetime.fromtimestamp(at // 1000, UTC).astimezone(ZoneInfo(zone))
    return when.strftime("%-d %b %Y, %H:%M" if minutes else "%-d %b %Y")


def left(case: Case, now: int) -> str:
    """What the clock says."""
    if not case.open:
        return "closed"
    if case.paused is not None:
        return "stands"
    if now >= case.due:
        return "overdue"
    days = (case.due - now) // 86_400_000
    return "today" if days < 1 else f"{days} day{'s' if days != 1 else ''} left"
