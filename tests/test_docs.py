"""The docs name what is there: a link that leads nowhere is the first thing a newcomer meets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("consent_filter", "ingest", "warehouse", "pipelines", "dashboards", "throng")
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "DECISIONS.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").glob("*.md"))
PAGES += sorted(page for package in PACKAGES for page in (ROOT / package).rglob("*.md"))
#: `name.py`, `folder/name.sql`, …: a file, where the name is not a place holder.
_FILE = re.compile(r"`([\w./-]+\.(?:py|sql|toml|md|json|jsonl|css|html|cases|mmdb))`")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
#: Files of the data folder, not of the tree.
MADE = {
    "throng.cdx.json",
    "throng.toml",
    "manifest.json",
    "keys.json",
    "status.json",
    "metrics.prom",
    "held.json",
    "attack.json",
    "adverts.toml",
    "queries.json",
    "openapi.json",
    "import.json",
    "accepted.toml",
    "moved.json",
}
NAMES = {file.name for top in (*PACKAGES, "tests", "docs") for file in (ROOT / top).rglob("*")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    for link in _LINK.findall(text):
        assert (page.parent / link).exists(), f"{page.name} links to {link}"
    for name in set(_FILE.findall(text)):
        if Path(name).name in MADE:
            continue
        near = any((place / name).exists() for place in (page.parent, ROOT))
        assert near or ("/" not in name and name in NAMES), f"{page.name} names {name}"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_what_it_is(package: str) -> None:
    text = (ROOT / package / "README.md").read_text()
    assert text.startswith(f"# {package}")
