"""The walls between rooms, read from the source: who may import whom, and which room holds which library."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: room → the rooms it may import
MAY = {
    "consent_filter": set(),
    "ingest": {"consent_filter"},
    "warehouse": {"consent_filter"},
    "pipelines": {"consent_filter", "ingest", "warehouse"},
    "dashboards": {"consent_filter", "warehouse"},
    "throng": {"consent_filter", "ingest", "warehouse", "pipelines", "dashboards"},
}
#: library → where it may be imported
ONLY_IN = {
    "apache_beam": ("pipelines/",),
    "cryptography": (
        "consent_filter/signing.py",
        "consent_filter/transport.py",
        "consent_filter/clicks.py",
        "consent_filter/unsubscribe.py",
        "consent_filter/rights/vault.py",
        "dashboards/accounts/totp.py",
    ),
    "babel": ("dashboards/",),
    "argon2": ("dashboards/accounts/password.py",),
    "joserfc": ("dashboards/accounts/issuer.py",),
    "segno": ("dashboards/accounts/totp.py",),
    "webauthn": ("dashboards/accounts/passkeys.py",),
    "duckdb": ("warehouse/",),
    "great_expectations": ("warehouse/checks/expectations.py",),
    "matplotlib": ("dashboards/packs/", "dashboards/sharing/drawn.py"),
    "reportlab": ("dashboards/packs/",),
    "xlsxwriter": ("dashboards/packs/", "dashboards/sharing/workbook.py"),
    "opendp": ("warehouse/mechanism.py",),
    "scipy": ("warehouse/",),
    "kafka": ("ingest/log/",),
    "google_crc32c": ("ingest/log/",),
    "opentelemetry": ("throng/traces.py",),
    "uvicorn": ("ingest/server.py", "ingest/fast.py", "dashboards/server.py", "throng/demo/"),
}
#: A module has one purpose and about 150 lines; this many fails.
TOO_LONG = 400


def modules() -> list[Path]:
    return sorted(p for room in MAY for p in (ROOT / room).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


@pytest.mark.requirement("M89")
@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_imports_only_what_its_room_may(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    where = str(path.relative_to(ROOT))
    for name in imported(path):
        top = name.split(".")[0]
        if top in MAY and top != room:
            assert top in MAY[room], (
                f"{where} imports {name}: {room} may import only {MAY[room] or 'nothing'}"
            )
        if top in ONLY_IN:
            assert where.startswith(ONLY_IN[top]), f"{where} imports {top}, which lives in {ONLY_IN[top]}"
        assert top not in {"tests", "benchmarks"}, f"{where} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_says_its_purpose_and_stays_short(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)) or not text.strip(), f"{path} has no sentence of purpose"
    assert len(text.splitlines()) < TOO_LONG, f"{path} is too long: move the wall"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_room_of_leftovers(path: Path) -> None:
    vague = {"utils", "helpers", "common", "base", "core", "manager", "service", "handler"}
    assert path.stem not in vague, f"{path}: name it after what it holds"
