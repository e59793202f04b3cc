"""How many were received, stored and refused: the rows that make the balance (S15)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import NamedTuple

#: Every reason an event may be refused for, and what it means. Closed: a new one is a line here.
REASONS: dict[str, str] = {
    "consent": "the visitor refused, or did not agree where the law asks for agreement",
    "signal": "a signal (GPC, DNT, a consent platform) objected where that binds",
    "robot": "sent by a program, not a person",
    "duplicate": "a retry of an event that is already stored",
    "invalid": "malformed, too large, too many or from elsewhere; `detail` says which",
    "clear": "sent without encryption, where `ingest.https_only` refuses that",
    "region": "of another region, and no mechanism of the site's policy allows it to come here",
    "not_a_page": "a line of a web server's log that is no page view: an image, an error, a feed",
    "late": "older than a retry may be",
    "erased": "the person's data was erased",
}

RECEIVED, STORED, REFUSED = "received", "stored", "refused"
#: A field of an event that was stored without it: `reason` is "field", `detail` its kind (`member.REMOVED`).
#: No part of the balance, which counts events.
REMOVED = "removed"
#: A refusal of an advert's event once more, by the hour (UTC, `detail`): what two parties compare totals by
#: (S18). With no country and no protocol, so that it says no more of anybody. No part of the balance either.
HOURLY = "hourly"
BESIDE = frozenset({REMOVED, HOURLY})
#: Of which events and reasons: what an advertiser may count and we refuse.
DEEDS = frozenset({"ad_impression", "ad_click"})
COMPARED = frozenset({"robot", "consent", "signal"})


class Key(NamedTuple):
    """What a count is about: coarse on purpose, so that a count of refusals names nobody.

    `day` is days since 1970-01-01 in the site's own time zone; `site` is "" when none could be read;
    `country` is "ZZ" when unknown; `reason` and `detail` are "" unless `outcome` is "refused", "removed" or
    "hourly".
    `event` and `campaign` are "" but for an advert's event: its type, and how `Campaigns` names the campaign.
    """

    site: str
    day: int
    protocol: str
    country: str
    outcome: str
    reason: str
    detail: str
    event: str = ""
    campaign: str = ""

    @property
    def where(self) -> tuple[str, int, str, str, str, str]:
        """Where an event counts, whatever becomes of it."""
        return *self[:4], self.event, self.campaign

    @classmethod
    def at(
        cls, where: tuple[str, int, str, str, str, str], outcome: str, reason: str = "", detail: str = ""
    ) -> Key:
        """What became of an event that counts there."""
        site, day, protocol, country, event, campaign = where
        return cls(site, day, protocol, country, outcome, reason, detail, event, campaign)

    def hourly(self, hour: int) -> Key:
        """The same refusal by the hour alone: hours since 1970-01-01, of an event of that day."""
        said = f"{datetime.fromtimestamp(3600 * hour, UTC):%Y-%m-%dT%H}"
        return self._replace(protocol="", country="ZZ", outcome=HOURLY, detail=said)


Counts = Counter[Key]
