"""What the warehouse may be told: the `[warehouse]` table."""

from __future__ import annotations

from msgspec import Struct

from consent_filter.errors import Misconfigured


class Warehouse(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[warehouse]`: how reports are made and released.

    min_group: the fewest people that a released row may be about. max_cells: in how many rows of one report
    one person counts within a group (a day) at most, where the report's own cap is not lower; what is beyond
    counts as "(other)". max_sum: the most that one person adds to any one number of a row, likewise.
    max_hours: the same for durations, in hours. dominance: the most that one person may be of a number of a
    row, in percent; 100 is no such rule. perturb: whether numbers about people are moved at random, by a
    few, in the same way each time the same people are counted. threads: DuckDB's threads in a job.
    idle_share: while `throng up` runs, reports over all days wait for this many times as long as they took.
    query_seconds: how long an analyst's query may run. query_memory: how much memory it may take.
    explore_with: what the process that answers questions from facts is started with, such as "sudo -u
    throng-gate", so that the pages need no rights to facts. explore_memory: how many megabytes of facts that
    process may hold in memory between questions; 0 is none. explore_ahead: of how many dimensions it answers
    the last days' questions before they are asked, once the page is opened; 0 is none. funnel_rho: what one
    funnel that somebody chooses costs each month of a site that it is of (zCDP): its noise is
    1 / √(2 · funnel_rho) people for each step. funnel_rho_month: what they may cost a month of a site
    altogether. keep_generations: published generations that stay for readers who have them open.
    restate_minutes: how long a published day that somebody has left stands still, so that no row need be
    hidden. restate_days: how long it waits for others to leave; then what is of too few is left out.
    """

    min_group: int = 10
    max_cells: int = 200
    max_sum: int = 10_000
    max_hours: int = 12
    dominance: int = 10
    perturb: bool = True
    threads: int = 2
    idle_share: float = 3.0
    query_seconds: float = 30.0
    query_memory: str = "1GB"
    keep_generations: int = 5
    explore_with: str = ""
    explore_memory: int = 1024
    explore_ahead: int = 3
    funnel_rho: float = 0.005
    funnel_rho_month: float = 0.25
    restate_minutes: float = 10.0
    restate_days: float = 28.0

    def __post_init__(self) -> None:
        for name in ("min_group", "max_cells", "max_sum", "max_hours", "threads"):
            if getattr(self, name) < 1:
                raise Misconfigured(f"warehouse.{name}", getattr(self, name), "at least 1")
        if not 1 <= self.dominance <= 100:
            raise Misconfigured("warehouse.dominance", self.dominance, "1 to 100 percent")
        if self.keep_generations < 2:
            raise Misconfigured("warehouse.keep_generations", self.keep_generations, "at least 2")
        for name in ("explore_memory", "idle_share", "restate_minutes"):
            if not getattr(self, name) >= 0:
                raise Misconfigured(f"warehouse.{name}", getattr(self, name), "0 or more")
        if not 0 <= self.explore_ahead <= 3:
            raise Misconfigured("warehouse.explore_ahead", self.explore_ahead, "0 to 3 dimensions")
        if not 0 < self.funnel_rho <= self.funnel_rho_month < float("inf"):
            raise Misconfigured("warehouse.funnel_rho", self.funnel_rho, "above 0, at most funnel_rho_month")
        if not 0 <= self.restate_days <= 30:
            raise Misconfigured("warehouse.restate_days", self.restate_days, "0 to 30: the law's month")

    @property
    def equals(self) -> int:
        """As if by how many people, all alike, a number of a row must have been made. A group can be no more
        than as many, so that smaller groups than ten are asked for less."""
        return min(-(-100 // self.dominance), self.min_group)

    def most(self, number: str) -> int:
        """The most that one person may add to that number of a row."""
        return self.max_hours * 3_600_000 if number.endswith("_ms") else self.max_sum
