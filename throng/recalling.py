"""Recalls, and news of newer versions: whoever was given a release is told, in a file and by mail (M84)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import NamedTuple

from consent_filter.errors import Refused
from consent_filter.rights import mail
from throng.settings import Settings
from warehouse import deliveries
from warehouse.deliveries import Delivery, Release

_TEXT = """\
To {called}

{what}

Release    {release}
           {audience}, {period}, {sites}, version {version}
Given      {given} under the terms {terms}
Pack       SHA-256 {sha}
Why        {why}

{then}
"""
_RECALLED = ("This release is recalled.",
             "Do not use its figures any longer, delete the pack and its copies, and tell\n"
             "whoever has them from you. Its links have ended.")  # fmt: skip
_RESTATED = (
    "There is a newer version of this release.",
    "Use the newer version instead; this one's links have ended. Ask for a link to the newer one.",
)


class Told(NamedTuple):
    """One recipient who was told."""

    recipient: str
    file: Path
    mailed: bool


def recall(data: Path, settings: Settings, release: str, why: str, *, by: str = "") -> list[Told]:
    """End a release: its links answer that it is recalled, and why. Raises Refused where it is already."""
    if not why.strip() or not why.isprintable():
        raise Refused(400, "why", "say why it is recalled, in one line")
    with deliveries.ledger(data) as book:
        with book.changing():
            one = book.release(release)
            if book.state(release) == deliveries.RECALLED:
                raise Refused(409, "state", "it is recalled already")
            book.take(release, "recalled", by=by, why=why.strip())
        given = book.deliveries(release)
    return tell(data, settings, one, given, _RECALLED, why.strip())


def restate(data: Path, settings: Settings, of: Release) -> list[Told]:
    """Tell whoever has an earlier version that this one is approved."""
    told = []
    with deliveries.ledger(data) as book:
        versions = book.versions(of.audience, of.period, of.sites)
        earlier = [(one, book.deliveries(one.id)) for one in versions if one.version < of.version]
    for one, given in earlier:
        told += tell(data, settings, one, given, _RESTATED, f"{of.id}: {of.why}")
    return told


def tell(
    data: Path, settings: Settings, one: Release, given: Iterable[Delivery], what: tuple[str, str], why: str
) -> list[Told]:
    """A notice for each recipient, about the last pack that they got; again, it is written anew."""
    told = []
    for name, each in {each.recipient: each for each in given}.items():
        known = next((who for who in settings.recipient if who.name == name), None)
        text = _TEXT.format(
            called=known.called if known else name, what=what[0], then=what[1], release=one.id,
            audience=one.audience, period=one.period, sites=", ".join(one.sites), version=one.version,
            given=moment(each.at), terms=each.terms, sha=each.pack_sha256, why=why,
        )  # fmt: skip
        file = data / "releases" / "notices" / f"{one.id}.{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        mailed = bool(known and known.mail and settings.rights.mail_host)
        if known and mailed:
            mailed = mail.send(_letter(settings, known.mail, what[0], text), settings.rights)
        told.append(Told(name, file, mailed))
    return told


def _letter(settings: Settings, to: str, subject: str, text: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = settings.rights.mail_from, to, subject.rstrip(".")
    made["Date"] = formatdate()
    made["Message-ID"] = make_msgid(domain=settings.rights.mail_from.rpartition("@")[2])
    made.set_content(text, cte="8bit")
    return made


def moment(at: int) -> str:
    """UTC milliseconds as people write it."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
