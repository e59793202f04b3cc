"""Agents that no browser sends, and those of people that look odd and are not."""

from __future__ import annotations

import pytest

from consent_filter.suspicion import BITS, Suspicion, named
from ingest.enrich.agent import Agents
from ingest.enrich.oddness import newest

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) %s Safari/537.36"
PHONE = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 %sSafari"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) %s"
BRANDS = '"Not:A-Brand";v="8", "Chromium";v="%d", "Google Chrome";v="%d"'
NO = "", "", ""
AGENTS = Agents()


def hints(version: int, mobile: str = "?0", platform: str = "Windows") -> tuple[str, str, str]:
    return BRANDS % (version, version), mobile, f'"{platform}"'


@pytest.mark.parametrize(
    ("agent", "said", "bits"),
    [
        (WINDOWS % "Chrome/140.0.0.0", hints(140), ()),
        (WINDOWS % "Chrome/140.0.0.0", NO, ()),
        (PHONE % (140, "Mobile "), hints(140, "?1", "Android"), ()),
        # A phone that asks for the desktop's page.
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
         "Safari/537.36", hints(140, "?0", "Android"), ()),
        (IPHONE % "CriOS/140.0.0.0 Mobile/15E148 Safari/604.1", NO, ()),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "CriOS/140 Version/18.6 Safari/605.1.15", NO, ()),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", NO, ()),
        (WINDOWS % "Chrome/140.0.0.0", hints(120), ("contradiction",)),
        (WINDOWS % "Chrome/140.0.0.0", hints(140, "?0", "Linux"), ("contradiction",)),
        (WINDOWS % "Chrome/140.0.0.0", hints(140, "?1"), ("contradiction",)),
        (WINDOWS % "CriOS/140.0.0.0 Mobile/15E148", NO, ("contradiction",)),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
         hints(140, "?0", "Linux"), ("contradiction",)),
        (WINDOWS % "Chrome/999.0.0.0", NO, ("future",)),
        ("Mozilla/5.0 (X11; Linux x86_64)", NO, ("no_browser",)),
    ],
)  # fmt: skip
def test_what_speaks_against_an_agent(agent: str, said: tuple[str, str, str], bits: tuple[str, ...]) -> None:
    found = AGENTS.look((agent, said, None))
    assert found.robot is None
    assert named(found.odd) == bits


def test_versions_are_of_the_future_only_by_far() -> None:
    december_2023, november_2026 = 1_701_734_400, 1_795_824_000
    assert newest(december_2023) > 121
    assert 156 < newest(november_2026) < 300


def test_every_bit_has_a_meaning_and_its_place() -> None:
    assert {one.name.lower(): int(one) for one in Suspicion if one.name} == {
        "hosting": 1, "no_browser": 2, "contradiction": 4, "future": 8, "automation": 16
    }  # fmt: skip
    assert set(BITS) == {one.name.lower() for one in Suspicion if one.name}
