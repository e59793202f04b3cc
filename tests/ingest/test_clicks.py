"""Clicks that are led on: an id only for who agreed, nothing of the target stored, and no way elsewhere."""

from __future__ import annotations

import asyncio
import json
import time
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from consent_filter import advert_links
from consent_filter.advert_links import Seals
from consent_filter.clicks import LASTS, Click, Clicks
from consent_filter.counts import REFUSED
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Place
from consent_filter.site import Site
from ingest.enrich import Enrich
from ingest.enrich.agent import Agents
from ingest.gather import Gather
from ingest.log.memory import MemoryLog
from ingest.log.record import Record, encode
from ingest.metrics import Metrics
from ingest.path import Path
from ingest.protocols.redirect import FRESH, SIGNED
from ingest.request import Answer, Browser, Request
from ingest.settings import Sites

AGENTS = Agents()
BROWSER = Browser(
    ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", ("", "", ""), None)
)
SITES = Sites([Site(id="market")])
TARGET = "https://acme.example/offer?mail=ann%40mail.example#top"
NOW = int(time.time() * 1000)


def make(country: str = "DE") -> Path:
    keys = Keyring.memory()
    enrich = Enrich(SITES, lambda address: Place("EU", country, None, "residential"), AGENTS)
    return Path(
        SITES, enrich, Packs(SITES), Ledger.memory(keys), keys, seals=Seals.of(keys), clicks=Clicks.of(keys)
    )


def click(path: Path, more: str = "", to: str = TARGET, **said: str) -> Request:
    assert path.parsing.seals
    until = str(NOW // 1000 + 60)
    said = {"to": to, "site": "market", "campaign": "spring", "creative": "mpu", "until": until} | said
    signature = path.parsing.seals.sign("redirect", *[said.get(name, "") for name in SIGNED])
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in said.items())
    return Request(
        "redirect", "GET", f"{query}&sig={signature}{more}".encode(), b"", "192.0.2.2", BROWSER, NOW
    )


def consent(**said: bool) -> str:
    return "&consent=" + quote(json.dumps(said))


YES = consent(ad_measurement=True)


def landed(path: Path, id: str) -> Request:
    body = {"site": "market", "type": "ad_landing", "url": "/", "ad": {"id": id}}
    body["consent"] = {"ad_measurement": True}
    return Request("beacon", "POST", b"", json.dumps(body).encode(), "192.0.2.2", BROWSER, NOW)


@pytest.mark.requirement("M95")
def test_a_click_gets_an_id_only_where_somebody_has_agreed() -> None:
    path = make()
    asked = [
        click(path, YES), click(path), click(path, consent(ad_measurement=False)),
        click(path, YES + "&gpp=-1"), click(path, YES + "&gdpr=1&gdpr_consent=%5BGDPRCONSENT%5D"),
    ]  # fmt: skip
    record, answers = path.run(asked)
    assert [answer.status for answer in answers] == [302] * 5
    first, *others = [answer.leads.decode() for answer in answers]
    assert others == [TARGET] * 4
    (id,) = parse_qs(urlsplit(first).query)["th_click"]
    assert first == TARGET.replace("#", f"&th_click={id}#")
    assert record.events.n == 1
    assert "spring" not in id
    # Where adverts may be measured without asking, others still get no id of anybody.
    record, answers = make("US").run([click(make("US"))])
    assert record.events.n == 0, "signed with other keys"
    us = make("US")
    record, answers = us.run([click(us), click(us, YES)])
    assert record.events.n == 2
    assert answers[0].leads.decode() == TARGET
    assert b"th_click=" in answers[1].leads


@pytest.mark.requirement("M95")
def test_nothing_of_the_target_is_stored() -> None:
    path = make()
    record, _ = path.run([click(path, YES + "&view=zq7view4711")])
    written = encode(record)
    for secret in (b"acme", b"offer", b"ann", b"mail.example", b"zq7view4711", b"192.0.2.2", b"Mozilla"):
        assert secret not in written, secret


def test_a_landing_is_of_the_same_view_as_its_click_and_says_whose_campaign_it_was() -> None:
    path = make()
    record, (answer,) = path.run([click(path, YES + "&view=v-1&slot=top")])
    (id,) = parse_qs(urlsplit(answer.leads.decode()).query)["th_click"]
    there, _ = path.run([landed(path, id)])
    one, other = (part.events.batch().to_pylist()[0] for part in (record, there))
    assert one["ad_view"] == other["ad_view"] is not None
    for name, value in (("ad_campaign", "spring"), ("ad_creative", "mpu"), ("ad_slot", "top")):
        assert one[name] == other[name] == value
    # An id that was not made here, or was altered, is refused by name; both ways of the path say so.
    for wrong in (id[:-4] + "AAAA", "c1.", "c1.x", make_id(-LASTS - 5, path)):
        for some in ([landed(path, wrong)], [landed(path, wrong)] * 2 + [click(path)]):
            record, answers = path.run(some)
            assert answers[0].status == 400
            assert {key.detail for key in record.counts if key.reason == "invalid"} == {"click"}


def make_id(age: int, path: Path) -> str:
    assert path.parsing.clicks
    return path.parsing.clicks.make(Click("v-1"), time.time() + age)


def test_an_id_can_always_be_sent_back() -> None:
    clicks, long = Clicks(b"k" * 64), "ü" * 200
    for click in (Click("v", "c", "r", "p", "s"), Click("v" * 64, "c" * 64, "r" * 64, "p" * 64, "s" * 64),
                  Click(long, long, long, long, long)):  # fmt: skip
        made = clicks.make(click, 1e9)
        found = clicks.read(made, 1e9)
        assert len(made) <= 256
        assert found
        assert all(
            part is None or part == whole for part, whole in zip(astuple(found), astuple(click), strict=True)
        )
    assert clicks.read(clicks.make(Click("v" * 64, "c" * 64, "r" * 64), 1e9), 1e9) == Click(
        "v" * 64, "c" * 64
    )


def test_clicks_among_other_events_keep_their_answers() -> None:
    path = make()
    beacon = landed(path, "v-9")
    asked = [beacon, click(path, YES), click(path, "x", to="javascript:0"), beacon, click(path)]
    prefetch = Browser((BROWSER.said[0], ("", "", ""), "prefetch"))
    ahead = click(path, YES)
    ahead.browser = prefetch
    record, answers = path.run([*asked, ahead])
    assert [answer.status for answer in answers] == [202, 302, 403, 202, 302, 503]
    assert [b"th_click" in answer.leads for answer in answers] == [False, True, False, False, False, False]
    refused = {(key.reason, key.detail): n for key, n in record.counts.items() if key.outcome == REFUSED}
    assert refused[("robot", "prefetch")] == 1
    assert refused[("invalid", "altered")] == 1
    assert record.events.n == 3


def test_a_click_that_the_page_tells_itself_counts_once_and_still_gets_its_id() -> None:
    """Of what is added nothing is signed: it can make a click count less, and never somebody agree."""
    path = make()
    now = f"&time={NOW}"
    told = "&told=1&view=v-1" + now
    record, answers = path.run(
        [click(path, YES + told), click(path, told), click(path, YES + "&view=v-1" + now)]
    )
    assert [b"th_click" in answer.leads for answer in answers] == [True, False, True]
    refused = {(key.reason, key.detail): n for key, n in record.counts.items() if key.outcome == REFUSED}
    assert refused.pop(("duplicate", "told")) == 1
    assert list(refused.values()) == [1], "who was not asked is refused for that, whatever the page tells"
    assert record.events.n == 1
    us = make("US")
    record, answers = us.run([click(us, told), click(us, consent(ad_measurement=False) + now), click(us)])
    assert [answer.leads.decode() for answer in answers] == [TARGET] * 3
    assert record.events.n == 1, "told, refused, and one that nobody else tells"


def test_a_word_in_a_copied_address_is_nobodys() -> None:
    path = make()
    for age, stale in ((0, False), (FRESH - 1000, False), (FRESH + 1000, True), (-FRESH - 1000, True)):
        record, (answer,) = path.run([click(path, f"{YES}&view=v-1&time={NOW - age}")])
        assert answer.status == 302
        assert (b"th_click" in answer.leads, record.events.n) == ((False, 0) if stale else (True, 1))
        if stale:
            assert {key.detail for key in record.counts if key.outcome == REFUSED} == {"stale"}
    # What is signed is so still: nothing that is added takes its place.
    _, (answer,) = path.run([click(path, "&campaign=other")])
    assert answer.status == 400
    for wrong in ("nan", "inf", "-1", "x", "9" * 40):
        record, (answer,) = path.run([click(path, f"{YES}&time={wrong}")])
        assert (answer.status, record.events.n) == (302, 0)


class _Full(MemoryLog):
    """A log on a full disk."""

    def append(self, record: Record) -> object:  # type: ignore[override]
        raise OSError(28, "No space left on device")


def test_whoever_clicks_goes_on_though_nothing_can_be_stored() -> None:
    """Only they: whoever sends events is told to send them again."""
    path, metrics = make(), Metrics()
    told: dict[str, Answer] = {}

    async def send() -> None:
        ledger = path.ledger
        gather = Gather(path, _Full(), ledger, metrics, gap=0, most=9, broken=lambda: None)
        gather.add(click(path), lambda answer: told.update(click=answer))
        gather.add(landed(path, "v"), lambda answer: told.update(event=answer))
        gather.add(click(path, to="ftp://x.example"), lambda answer: told.update(wrong=answer))
        await asyncio.sleep(0)
        await gather.drain()

        few = Gather(path, _Full(), ledger, metrics, gap=9, most=0, broken=lambda: None)
        few.add(click(path), lambda answer: told.update(more=answer))
        few.add(landed(path, "v"), lambda answer: told.update(event_more=answer))

    asyncio.run(send())
    assert (told["more"].status, told["event_more"].status) == (302, 503)
    assert (told["click"].status, told["event"].status, told["wrong"].status) == (302, 503, 503)
    assert metrics.clicks_lost == 2
    assert "throng_clicks_lost_total 2" in metrics.text()


texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(texts, texts)
def test_a_signature_is_of_its_parts_and_of_no_others(one: list[str], other: list[str]) -> None:
    seals = Seals(b"k" * 32)
    signature = seals.sign("redirect", *one)
    assert seals.holds(signature, "redirect", *one)
    assert seals.holds(signature, "redirect", *other) == (one == other)
    assert not seals.holds(signature, "notice", *one)
    assert not Seals(b"j" * 32).holds(signature, "redirect", *one)


@pytest.mark.parametrize("target", [
    "javascript:alert(1)", "data:text/html,x", "//evil.example", "/x", "https:evil.example", "https://",
    "https://a.example@evil.example/", "https://evil.example\\@a.example/", "https://a.example/\n", "",
    "https://a.example/é", "https://a.example:99999/", "https://[::1", "ftp://a.example/",
    "https://a b.example/",
])  # fmt: skip
def test_no_browser_is_sent_there(target: str) -> None:
    assert not advert_links.leads_out(target)
