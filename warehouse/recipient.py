"""Who may be given a release and on which terms, and who works on data for us: settings of both."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import date

from msgspec import Struct

from consent_filter.errors import Misconfigured, Refused
from consent_filter.fields import FIELDS
from consent_filter.purpose import BY_NAME
from consent_filter.regions import region
from consent_filter.signing import PublicKey
from warehouse import period

#: A recipient's kind → the audience whose releases it may be given.
AUDIENCE = {
    "investor": "investors",
    "advertiser": "advertiser",
    "partner": "partner",
    "research": "research",
    "public": "public",
}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Terms(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was signed: an id of the contract, and what it permits, in a sentence that goes with every file
    (M91)."""

    id: str
    permitted_use: str

    def __post_init__(self) -> None:
        for key in ("id", "permitted_use"):
            text = getattr(self, key)
            if not text.strip() or len(text) > 1000 or not text.isprintable():
                raise Misconfigured(f"recipient.terms.{key}", text, "1 to 1000 printable characters")


class Recipient(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One `[[recipient]]` table: whoever may be given a release.

    name: how commands and the ledger call it, e.g. "example-capital". title: what stands on the cover; else
    the name. kind: investor, advertiser, partner, research or public: it is given releases of its audience.
    terms: { id = "…", permitted_use = "…" }, which every file says. region: where it reads them, an ISO 3166
    code or "EU". until: the first day on which it is given nothing any more. coalition: recipients that share
    what they have; what they have together is looked at before a delivery. key: the public key by which it
    checks our signature, as `throng receipt key` prints it, or its x; another one is not delivered under.
    mail: where it is told of recalls; "" writes the notice to a file only. sources: of a partner, what its
    links say as utm_source: rows of these are its own (`throng partners link`).
    """

    name: str
    kind: str
    terms: Terms
    region: str
    until: date
    title: str = ""
    coalition: str = ""
    key: str = ""
    mail: str = ""
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise Misconfigured("recipient.name", self.name, "small letters, digits, - and _, at most 64")
        if self.kind not in AUDIENCE:
            raise Misconfigured("recipient.kind", self.kind, ", ".join(AUDIENCE))
        if not self.region:
            raise Misconfigured("recipient.region", self.region, 'an ISO 3166 code or "EU"')
        region("recipient.region", self.region)
        if len(self.title) > 100 or not self.title.isprintable():
            raise Misconfigured("recipient.title", self.title, "at most 100 printable characters")
        if self.sources and self.kind != "partner":
            raise Misconfigured(
                "recipient.sources", self.name, 'sources of a recipient of the kind "partner"'
            )
        self.pinned()

    @property
    def called(self) -> str:
        """As it is called on a cover."""
        return self.title or self.name

    def pinned(self) -> PublicKey | None:
        """The key that it has pinned. Raises Misconfigured where it is none."""
        if not self.key:
            return None
        try:
            return PublicKey.parse(self.key)
        except ValueError:
            raise Misconfigured("recipient.key", "…", "a key as `throng receipt key` prints it") from None


class Processor(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One `[[processor]]` table: whoever works on data for us, and on nothing else (M90; GDPR Art. 28).

    name: who. does: what for, in words. purposes: of the policy, such as "measurement". fields: the columns
    it can see; none, of whoever sees released tables only. region: where it works.
    since, until: from which day, and the first on which it does not any more. contract: its id.
    """

    name: str
    does: str
    purposes: tuple[str, ...]
    fields: tuple[str, ...]
    region: str
    since: date
    until: date | None = None
    contract: str = ""

    def __post_init__(self) -> None:
        region("processor.region", self.region)
        if not self.name or not self.does or not self.region:
            raise Misconfigured("processor", self.name, "name, does and region")
        for purpose in self.purposes:
            if purpose not in BY_NAME:
                raise Misconfigured("processor.purposes", purpose, ", ".join(BY_NAME))
        known = {field.name for field in FIELDS}
        for name in self.fields:
            if name not in known:
                raise Misconfigured("processor.fields", name, "columns of docs/fields.md")
        if self.until is not None and self.until <= self.since:
            raise Misconfigured("processor.until", str(self.until), "a day after since")


#: Months of each kind of period.
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


class Schedule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One `[[schedule]]` table: a release that is prepared when its period closes, and waits for a person.

    audience: investors, advertiser, partner, research or public. every: month, quarter or year. sites: of
    which; empty is all.
    """

    audience: str
    every: str
    sites: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.audience not in AUDIENCE.values():
            raise Misconfigured("schedule.audience", self.audience, ", ".join(AUDIENCE.values()))
        if self.every not in _MONTHS:
            raise Misconfigured("schedule.every", self.every, "month, quarter, year")

    def last(self, today: date) -> str:
        """The name of the last period that is over on that day."""
        year, month = today.year, today.month
        if self.every == "month":
            return f"{year - (month == 1)}-{(month - 2) % 12 + 1:02d}"
        if self.every == "quarter":
            quarter = (month - 1) // 3
            return f"{year}-Q{quarter}" if quarter else f"{year - 1}-Q4"
        return str(year - 1)

    def due(self, today: date, done: Collection[str]) -> list[str]:
        """The periods to be prepared by that day, the oldest first: the last that is over, and those before
        it that came after the newest that is done, where any is, a year back at most. `done`: names of
        periods."""
        found = [self.last(today)]
        mine = [one for one in map(period.read, done) if len(one.months) == _MONTHS[self.every]]
        newest = max((one.first for one in mine), default=date.max)
        while len(found) < 12 // _MONTHS[self.every]:
            before = self.last(period.read(found[-1]).first)
            if period.read(before).first <= newest:
                break
            found.append(before)
        return found[::-1]


def find(recipients: Iterable[Recipient], name: str, audience: str, today: date) -> Recipient:
    """The recipient of that name, if it may be given such a release on that day. Raises Refused."""
    found = next((one for one in recipients if one.name == name), None)
    if found is None:
        raise Refused(404, "recipient", "no [[recipient]] of throng.toml has that name")
    if today >= found.until:
        raise Refused(403, "recipient_expired", f"what was agreed with {name} ended on {found.until}")
    if AUDIENCE[found.kind] != audience:
        says = f"{name} is of the kind {found.kind}, and this release is for {audience}"
        raise Refused(403, "audience", says)
    return found
