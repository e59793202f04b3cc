"""Players and exchanges: what was not said is no permission, a replay no second event; no price is kept."""

from __future__ import annotations

import pytest

from consent_filter.counts import REFUSED
from ingest.log.record import encode
from ingest.path import Path
from ingest.protocols import notice
from ingest.request import Request
from tests.ingest.test_clicks import BROWSER, NOW, YES, click, make


def ask(path: Path, protocol: str, query: str) -> tuple[int, set[str]]:
    """How many rows a request leaves, and the reasons of what was refused."""
    record, _ = path.run([Request(protocol, "GET", query.encode(), b"", "192.0.2.2", BROWSER, NOW)])
    return record.events.n, {key.reason for key in record.counts if key.outcome == REFUSED}


@pytest.mark.parametrize("unsaid", [
    "gdpr_consent=[GDPRCONSENT]", "gdpr_consent=%5BGDPRCONSENT%5D", "gdpr_consent=-1", "gdpr_consent=-2",
    "gpp=[GPPSTRING]&gpp_sid=[GPPSECTIONID]", "gpp=-1&gpp_sid=-1", "gpp=-2&gpp_sid=-2", "gpp=-1",
    "gdpr=1&gdpr_consent=%24%7BGDPR_CONSENT_755%7D", "limited=1", "regulations=coppa", "regulations=gdpr",
])  # fmt: skip
@pytest.mark.parametrize("country", ["DE", "US"])
def test_a_consent_that_was_not_passed_on_is_a_refusal(unsaid: str, country: str) -> None:
    path, asked = make(country), "site=market&event=impression"
    rows, why = ask(path, "vast", f"{asked}&{unsaid}")
    assert rows == 0
    assert why
    assert why <= {"consent", "signal"}
    # It is what was not said that refuses: with nothing asked for, the law of the place holds.
    assert ask(path, "vast", asked)[0] == (country == "US")
    assert ask(path, "vast", asked + YES)[0] == 1
    assert ask(path, "vast", f"{asked}&view=[ADSERVINGID]&url=-1&limited=-1&regulations=-2{YES}")[0] == 1


def test_a_price_and_what_names_an_auction_are_in_no_record() -> None:
    path = make()
    assert path.parsing.seals
    said = {"kind": "bill", "site": "market", "campaign": "spring", "until": str(NOW // 1000 + 60)}
    signature = path.parsing.seals.sign("notice", *[said.get(name, "") for name in notice.SIGNED])
    query = "&".join("=".join(one) for one in said.items()) + f"&sig={signature}"
    query += f"&view=zq7auction4711.1&price=1.234567&currency=EUR{YES}"
    asked = Request("notice", "GET", query.encode(), b"", "192.0.2.2", BROWSER, NOW)
    record, (answer, again) = path.run([asked, asked])
    one, other = record.events.batch().to_pylist()
    assert (one["type"], one["ad_step"], one["value"]) == ("ad_impression", "billed", None)
    # What is called twice has one id, by which the facts job drops the second.
    assert one["event_id"] == other["event_id"] is not None
    assert answer.status == again.status == 200
    written = encode(record)
    for secret in (b"zq7auction4711", b"1.234567", b"EUR", b"192.0.2.2", signature.encode()):
        assert secret not in written


@pytest.mark.requirement("M34")
def test_whatever_an_event_comes_by_its_device_and_place_are_the_same() -> None:
    """Else a rate would divide what one way knows by what another knows."""
    path = make("US")
    said = "site=market&campaign=spring&creative=mpu&view=v-1"
    asked = [
        Request(protocol, "GET", f"{said}&{more}".encode(), b"", "192.0.2.2", BROWSER, NOW)
        for protocol, more in (
            ("impression", ""), ("viewable", ""), ("pixel", "type=ad_engagement"), ("click", ""),
            ("conversion", ""), ("vast", "event=midpoint"), ("vast", "event=viewable"),
        )
    ]  # fmt: skip
    beacon = b'{"site":"market","type":"ad_video","url":"/",'
    beacon += b'"ad":{"id":"v-1","campaign":"spring","creative":"mpu"}}'
    asked += [click(path, "&view=v-1"), Request("beacon", "POST", b"", beacon, "192.0.2.2", BROWSER, NOW)]
    record, _ = path.run(asked)
    rows = record.events.batch().to_pylist()
    assert len(rows) == len(asked)
    alike = (
        "browser",
        "os",
        "device",
        "continent",
        "country",
        "person",
        "ad_campaign",
        "ad_creative",
        "ad_view",
    )
    assert len({tuple(row[name] for name in alike) for row in rows}) == 1
    assert None not in [rows[0][name] for name in alike]
