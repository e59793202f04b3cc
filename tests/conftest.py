"""What the suite needs from the machine: skipped loudly where missing, a failure where nothing may be."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.flink import jars
from tests.kafka import broker
from tests.lake import servers

ROOT = Path(__file__).resolve().parent.parent
#: Real input, beside the project; read where it stands.
DATA = Path(os.environ.get("THRONG_TEST_DATA", ROOT.parent / "shared" / "data"))

#: The IAB's own encoders, which run in Node: package.json with its lock.
VECTORS = ROOT / "tests/consent_filter/iab/vectors"
#: The accessibility checker, which runs in the browser.
AXE = ROOT / "tests/whole/axe"


def node() -> bool:
    """Node, and every package that the tests run in it."""
    packages = json.loads((VECTORS / "package.json").read_text())["dependencies"]
    return shutil.which("node") is not None and all((VECTORS / "node_modules" / p).is_dir() for p in packages)


#: Files that take half a minute or more, the longest first: they begin first, so that no process is left
#: alone with one of them in the end. What is fetched meanwhile (`.ci/run`) is needed after some minutes only.
LONG = (
    *("pipelines/test_reports.py", "pipelines/test_restatement.py", "whole/test_up.py"),
    *("whole/test_kills.py", "whole/test_promises.py", "pipelines/test_comeback.py"),
    *("flink/test_runners.py", "lake/test_whole.py", "warehouse/test_properties.py"),
    *("whole/test_visit.py", "pipelines/test_retention.py", "pipelines/test_moves.py"),
    "throng/test_backup.py",
    *("warehouse/test_snapshot.py", "whole/test_advert_clicks.py", "warehouse/checks/test_tables.py"),
    *("pipelines/test_facts.py", "pipelines/test_expire.py", "pipelines/test_rights.py"),
    *("faults/test_faults.py", "pipelines/test_elsewhere.py", "warehouse/test_links.py"),
    *("warehouse/test_release_attacks.py", "warehouse/test_cases.py", "whole/test_proxied.py"),
    *("kafka/test_whole.py", "whole/test_schedule.py", "warehouse/attack/test_publication.py"),
    *("warehouse/attack/test_suite.py", "warehouse/test_counted.py", "warehouse/attack/test_metadata.py"),
    *("throng/test_held.py", "throng/test_jobs.py"),
    *("dashboards/test_screens.py", "ingest/test_weblog.py", "dashboards/test_pages.py"),
)

#: need → (is it here?, what would bring it)
NEEDS = {
    "chromium": (lambda: shutil.which("chromium") is not None, "apt-get install chromium"),
    "data": (DATA.is_dir, f"a folder of real input at {DATA}, or THRONG_TEST_DATA=…"),
    "java": (lambda: shutil.which("java") is not None, "apt-get install default-jre-headless"),
    "kafka": (broker.ready, "apt-get install default-jre-headless maven; make kafka"),
    "flink": (jars.flink, "apt-get install default-jre-headless maven; python -m tests.flink.cluster fetch"),
    "prism": (jars.prism, "apt-get install golang; python -m tests.flink.cluster fetch"),
    "postgresql": (lambda: Path("/usr/lib/postgresql").is_dir(), "apt-get install postgresql"),
    "s3": (servers.ready, "Go 1.25 or later; python -m tests.lake.servers fetch"),
    "systemd": (lambda: shutil.which("systemd-analyze") is not None, "apt-get install systemd"),
    "node": (node, f"apt-get install nodejs npm; npm ci --prefix {VECTORS.relative_to(ROOT)}"),
    "axe": (
        lambda: (AXE / "node_modules/axe-core/axe.min.js").is_file(),
        f"apt-get install npm; npm ci --prefix {AXE.relative_to(ROOT)}",
    ),
    "disk": (lambda: os.geteuid() == 0, "run as root: the test mounts a small disk and fills it"),
}


#: What `.ci/run` still fetches when the tests begin, and the file that says that it has ended.
FETCHED, AWAITED = ("kafka", "flink", "prism", "s3"), os.environ.get("THRONG_AWAITED")


def coming(need: str) -> bool:
    """Whether it is not here yet, and may be soon."""
    return AWAITED is not None and need in FETCHED and not Path(AWAITED).exists()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        here, cure = NEEDS[mark.args[0]]
        while not here() and coming(mark.args[0]):
            time.sleep(0.5)
        assert here(), f"needs {mark.args[0]}, which did not come: {cure}"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real input."""
    return DATA


def pytest_collection_finish() -> None:
    """What is imported stays: looking again and again for what of it might go took a twentieth of all."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {ROOT / "tests" / file: place for place, file in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path, len(order)))
    for item in items:
        if item.get_closest_marker("requirement"):
            item.user_properties.append(("requirement", True))  # goes with the report to whoever gathers them
        for mark in item.iter_markers("needs"):
            here, cure = NEEDS[mark.args[0]]
            if not here() and not coming(mark.args[0]):
                item.add_marker(pytest.mark.skip(reason=f"needs {mark.args[0]}; to enable: {cure}"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where THRONG_NOTHING_SKIPPED is set (`.ci/run`), a skip is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("THRONG_NOTHING_SKIPPED") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


class Proofs:
    """Where THRONG_PROMISES names a file: when each test of a requirement passed last, at which commit."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._said: dict[str, set[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if dict(report.user_properties).get("requirement") and (
            report.when == "call" or report.outcome != "passed"
        ):
            self._said.setdefault(report.nodeid.partition("[")[0], set()).add(report.outcome)

    def pytest_sessionfinish(self) -> None:
        known = json.loads(self._file.read_text()) if self._file.exists() else {}
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
        git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
        passed = [node for node, said in self._said.items() if said == {"passed"}]
        known |= {node: [now, commit] for node in passed}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(dict(sorted(known.items())), indent=0) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    if (file := os.environ.get("THRONG_PROMISES")) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Proofs(Path(file)))
