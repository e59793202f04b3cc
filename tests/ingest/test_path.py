"""The whole path: what was received is stored or refused, once each, and nothing that was sent comes out."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from consent_filter.counts import HOURLY, Counts, Key
from consent_filter.errors import Broken, Misconfigured
from consent_filter.fields import EVENT
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Place
from consent_filter.site import Site
from ingest.enrich import Enrich
from ingest.enrich.agent import Agents
from ingest.log.record import Record, decode, encode
from ingest.path import Path
from ingest.request import Browser, Request
from ingest.settings import Ingest, Sites
from ingest.tally import balance
from tests.ingest.protocols.cases import NOW_MS
from tests.ingest.protocols.test_properties import gathered

AGENTS = Agents()
PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SITES = Sites(
    [
        Site(id="market", timezone="Europe/Berlin", paths=("/u/{user}",), props=("plan",)),
        Site(id="strict", timezone="Asia/Kolkata"),
    ]
)


def look(address: str) -> Place:
    """Odd addresses are data centres'."""
    return Place("EU", "DE", None, "hosting" if address.endswith(("1", "3")) else "residential")


def make(sites: Sites = SITES, *, hosting: bool = False, bounded: bool = True) -> Path:
    keys = Keyring.memory(lambda: NOW_MS / 1000)
    enrich = Enrich(sites, look, AGENTS, hosting)
    return Path(sites, enrich, Packs(sites), Ledger.memory(keys), keys, limits=Ingest(), bounded=bounded)


def sent(said: Any = None, agent: str = PERSON, address: str = "192.0.2.2", **client: Any) -> Request:
    body = (
        {"site": "market", "type": "page_view", "url": "/a"} | (said or {})
        if isinstance(said, dict | None)
        else said
    )
    said = (agent, client.pop("hints", ("", "", "")), client.pop("purpose", None))
    return Request("beacon", "POST", b"", json.dumps(body).encode(), address, Browser(said, **client), NOW_MS)


def outcomes(record: Record) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for key, n in record.counts.items():
        if key.outcome != HOURLY:  # once more, beside the balance
            found[key.outcome, key.reason, key.detail] += n
    return found


def test_a_page_view_is_stored_and_counted() -> None:
    record, answers = make().run(
        [sent({"url": "https://m.example/u/ann?utm_source=news", "consent": {"measurement": True}})]
    )
    assert answers[0].status == 202
    assert record.batch.schema == EVENT
    (row,) = record.batch.to_pylist()
    assert (row["path"], row["utm_source"], row["browser"], row["country"]) == (
        "/u/{user}",
        "news",
        "Firefox",
        "DE",
    )
    assert outcomes(record) == {("received", "", ""): 1, ("stored", "", ""): 1}


@pytest.mark.requirement("M3")
def test_a_refusal_is_counted_and_its_sender_not_told() -> None:
    record, answers = make().run([sent({"consent": {"measurement": False}})])
    assert answers[0].status == 202
    assert record.batch.num_rows == 0
    assert record.batch.schema == EVENT
    assert sum(n for (outcome, reason, _), n in outcomes(record).items() if reason == "consent") == 1


def test_robots_are_counted_by_the_list_that_knew_them_and_not_stored() -> None:
    waiting = [
        sent(),
        sent(agent="Googlebot/2.1"),
        sent(agent=""),
        sent(purpose="prefetch"),
        sent(agent="curl/8"),
    ]
    record, answers = make().run(waiting)
    assert {answer.status for answer in answers} == {202}
    assert record.batch.num_rows == 1
    assert outcomes(record) == {
        ("received", "", ""): 5,
        ("stored", "", ""): 1,
        ("refused", "robot", "is-bot"): 2,
        ("refused", "robot", "empty"): 1,
        ("refused", "robot", "prefetch"): 1,
    }


def test_a_data_centre_is_a_robot_only_where_the_settings_say_so() -> None:
    waiting = [sent(address="192.0.2.1"), sent(address="192.0.2.2"), sent(address="192.0.2.3", agent="")]
    assert make().run(waiting)[0].batch.num_rows == 2
    assert outcomes(make(hosting=True).run(waiting)[0]) == {
        ("received", "", ""): 3,
        ("stored", "", ""): 1,
        ("refused", "robot", "empty"): 1,
        ("refused", "robot", "hosting"): 1,
    }


@pytest.mark.parametrize(
    "waiting", [[sent(agent="")], [sent({"type": "?"})], [sent([])], [sent({"type": "?"}), sent(agent="")]]
)
def test_a_batch_of_which_nothing_is_kept(waiting: list[Request]) -> None:
    record, _ = make().run(waiting)
    assert record.batch.num_rows == 0
    assert outcomes(record)["received", "", ""] == len(waiting)
    again = decode(encode(record))
    assert again.batch.schema == EVENT
    assert again.counts == record.counts


def test_secrets_in_addresses_are_counted() -> None:
    path = make()
    path.run([sent({"url": "/x/ann@example.com"})] * 3 + [sent(), sent({"url": "/reset/a1b2?mail=a@b.c"})])
    assert path.enrich.redacted == 5


def test_a_record_of_nothing_can_carry_counts() -> None:
    record = make().nothing()
    assert decode(encode(record)).batch.equals(record.batch)
    assert not record.counts


def test_while_no_site_is_declared_any_well_formed_id_is_one() -> None:
    anyone = Sites()
    record, answers = make(anyone).run(
        [sent({"site": "new-shop"}), sent({"site": "ann@example.com"}), sent({"site": ""})]
    )
    assert [answer.status for answer in answers] == [202, 400, 400]
    assert {key.site for key in record.counts} == {"new-shop", ""}


def test_days_are_the_sites_own() -> None:
    """At 18:45 UTC it is the next day in India, and not yet in Berlin."""
    time = NOW_MS - 17 * 3_600_000 - 15 * 60_000
    record, _ = make().run([sent({"time": time}), sent({"time": time, "site": "strict"})])
    days = {key.site: key.day for key in record.counts if key.outcome == "received"}
    assert days["strict"] == days["market"] + 1


def test_old_events_are_late_live_and_welcome_in_an_import() -> None:
    waiting = [sent({"time": NOW_MS - 49 * 3_600_000})]
    record, answers = make().run(waiting)
    assert answers[0].status == 400
    assert outcomes(record)["refused", "late", "late"] == 1
    path = make(bounded=False)
    path.keys.importing()
    assert path.run(waiting)[0].batch.num_rows == 1


@pytest.mark.requirement("S15")
@given(gathered)
def test_received_is_stored_and_refused(waiting: list[Request]) -> None:
    record, answers = PATH.run(waiting)
    found = outcomes(record)
    received = found.pop(("received", "", ""))
    assert received == sum(found.values()) >= len(waiting) == len(answers)
    assert found["stored", "", ""] == record.batch.num_rows
    by_place: Counter[tuple[Any, ...]] = Counter()
    for key, n in record.counts.items():
        if key.outcome != HOURLY:
            by_place[key[:4]] += n if key.outcome == "received" else -n
        assert n > 0
    assert not any(by_place.values())
    record.batch.validate(full=True)
    assert decode(encode(record)).batch.equals(record.batch)


@pytest.mark.requirement("M21", "M24", "M128")
@given(st.text(min_size=1, max_size=12), st.ip_addresses(v=6).map(str))
def test_no_address_agent_or_id_is_in_a_record(name: str, address: str) -> None:
    mark = f"zq{name.encode().hex()}qz"
    said = {
        "user_id": mark,
        "device_id": mark + "d",
        "id": mark + "i",
        "title": mark,
        "consent": {"measurement": True},
    }
    said |= {"url": f"https://m.example/u/{mark}?x={mark}", "referrer": f"https://t.co/{mark}?{mark}"}
    record, _ = PATH.run([sent(said, agent=f"{PERSON} {mark}", address=address + "2")])
    assert record.batch.num_rows == 1
    stored = encode(record)
    assert mark.encode() not in stored
    assert address.encode() + b"2" not in stored


PATH = make()
PLACE = ("market", 1, "beacon", "DE")


@pytest.mark.parametrize(
    ("received", "refused", "stored"),
    [
        (2, {}, 1),
        (1, {}, 2),
        (2, {"consent": 1}, 2),
        (1, {"consent": 2}, -1),
        (0, {"consent": 1}, -1),
    ],
)
def test_a_batch_that_does_not_balance_stops_everything(
    received: int, refused: dict[str, int], stored: int
) -> None:
    counts = Counts({Key(*PLACE, "refused", reason, ""): n for reason, n in refused.items()})
    with pytest.raises(Broken, match=f"received {received}, stored {stored}"):
        balance({PLACE: received} if received else {}, Counts(), [counts], stored)


def test_a_refusal_in_the_wrong_place_does_not_balance() -> None:
    counts = Counts({Key("other", *PLACE[1:], "refused", "consent", ""): 1})
    with pytest.raises(Broken):
        balance({PLACE: 1}, Counts(), [counts], 0)


def test_sites_are_declared_once_and_named_well() -> None:
    for wrong in ([Site(id="a"), Site(id="a")], [Site(id="a b")], [Site(id="")]):
        with pytest.raises(Misconfigured):
            Sites(wrong)
    declared = Sites([Site(id="a")])
    assert ("a" in declared, "b" in declared, declared.open, len(declared), list(declared)) == (
        True,
        False,
        False,
        1,
        ["a"],
    )
    with pytest.raises(KeyError):
        declared["b"]
    anyone = Sites()
    assert anyone.open
    assert "any-site.example" in anyone
    assert "no site" not in anyone
    for number in range(2500):
        assert anyone[f"s{number}"].id == f"s{number}"
    assert len(anyone) <= 1000


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"max_body": 0},
        {"retry_hours": 49},
        {"retry_hours": 0},
        {"trusted_proxies": ("x",)},
        {"rate": -1},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match=next(iter(wrong))):
        Ingest(**wrong)


@pytest.mark.requirement("M23")
def test_a_browser_is_somebody_else_after_the_days_that_its_policy_names() -> None:
    clock = [NOW_MS / 1000]
    keys = Keyring.memory(lambda: clock[0])
    path = Path(SITES, Enrich(SITES, look, AGENTS), Packs(SITES), Ledger.memory(keys), keys)

    def who(**ids: str) -> list[int]:
        said = sent({"consent": {"measurement": True}} | ids)
        record, _ = path.run([replace(said, received=int(clock[0] * 1000))])
        return record.batch["person"].to_pylist()

    first = who(device_id="d1"), who(user_id="u1")
    clock[0] += 394 * 86_400
    assert (who(device_id="d1"), who(user_id="u1")) == first
    clock[0] += 86_400
    assert who(device_id="d1") != first[0]
    assert who(user_id="u1") == first[1]
