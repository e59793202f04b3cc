"""Who asks: the one answer that every page, and whatever counts for it, is given.

The gate finds it out for each request, before anything else is done. `who(request)` says it to a
route; `present()` to what is called below one, in the same task or thread. Where nobody asks, there is
nobody: what a page shows of sites is none of them, rather than all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum

from msgspec import Struct
from starlette.requests import HTTPConnection

from consent_filter.errors import Refused


class Role(StrEnum):
    """What somebody is here for; one account may have several. Which pages that opens: `rights.py`."""

    ANALYST = "analyst"
    ADVERTISER = "advertiser"
    INVESTOR = "investor"
    PRIVACY_OFFICER = "privacy_officer"
    ADMINISTRATOR = "administrator"
    SECURITY = "security"


class Who(Struct, frozen=True, kw_only=True):
    """One account, as it is now. account: a random id that stays. sites: those it may see, None for all.
    advertisers, recipients: whose rows an advertiser, whose packs an investor may see. key: the name of the
    API key that asked, its scopes, and how often it may; "" for a person who is signed in. language: the one
    that the account has chosen (`language.py`), "" for what the browser asks for."""

    account: str
    name: str
    roles: frozenset[Role]
    sites: frozenset[str] | None = None
    advertisers: frozenset[str] = frozenset()
    recipients: frozenset[str] = frozenset()
    key: str = ""
    scopes: frozenset[str] = frozenset()
    per_minute: int = 0
    language: str = ""

    def has(self, *roles: Role) -> bool:
        """Whether it has one of these."""
        return not self.roles.isdisjoint(roles)

    def sees(self, site: str) -> bool:
        return self.sites is None or site in self.sites


NOBODY = Who(account="", name="", roles=frozenset(), sites=frozenset())
_PRESENT: ContextVar[tuple[Who, str]] = ContextVar("who", default=(NOBODY, ""))
#: Where the gate writes into a request who asks, and the word of its forms (`forms.py`).
SCOPE, WORD = "throng.who", "throng.word"


def who(request: HTTPConnection) -> Who:
    """Who asks. Raises Refused where nobody is signed in: only on pages that are open to everyone."""
    found = request.scope.get(SCOPE, NOBODY)
    if not found.account:
        raise Refused(401, "sign_in", "sign in first, or send an API key: Authorization: Bearer …")
    assert isinstance(found, Who)
    return found


def present() -> Who:
    """Who asks, below a route; NOBODY where nobody does."""
    return _PRESENT.get()[0]


def word() -> str:
    """What each form of a page must hold, as `word`."""
    return _PRESENT.get()[1]


@contextmanager
def here(one: Who, word: str) -> Iterator[None]:
    """Within, in this task and in what it starts, that is who asks. For the gate alone."""
    token = _PRESENT.set((one, word))
    try:
        yield
    finally:
        _PRESENT.reset(token)
