"""One way in for requests, however they come: over HTTP, the command line, the officer's console."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from consent_filter.errors import Misconfigured, Refused
from consent_filter.ledger import Ledger
from consent_filter.marketing import contact
from consent_filter.policy import Pack
from consent_filter.pseudonym import Keyring, subject
from consent_filter.rights import mail
from consent_filter.rights.carrying import Carrying, asked
from consent_filter.rights.case import AT_ONCE, GROUNDS, REMEDY, Case
from consent_filter.rights.proof import Proof
from consent_filter.rights.register import Register
from consent_filter.signing import Signer
from consent_filter.site import Site

#: Characters of an id, of a letter, of a value to be corrected; members that may be corrected; numbers named.
ID, TEXT, VALUE, CHANGES, ABOUT = 256, 4000, 1000, 32, 10


class Office:
    """Takes requests and proofs, and does at once what can be done at once."""

    def __init__(
        self,
        register: Register,
        ledger: Ledger,
        keys: Keyring,
        sites: Mapping[str, Site],
        packs: Mapping[str, Pack],
        signer: Signer,
    ) -> None:
        self.register = register
        self.carrying = Carrying(register, ledger, sites, packs, signer)
        self._keys, self._sites = keys, sites

    def receive(
        self,
        site: str,
        right: str,
        kind: str,
        id: str,
        *,
        detail: Mapping[str, Any] | None = None,
        email: str | None = None,
        text: str | None = None,
        about: Sequence[str] = (),
        **more: Any,
    ) -> Case:
        """`Register.receive`, with everything that can be wrong looked at first, and done if it can be."""
        if site not in self._sites:
            raise Refused(400, "site", "site is missing or not one that is measured here")
        if right == "complaint" and not id:
            id = secrets.token_urlsafe(16)  # who complains need not be known to us
        if kind == "contact":
            if right not in AT_ONCE:
                raise Refused(400, "right", "of an address alone nothing is held but what it refuses")
            id = contact(id)
        if not 0 < len(id) <= ID:
            raise Refused(400, f"{kind}_id", "an id has 1 to {id} characters", id=ID)
        if email is not None and not mail.address(email):
            raise Refused(400, "email", "email is one plain address")
        if text is not None and len(text) > TEXT:
            raise Refused(400, "text", "text has at most {said} characters", said=TEXT)
        if len(about) > ABOUT:
            raise Refused(400, "about", "about names at most {about} requests", about=ABOUT)
        detail = {name: value for name, value in (detail or {}).items() if value is not None}
        if right in AT_ONCE:
            asked(detail)
        if right == "rectify":
            _changes(detail.get("changes"))
        zone = self._sites[site].timezone
        key = subject(self._keys, site, kind, id)
        case = self.register.receive(
            site, right, key, kind=kind, subject=id, zone=zone, detail=detail, email=email, text=text,
            about=about, **more,
        )  # fmt: skip
        return self.carrying.carry(case)

    def prove(self, id: str, proof: Proof, *, version: int | None = None) -> Case:
        """`Register.prove`, and done if it can be."""
        return self.carrying.carry(self.register.prove(id, proof, version=version))

    def send_code(self, id: str) -> bool:
        """A code to the address on file; False where there is none, or no mail server took it. Blocks."""
        case, settings = self.register.get(id), self.register.settings
        if not settings.mail_host or not case.email or not case.vouched or case.state != "unproved":
            return False
        try:
            sent = mail.send(mail.letter(case, self.register.code(case.id), settings), settings)
        except (Refused, Misconfigured):
            return False
        if not sent:
            self.register.note(case.id, "mail failed")
        return sent

    def tell(self) -> int:
        """Write to who has an address on file that their request is extended, done or refused (Art. 12).

        How many. What a mail server does not take is written down, for an officer to tell; it is not tried
        for ever. The link opens the answer: the mailbox is what a code would have been sent to. Blocks.
        """
        register, told = self.register, 0
        settings = register.settings
        if not settings.mail_host or not settings.at:
            return 0
        for id, what in register.untold():
            case = register.get(id)
            if case.email and case.vouched and case.method:
                secret = register.secret(id, answer=True)
                try:
                    sent = mail.send(mail.news(case, what, secret, settings), settings)
                except Misconfigured:
                    sent = False
                register.note(id, "told" if sent else "mail failed", what)
                told += sent
            register.tell(id, what)
        return told


def _changes(said: Any) -> None:
    ok = isinstance(said, Mapping) and 0 < len(said) <= CHANGES
    ok = ok and all(isinstance(k, str) and isinstance(v, str) for k, v in said.items())
    if not ok or any(len(k) > 64 or len(v) > VALUE for k, v in said.items()):
        raise Refused(
            400,
            "changes",
            "changes is an object of 1 to {changes} fields to their right values",
            changes=CHANGES,
        )


def told(case: Case, *, answer: bool) -> dict[str, Any]:
    """What the person is told of a request. `answer`: they have proved who they are."""
    said: dict[str, Any] = {
        "request": case.id, "site": case.site, "right": case.right, "state": case.state,
        "received": case.received, "due": case.due, "clock_stands": case.paused is not None,
    }  # fmt: skip
    if case.extended:
        said["extended"] = case.outcome.get("extended", "") if answer else True
    if case.state == "refused":
        said["ground"] = {"code": case.ground, "says": GROUNDS[case.ground], "remedy": REMEDY}
    if answer:
        said["outcome"] = case.outcome
        said["closed"] = case.closed
    return said
