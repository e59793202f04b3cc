"""What may be told of adverts: the `[adverts]` table."""

from __future__ import annotations

from msgspec import Struct

from consent_filter.errors import Misconfigured


class Adverts(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[adverts]`: what is known of adverts besides their events.

    catalogue: a file in the data folder, or by a whole path, that lists advertisers, campaigns, creatives,
    placements, flights and goals; it need not be there.
    """

    catalogue: str = "adverts.toml"

    def __post_init__(self) -> None:
        if not self.catalogue.endswith(".toml"):
            raise Misconfigured("adverts.catalogue", self.catalogue, 'a file whose name ends in ".toml"')
