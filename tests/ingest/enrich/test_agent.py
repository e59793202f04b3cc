"""What is understood of user agents and client hints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from user_agents import parse

from consent_filter.raw import Agent
from consent_filter.suspicion import Suspicion
from ingest.enrich.agent import Agents, Hints, hints

NONE = ("", "", "")
WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
CHROMIUM = "AppleWebKit/537.36 (KHTML, like Gecko)"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROMIUM} Chrome/142.0.0.0 Safari/537.36"
PHONE = f"Mozilla/5.0 (Linux; Android 10; K) {CHROMIUM} Chrome/142.0.0.0 Mobile Safari/537.36"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.0 Mobile/15E148 Safari/604.1"
)
PEOPLE = [
    (WINDOWS, Agent("Chrome", "142", "Windows", None, "desktop")),
    (f"{WINDOWS} Edg/142.0.0.0", Agent("Edge", "142", "Windows", None, "desktop")),
    (PHONE, Agent("Chrome Mobile", "142", "Android", None, "mobile")),
    (PHONE.replace("Mobile ", ""), Agent("Chrome", "142", "Android", None, "tablet")),
    (IPHONE, Agent("Mobile Safari", "26", "iOS", "18", "mobile")),
    (
        "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
        "Mobile/15E148 Safari/604.1",
        Agent("Mobile Safari", "17", "iOS", "17", "tablet"),
    ),
    (
        f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/26.0 Safari/605.1.15",
        Agent("Safari", "26", "Mac OS X", None, "desktop"),
    ),
    (
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        Agent("Firefox", "140", "Linux", None, "desktop"),
    ),
    (
        f"Mozilla/5.0 (Linux; Android 9; AFTSSS) {CHROMIUM} Chrome/120.0.0.0 Safari/537.36",
        Agent("Chrome", "120", "Android", "9", "tv"),
    ),
    (
        f"Mozilla/5.0 (PlayStation; PlayStation 5/2.26) {WEBKIT} Version/13.0 Safari/605.1.15",
        Agent("Safari", "13", None, None, "console"),
    ),
]


@pytest.fixture(scope="module")
def agents() -> Agents:
    return Agents()


@pytest.mark.requirement("M24")
@pytest.mark.parametrize(("agent", "understood"), PEOPLE, ids=[f"{u.browser} {u.device}" for _, u in PEOPLE])
def test_people(agents: Agents, agent: str, understood: Agent) -> None:
    assert agents.look((agent, NONE, None)) == understood


@pytest.mark.parametrize(("agent", "understood"), PEOPLE, ids=[f"{u.browser} {u.device}" for _, u in PEOPLE])
def test_the_fast_reader_agrees_with_the_slow_one(agents: Agents, agent: str, understood: Agent) -> None:
    slow, fast = parse(agent), agents.read(agent)
    assert (slow.browser, slow.os, slow.device) == (fast.browser, fast.os, fast.device)
    assert (slow.is_mobile, slow.is_tablet, slow.is_pc, slow.is_bot) == (
        fast.is_mobile,
        fast.is_tablet,
        fast.is_pc,
        fast.is_bot,
    )


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        (NONE, Hints(None, None, None, None)),
        (
            ('"Chromium";v="142", "Not:A-Brand";v="8", "Google Chrome";v="142"', "?0", '"Windows"'),
            Hints("Chrome", "142", False, "Windows"),
        ),
        (
            ('"Microsoft Edge";v="141", "Google Chrome";v="142"', "?1", '"macOS"'),
            Hints("Edge", "141", True, "Mac OS X"),
        ),
        (('"Not:A-Brand";v="8"', "", '"Plan 9"'), Hints(None, None, None, None)),
        (('"Google Chrome', "?2", '"'), Hints(None, None, None, None)),
    ],
)
def test_hints(said: tuple[str, str, str], understood: Hints) -> None:
    assert hints(said) == understood


def test_hints_say_more_than_the_agent(agents: Agents) -> None:
    said = (WINDOWS, ('"Brave";v="142", "Chromium";v="142"', "?0", '"Linux"'), None)
    found = agents.look(said)
    assert found._replace(odd=0) == Agent("Brave", "142", "Linux", None, "desktop")
    assert Suspicion(found.odd) == Suspicion.CONTRADICTION
    phone = (PHONE, ('"Google Chrome";v="142"', "?1", '"Android"'), None)
    assert agents.look(phone) == Agent("Chrome Mobile", "142", "Android", None, "mobile")


def test_what_is_remembered_is_bounded() -> None:
    few = Agents(remembered=3)
    for version in range(10):
        few.look((f"{WINDOWS} {version}", NONE, None))
    assert len(few.known) <= 3
    few.look((WINDOWS + "x" * 10_000, NONE, None))
    assert all(len(agent) < 2000 for agent, _, _ in few.known)


@given(st.text(alphabet=st.characters()), st.tuples(st.text(), st.text(), st.text()), st.none() | st.text())
def test_any_text_is_understood(agent: str, said: tuple[str, str, str], purpose: str | None) -> None:
    found = AGENTS.look((agent, said, purpose))
    assert found.device in ("desktop", "mobile", "tablet", "tv", "console", "other")
    for part in found:
        assert part is None or isinstance(part, int) or len(part.encode()) < 4096


AGENTS = Agents()
