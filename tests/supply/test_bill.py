"""What the bill of materials says is what the lock holds, in a form that others read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from requirements.bill import ROOT, bill
from requirements.locked import read

#: May be passed on with us: permissive, or (MPL) as it is, file by file.
MAY = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC", "MIT", "MIT-0"),
    *("MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib"),
}


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return bill()


def test_the_bill_is_the_lock_in_the_form_of_cyclonedx(told: dict[str, Any]) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(told)) is None
    locked = read()
    assert [(c["name"], c["version"]) for c in told["components"]] == [
        (one.name, one.version) for one in locked
    ]
    for one, component in zip(locked, told["components"], strict=True):
        (place,) = component["externalReferences"]
        assert {of["content"] for of in place["hashes"]} == set(one.hashes)


def test_what_only_development_needs_is_told_apart(told: dict[str, Any]) -> None:
    scope = {one["name"]: one["scope"] for one in told["components"]}
    assert {
        scope[name] for name in ("pyarrow", "duckdb", "apache-beam", "uvicorn", "h11", "ua-parser-rs")
    } == {"required"}
    assert {scope[name] for name in ("pytest", "hypothesis", "schemathesis", "ruff")} == {"excluded"}


def test_every_licence_is_known_and_may_be_passed_on(told: dict[str, Any]) -> None:
    for one in told["components"]:
        (of,) = one["licenses"]
        said = of["expression"] if "expression" in of else of["license"]["id"]
        assert set(said.replace(" OR ", " AND ").split(" AND ")) <= MAY, one["name"]


def test_a_line_of_the_lock_that_is_not_understood_stops_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    for text in ("a==1 \\\n    --hash=md5:00\n", "a @ https://example.com/a.whl\n", "a==1\n"):
        lock.write_text(text)
        with pytest.raises(ValueError):
            read(lock)


def test_make_writes_it_and_the_same_lock_gives_the_same_bytes(told: dict[str, Any]) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "requirements.bill"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert json.loads((ROOT / said.strip()).read_text()) == told
