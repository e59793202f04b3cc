"""What the unmodified t.js sends from a real browser, and what it never sends, stores or does to the page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.whole.recording import Recorder, quiet
from tests.whole.running import until

pytestmark = pytest.mark.needs("chromium")

GPC = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})"


def test_a_page_is_one_view_that_says_little(record: Recorder, visitor: Any) -> None:
    at = record.page("/a", tag='data-query="page|sort"')
    page = visitor.new_page()
    page.goto(
        f"{at}?token=secret&utm_source=mail&page=2&utm_campaign=x#part", referer="https://other.example/q?w=1"
    )
    until(lambda: record.events)
    quiet(page)
    (event,) = record.events
    assert set(event) == {"site", "type", "url", "id", "time", "referrer"}
    assert event["type"] == "page_view"
    assert event["site"] == "shop"
    assert event["url"] == f"{at}?utm_source=mail&page=2&utm_campaign=x"
    assert event["referrer"] == "https://other.example"
    assert len(event["id"]) >= 16
    (_, head, _) = record.posts[0]
    assert head["content-type"].startswith("text/plain"), "no preflight"
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert visitor.cookies() == []
    assert not any(name == "cookie" for name in head)


def test_a_single_page_application_is_as_many_views_as_it_shows(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    page.goto(record.page("/app") + "?utm_source=x")
    for script in (
        "history.pushState(null, '', '/app/one')",
        "history.replaceState(null, '', '/app/two')",
        "history.replaceState({}, '', '/app/two?utm_source=y&x=1')",  # the same page
        "history.pushState(null, '', '/app/two#three')",  # the same page
        "location.hash = 'four'",
        "history.pushState(null, '', '/app/five')",
        "history.back()",
    ):
        page.evaluate(script)
        quiet(page, 60)
    until(lambda: len(record.views()) == 5)
    quiet(page)
    assert record.views() == ["/app?utm_source=x", "/app/one", "/app/two", "/app/five", "/app/two"]
    first, *others = record.of("page_view")
    assert first["referrer"] == ""
    assert all(event["referrer"] == record.origin for event in others)
    looked = record.of("engagement")
    assert [event["url"] for event in looked] == [event["url"] for event in record.of("page_view")][:-1]
    assert all(1 <= event["duration"] < 20_000 and event["scroll"] == 100 for event in looked)


def test_routes_behind_a_hash_are_pages_where_the_site_says_so(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    page.goto(record.page("/app", tag="data-hash") + "#/inbox?token=secret")
    page.evaluate("location.hash = '#!/sent'")
    until(lambda: len(record.views()) == 2)
    assert record.views() == ["/app/inbox", "/app/sent"]


@pytest.mark.requirement("M105")
def test_an_id_exists_only_while_it_is_allowed(record: Recorder, visitor: Any) -> None:
    at = record.page("/a")
    page = visitor.new_page()
    page.goto(at)
    assert page.evaluate("throng.consent()") is None
    assert page.evaluate("localStorage.length") == 0
    until(lambda: record.of("page_view"))
    agreed = {"measurement": True, "ad_measurement": False}
    told = {"surface": "banner", "locale": "de", "wording": "cookies/3"}
    page.evaluate("([c, how]) => throng.consent(c, how)", [agreed, told])
    assert page.evaluate("throng.consent()") == agreed
    page.evaluate("throng('one')")
    until(lambda: record.of("event"))
    (choice,) = record.choices
    device = choice["device_id"]
    assert choice == told | {"site": "shop", "device_id": device, "consent": agreed}
    assert len(device) >= 32 or device.count("-") == 3
    # Another tab of the same visitor, with the same id.
    other = visitor.new_page()
    other.goto(at)
    until(lambda: len(record.of("page_view")) == 2)
    assert record.of("page_view")[1]["device_id"] == device
    assert record.of("page_view")[1]["consent"] == agreed

    refused = {"measurement": False, "ad_measurement": False}
    page.evaluate("c => throng.consent(c)", refused)
    page.evaluate("throng('two')")
    quiet(other, 100)
    other.evaluate("throng('three')")
    until(lambda: len(record.of("event")) == 3)
    assert record.choices[1] == {"site": "shop", "device_id": device, "consent": refused}
    for event in record.of("event")[1:]:
        assert event["consent"] == refused
        assert "device_id" not in event
    assert device not in page.evaluate("JSON.stringify(localStorage)")
    # Who agrees again is somebody new.
    page.evaluate("c => throng.consent(c)", agreed)
    until(lambda: len(record.choices) == 3)
    assert record.choices[2]["device_id"] != device


@pytest.mark.requirement("M105")
def test_who_refuses_at_once_never_has_an_id(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    page.goto(record.page("/a"))
    page.evaluate("throng.consent({measurement: false})")
    page.reload()
    page.evaluate("throng('x')")
    until(lambda: record.of("event"))
    assert record.choices == []
    assert not any("device_id" in event for event in record.events)
    kept = page.evaluate("JSON.parse(localStorage.throng)")
    assert kept.pop("t") > 0
    assert kept == {"c": {"measurement": False}}


def test_what_waits_is_not_sent_under_an_id_that_was_taken_back(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    page.goto(record.page("/a"))
    page.evaluate("throng.consent({measurement: true}); throng('x'); throng.consent({measurement: false})")
    until(lambda: record.of("event"))
    quiet(page)
    assert [choice["consent"]["measurement"] for choice in record.choices] == [True, False]
    assert not any("device_id" in event for event in record.events)


def test_a_browser_that_objects_has_no_id(record: Recorder, browser: Any) -> None:
    context = browser.new_context(extra_http_headers={"Sec-GPC": "1"})
    context.add_init_script(GPC)
    page = context.new_page()
    page.goto(record.page("/a"))
    page.evaluate("throng.consent({measurement: true})")
    page.evaluate("throng('x')")
    until(lambda: record.of("event"))
    assert record.choices == []
    assert not any("device_id" in event for event in record.events)
    assert "d" not in page.evaluate("JSON.parse(localStorage.throng)")
    context.close()


def test_nothing_is_lost_while_the_network_is_away(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    page.goto(record.page("/app"))
    until(lambda: record.views())
    page.evaluate("throng.consent({measurement: true})")
    until(lambda: record.choices)
    visitor.set_offline(True)
    page.evaluate(
        "history.pushState(null, '', '/app/away'); throng('bid_placed'); throng.consent({measurement: false})"
    )
    quiet(page, 900)
    assert record.views() == ["/app"]
    visitor.set_offline(False)
    until(lambda: record.of("event"), 5)
    quiet(page)
    assert record.views() == ["/app", "/app/away"]
    assert [choice["consent"]["measurement"] for choice in record.choices] == [True, False]
    paths = [path for path, *_ in record.posts]
    assert paths.index("/consent", paths.index("/consent") + 1) < len(paths) - 1, (
        "the refusal went before the events"
    )


def test_what_was_not_taken_comes_again_under_the_same_ids(record: Recorder, visitor: Any) -> None:
    record.fail = 2
    page = visitor.new_page()
    page.goto(record.page("/a"))
    until(lambda: record.views())
    page.evaluate("throng('x')")
    until(lambda: record.of("event"))
    assert record.views() == ["/a"]
    assert len({event["id"] for event in record.events}) == len(record.events) == 2


def test_a_hundred_events_wait_and_no_more(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    page.goto(record.page("/a"))
    until(lambda: record.views())
    page.evaluate("for (let i = 0; i < 500; i++) throng('x', {i})")
    until(lambda: len(record.of("event")) == 100)
    quiet(page, 700)
    assert [event["props"]["i"] for event in record.of("event")] == list(range(100))
    assert max(len(json.loads(body)) for *_, body in record.posts) <= 40


@pytest.mark.parametrize("missing", ["", "delete Navigator.prototype.sendBeacon"])
def test_closing_the_tab_tells_how_long_and_how_far(record: Recorder, visitor: Any, missing: str) -> None:
    visitor.add_init_script(missing)
    page = visitor.new_page()
    page.goto(record.page("/a", "<div style=height:2900px></div>"))
    until(lambda: record.views())
    page.mouse.wheel(0, 900)
    quiet(page, 600)
    page.evaluate("throng('last')")
    page.close()
    until(lambda: record.of("engagement"), 5)
    (event,) = record.of("engagement")
    assert 600 <= event["duration"] < 20_000
    assert 45 <= event["scroll"] <= 60
    assert [event["name"] for event in record.of("event")] == ["last"]
    assert all("HeadlessChrome" not in head["user-agent"] for _, head, _ in record.posts)


def test_a_page_that_comes_back_from_the_cache_is_a_view(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    back = "<script>onpageshow = e => console.log(e.persisted)</script>"
    page.goto(record.page("/a", f'<a href="/b">b</a>{back}'))
    record.page("/b")
    until(lambda: record.views() == ["/a"])
    page.click("a")
    until(lambda: record.views() == ["/a", "/b"])
    page.evaluate("history.back()")
    until(lambda: len(record.views()) == 3)
    quiet(page)
    assert said[-1] == "true", "it did come from the cache"
    assert record.views() == ["/a", "/b", "/a"]
    assert [event["url"] for event in record.of("engagement")] == [f"{record.origin}/a", f"{record.origin}/b"]


def test_what_is_fetched_or_rendered_ahead_is_nobodys_visit(record: Recorder, visitor: Any) -> None:
    record.page("/fetched")
    record.page("/rendered", "<script>throng('early')</script>")
    rules = '{"prerender": [{"urls": ["/rendered"], "eagerness": "immediate"}]}'
    ahead = f"<link rel=prefetch href=/fetched><script type=speculationrules>{rules}</script>"
    page = visitor.new_page()
    page.goto(record.page("/a", f"{ahead}<a href=/rendered>go</a>"))
    fetched = {"/fetched": "prefetch", "/rendered": "prefetch;prerender"}
    until(
        lambda: {path: head.get("sec-purpose") for path, head in record.asked if path in fetched} == fetched
    )
    quiet(page, 800)
    assert record.views() == ["/a"]
    assert record.of("event") == []
    page.click("a")
    until(lambda: record.of("event"))
    quiet(page)
    assert record.views() == ["/a", "/rendered"]
    assert sum(path == "/rendered" for path, _ in record.asked) == 1, "it was shown as it had been rendered"
