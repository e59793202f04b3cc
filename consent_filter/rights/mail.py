"""Mails to the address on file: a code, or that there is news; never anything about what is held."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path

from consent_filter.errors import Misconfigured
from consent_filter.rights.case import Case
from consent_filter.rights.proving import CODE_HOURS
from consent_filter.rights.settings import Rights

_PATIENCE = 20.0
#: What each right is called in a sentence that begins "to".
WORDS = {
    "access": "send a copy of the data held about you",
    "rectify": "correct data held about you",
    "restrict": "restrict the use of your data",
    "lift": "lift the restriction of your data",
    "object": "stop uses of your data that you object to",
    "withdraw": "take back your consent",
    "erase": "erase the data held about you",
}
_TEXT = """\
Somebody, probably you, has asked {site} to {what}.
The request has the number {id}.

To confirm that it was you, enter this code within {hours} hours where you asked:

    {code}
{link}
If it was not you, do nothing: without the code nothing is shown and nothing is changed.
"""
_LINK = """
or open this address and press the button there:

    {at}/rights/{id}/confirm?code={code}
"""


def address(text: str) -> bool:
    """Whether a mail may go there: one address, plain, that cannot say anything else to a mail server."""
    name, at, host = text.rpartition("@")
    return (
        bool(name and at and "." in host)
        and len(text) <= 254
        and text.isascii()
        and text.isprintable()
        and not any(letter in " <>,;:\"()[]\\" for letter in text)
    )  # fmt: skip


def _headed(case: Case, settings: Rights) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"] = settings.mail_from, case.email
    made["Subject"] = f"Your request {case.id} to {case.site}"
    made["Date"], made["Message-ID"] = formatdate(), make_msgid(domain=settings.mail_from.rpartition("@")[2])
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers
    return made


def letter(case: Case, code: str, settings: Rights) -> EmailMessage:
    """The mail for that request."""
    link = _LINK.format(at=settings.at.rstrip("/"), id=case.id, code=code) if settings.at else ""
    made = _headed(case, settings)
    shown = f"{code[:5]}-{code[5:]}"
    what = WORDS[case.right]
    text = _TEXT.format(site=case.site, what=what, id=case.id, hours=CODE_HOURS, code=shown, link=link)
    made.set_content(text, cte="7bit")  # quoted-printable breaks links in two
    return made


_NEWS = """\
There is news of your request {id} to {site}: {what}.
{link}
You need no password for that address: keep it to yourself.
"""
_WHAT = {
    "extended": "it takes two months more, and why",
    "done": "it is done",
    "refused": "it is refused, and why",
}


def news(case: Case, what: str, secret: str, settings: Rights) -> EmailMessage:
    """That something has happened (Art. 12(3) and (4)): not what, only where it can be read."""
    made = _headed(case, settings)
    link = f"\n    {settings.at.rstrip('/')}/rights/{case.id}?secret={secret}\n"
    made.set_content(_NEWS.format(id=case.id, site=case.site, what=_WHAT[what], link=link), cte="7bit")
    return made


def send(made: EmailMessage, settings: Rights) -> bool:
    """Hand it to the mail server; False where it did not take it. Blocks for as long as that takes."""
    tls = ssl.create_default_context()
    try:
        server: smtplib.SMTP
        if settings.mail_tls == "tls":
            server = smtplib.SMTP_SSL(settings.mail_host, settings.mail_port, timeout=_PATIENCE, context=tls)
        else:
            server = smtplib.SMTP(settings.mail_host, settings.mail_port, timeout=_PATIENCE)
        with server:
            if settings.mail_tls == "starttls":
                server.starttls(context=tls)
            if settings.mail_user:
                server.login(settings.mail_user, _password(settings))
            server.send_message(made)
    except (OSError, smtplib.SMTPException):
        return False  # never the message: it may hold the address
    return True


def _password(settings: Rights) -> str:
    try:
        return Path(settings.mail_password_file).read_text().strip()
    except OSError:
        raise Misconfigured(
            "rights.mail_password_file", settings.mail_password_file, "a file that can be read"
        ) from None
