"""Networks counted for minutes, told apart by nobody, and the same whichever way an event comes in."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Place
from consent_filter.site import Site
from consent_filter.suspicion import Suspicion
from ingest.enrich import Enrich
from ingest.path import Path
from ingest.protocols import parse
from ingest.rates import QUIET, WINDOW, Rates, prefix
from ingest.request import Browser, Request
from ingest.settings import Sites

NOON = 1_795_435_200_000
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def rates(spike: int = 11) -> Rates:
    return Rates(Keyring.memory(lambda: NOON / 1000), spike=spike)


def test_a_network_is_a_24_or_a_48() -> None:
    assert prefix("203.0.113.7") == prefix("203.0.113.200") == prefix("::ffff:203.0.113.9")
    assert prefix("203.0.114.7") != prefix("203.0.113.7")
    assert prefix("2001:db8:1::1") == prefix("2001:db8:1:ffff::2%eth0") != prefix("2001:db8:2::1")
    assert prefix("::1") != prefix("203.0.113.7")
    assert prefix("nonsense:") == prefix("") == prefix("x") == ""


def test_quiet_networks_are_all_alike_and_others_are_of_a_power_of_two() -> None:
    found = rates()
    found.add("203.0.113.7", NOON, QUIET - 1)
    assert found.of("203.0.113.9") == 0
    found.add("203.0.113.8", NOON)
    assert found.of("203.0.113.9") == 7
    found.add("203.0.113.8", NOON, 2048)
    assert found.of("203.0.113.9") == 11
    assert found.of("203.0.114.9") == 0


def test_what_was_minutes_ago_is_forgotten() -> None:
    found = rates()
    found.add("203.0.113.7", NOON, 300)
    found.add("198.51.100.1", NOON + WINDOW)
    assert found.of("203.0.113.7") == 8
    found.add("198.51.100.1", NOON + 2 * WINDOW)
    assert found.of("203.0.113.7") == 0
    found.add("203.0.113.7", NOON + 9 * WINDOW, 300)
    found.add("198.51.100.1", NOON + 11 * WINDOW)
    assert found.of("203.0.113.7") == 0


def test_a_spike_is_noted_by_the_hour_and_its_network_only_by_a_hash() -> None:
    found = rates(spike=8)
    for _ in range(300):
        found.add("203.0.113.7", NOON)
    found.add("198.51.100.1", NOON, 255)
    (spike,) = found.take()
    assert (spike.hour, spike.events, spike.peak) == (NOON // 3_600_000, 300, 300)
    assert len(spike.network) == 8
    assert found.take() == []


def path() -> Path:
    sites = Sites([Site(id="market")])
    keys = Keyring.memory(lambda: NOON / 1000)

    def look(address: str) -> Place:
        return Place("NA", "US", None, "hosting" if address.startswith("198.") else "residential")

    return Path(sites, Enrich(sites, look), Packs(sites), Ledger.memory(keys), keys)


def sent(address: str, agent: str = FIREFOX, **more: Any) -> Request:
    event = {
        "site": "market",
        "type": "ad_impression",
        "url": "/",
        "consent": {"ad_measurement": True},
    } | more
    return Request(
        "beacon", "POST", b"", json.dumps(event).encode(), address, Browser((agent, ("", "", ""), None)), NOON
    )


REQUESTS = [
    *[sent("203.0.113.7", device_id="d", ad={"campaign": "c1", "slot": "a"}) for _ in range(QUIET)],
    sent("203.0.113.8"),
    sent("203.0.113.9", type="page_view", consent={"measurement": True}),
    sent("198.51.100.1", ad={"campaign": "c1"}),
    sent("192.0.2.1", "Mozilla/5.0 (X11; Linux x86_64)", ad={"campaign": "c2", "step": "webdriver"}),
    sent("192.0.2.1", "curl/8", ad={"campaign": "c2"}),
    sent("192.0.2.1", ad={"campaign": "c2"}, consent={"ad_measurement": False}),
]


@pytest.mark.requirement("M44")
def test_both_ways_in_say_the_same_of_a_sender_and_count_the_same() -> None:
    live, columns = path(), path()
    row_by_row, answers = live.run(REQUESTS)
    found = columns.keep(parse(REQUESTS, columns.parsing))
    assert all(answer.status == 202 for answer in answers)
    assert row_by_row.counts == found.counts
    for name in ("ad_flags", "ad_rate", "browser", "os", "device"):
        here, there = (one.batch[name].to_pylist() for one in (row_by_row, found))
        assert here == there
    flags, rate = (found.batch[name].to_pylist() for name in ("ad_flags", "ad_rate"))
    # Without an identifier every network that does not spike is alike, and who is odd has no browser.
    assert rate == [*[7] * QUIET, 0, None, 0, 0]
    assert found.batch["browser"].to_pylist()[QUIET:] == ["Firefox", "Firefox", None, None]
    assert flags == [
        *[0] * (QUIET + 1), None, int(Suspicion.HOSTING), int(Suspicion.NO_BROWSER | Suspicion.AUTOMATION)
    ]  # fmt: skip


@pytest.mark.requirement("M44")
def test_refusals_of_adverts_are_counted_by_campaign_and_type() -> None:
    record, _ = path().run(REQUESTS)
    told = {
        (key.reason or key.outcome, key.event, key.campaign): n
        for key, n in record.counts.items()
        if key.outcome != "received" and key.campaign == "c2"
    }
    assert told == {
        ("stored", "ad_impression", "c2"): 1,
        ("robot", "ad_impression", "c2"): 1,
        ("consent", "ad_impression", "c2"): 1,
    }
    received = sum(n for key, n in record.counts.items() if key.outcome == "received" and key.event)
    assert received == len(REQUESTS) - 1


def test_an_event_that_cannot_be_read_is_counted_as_what_it_says_it_is() -> None:
    record, _ = path().run([sent("192.0.2.1", ad={"campaign": "c3"}, time="x"), sent("192.0.2.1", ad=7)])
    told = {(key.reason, key.event, key.campaign) for key in record.counts if key.outcome == "refused"}
    assert told == {("invalid", "ad_impression", "c3"), ("invalid", "ad_impression", "")}
    assert np.sum(list(record.counts.values())) == 4
