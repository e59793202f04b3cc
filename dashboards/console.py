"""The officer's console: requests with their clock, one with its history, and what an officer does to it.

It is there only when `[dashboards] console` is on, for accounts with the role of privacy officer, each with
the requests of its own sites. Every change says which version of the request it was made on: of two officers
at once the second is told what the first has done.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

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
from consent_filter.rights.proof import ASSURANCE, HOLDS, Judgement
from consent_filter.rights.register import Register
from consent_filter.rights.settings import Rights
from consent_filter.signing import Signer
from consent_filter.site import Site
from dashboards import forms
from dashboards.forms import text
from dashboards.language import say, say_n
from dashboards.pages import Pages
from dashboards.who import present, who
from dashboards.words import day

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

    def _answer(self, page: Callable[[_Asked], Response]) -> Callable[[Request], Awaitable[Response]]:
        """A page for an officer, as whom the gate has let them in (`gate.py`)."""

        def make(request: Request, form: FormData | None) -> Response:
            return page(_Asked(request, form or FormData(), who(request).name))

        return forms.page(make)

    # Pages.

    def _list(self, asked: _Asked) -> Response:
        register = self._office().register
        register.tidy()
        closed = asked.request.query_params.get("show") == "closed"
        cases = [case for case in register.cases(closed=closed) if present().sees(case.site)]
        counts = register.counts() if present().sites is None else None
        said = {"cases": cases[:500], "closed": closed, "now": register.now(), "counts": counts}
        return self._html("console.html", 200, asked, title=say("Requests"), **said)

    def _own(self, asked: _Asked) -> str:
        """The number of the request that is asked for. Raises Refused where it is of another site."""
        id: str = asked.request.path_params["id"]
        if not present().sees(self._office().register.get(id).site):
            raise Refused(404, "no_such_request", "there is no such request")
        return id

    def _one(self, asked: _Asked) -> Response:
        register, id = self._office().register, self._own(asked)
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
        return self._html(
            "console_request.html", status, asked, title=say("Request {id}", id=case.id), **said
        )

    def _fetch(self, asked: _Asked) -> Response:
        """The answer, for who can't fetch it: to be sent by post."""
        register, id = self._office().register, self._own(asked)
        case = register.look(id, asked.name)
        found = register.answer(id)
        if found is None:
            raise Refused(404, "no_answer", "there is no answer, or it has been emptied")
        name = f"{case.id}.{'zip' if found[0] == 'application/zip' else 'json'}"
        head = _HEAD | {"content-disposition": f'attachment; filename="{name}"'}
        return Response(found[1], headers=head, media_type=found[0])

    def _act(self, asked: _Asked, id: str) -> Case:
        office, name, form = self._office(), asked.name, asked.form
        register, why = office.register, text(form, "why")
        version = int(text(form, "version")) if text(form, "version").isdigit() else -1
        match text(form, "act"):
            case "verify":
                days = int(text(form, "days")) if text(form, "days").isdigit() else 0
                proof = Judgement(text(form, "method"), text(form, "assurance"), why, name, days)
                return office.prove(id, proof, version=version)
            case "address":
                case = register.vouch(id, _address(text(form, "email")), name, version=version)
                office.send_code(id)
                return case
            case "pause":
                return register.pause(id, name, why, version=version)
            case "resume":
                return register.resume(id, name, version=version)
            case "extend":
                return register.extend(id, name, why, version=version)
            case "refuse":
                until = _until(text(form, "until"))
                return register.refuse(
                    id, text(form, "ground"), name, why or None, until=until, version=version
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
        sites = [site for site in self._sites if present().sees(site)]
        said: dict[str, Any] = {"wrong": wrong, "said": asked.form, "sites": sites}
        said |= {"rights": RIGHTS, "channels": CHANNELS[1:], "marketing": list(MARKETING)}
        said |= {"assurances": ASSURANCE}
        status = 200 if wrong is None else wrong.status
        return self._html(
            "console_new.html", status, asked, title=say("A request that came off-line"), **said
        )

    def _take(self, asked: _Asked) -> Case:
        form, name = asked.form, asked.name
        site, right, note = text(form, "site"), text(form, "right"), text(form, "note")
        if site not in self._sites or not present().sees(site):
            raise Refused(400, "site", "site is not one that is measured here")
        if not note:
            raise Refused(400, "note", "say what shows that it came")
        try:
            received = clock.begin(self._sites[site].timezone, date.fromisoformat(text(form, "received")))
        except ValueError:
            raise Refused(400, "received", "the day it came, such as 2026-11-20") from None
        channels = [one for one in form.getlist("marketing") if isinstance(one, str)]
        detail: dict[str, Any] = {"channels": channels or None} if right in AT_ONCE else {}
        if right == "rectify":
            detail["changes"] = {text(form, "field"): text(form, "value")}
        proof = None
        if text(form, "method"):
            proof = Judgement(text(form, "method"), text(form, "assurance"), note, name)
        elif right in AT_ONCE:
            proof = Judgement(text(form, "channel"), "low", note, name)
        kind = "device" if text(form, "kind") == "device" else "user"
        return self._office().receive(
            site, right, kind, text(form, "id"), detail=detail, text=note, received=received,
            about=text(form, "about").split(), channel=text(form, "channel"), officer=name, proof=proof,
        )  # fmt: skip

    def _statistics(self, asked: _Asked) -> Response:
        register = self._office().register
        month = asked.request.query_params.get("month") or datetime.now(UTC).strftime("%Y-%m")
        said = register.statistics(month)
        return self._html(
            "console_statistics.html", 200, asked, title=say("Requests of {month}", month=month), month=said
        )

    def _html(self, template: str, status: int, asked: _Asked, **said: Any) -> Response:
        return HTMLResponse(self._pages.page(template, "console", **said), status, _HEAD)


class _Asked:
    """One request of an officer, by name."""

    def __init__(self, request: Request, form: FormData, name: str) -> None:
        self.request, self.form, self.name = request, form, name


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
    return f"{day(when)}, {when:%H:%M}" if minutes else day(when)


def left(case: Case, now: int) -> str:
    """What the clock says."""
    if not case.open:
        return say("closed")
    if case.paused is not None:
        return say("stands")
    if now >= case.due:
        return say("overdue")
    days = (case.due - now) // 86_400_000
    return say("today") if days < 1 else say_n("{n} day left", "{n} days left", days)
