"""The real browser that the tests of this folder browse with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.whole.recording import Recorder, recorder
from tests.whole.running import BROWSER

#: The browser shows a person's agent everywhere: one that is set for a page only comes back as "headless" in
#: what is sent when the page is left, and that is refused as a robot.
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", f"--user-agent={BROWSER}",
]  # fmt: skip
#: What the test's driver switches off and real visitors have.
_REAL = ["--disable-back-forward-cache"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Of one file: the driver holds the process's event loop, which the next file may need."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        one = play.chromium.launch(
            executable_path="/usr/bin/chromium", args=_FLAGS, ignore_default_args=_REAL
        )
        yield one
        one.close()


@pytest.fixture
def record() -> Iterator[Recorder]:
    with recorder() as one:
        yield one


@pytest.fixture
def visitor(browser: Any) -> Iterator[Any]:
    """A fresh visitor. No page of theirs may ever see an error of ours."""
    one = browser.new_context(viewport={"width": 800, "height": 600})
    errors: list[str] = []
    one.on("weberror", lambda error: errors.append(str(error.error)))
    yield one
    one.close()
    assert errors == []
