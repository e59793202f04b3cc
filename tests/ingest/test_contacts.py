"""Mails, letters and calls, as their sender tells them (M74): of whom, by consent, and without an address."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consent_filter.counts import REFUSED
from ingest.log.record import encode
from ingest.path import Path
from ingest.request import Browser, Request
from tests.ingest.test_clicks import BROWSER, NOW, make

ROBOT = Browser(("curl/8.0", ("", "", ""), None))
AGREED: dict[str, Any] = {"consent": {"measurement": True, "ad_measurement": True}}


def contact(n: int = 1, user: str = "zq7user", **more: Any) -> Request:
    one = {"site": "market", "user_id": user, "ad": {"step": "email", "campaign": "autumn"}} | more
    return Request("contact", "POST", b"", json.dumps([one] * n).encode(), "198.51.100.77", ROBOT, NOW)


def impression(user: str = "zq7user") -> Request:
    one = {
        "site": "market",
        "type": "ad_impression",
        "url": "/",
        "user_id": user,
        "ad": {"campaign": "autumn"},
    }
    return Request("beacon", "POST", b"", json.dumps(one | AGREED).encode(), "192.0.2.2", BROWSER, NOW)


def rows(path: Path, *requests: Request) -> tuple[list[dict[str, Any]], set[tuple[str, str]]]:
    record, _ = path.run(requests)
    written = encode(record)
    for secret in (b"zq7", b"198.51.100.77", b"curl"):
        assert secret not in written
    refused = {(key.reason, key.detail) for key in record.counts if key.outcome == REFUSED}
    return record.events.batch().to_pylist() if record.events.n else [], refused


@pytest.mark.requirement("M74")
def test_a_contact_is_its_members_like_an_impression_of_theirs(anywhere: Path) -> None:
    found, refused = rows(anywhere, contact(**AGREED), impression())
    assert not refused
    sent, seen = sorted(found, key=lambda row: str(row["type"]))
    assert (sent["type"], sent["ad_step"], sent["treatment"]) == ("ad_contact", "email", "identified")
    assert sent["person"] == seen["person"]
    assert sent["browser"] is sent["path"] is sent["network"] is None
    assert sent["ad_flags"] == 0


@pytest.fixture(params=["DE", "US"])
def anywhere(request: pytest.FixtureRequest) -> Path:
    return make(request.param)


def test_who_does_not_agree_is_in_no_row_and_is_never_everybody(anywhere: Path) -> None:
    """Allowed without an identifier, all members would be one person, who was written to a thousand times."""
    many = [contact(user=f"zq7-{n}") for n in range(3)]
    (*found,), refused = rows(anywhere, *many, contact(consent={"ad_measurement": False}))
    assert all(row["treatment"] == "identified" for row in found)
    assert len({row["person"] for row in found}) == len(found)
    assert {reason for reason, _ in refused} == {"consent"}


def test_a_mailing_is_no_spike_of_a_network() -> None:
    found, _ = rows(make(), *[contact(100, **AGREED)] * 30, impression())
    assert {row["ad_rate"] for row in found if row["type"] == "ad_contact"} == {None}
    assert {row["ad_rate"] for row in found if row["type"] == "ad_impression"} == {0}
