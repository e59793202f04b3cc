"""What jobs may be told: the `[pipelines]` table."""

from __future__ import annotations

from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.regions import region


class Pipelines(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[pipelines]`: where jobs run, and how facts are looked after.

    runner: "in_process"; "flink", a cluster (docs/flink.md); "prism", Beam's own small runner, to try things
    out; or any other runner by Beam's name for it. options: more for the runner, as on a command line, e.g.
    ["--project=…"] for "DataflowRunner". job_server: host:port of Flink's job server, as this machine reaches
    it. workers: host:port of `throng worker`, as each task manager reaches its own. parallelism: how many
    elements the cluster works on at the same time. prism: the program's path. element_rows: facts that an
    element of the reports holds at most; more pay for a merge, fewer for more openings.
    threads: stretches of the log that a worker folds at the same time. stretch_mib: MiB of log that make one.
    open_files: files of facts of one day and quarter day of receipt above which small ones are merged.
    file_rows: rows from which on a file is large enough to be left alone. grace_minutes: how long files that
    were replaced or have expired stay for readers who have them open.
    """

    runner: str = "in_process"
    options: tuple[str, ...] = ()
    job_server: str = "127.0.0.1:8099"
    workers: str = "127.0.0.1:50000"
    parallelism: int = 2
    prism: str = ""
    element_rows: int = 2_500_000
    threads: int = 2
    stretch_mib: float = 32.0
    open_files: int = 32
    file_rows: int = 1_000_000
    grace_minutes: float = 10.0

    def __post_init__(self) -> None:
        for name in ("threads", "file_rows", "parallelism", "element_rows"):
            if getattr(self, name) < 1:
                raise Misconfigured(f"pipelines.{name}", getattr(self, name), "at least 1")
        if self.stretch_mib <= 0:
            raise Misconfigured("pipelines.stretch_mib", self.stretch_mib, "more than 0")
        if self.open_files < 4:
            raise Misconfigured("pipelines.open_files", self.open_files, "at least 4")
        if self.grace_minutes < 0:
            raise Misconfigured("pipelines.grace_minutes", self.grace_minutes, "0 or more")
        if self.runner in ("DirectRunner", "SwitchingDirectRunner"):
            raise Misconfigured("pipelines.runner", self.runner, "in_process: this one downloads another")
        for name in ("job_server", "workers"):
            host, _, port = getattr(self, name).rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
                raise Misconfigured(f"pipelines.{name}", getattr(self, name), "host:port")
        if self.runner == "prism" and not self.prism.startswith("/"):
            raise Misconfigured(
                "pipelines.prism", self.prism, "the path of the program; nothing is downloaded"
            )
        if any("multi_threading" in option for option in self.options):
            raise Misconfigured(
                "pipelines.options", "multi_threading", "it was seen to lose rows; leave it out"
            )

    @property
    def here(self) -> bool:
        """Whether jobs run in this process, so that what is in memory need not go through a file."""
        return self.runner in ("in_process", "FnApiRunner") and not self.options


class Backup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[backup]`: where backups are, and for how long.

    places: folders that `throng backup` writes to; the list of who was erased is kept up to date in each, so
    that no restored copy brings anybody back. region: where they lie, if not where the data folder does; for
    a copy to go there each site's policy must allow it (`[[transfers]]`). keep_days: days after which
    `throng backup` deletes a backup; answers to people name the last day on which a copy can exist.
    """

    places: tuple[str, ...] = ()
    region: str = ""
    keep_days: int = 30

    def __post_init__(self) -> None:
        region("backup.region", self.region)
        if self.keep_days < 1:
            raise Misconfigured("backup.keep_days", self.keep_days, "at least 1")
        if any(not place.startswith("/") for place in self.places):
            raise Misconfigured("backup.places", list(self.places), "folders that begin with /")
