"""Programs are found by each list in its turn, and people are not."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from is_bot import Bots

from ingest.enrich.agent import Agents
from ingest.enrich.robots import prefetched, robot
from tests.ingest.enrich.test_agent import NONE, PEOPLE

CRAWLERS = json.loads((files("crawleruseragents") / "crawler-user-agents.json").read_text())


@pytest.fixture(scope="module")
def agents() -> Agents:
    return Agents()


@pytest.mark.parametrize(
    ("agent", "purpose", "spider", "why"),
    [
        ("", None, False, "empty"),
        ("  ", None, False, "empty"),
        ("-", None, False, "empty"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", None, False, "is-bot"),
        ("curl/8.5.0", None, False, "is-bot"),
        (PEOPLE[0][0], "prefetch;prerender", False, "prefetch"),
        (PEOPLE[0][0], "preview", False, "prefetch"),
        (PEOPLE[0][0], "fetch", False, None),
        (PEOPLE[0][0], None, True, "ua-parser"),
        (PEOPLE[0][0], None, False, None),
    ],
)
def test_robot(agent: str, purpose: str | None, spider: bool, why: str | None) -> None:
    assert robot(agent, purpose, lambda: spider) == why


def test_the_second_list_knows_some_that_the_first_does_not(agents: Agents) -> None:
    bots = Bots()
    others = [agent for kind in CRAWLERS for agent in kind["instances"] if not bots.is_bot(agent)]
    found = {agents.look((agent, NONE, None)).robot for agent in others if agent.strip()}
    assert "crawler-user-agents" in found


def test_nearly_every_known_crawler_is_found_and_no_person(agents: Agents) -> None:
    known = [agent for kind in CRAWLERS for agent in kind["instances"]][::7]
    missed = [agent for agent in known if agents.look((agent, NONE, None)).robot is None]
    assert len(missed) <= len(known) // 100
    assert [agent for agent, _ in PEOPLE if agents.look((agent, NONE, None)).robot] == []


def test_a_headless_browser_is_known_by_the_hint_that_it_forgot(agents: Agents) -> None:
    said = (PEOPLE[0][0], ('"HeadlessChrome";v="142", "Chromium";v="142"', "?0", '"Windows"'), None)
    assert agents.look(said).robot == "headless"


@pytest.mark.parametrize(
    "said", ["prefetch", "prefetch;prerender", "Prefetch", "prefetch;anonymous-client-ip", "preview"]
)
def test_prefetched(said: str) -> None:
    assert prefetched(said)
    assert not prefetched(None)
