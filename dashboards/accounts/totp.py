"""Codes of an app (TOTP, RFC 6238) as a second factor, and codes for the day the telephone is gone."""

from __future__ import annotations

import base64
import io
import secrets
import time
from urllib.parse import quote, urlencode

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from consent_filter.errors import Refused
from dashboards.accounts import log
from dashboards.accounts.people import People
from dashboards.language import say

#: Seconds of a code; steps that a clock may be off, either way (RFC 6238, 5.2).
_STEP, _OFF = 30, 1
#: How many recovery codes there are, and characters of one: 50 bits.
CODES, _LONG = 10, 10
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


def draft() -> bytes:
    """A secret that nobody has yet."""
    return secrets.token_bytes(20)


def spelt(secret: bytes) -> str:
    """As it is typed into an app."""
    return base64.b32encode(secret).decode().rstrip("=")


def address(secret: bytes, login: str) -> str:
    """What the picture holds; apps know this form."""
    more = urlencode({"secret": spelt(secret), "issuer": "Throng"})
    return f"otpauth://totp/{quote(f'Throng:{login}')}?{more}"


def picture(secret: bytes, login: str) -> str:
    """The address as a QR code: an SVG element without a style of its own."""
    out = io.BytesIO()
    segno.make(address(secret, login), error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=False, omitsize=True, border=4, svgclass="qr", lineclass=None,
        title=say("A code to scan with an authenticator app"),
    )  # fmt: skip
    return out.getvalue().decode()


def step(secret: bytes, code: str, last: int, now: float | None = None) -> int:
    """The step of the time whose code that is; 0 where it is none, or not newer than `last`."""
    made, said = TOTP(secret, 6, SHA1(), _STEP), "".join(code.split()).encode()
    here, found = int(time.time() if now is None else now) // _STEP, 0
    for one in range(max(here - _OFF, 1), here + _OFF + 1):
        if secrets.compare_digest(made.generate(one * _STEP), said) and one > last:
            found = one
    return found


def set_up(people: People, account: str, secret: bytes, code: str) -> list[str]:
    """From now on that account needs a code; its recovery codes, shown this once. Raises Refused."""
    store = people.store
    with store.transaction() as database:
        if people.get(account).second & {"code"}:
            raise Refused(409, "second_factor", "there is an app already: remove that first")
        here = step(secret, code, 0, store.now() / 1000)
        if not here:
            raise Refused(400, "code", "this is not the code that the app shows now: is its clock right?")
        sealed = store.vault.seal(secret, f"totp {account}")
        database.execute("UPDATE account SET totp = ?, totp_last = ? WHERE id = ?", (sealed, here, account))
        log.note(store, account, "second factor added", by="code")
        return recovery(people, account)


def recovery(people: People, account: str) -> list[str]:
    """New recovery codes in place of the old ones, shown this once."""
    store = people.store
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(_LONG)) for _ in range(CODES)]
    with store.transaction() as database:
        database.execute("DELETE FROM recovery WHERE account = ?", (account,))
        rows = [(_hash(people, account, code), account) for code in codes]
        database.executemany("INSERT INTO recovery VALUES (?, ?)", rows)
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def left(people: People, account: str) -> int:
    """How many recovery codes have not been used."""
    (row,) = people.store.rows("SELECT count(*) AS n FROM recovery WHERE account = ?", account)
    return int(row["n"])


def check(people: People, account: str, said: str) -> str:
    """How that proves who it is, once: `code` or `recovery code`; "" where it does not."""
    store = people.store
    with store.transaction() as database:
        row = store.row("SELECT totp, totp_last FROM account WHERE id = ?", account)
        if row is not None and row["totp"] is not None:
            secret = store.vault.open(row["totp"], f"totp {account}")
            if here := step(secret, said, row["totp_last"], store.now() / 1000):
                database.execute("UPDATE account SET totp_last = ? WHERE id = ?", (here, account))
                return "code"
        code = "".join(one for one in said.casefold() if one.isalnum())
        used = database.execute("DELETE FROM recovery WHERE hash = ?", (_hash(people, account, code),))
        if used.rowcount:
            log.note(store, account, "recovery code used")
            return "recovery code"
    return ""


def remove(people: People, account: str, by: str) -> None:
    """No code is asked for any more; passkeys stay."""
    with people.store.transaction() as database:
        database.execute("UPDATE account SET totp = NULL, totp_last = 0 WHERE id = ?", (account,))
        if not people.get(account).second:
            database.execute("DELETE FROM recovery WHERE account = ?", (account,))
        log.note(people.store, by, "second factor removed", of=account, by="code")


def _hash(people: People, account: str, code: str) -> bytes:
    # Keyed: 50 bits could be tried by whoever has the file alone.
    return people.store.vault.hash("recovery", f"{account} {code}".encode())
