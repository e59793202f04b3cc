"""The security officer's page: the rows that programs get, by day, for the role alone; and who has looked."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from consent_filter import security
from dashboards.security_page import by_day
from dashboards.who import Role
from tests import signed
from tests.dashboards.asking import asking

NOW = int(time.time())
DAY = NOW // 86_400 * 24


def spike(network: int, hour: int, events: int, peak: int) -> tuple[int, bytes, int, int]:
    return hour, bytes([network] * 8), events, peak


@pytest.mark.requirement("M44")
def test_an_officer_reads_by_day_what_programs_read_as_json(tmp_path: Path) -> None:
    rows = [spike(1, DAY, 3000, 2500), spike(1, DAY + 1, 4000, 2600), spike(2, DAY - 24, 9000, 8000)]
    rows += [spike(1, DAY - 24, 2100, 2100)]
    security.note(tmp_path, rows, 14, NOW)
    token = f"Bearer {security.admit(tmp_path, 'Ann <Lee>', NOW)}"
    analyst, officer = (signed.head(tmp_path, role, name=role) for role in (Role.ANALYST, Role.SECURITY))
    with asking(tmp_path) as pages:
        for wrong in ("", "Bearer x"):
            assert pages.get("/security", authorization=wrong, **analyst).status_code == 403
        said = pages.get("/security", authorization=token, accept="application/json").json()
        assert len(said) == 4
        page = pages.get("/security", authorization=token)
        assert "Nothing has" not in pages.get("/security", **officer).text
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-store"
    assert "3 networks sent 18,100 advert events" in page.text
    assert "00:00 to 01:59, 2 hours" in page.text
    assert page.text.index("01" * 8) < page.text.index("02" * 8) < page.text.rindex("01" * 8)
    assert page.text.count("Ann &lt;Lee&gt;") == 2
    found = by_day([security.Network(*row.values()) for row in said])
    assert [[(one.hours, one.events, one.peak) for one in of] for of in found.values()] == [
        [(2, 7000, 2600)], [(1, 9000, 8000), (1, 2100, 2100)]
    ]  # fmt: skip


def test_before_anything_has_spiked_the_page_says_so(tmp_path: Path) -> None:
    token = f"Bearer {security.admit(tmp_path, 'Ann', NOW)}"
    with asking(tmp_path) as pages:
        assert "Nothing has spiked" in pages.get("/security", authorization=token).text
