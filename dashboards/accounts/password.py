"""Passwords: argon2id (RFC 9106), as slow for a name that nobody has as for one that somebody has (M125)."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from consent_filter.errors import Refused

#: Characters. NIST SP 800-63B-4, 3.1.1.2: length is what counts, no rules on kinds of characters.
LEAST, MOST = 12, 256
#: 64 MiB each: more at once would be a way to fill the memory by asking.
_AT_ONCE = threading.BoundedSemaphore(3)
_HASHER = PasswordHasher()
#: Of nothing that anybody knows; made when it is first needed.
_NOBODYS: list[str] = []
#: What people write who are told that twelve characters are needed.
_COMMON = ("password", "passwort", "123456", "qwerty", "qwertz", "abcdef", "letmein", "welcome", "throng")


def hashed(password: str, *about: str) -> str:
    """What is kept. `about`: names of whoever chooses it. Raises Refused for one that is easily guessed."""
    if not LEAST <= len(password) <= MOST:
        raise Refused(
            400,
            "password",
            "a password has {least} to {most} characters; a sentence is a good one",
            least=LEAST,
            most=MOST,
        )
    plain = password.casefold()
    left = plain
    for known in (*_COMMON, *(one.casefold() for one in about if len(one) > 2)):
        left = left.replace(known, "")
    if len(set(plain)) < 5 or len(left) < 6:
        raise Refused(400, "password", "this one would be guessed among the first: choose another")
    return locked(password)


def locked(password: str) -> str:
    """What is kept of a password that was not looked at: of a link, whose word nobody guesses."""
    if len(password) > MOST:
        raise Refused(400, "password", "a password has at most {most} characters", most=MOST)
    with _AT_ONCE:
        return _HASHER.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Whether it is the one. Takes the same time where none is kept."""
    if len(password) > MOST:
        password = ""
    with _AT_ONCE:
        if kept is None and not _NOBODYS:
            _NOBODYS.append(_HASHER.hash("nobody's " * 3))
        try:
            return _HASHER.verify(kept or _NOBODYS[0], password) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def outdated(kept: str) -> bool:
    """Whether it was made with other costs than would be taken now."""
    return _HASHER.check_needs_rehash(kept)
