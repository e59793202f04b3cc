"""What the warehouse may be told: the `[warehouse]` table."""

from __future__ import annotations

from msgspec import Struct

from consent_filter.errors import Misconfigured


class Warehouse(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[warehouse]`: how reports are made and released.

    min_group: the fewest people that a released row may be about. max_cells: how many rows of one report and
    day one person may count in. max_sum: the most that one person may add to any one number of a row.
    threads: DuckDB's threads in a job. query_seconds: how long an analyst's query may run. query_memory: how
    much memory it may take. keep_generations: published generations that stay for readers who have them open.
    compact_files: files of facts of one day above which they are merged.
    """

    min_group: int = 10
    max_cells: int = 200
    max_sum: int = 1_000_000
    threads: int = 2
    query_seconds: float = 30.0
    query_memory: str = "1GB"
    keep_generations: int = 5
    compact_files: int = 32

    def __post_init__(self) -> None:
        for name in ("min_group", "max_cells", "max_sum", "threads", "keep_generations"):
            if getattr(self, name) < 1:
                raise Misconfigured(f"warehouse.{name}", getattr(self, name), "at least 1")
        if self.keep_generations < 2:
            raise Misconfigured("warehouse.keep_generations", self.keep_generations, "at least 2")
