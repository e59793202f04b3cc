"""What the suite needs from the machine: skipped loudly where missing, a failure where nothing may be."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: Real input, beside the project; read where it stands.
DATA = Path(os.environ.get("THRONG_TEST_DATA", ROOT.parent / "shared" / "data"))

#: The IAB's own encoders, which run in Node: package.json with its lock.
VECTORS = ROOT / "tests/consent_filter/iab/vectors"


def node() -> bool:
    """Node, and every package that the tests run in it."""
    packages = json.loads((VECTORS / "package.json").read_text())["dependencies"]
    return shutil.which("node") is not None and all((VECTORS / "node_modules" / p).is_dir() for p in packages)


#: need → (is it here?, what would bring it)
NEEDS = {
    "chromium": (lambda: shutil.which("chromium") is not None, "apt-get install chromium"),
    "data": (DATA.is_dir, f"a folder of real input at {DATA}, or THRONG_TEST_DATA=…"),
    "java": (lambda: shutil.which("java") is not None, "apt-get install default-jre-headless"),
    "postgresql": (lambda: Path("/usr/lib/postgresql").is_dir(), "apt-get install postgresql"),
    "node": (node, f"apt-get install nodejs npm; npm ci --prefix {VECTORS.relative_to(ROOT)}"),
    "disk": (lambda: os.geteuid() == 0, "run as root: the test mounts a small disk and fills it"),
}


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real input."""
    return DATA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("needs"):
            here, cure = NEEDS[mark.args[0]]
            if not here():
                item.add_marker(pytest.mark.skip(reason=f"needs {mark.args[0]}; to enable: {cure}"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where THRONG_NOTHING_SKIPPED is set (`.ci/run`), a skip is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("THRONG_NOTHING_SKIPPED") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
