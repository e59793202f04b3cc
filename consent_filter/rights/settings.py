"""What the register of requests may be told: the `[rights]` table."""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from consent_filter.errors import Misconfigured


class Rights(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[rights]`: requests of people about their own data.

    at: the collector's address as readers of mail reach it, for links; without it a mail has a code only.
    prove_days: how long a request waits for proof of who asks. most_unproved: how many may wait at once; more
    are told to come back, so that nobody fills the disk. limit, limit_days: how many proved requests
    for the same right one person may make in that many days; 0 is no limit. answer_days: how long an answer
    can be fetched; then everything that the person handed over is emptied. keep_days: how long the record
    without it is kept. holidays: public holidays, 2026-12-25, on which no period ends.
    rate, burst: requests a second that one address may make on average, and at once.
    mail_host, mail_port, mail_from: the server that takes codes for people; "" sends none. mail_tls: none,
    starttls or tls. mail_user, mail_password_file: where it asks for them.
    """

    at: str = ""
    prove_days: int = 30
    most_unproved: int = 10_000
    limit: int = 5
    limit_days: int = 30
    answer_days: int = 30
    keep_days: int = 1095
    holidays: tuple[date, ...] = ()
    rate: float = 0.2
    burst: int = 20
    mail_host: str = ""
    mail_port: int = 587
    mail_from: str = ""
    mail_tls: str = "starttls"
    mail_user: str = ""
    mail_password_file: str = ""

    def __post_init__(self) -> None:
        for name, least in (
            ("prove_days", 1), ("most_unproved", 1), ("limit", 0), ("limit_days", 1), ("answer_days", 1),
            ("keep_days", 1), ("rate", 0), ("burst", 1),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise Misconfigured(f"rights.{name}", getattr(self, name), f"at least {least}")
        if self.mail_tls not in ("none", "starttls", "tls"):
            raise Misconfigured("rights.mail_tls", self.mail_tls, "none, starttls or tls")
        if self.mail_host and "@" not in self.mail_from:
            raise Misconfigured("rights.mail_from", self.mail_from, "an address, where mail_host is set")
