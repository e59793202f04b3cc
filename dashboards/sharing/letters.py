"""Mails to accounts: what alerts have found, and saved views; numbers as they are published for them, in the
language of the account (`Post.speaks`), which whoever makes a mail has to be speaking.

They go to the address that the account signs in by, and to no other: an address that somebody types would be
a way out of the house that nobody looks at. The server is that of `[rights]`, which has the one mailer there
is.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import formatdate, make_msgid
from html import escape

from consent_filter.rights import mail
from consent_filter.rights.settings import Rights
from dashboards import words
from dashboards.accounts.people import Account
from dashboards.language import present, say
from dashboards.sharing.alerts import Finding
from dashboards.sharing.told import Figure, Listed, Told

_FRAME = (
    '<div style="font:15px/1.5 Segoe UI,Helvetica,Arial,sans-serif;color:#1b2320;max-width:640px">{}</div>'
)
_CELL = "padding:4px {};text-align:{};border-top:1px solid #e3e8e3"


class Post:
    """at: the address of the pages as readers of mail reach them; without it, or a server, nothing goes.
    language: of accounts that have chosen none, as a mail knows of no browser."""

    def __init__(self, rights: Rights, at: str, language: str = "en") -> None:
        self.rights, self.at, self._language = rights, at.rstrip("/"), language

    @property
    def on(self) -> bool:
        return bool(self.rights.mail_host and self.at)

    def to(self, account: Account) -> str:
        """Where mails of that account go; "" where none do."""
        return account.login if self.on and account.ended is None and mail.address(account.login) else ""

    def speaks(self, account: Account) -> str:
        """The tag of the language of its mails."""
        return account.who.language or self._language

    def send(self, made: EmailMessage) -> bool:
        """Whether the server has taken it. Blocks."""
        return mail.send(made, self.rights)

    def warned(self, to: str, found: Sequence[Finding]) -> EmailMessage:
        """What alerts of one account have found."""
        lines = []
        for one in found:
            n = words.said(one.found)
            was = say("{n} were found", n=n)
            if one.low is not None and one.high is not None:
                low, high = words.said(one.low), words.said(one.high)
                was = say("{n} were found, usual are {low} to {high}", n=n, low=low, high=high)
            lines.append(f"{words.day(one.day, 'dated')} - {one.alert.says}\n    {was}")
        sites = ", ".join(sorted({one.alert.site for one in found}))
        made = self._headed(to, say("Alert: {sites}", sites=sites))
        lines += ["", say("All of them: {address}", address=f"{self.at}/alerts"), ""]
        made.set_content("\n".join(lines), cte="8bit")
        made["Content-Language"] = present().tag
        return made

    def report(self, to: str, told: Told, view: str, stop: str, picture: bytes = b"") -> EmailMessage:
        """A saved view, as text and as a page. view, stop: the page's path, and that of what ends mails."""
        made = self._headed(to, _subject(told))
        made["List-Unsubscribe"] = f"<{self.at}{stop}>"
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        made.set_content(_text(told, f"{self.at}{view}", f"{self.at}{stop}"), cte="8bit")
        id = make_msgid(domain=self.rights.mail_from.rpartition("@")[2])
        shown = _page(told, f"{self.at}{view}", f"{self.at}{stop}", id[1:-1] if picture else "")
        made.add_alternative(shown, subtype="html", cte="quoted-printable")
        if picture:
            page = made.get_body(("html",))
            assert isinstance(page, EmailMessage)
            page.add_related(picture, "image", "png", cid=id)
        made["Content-Language"] = present().tag
        return made

    def _headed(self, to: str, subject: str) -> EmailMessage:
        # No header is folded: an address in two parts is none to a mail program (RFC 5322 allows 998).
        made = EmailMessage(EmailPolicy(max_line_length=998))
        made["From"], made["To"] = self.rights.mail_from, to
        # A name of a view is anybody's to choose: on one line, and short.
        made["Subject"] = " ".join(subject.split())[:150]
        made["Date"] = formatdate()
        made["Message-ID"] = make_msgid(domain=self.rights.mail_from.rpartition("@")[2])
        made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers
        return made


def _subject(told: Told) -> str:
    return say("{title}: {site}, {days}", title=told.title, site=told.site, days=told.days)


def _figure(one: Figure) -> str:
    if one.change is None or abs(one.change) < 0.5:
        return "" if one.change is None else say("as before")
    return ("+" if one.change > 0 else "−") + words.percent(abs(one.change))


def _text(told: Told, view: str, stop: str) -> str:
    lines = [_subject(told), ""]
    wide = max((len(one.title) for one in told.figures), default=0)
    lines += [f"{one.title:<{wide}}  {one.now:>9}  {_figure(one)}".rstrip() for one in told.figures]
    for table in told.lists:
        lines += ["", table.title, *(f"  {number:>9}  {name}" for name, number in table.rows)]
        lines += [] if table.rows else [f"  {told.none}"]
    ends = [say("The page: {address}", address=view), say("No more of these mails: {address}", address=stop)]
    return "\n".join([*lines, "", told.note, *ends, ""])


def _cell(*, end: bool = False) -> str:
    """The style of a cell of names or, at the end of a line, numbers: programs for mail know left and right
    alone."""
    room, sides = "14px 4px 0", ("left", "right")
    if present().direction == "rtl":
        room, sides = "0 4px 14px", ("right", "left")
    return _CELL.format(room, sides[end])


def _page(told: Told, view: str, stop: str, picture: str) -> str:
    rows = "".join(
        f'<tr><th scope="row" style="{_cell()};font-weight:400">{escape(one.title)}</th>'
        f'<td style="{_cell(end=True)}"><b>{escape(one.now)}</b></td>'
        f'<td style="{_cell(end=True)};color:#5a6660">{escape(_figure(one))}</td></tr>'
        for one in told.figures
    )
    out = [
        f'<h1 style="font-size:20px;margin:0 0 2px">{escape(told.title)}</h1>',
        f'<p style="margin:0 0 14px;color:#5a6660">{escape(told.site)} · {escape(told.days)}</p>',
        f'<table style="border-collapse:collapse">{rows}</table>' if rows else "",
    ]
    if picture:
        out.append(f'<p><img src="cid:{picture}" width="620" alt="{escape(told.drawn)}"></p>')
    out += [_table(table, told.none) for table in told.lists]
    out.append(
        f'<p style="margin:18px 0 4px"><a href="{escape(view)}">{escape(say("Open the page"))}</a></p>'
        f'<p style="font-size:13px;color:#5a6660">{escape(told.note)}'
        f' <a href="{escape(stop)}">{escape(say("No more of these mails"))}</a></p>'
    )
    here = present()
    head = f'<!doctype html><html lang="{here.tag}" dir="{here.direction}"><body dir="{here.direction}">'
    return f"{head}{_FRAME.format(''.join(out))}</body></html>"


def _table(one: Listed, none: str) -> str:
    rows = "".join(
        f'<tr><th scope="row" style="{_cell()};font-weight:400">{escape(name)}</th>'
        f'<td style="{_cell(end=True)}">{escape(number)}</td></tr>'
        for name, number in one.rows
    )
    shown = f'<table style="border-collapse:collapse">{rows}</table>' if rows else f"<p>{escape(none)}</p>"
    return f'<h2 style="font-size:15px;margin:18px 0 6px">{escape(one.title)}</h2>{shown}'
