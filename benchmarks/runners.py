"""Facts and reports of the same events on Flink and on Prism, against the same in the pipeline's process.

The cluster is one task manager of two slots on the same cores (`make flink`): what is seen is what a runner
costs, not what machines bring. A first run of each warms it; what is measured comes after that.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.facts import fill
from benchmarks.line import emit
from tests.flink import jars
from tests.flink.cluster import SETTINGS, Cluster
from throng.main import main as throng

EVENTS = 2_000_000
_RUNNERS = {
    "in_process": "",
    "prism": f'runner = "prism"\nprism = "{jars.PRISM}"\n',
    "flink": SETTINGS,
}


def _timed(cluster: Cluster, runner: str, job: str, data: Path) -> float:
    begun = time.perf_counter()
    if runner == "in_process":
        sys.stdout, out = sys.stderr, sys.stdout
        code = throng([job, "--data", str(data)])
        sys.stdout = out
    else:
        code = cluster.ask("throng", job, "--data", str(data))["code"]
    assert code == 0, f"{job} on {runner}"
    return time.perf_counter() - begun


def main(n: int = EVENTS) -> None:
    """One run of each in turn; Prism only where it has been fetched."""
    jars.fetch()
    took: dict[tuple[str, str], float] = {}
    with tempfile.TemporaryDirectory(prefix="throng-bench") as temporary:
        cluster = Cluster(Path(temporary) / "cluster")
        try:
            cluster.ask("start")
            fill(Path(temporary) / "small" / "log", 2000)
            total = fill(Path(temporary) / "full" / "log", n)
            for runner, settings in _RUNNERS.items():
                for size in ("small", "full"):
                    data = Path(temporary) / runner / size
                    shutil.copytree(Path(temporary) / size, data)
                    (data / "throng.toml").write_text(f"[pipelines]\n{settings}")
                    for job in ("facts", "reports") if size == "full" else ("facts",):
                        took[runner, job] = _timed(cluster, runner, job, data)
                        if size == "full" and runner != "in_process":
                            _tell(runner, job, took, total)
                    shutil.rmtree(data)
        finally:
            cluster.stop()


def _tell(runner: str, job: str, took: dict[tuple[str, str], float], total: int) -> None:
    """At once: on a busy host the next may take an hour."""
    seconds, peer = took[runner, job], took["in_process", job]
    emit(f"runners_{runner}_{job}", seconds, "s", against="in process", ratio=seconds / peer, n=total)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
