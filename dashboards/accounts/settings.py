"""What accounts may be told: the `[accounts]` table, and `[accounts.issuer]`, where others let people in."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

from consent_filter.errors import Misconfigured
from dashboards.who import Role


class Issuer(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[accounts.issuer]`. address: the OpenID issuer, the only outside host that the pages ever ask; ""
    is none. client: our id there. secret: the file with our secret there, in the data folder or by a whole
    path; "" where there is none (PKCE alone). name: what the button calls it. claim: the claim that lists
    groups. roles: group there = our role; who has none of the groups is not let in. sites: group there = a
    site, and nobody sees another; without any of them everybody sees all sites."""

    address: str = ""
    client: str = ""
    secret: str = ""
    name: str = "your organisation"
    claim: str = "groups"
    roles: dict[str, str] = {}
    sites: dict[str, str] = {}

    def __post_init__(self) -> None:
        at = urlsplit(self.address)
        local = at.hostname in ("127.0.0.1", "localhost", "::1")
        if self.address and not (at.scheme == "https" or (at.scheme == "http" and local)):
            raise Misconfigured("accounts.issuer.address", self.address, "an https address")
        if self.address and not self.client:
            raise Misconfigured("accounts.issuer.client", "", "the id that the issuer knows us by")
        for role in self.roles.values():
            if role not in set(Role):
                raise Misconfigured("accounts.issuer.roles", role, f"one of {', '.join(Role)}")


class AccountSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[accounts]`. session_hours: how long somebody stays signed in; idle_minutes: and how long without
    asking for anything. log_days: how long it is kept who read what. second_factor: roles that need a second
    factor; who has none yet is asked to set one up, and sees nothing else before."""

    session_hours: int = 12
    idle_minutes: int = 120
    log_days: int = 396
    second_factor: tuple[str, ...] = ()
    issuer: Issuer = Issuer()

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("session_hours", self.session_hours, 1, 720),
            ("idle_minutes", self.idle_minutes, 5, 1440),
            ("log_days", self.log_days, 30, 3660),
        ):
            if not least <= value <= most:
                raise Misconfigured(f"accounts.{name}", value, f"{least} to {most}")
        for role in self.second_factor:
            if role not in set(Role):
                raise Misconfigured("accounts.second_factor", role, f"one of {', '.join(Role)}")
