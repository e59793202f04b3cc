"""The register of processors as people read it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from tests.throng.conftest import Throng
from throng.processors import page
from warehouse.recipient import Processor

REGISTER = """
[[processor]]
name = "Old Host"
does = "kept the servers"
purposes = []
fields = ["country"]
region = "US"
since = 2020-01-01
until = 2024-01-01
[[processor]]
name = "Mailer"
does = "sends codes to the address on file"
purposes = ["security"]
fields = []
region = "EU"
since = 2026-01-01
contract = "DPA-3"
"""


@pytest.mark.requirement("M90")
def test_the_register_is_a_page(throng: Throng, tmp_path: Path) -> None:
    assert "Nobody" in throng("policy", "processors").out
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "throng.toml").write_text(REGISTER)
    said = throng("policy", "processors").out
    assert said.index("## Mailer") < said.index("## Old Host (no longer)")
    assert "In EU, since 2026-01-01, contract DPA-3." in said
    assert "- `country`: " in said
    assert "It sees no column" in said
    out = tmp_path / "page.md"
    assert throng("policy", "processors", "--out", str(out)).code == 0
    assert out.read_text() == said
    lines = throng("policy", "processors", "--format", "json").out.splitlines()
    assert [json.loads(line)["region"] for line in lines] == ["US", "EU"]
    (tmp_path / "data" / "throng.toml").write_text(REGISTER.replace('["country"]', '["home_address"]'))
    assert "processor.fields" in throng("policy", "processors").err


def test_a_processor_is_over_on_its_last_day() -> None:
    one = Processor(name="A", does="x", purposes=(), fields=(), region="EU", since=date(2026, 1, 1),
                    until=date(2026, 6, 1))  # fmt: skip
    assert "(no longer)" not in page([one], date(2026, 5, 31))
    assert "(no longer)" in page([one], date(2026, 6, 1))
