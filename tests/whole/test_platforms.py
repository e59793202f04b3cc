"""What a page's consent platform says, as cmp.js hears it, with real strings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consent_filter.purpose import BY_NAME
from consent_filter.signals import SIGNALS
from consent_filter.signals.consent_mode import understand
from tests.consent_filter.strings import EVERYTHING, NOTHING, OPTED_OUT
from tests.whole.recording import STUB, Recorder, quiet
from tests.whole.running import until

pytestmark = pytest.mark.needs("chromium")

#: A platform of the TCF, as pages have it: a stub that answers listeners, now and when the visitor decides.
TCF = """<script>
  const heard = []; let tc = {gdprApplies: true, eventStatus: 'cmpuishown', tcString: 'not-yet'}
  window.__tcfapi = (what, version, f) => { if (what === 'addEventListener') { heard.push(f); f(tc, true) } }
  window.decide = (s, how) => {
    tc = {gdprApplies: true, eventStatus: how || 'useractioncomplete', tcString: s}
    heard.forEach(f => f(tc, true))
  }
</script>"""
CMP = '<script defer src="/cmp.js"></script>'


def sent(record: Recorder, name: str) -> dict[str, Any]:
    """The consent of the event of that name."""
    until(lambda: any(event["name"] == name for event in record.of("event")))
    return next(event.get("consent") for event in record.of("event") if event["name"] == name) or {}


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_tc_string_goes_with_each_event_once_it_stands(record: Recorder, visitor: Any, order: str) -> None:
    page = visitor.new_page()
    early, late = (CMP, "") if order == "before" else ("", CMP)
    page.goto(record.page("/a", late, stub=STUB + TCF + early))
    until(lambda: record.views())
    if order == "before":
        assert record.of("page_view")[0]["consent"] == {"gdpr": 1}, "the visitor is still being asked"
    page.evaluate("s => { decide(s); throng('decided') }", EVERYTHING)
    assert sent(record, "decided") == {"gdpr": 1, "tcf": EVERYTHING}
    heard = SIGNALS["tcf"].read(json.dumps(sent(record, "decided")).encode())
    assert heard.regulated
    assert heard.grant & BY_NAME["measurement"]
    page.evaluate("s => { decide('half', 'cmpuishown'); throng('again') }")
    assert sent(record, "again")["tcf"] == EVERYTHING, "while they are asked again, the last word stands"
    page.evaluate("s => { throng.consent({research: false}); decide(s); throng('both') }", NOTHING)
    assert sent(record, "both") == {"gdpr": 1, "tcf": NOTHING, "research": False}
    quiet(page)
    assert page.evaluate("Object.keys(localStorage)") == ["throng"]


def test_gpp_and_us_privacy(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    page.goto(record.page("/a", stub=STUB + CMP))
    until(lambda: record.views())
    assert "consent" not in record.of("page_view")[0], "a page without a platform says nothing"
    # A platform that comes late is heard all the same, and one that throws harms nobody.
    page.evaluate("""s => {
      window.__uspapi = (what, version, f) => f({version: 1, uspString: '1YYN'}, true)
      const ping = more => ({eventName: 'signalStatus', pingData: {applicableSections: [8], ...more}})
      window.__gpp = (what, f) => {
        f(ping({signalStatus: 'not ready', gppString: 'x'}), true)
        f(ping({signalStatus: 'ready', gppString: s}), true)
      }
      throng('late')
    }""", OPTED_OUT)  # fmt: skip
    assert sent(record, "late") == {"usp": "1YYN", "gpp": OPTED_OUT, "gpp_sid": "8"}
    page.evaluate("window.__uspapi = () => { throw new Error('theirs') }; throng('thrown')")
    assert sent(record, "thrown")["gpp"] == OPTED_OUT


GTAG = """<script>window.dataLayer = window.dataLayer || []; function gtag() { dataLayer.push(arguments) }
  gtag('js', new Date()); dataLayer.push({event: 'gtm.js'}, null, 7, 'consent')</script>"""
ADS, VISITS, DATA, TARGETS = "ad_storage", "analytics_storage", "ad_user_data", "ad_personalization"
YES, NO = "granted", "denied"


@pytest.mark.parametrize(
    ("commands", "gcs", "gcd"),
    [
        ([("default", {ADS: NO, VISITS: YES, DATA: NO, TARGETS: NO, "wait_for_update": 500})],
         "G101", "11p1t1p1p5"),
        ([("default", {ADS: NO, VISITS: NO}), ("update", {ADS: YES, VISITS: NO})], "G110", "11r1q1l1l5"),
        # Which region the visitor is in, the page does not know: a default that denies somewhere counts.
        ([("default", {VISITS: YES}), ("default", {VISITS: NO, "region": ["DE"]})], "G1-0", "11l1p1l1l5"),
        ([("default", {VISITS: YES, ADS: YES}), ("update", {VISITS: NO, DATA: YES, TARGETS: NO})],
         "G110", "11t1u1n1m5"),
        ([("default", {VISITS: NO, "region": ["DE"]}), ("default", {VISITS: YES})], "G1-0", "11l1p1l1l5"),
        ([("update", {ADS: YES, VISITS: YES})], "G111", "11n1n1l1l5"),
        ([("default", {ADS: YES}), ("update", {ADS: YES})], "G11-", "11v1l1l1l5"),
    ],
)  # fmt: skip
def test_googles_consent_mode(
    record: Recorder, visitor: Any, commands: list[tuple[str, dict[str, Any]]], gcs: str, gcd: str
) -> None:
    said = "; ".join(f"gtag('consent', '{how}', {json.dumps(marks)})" for how, marks in commands)
    page = visitor.new_page()
    page.goto(record.page("/a", stub=f"{STUB}{GTAG}<script>{said}</script>{CMP}"))
    until(lambda: record.views())
    assert record.of("page_view")[0]["consent"] == {"gcs": gcs, "gcd": gcd}
    assert not understand(gcs, gcd).unreadable


def test_without_consent_commands_nothing_is_said(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    page.goto(record.page("/a", stub=STUB + GTAG + CMP))
    until(lambda: record.views())
    assert "consent" not in record.of("page_view")[0]
