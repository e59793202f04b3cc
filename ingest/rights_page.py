"""The page behind the link of a mail that asks whether it was you: no script, nothing from another host."""

from __future__ import annotations

from html import escape

from consent_filter.rights.case import GROUNDS, REMEDY, Case
from ingest.unsubscribe_page import HEAD, page

__all__ = ["HEAD", "asks", "proved", "wrong"]


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


def wrong(message: str) -> str:
    """Why it did not work."""
    return page("That did not work", f"<h1>That did not work</h1><p>{escape(message.capitalize())}.</p>")
