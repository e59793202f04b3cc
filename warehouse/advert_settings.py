"""What may be told of adverts: the `[adverts]` table."""

from __future__ import annotations

from msgspec import Struct

from consent_filter.errors import Misconfigured

#: Where bands of `reports/pressure.sql` end: of what is in a band nothing finer is known.
CEILINGS = (2, 5, 10, 20, 40, 80)


class Adverts(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[adverts]`: what is known of adverts besides their events.

    catalogue: a file in the data folder, or by a whole path, that lists advertisers, campaigns, creatives,
    placements, flights and goals; it need not be there. ceiling: how often one person should be reached in
    a week at most, by impressions and messages together, where a band of the report on contact pressure ends.
    message_ceiling: how often by messages alone. ceiling_share: how many percent of people may have had more
    before that is said (`throng status`, the page on data quality).
    """

    catalogue: str = "adverts.toml"
    ceiling: int = 20
    message_ceiling: int = 5
    ceiling_share: float = 5.0

    def __post_init__(self) -> None:
        if not self.catalogue.endswith(".toml"):
            raise Misconfigured("adverts.catalogue", self.catalogue, 'a file whose name ends in ".toml"')
        for name in ("ceiling", "message_ceiling"):
            if getattr(self, name) not in CEILINGS:
                allowed = f"one of {', '.join(map(str, CEILINGS))}"
                raise Misconfigured(f"adverts.{name}", getattr(self, name), allowed)
        if not 0 <= self.ceiling_share <= 100:
            raise Misconfigured("adverts.ceiling_share", self.ceiling_share, "0 to 100 percent")
