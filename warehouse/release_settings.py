"""What may be told about numbers that leave the house: the `[release]` table."""

from __future__ import annotations

from msgspec import Struct

from consent_filter.errors import Misconfigured


class Release(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[release]`: how trends are drafted for whoever is outside, and what that may cost.

    rho_month: what may ever be spent, over all releases, on the rows of one month of a site (zCDP).
    rho_year: the same for the rows of a calendar year, so what anybody's year may give away at most.
    figures_month: of how many numbers of a month of a site one person may be part at most by tables that
    leave with no such cost: an advertiser's and a partner's own rows, share links, segments; as it is, each
    table that there is may leave once. rho_draft: what a draft of every trend spends on each of its months.
    delta: the chance, a month, by which (ε, δ) is told, and the most that private selection may spend of it.
    confidence: of the intervals beside the numbers. min_group: the fewest people that a row may be about.
    doubt: the chance that a row of fewer is shown nevertheless. lateness_days: how long after a period's end
    it may be drafted. shares: a trend's name → how many times its part of a draft's budget; 1 unless it is
    named.
    """

    rho_month: float = 0.25
    rho_year: float = 2.0
    figures_month: int = 100_000
    rho_draft: float = 0.15
    delta: float = 1e-7
    confidence: float = 0.95
    min_group: int = 50
    doubt: float = 1e-6
    lateness_days: int = 7
    shares: dict[str, float] = {}

    def __post_init__(self) -> None:
        for name in ("rho_month", "rho_year", "rho_draft"):
            if not 0 < getattr(self, name) < float("inf"):
                raise Misconfigured(f"release.{name}", getattr(self, name), "more than 0")
        if not self.rho_draft <= self.rho_month <= self.rho_year:
            raise Misconfigured(
                "release.rho_month", self.rho_month, "at least rho_draft, and at most rho_year"
            )
        if self.figures_month < 0:
            raise Misconfigured("release.figures_month", self.figures_month, "0 (none may leave) or more")
        if not 0 < self.delta <= 1e-5:
            raise Misconfigured("release.delta", self.delta, "more than 0 and at most 0.00001")
        if not 0.5 <= self.confidence < 1:
            raise Misconfigured("release.confidence", self.confidence, "0.5 to less than 1")
        if self.min_group < 50:
            raise Misconfigured("release.min_group", self.min_group, "at least 50, as it leaves the house")
        if not 0 < self.doubt <= 1e-3:
            raise Misconfigured("release.doubt", self.doubt, "more than 0 and at most 0.001")
        if self.lateness_days < 2:
            raise Misconfigured("release.lateness_days", self.lateness_days, "at least 2: events come late")
        for name, share in self.shares.items():
            if not 0 <= share < float("inf"):
                raise Misconfigured(f"release.shares.{name}", share, "0 (left out) or more")
