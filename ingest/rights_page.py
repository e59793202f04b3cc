"""The page behind the link of a mail that asks whether it was you: no script, nothing from another host."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from consent_filter.rights.case import GROUNDS, REMEDY, Case
from ingest.unsubscribe_page import HEAD, page

__all__ = ["HEAD", "asks", "proved", "standing", "wrong"]
_STATES = {
    "unproved": "It is not yet known that it was you who asked.",
    "verified": "It will be carried out.",
    "done": "It is done.",
    "refused": "It is refused.",
}


def asks(id: str, code: str) -> str:
    """Whether it was you, with a button. The same page whether or not there is such a request."""
    code = code if len(code) <= 16 and code.isascii() else ""
    return page(
        "Confirm your request",
        f"<h1>Was it you?</h1><p>Nothing has been shown or changed yet. Press the button only if you have"
        f" made the request {escape(id[:32])} yourself.</p>"
        '<form method="post"><p><label>Code <input name="code" autocomplete="one-time-code" required'
        f' maxlength="16" value="{escape(code)}"></label></p>'
        '<button class="first">Yes, it was me</button></form>'
        "<p>If it was not you, close this page.</p>",
    )


def proved(case: Case, secret: str) -> str:
    """What becomes of it now, and where the answer will be."""
    if case.state == "refused":
        says = f"<p>It is refused: {escape(GROUNDS[case.ground])}.</p><p>{escape(REMEDY)}</p>"
    elif case.state == "done":
        says = "<p>It is done.</p>"
    else:
        says = "<p>It will be carried out. You will find the answer at this address, for which you need no"
        says += " password: keep it to yourself.</p>"
    link = f"/rights/{escape(case.id)}/answer?secret={escape(secret)}"
    state = f"/rights/{escape(case.id)}?secret={escape(secret)}"
    return page(
        "Confirmed",
        f"<h1>Confirmed</h1>{says}<p>Number: <strong>{escape(case.id)}</strong></p>"
        f'<p><a href="{link}">The answer</a> · <a href="{state}">Where it stands</a></p>',
    )


def standing(said: Mapping[str, Any], secret: str) -> str:
    """Where a request stands, for the person who holds its secret: `told` of `office.py`."""
    more = [f"<p><strong>{_STATES[said['state']]}</strong></p>"]
    if said["state"] in ("unproved", "verified"):
        due = datetime.fromtimestamp(said["due"] // 1000 - 1, UTC).strftime("%-d %B %Y")
        stands = "The clock stands until it is known who asks. " if said["clock_stands"] else ""
        more.append(f"<p>{stands}You will have an answer by {due} (GDPR Art. 12(3)).</p>")
    if isinstance(why := said.get("extended"), str):
        more.append(f"<p>We need two months more: {escape(why)}.</p>")
    if ground := said.get("ground"):
        more.append(f"<p>Because {escape(ground['says'])}.</p><p>{escape(ground['remedy'])}</p>")
    outcome = said.get("outcome", {})
    if note := outcome.get("note"):
        more.append(f"<p>{escape(str(note))}</p>")
    for one in outcome.get("retained", ()):
        kept = f"{one.get('what')}, because {one.get('ground')}, until {one.get('until')}"
        more.append(f"<p>Kept: {escape(kept)}.</p>")
    if said["state"] == "done" and "outcome" in said:
        link = f"/rights/{escape(said['request'])}/answer?secret={escape(secret)}"
        more.append(f'<p><a href="{link}">The answer</a></p>')
    title = f"Request {escape(said['request'])}"
    return page(title, f"<h1>{title}</h1>{''.join(more)}")


def wrong(message: str) -> str:
    """Why it did not work."""
    return page("That did not work", f"<h1>That did not work</h1><p>{escape(message.capitalize())}.</p>")
