"""Every golden case: the same requests become the same answers, events and rejects."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ingest.protocols import cases


@pytest.mark.requirement("M15", "M32")
@pytest.mark.parametrize("file", cases.files(), ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_case(file: Path) -> None:
    assert cases.run(file) == file.with_suffix(".jsonl").read_text(), (
        "if this is on purpose: python -m tests.ingest.protocols.cases"
    )


@pytest.mark.parametrize("file", cases.files(), ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_case_says_why_it_exists(file: Path) -> None:
    why, requests = cases.read(file)
    assert len(why.split()) > 3
    assert requests


def test_no_golden_file_without_a_case() -> None:
    goldens = {file.with_suffix(".http") for file in cases.HERE.rglob("*.jsonl")}
    assert goldens == set(cases.files())
