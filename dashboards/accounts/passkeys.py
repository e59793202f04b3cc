"""Passkeys (WebAuthn level 3): something that its owner has, and opens by a finger or a PIN.

A passkey is two factors by itself: whoever comes with one needs no password, and whoever comes with a
password may be asked for one. What was asked of a browser is remembered in memory, by the page it was asked
on, and is good once.
"""

from __future__ import annotations

import ipaddress
import secrets
import threading
import time
from collections import OrderedDict
from typing import NamedTuple
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import bytes_to_base64url, exceptions, parse_authentication_credential_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from consent_filter.errors import Refused
from dashboards.accounts import log
from dashboards.accounts.people import Account, People, named

#: Seconds in which a browser may answer; questions that are remembered; passkeys of one account.
_ANSWER, _QUESTIONS, MOST = 600.0, 10_000, 10
_WRONG = Refused(403, "passkey", "that passkey is none of an account here, or was not asked for")


class Passkey(NamedTuple):
    """id: its name in lists. host: the name of ours that it is bound to."""

    id: str
    name: str
    host: str
    made: int
    used: int | None


class Place(NamedTuple):
    """The name and the origin by which a browser has come. A passkey is bound to the name."""

    host: str
    origin: str

    @classmethod
    def of(cls, address: str) -> Place | None:
        """None where browsers have no passkeys: at an address without a name, or in clear."""
        at = urlsplit(address)
        host = (at.hostname or "").lower()
        try:
            ipaddress.ip_address(host)
            return None
        except ValueError:
            secure = at.scheme == "https" or host == "localhost"
            return cls(host, f"{at.scheme}://{at.netloc}".lower()) if host and secure else None


class Questions:
    """What was asked of browsers. word: that of the page's forms (`dashboards/forms.py`)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, str, bytes], float] = OrderedDict()

    def new(self, what: str, word: str) -> bytes:
        """A challenge that nobody was given yet."""
        made = secrets.token_bytes(32)
        with self._lock:
            self._open[what, word, made] = time.monotonic() + _ANSWER
            while len(self._open) > _QUESTIONS:
                self._open.popitem(last=False)
        return made

    def take(self, what: str, word: str, challenge: str) -> bytes:
        """That challenge, once. Raises Refused where it was not asked on that page, or too long ago."""
        try:
            said = bytes.fromhex(challenge)
        except ValueError:
            raise _WRONG from None
        with self._lock:
            if self._open.pop((what, word, said), 0.0) < time.monotonic():
                raise Refused(403, "passkey", "that took too long: try again")
        return said


def create_options(people: People, account: Account, place: Place, challenge: bytes) -> str:
    """What a browser is asked for to make one, as JSON."""
    made = webauthn.generate_registration_options(
        rp_id=place.host, rp_name="Throng", user_name=account.login, user_display_name=account.who.name,
        user_id=account.who.account.encode(), challenge=challenge,
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=id) for id in _ids(people, account.who.account)
        ],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
    )  # fmt: skip
    return webauthn.options_to_json(made)


def add(people: People, account: str, place: Place, name: str, credential: str, challenge: bytes) -> None:
    """One more. Raises Refused."""
    store, name = people.store, named(name, "name")
    try:
        found = webauthn.verify_registration_response(
            credential=credential, expected_challenge=challenge, expected_rp_id=place.host,
            expected_origin=place.origin, require_user_verification=True,
        )  # fmt: skip
    except (exceptions.WebAuthnException, ValueError, KeyError, TypeError):
        raise Refused(
            400, "passkey", "the browser's answer can't be read, or is none to our question"
        ) from None
    with store.transaction() as database:
        if len(_ids(people, account)) >= MOST:
            raise Refused(409, "passkeys", "an account has at most {most}: take one away first", most=MOST)
        if store.row("SELECT 1 FROM passkey WHERE id = ?", found.credential_id):
            raise Refused(409, "passkey", "this one is known already")
        sealed = store.vault.seal(found.credential_public_key, f"passkey {account}")
        database.execute(
            "INSERT INTO passkey VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
            (found.credential_id, account, name, place.host, sealed, found.sign_count, store.now()),
        )
        log.note(store, account, "passkey added")


def get_options(people: People, account: str, place: Place, challenge: bytes) -> str:
    """What a browser is asked for to show one, as JSON; of that account, or "" for any."""
    some = [PublicKeyCredentialDescriptor(id=id) for id in _ids(people, account)] if account else None
    made = webauthn.generate_authentication_options(
        rp_id=place.host, challenge=challenge, allow_credentials=some,
        user_verification=UserVerificationRequirement.REQUIRED,
    )  # fmt: skip
    return webauthn.options_to_json(made)


def check(people: People, place: Place, credential: str, challenge: bytes, account: str = "") -> str:
    """Whose passkey that is; of `account`, where one is named. Raises Refused."""
    store = people.store
    with store.transaction() as database:
        try:
            said = parse_authentication_credential_json(credential)
            row = store.row("SELECT * FROM passkey WHERE id = ?", said.raw_id)
            if row is None or (account and row["account"] != account):
                raise _WRONG
            found = webauthn.verify_authentication_response(
                credential=said, expected_challenge=challenge, expected_rp_id=place.host,
                expected_origin=place.origin, require_user_verification=True,
                credential_public_key=store.vault.open(row["public"], f"passkey {row['account']}"),
                credential_current_sign_count=row["count"],
            )  # fmt: skip
        except (exceptions.WebAuthnException, ValueError, KeyError, TypeError):
            raise _WRONG from None
        if people.get(row["account"]).ended is not None:
            raise _WRONG
        database.execute(
            "UPDATE passkey SET count = ?, used = ? WHERE id = ?",
            (found.new_sign_count, store.now(), row["id"]),
        )
    return str(row["account"])


def listed(people: People, account: str) -> list[Passkey]:
    """Those of an account, the newest first."""
    rows = people.store.rows(
        "SELECT id, name, host, made, used FROM passkey WHERE account = ? ORDER BY made DESC, id", account
    )
    return [
        Passkey(bytes_to_base64url(one["id"]), one["name"], one["host"], one["made"], one["used"])
        for one in rows
    ]


def remove(people: People, account: str, id: str, by: str) -> None:
    """It opens nothing any more; "" is all of them."""
    with people.store.transaction() as database:
        some = [one for one in _ids(people, account) if not id or bytes_to_base64url(one) == id]
        if not some and id:
            raise Refused(404, "no_such_passkey", "there is no such passkey")
        database.executemany("DELETE FROM passkey WHERE id = ?", [(one,) for one in some])
        if not people.get(account).second:
            database.execute("DELETE FROM recovery WHERE account = ?", (account,))
        if some:
            log.note(people.store, by, "passkey removed", of=account)


def _ids(people: People, account: str) -> list[bytes]:
    return [one["id"] for one in people.store.rows("SELECT id FROM passkey WHERE account = ?", account)]
