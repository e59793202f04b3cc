"""Explanations: leniently read, and true to what the collector would do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given

from consent_filter.decide import Laws, decide
from consent_filter.errors import Refused
from consent_filter.explain import Explainer
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import names
from consent_filter.raw import Place
from consent_filter.site import Site
from tests.consent_filter import rows as make
from tests.consent_filter.rows import NOON, PACKS, SITES, Row, batch


def explainer(**options: object) -> Explainer:
    return Explainer(Ledger.memory(Keyring.memory()), [], **options)  # type: ignore[arg-type]


CASES = [
    (
        "silence in Berlin is measured without an identifier",
        {"country": "DE"},
        "cookieless",
        "opt_in.cookieless",
    ),
    ("an unknown country is the strictest", {}, "cookieless", "opt_in.cookieless"),
    ("lower case is a country too", {"country": "us"}, "cookieless", "opt_out.default"),
    (
        "an id is used where the default allows it",
        {"country": "US", "device_id": "d"},
        "identified",
        "opt_out.default",
    ),
    ("ids may be numbers", {"country": "US", "user_id": 7}, "identified", "opt_out.default"),
    ("an empty id is none", {"country": "US", "user_id": ""}, "cookieless", "opt_out.default"),
    (
        "GPC leaves the exempt count",
        {"country": "DE", "headers": {"Sec-GPC": "1"}},
        "cookieless",
        "opt_in.cookieless",
    ),
    (
        "headers in any case",
        {"country": "DE", "type": "ad_click", "headers": {"SEC-gpc": 1}},
        "count",
        "opt_in.silence",
    ),
    (
        "an own refusal ends it",
        {"country": "US", "consent": {"measurement": False}},
        "count",
        "opt_out.refused",
    ),
    ("unreadable refuses", {"country": "US", "consent": "yes"}, "count", "opt_out.unreadable"),
    (
        "an event in a wrapper",
        {"country": "DE", "event": {"site": "any", "type": "ad_click"}},
        "count",
        "opt_in.silence",
    ),
]


@pytest.mark.parametrize(("why", "request_", "decision", "rule"), CASES, ids=[case[0] for case in CASES])
def test_an_explanation_names_the_rule(
    why: str, request_: dict[str, object], decision: str, rule: str
) -> None:
    said = explainer().explain({"site": "any", **request_})
    assert (said["decision"], said["because"]) == (decision, f"workallies-2024.{rule}")
    assert said["policy"] == "workallies-2024/1"


def test_an_address_has_a_country_where_somebody_can_look() -> None:
    def look(address: str) -> Place:
        if address != "192.0.2.1":
            raise ValueError(address)
        return Place(None, "NG", None, "unknown")

    explain = explainer(look=look).explain
    assert explain({"site": "any", "address": "192.0.2.1"})["country"] == "NG"
    assert explain({"site": "any", "ip": "192.0.2.1"})["country"] == "NG"
    assert explain({"site": "any", "ip": "192.0.2.1", "country": "FR"})["country"] == "FR"
    assert explain({"site": "any", "ip": "nowhere"})["country"] == "ZZ"
    assert explain({"site": "any", "ip": 7})["country"] == "ZZ"
    assert explainer().explain({"site": "any", "ip": "192.0.2.1"})["country"] == "ZZ"


@pytest.mark.parametrize("line", [b"", b"{", b"\xff", b"[]", b"1", b"{}", b'{"site":1}', b"[" * 5000])
def test_a_line_that_is_no_event_is_refused_without_repeating_it(line: bytes) -> None:
    with pytest.raises(Refused) as refused:
        explainer().line(line)
    assert refused.value.status == 400


def test_only_declared_sites_are_explained_where_there_are_some() -> None:
    explain = Explainer(Ledger.memory(Keyring.memory()), [Site(id="shop")])
    assert explain.line(b'{"site":"shop"}')["decision"] == "cookieless"
    with pytest.raises(Refused, match="site"):
        explain.line(b'{"site":"other"}')


def test_what_is_on_record_counts(tmp_path: Path) -> None:
    keys = Keyring.open(tmp_path / "keys.json")
    ledger = Ledger.open(tmp_path / "ledger.sqlite", keys)
    ledger.put("shop", "device", "d", {"measurement": False}, "site", NOON)
    said = Explainer.open(tmp_path, [Site(id="shop")]).line(b'{"site":"shop","device_id":"d","country":"US"}')
    assert said["because"] == "workallies-2024.opt_out.withdrawn"
    ledger.close()


def test_what_was_agreed_to_since_is_no_permit_for_what_came_before() -> None:
    ledger = Ledger.memory(Keyring.memory())
    ledger.put("shop", "device", "d", {"measurement": True}, "site", NOON)
    explain = Explainer(ledger, [Site(id="shop")]).explain
    event = {"site": "shop", "device_id": "d", "country": "DE"}
    assert explain(event)["because"] == "workallies-2024.opt_in.on_record"
    assert explain({**event, "time": NOON})["because"] == "workallies-2024.opt_in.on_record"
    assert explain({**event, "time": NOON - 1})["because"] == "workallies-2024.opt_in.cookieless"


def test_explaining_makes_nothing(tmp_path: Path) -> None:
    said = Explainer.open(tmp_path, []).line(b'{"site":"shop","device_id":"d","country":"US"}')
    assert said["decision"] == "identified"
    assert list(tmp_path.iterdir()) == []


@given(make.rows)
def test_an_explanation_is_what_the_collector_would_do(row: Row) -> None:
    try:
        consent = json.loads(row.consent) if row.consent is not None else None
    except ValueError:
        return
    raw = batch([row])
    ledger = Ledger.memory(Keyring.memory())
    (verdict,) = decide(raw, ledger.words(raw), Laws(PACKS)).verdict.rows()
    headers = {"Sec-GPC": row.gpc, "DNT": row.dnt}
    age = row.member and row.member.age
    member = {"age_ok": age == "ok"} if age in ("ok", "under") else {"age_band": age}
    said = Explainer(ledger, list(SITES.values())).explain(
        {
            "site": row.site,
            "type": row.type,
            "country": row.country,
            "user_id": row.user_id,
            "device_id": row.device_id,
            "consent": consent,
            "member": member if age is not None else None,
            "headers": {name: value for name, value in headers.items() if value is not None},
        }
    )
    found = (
        said["decision"],
        said["purposes"],
        said["because"],
        said["signal"],
        said["basis"],
        said["policy"],
        said["reason"],
    )
    assert found == (verdict.treatment, names(verdict.granted), *verdict[2:])
