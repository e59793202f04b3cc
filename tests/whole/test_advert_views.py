"""One view of one advert: what begins and what ends it, what is sent of it, and what never is."""

from __future__ import annotations

import base64
import json
import math
import re
from collections import Counter
from typing import Any

import pytest

from ingest.protocols.event import Decoder
from ingest.settings import Ingest
from tests.days import within_one
from tests.whole.place import outside, stored
from tests.whole.recording import Recorder, quiet
from tests.whole.running import until
from tests.whole.test_adverts import CREATIVE
from tests.whole.test_beacon import GPC

pytestmark = pytest.mark.needs("chromium")

BOX = "width:300px;height:250px;background:#ccc"
SLOT = f'<div id=a data-throng-ad="c/one" data-throng-placement=top style="{BOX}"></div>'
#: A red pixel, and two and a half seconds of silence that a <video> plays.
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAP8AAAAAACwAAAAAAQABAAACAkQBADs="
_SAMPLES = 4000 * 5 // 2
FILM = "data:audio/wav;base64," + base64.b64encode(
    b"RIFF" + (36 + _SAMPLES).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\x01\0\x01\0"
    + (4000).to_bytes(4, "little") * 2 + b"\x01\0\x08\0data" + _SAMPLES.to_bytes(4, "little")
    + b"\x80" * _SAMPLES
).decode()  # fmt: skip


#: Something to hold that takes no focus, and keeps the page busy for over a second when it is let go.
HELD = """<b style="display:block;touch-action:none">b</b><script>{
  const held = document.querySelector('b'), now = () => performance.now()
  held.addEventListener('touchstart', e => e.preventDefault(), {passive: false})
  held.addEventListener('pointerup', () => { for (const begun = now(); now() - begun < 1300;); })
}</script>"""


def views(record: Recorder) -> dict[str, list[str]]:
    """Of each view, the events in the order that they happened."""
    found: dict[str, list[str]] = {}
    for event in record.events:
        if event["type"].startswith("ad_"):
            found.setdefault(event["ad"]["id"], []).append(event["type"].removeprefix("ad_"))
    return found


def sent(record: Recorder, kind: str, n: int = 1) -> list[dict[str, Any]]:
    until(lambda: len(record.of(kind)) >= n, 10)
    return record.of(kind)


@pytest.mark.requirement("M35")
def test_another_creative_is_another_view_and_what_goes_has_ended(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    page.goto(
        record.page(
            "/app", SLOT + '<div id=b data-throng-ad="" data-throng-placement=side style=height:60px></div>'
        )
    )
    sent(record, "ad_viewable")
    # A creative of its own comes late, another route is shown, the other slot gets something else and goes.
    page.evaluate("b.dataset.throngAd = 'c/late'")
    until(lambda: len(record.of("ad_impression")) == 2)
    page.evaluate("history.pushState(null, '', '/app/next'); a.dataset.throngAd = 'c/two'")
    until(lambda: len(record.of("ad_impression")) == 3)
    page.evaluate("a.remove(); document.body.append(document.createElement('hr'))")
    sent(record, "ad_engagement", 2)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p data-throng-ad=c/three>Words</p>')")
    sent(record, "ad_impression", 4)
    page.click("#b")
    sent(record, "ad_click")
    page.close()
    sent(record, "ad_engagement", 4)
    one, late, two = (
        next(id for e in record.of("ad_served") if e["ad"]["creative"] == name for id in [e["ad"]["id"]])
        for name in ("one", "late", "two")
    )
    found = views(record)
    begun = ["request", "served", "impression"]
    assert found[one] == [*begun, "viewable", "engagement"]
    assert [kind for kind in found[late] if kind != "viewable"] == [*begun, "click", "engagement"]
    assert [kind for kind in found[two] if kind != "viewable"] == [*begun, "engagement"]
    assert len(found) == 4
    (asked,) = [e for e in record.of("ad_request") if e["ad"]["id"] == late]
    assert "creative" not in asked["ad"] or not asked["ad"]["creative"]
    assert asked["ad"]["placement"] == "side"
    # What is sent of a view belongs to the page on which it began.
    assert {e["url"] for e in record.events if e.get("ad", {}).get("id") == one} == {f"{record.origin}/app"}
    assert {e["url"] for e in record.events if e.get("ad", {}).get("id") == two} == {
        f"{record.origin}/app/next"
    }
    ended = {e["ad"]["id"]: e for e in record.of("ad_engagement")}
    assert ended[one]["duration"] >= 1000
    assert ended[one]["ad"]["share"] == 100
    assert ended[late]["ad"]["step"] == "click"
    (first,) = [e["ad"] for e in record.of("ad_impression") if e["ad"]["id"] == one]
    assert first | {"id": one} == {
        "id": one, "placement": "top", "campaign": "c", "creative": "one", "width": 300, "height": 250,
        "step": "webdriver",
    }  # fmt: skip
    # All of it is what the collector reads.
    decode = Decoder(Ingest()).advert
    assert all(decode(json.dumps(e["ad"]).encode()) for e in record.events if "ad" in e)
    assert len({e["ad"]["id"].count("-") == 3 for e in record.events if "ad" in e}) == 1


@pytest.mark.requirement("M35")
def test_it_is_an_impression_when_it_begins_to_render(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    film = f'<video id=v src="{FILM}" style="width:200px;height:150px;background:#000"></video>'
    body = '<div data-throng-ad="c/picture"><img id=i style="width:200px;height:150px;background:red"></div>'
    page.goto(record.page("/a", f'{body}<div id=f data-throng-ad="" style="width:200px;height:160px"></div>'))
    sent(record, "ad_request", 2)
    page.evaluate("film => { f.dataset.throngAd = 'c/film'; f.innerHTML = film }", film)
    sent(record, "ad_served", 2)
    until(lambda: [e["ad"]["creative"] for e in record.of("ad_impression")] == ["film"], 10)
    quiet(page, 1400)
    assert record.of("ad_viewable") == [], "the picture is not there, and the film stands still"
    page.evaluate("src => { i.src = src; v.muted = true; v.play() }", PIXEL)
    sent(record, "ad_viewable", 2)
    until(lambda: len(record.of("ad_video")) == 5, 10)
    assert [e["ad"]["step"] for e in record.of("ad_video")] == [
        "start",
        "first",
        "midpoint",
        "third",
        "complete",
    ]
    seen = {e["ad"]["creative"]: e["time"] for e in record.of("ad_viewable")}
    assert seen["film"] - record.of("ad_video")[0]["time"] >= 1900, "two seconds of play"


def test_a_view_ends_with_its_tab_and_begins_anew_from_the_cache(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    record.page("/b")
    below = (
        '<div data-throng-ad="c/below" style="position:absolute;top:5000px;width:300px;height:250px"></div>'
    )
    page.goto(record.page("/a", f"{SLOT}{below}<a href=/b>b</a>"))
    sent(record, "ad_viewable")
    hide = (
        "hide => { Object.defineProperty(document, 'hidden', {get: () => hide, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')) }"
    )
    page.evaluate(hide, True)
    (over,) = sent(record, "ad_engagement")
    assert over["ad"]["creative"] == "one", "what has not been seen may still be"
    page.evaluate(hide, False)
    quiet(page, 1300)
    page.click("a")
    page.wait_for_url("**/b")
    page.evaluate("history.back()")
    until(lambda: len(record.of("ad_viewable")) == 2, 10)
    page.close()
    sent(record, "ad_engagement", 4)
    quiet(visitor.new_page(), 300)
    ends = Counter(tuple(kinds) for kinds in views(record).values())
    whole, unseen = ("request", "served", "impression"), ("request", "served", "impression", "engagement")
    assert ends == {(*whole, "viewable", "engagement"): 2, unseen: 2}


def test_a_frame_from_elsewhere_is_told_nothing(record: Recorder, visitor: Any) -> None:
    """The page's visitor has a number and has chosen: no message has either, nor what the frame sends."""
    other = record.origin.replace("127.0.0.1", "localhost")
    record.pages["/creative"] = (
        CREATIVE.replace("tag.src", "tag.dataset.consent = '{\"gdpr\":1}';tag.src"),
        {},
    )
    spy = """addEventListener('message', e => (window.heard ||= []).push(JSON.stringify(e.data)))"""
    visitor.add_init_script(spy)
    frame = f'<iframe style="width:180px;height:150px;border:0" src="{other}/creative?x/framed/f00"></iframe>'
    page = visitor.new_page()
    page.goto(record.page("/a", f'<div data-throng-ad="c/framed" style=width:180px>{frame}</div>'))
    page.evaluate("throng.consent({measurement: true, ad_measurement: true})")
    sent(record, "ad_viewable")
    page.mouse.click(50, 50)
    (click,) = sent(record, "ad_click")
    assert "step" not in click["ad"], "the tag within has told that it was a click"
    assert click["ad"]["id"] == record.of("ad_viewable")[0]["ad"]["id"]
    device = record.choices[0]["device_id"]
    inner = page.frames[1].evaluate("heard")
    assert set(inner) == {'{"throng":"heard"}'}
    said = page.evaluate("heard")
    shape = re.compile(r'\{"throng":"ad"(,"share":[\d.e-]+(,"sure":(true|false))?|,"click":1)?\}')
    assert all(shape.fullmatch(message) for message in said), said
    assert {event["ad"]["campaign"] for event in record.events if "ad" in event} == {"c"}

    # Where the page does not measure, the frame reports by itself, with the consent that it was given.
    record.pages["/bare"] = (f"<!doctype html>{frame}", {})
    page.goto(record.origin + "/bare?secret")
    until(lambda: [e for e in record.of("ad_viewable") if e["ad"]["campaign"] == "x"], 10)
    alone = [event for event in record.events if event.get("ad", {}).get("campaign") == "x"]
    assert {"ad_request", "ad_served", "ad_impression", "ad_viewable"} == {event["type"] for event in alone}
    assert all(event["consent"] == {"gdpr": 1} and event["url"] == f"{record.origin}/" for event in alone)
    assert not any("device_id" in event or "frequency" in event["ad"] for event in alone)
    assert device not in json.dumps(alone)


def test_a_click_in_a_silent_frame_is_known_by_the_focus(record: Recorder, visitor: Any) -> None:
    other = record.origin.replace("127.0.0.1", "localhost")
    record.page("/silent", "<p>Words")
    page = visitor.new_page()
    frame = f'<iframe style="width:180px;height:150px" src="{other}/silent"></iframe>'
    page.goto(
        record.page("/a", f'<button id=b>b</button><div data-throng-ad="c/s" style=width:180px>{frame}</div>')
    )
    sent(record, "ad_impression")
    page.click("button")
    page.keyboard.press("Tab")
    quiet(page, 300)
    assert record.of("ad_click") == [], "the keyboard came by"
    page.evaluate("b.onclick = () => document.querySelector('iframe').focus()")
    page.click("button")
    quiet(page, 400)
    assert record.of("ad_click") == [], "a script moved the focus"
    page.evaluate("b.onclick = null")
    page.click("button")
    quiet(page, 1100)
    page.mouse.click(60, 120)
    (click,) = sent(record, "ad_click")
    quiet(page, 300)
    assert click["ad"]["step"] == "focus"
    assert len(record.of("ad_click")) == 1
    # In a frame of the page's own origin a click is one, and a frame from elsewhere in there is as out here.
    page.evaluate(
        """frame => {
          document.activeElement.blur()  // this is somebody's doing something in the frame, too, after 5 s
          document.body.insertAdjacentHTML('beforeend', '<div id=n data-throng-ad=c/n></div>')
          const own = document.createElement('iframe')
          own.srcdoc = '<body style=margin:0><p style=margin:0;height:20px>Words</p>' + frame
          own.height = 200
          n.append(own)
        }""",
        frame,
    )
    sent(record, "ad_impression", 2)
    own = page.frames[2]
    own.click("p")
    (_, real) = sent(record, "ad_click", 2)
    assert "step" not in real["ad"]
    quiet(page, 1300)
    box = page.locator("#n").bounding_box()
    page.mouse.click(box["x"] + 80, box["y"] + 100)
    assert sent(record, "ad_click", 3)[2]["ad"]["step"] == "focus"
    quiet(page, 300)
    assert len(record.of("ad_click")) == 3


def test_the_next_click_in_a_silent_frame_is_known_by_what_is_new(record: Recorder, visitor: Any) -> None:
    """The frame keeps the focus; for five seconds a browser says that somebody did something."""
    other = record.origin.replace("127.0.0.1", "localhost")
    record.page("/silent", "<p>Words")
    page = visitor.new_page()
    frame = f'<iframe style="width:180px;height:150px" src="{other}/silent"></iframe>'
    slot = f'<div id=a data-throng-ad="c/one" style="width:180px;position:fixed;left:400px">{frame}</div>'
    page.goto(record.page("/a", f"{HELD}{slot}" + '<i data-throng-ad=""></i>' * 505))
    ask = page.context.new_cdp_session(page).send

    def calm() -> None:
        """Until the browser says so no more, and the script has seen it. Playwright's own ways to ask, and
        its clicks on elements, count as somebody's doing something."""
        active = {"expression": "navigator.userActivation.isActive"}
        until(lambda: ask("Runtime.evaluate", active)["result"]["value"] is False, 20)
        quiet(page, 1200)

    sent(record, "ad_impression")
    page.mouse.click(500, 60)
    sent(record, "ad_click")
    page.evaluate("a.dataset.throngAd = 'c/two'")
    sent(record, "ad_impression", 2)
    calm()
    assert len(record.of("ad_click")) == 1, "what lasts is no news"
    page.mouse.click(480, 70)
    sent(record, "ad_click", 2)
    calm()
    # A long touch out here that leaves the focus where it is, and after which the page is busy.
    ask("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": 20, "y": 20}]})
    quiet(page, 1200)
    ask("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    quiet(page, 2500)
    active = "[navigator.userActivation.isActive, document.activeElement.tagName].join()"
    assert ask("Runtime.evaluate", {"expression": active})["result"]["value"] == "true,IFRAME"
    assert [event["ad"]["creative"] for event in record.of("ad_click")] == ["one", "two"]
    # Nothing may be kept here, so it is a page that stops at five hundred (S10).
    until(lambda: len(record.of("ad_request")) == 500, 15)
    quiet(page, 600)
    assert len(record.of("ad_request")) == 500


@pytest.mark.requirement("S10")
def test_a_browser_tells_of_no_more_than_five_hundred_views_a_day(record: Recorder, visitor: Any) -> None:
    within_one(60)
    page = visitor.new_page()
    at = record.page("/a", "".join(f"<div data-throng-ad=c/{n} style=height:20px></div>" for n in range(4)))
    page.goto(record.page("/b"))
    page.evaluate("throng.consent({measurement: false, ad_measurement: true})")
    today = page.evaluate("Date.now() / 864e5 | 0")
    had = """had => {
      const kept = JSON.parse(localStorage.throng)
      kept.f = {'/': had}
      localStorage.throng = JSON.stringify(kept)
    }"""
    page.evaluate(had, [497, today])
    page.goto(at)
    sent(record, "ad_impression", 3)
    page.mouse.click(20, 70)  # on the one that is not told
    page.reload()
    quiet(page, 1500)
    assert {len(record.of(f"ad_{kind}")) for kind in ("request", "served", "impression")} == {3}
    assert record.of("ad_click") == []
    assert stored(page)["throng.f"]["/"] == [505, today]
    # Of no payload can be told how many there were before, and the next day begins anew.
    plain = [{**event, "time": 0, "duration": 0} for event in record.events]
    assert not {"497", "498", "500", "505"} & set(re.findall(r"[\w.]+", json.dumps(plain)))
    page.evaluate(had, [900, today - 1])
    page.goto(at)
    sent(record, "ad_impression", 7)
    assert stored(page)["throng.f"]["/"] == [4, today]
    # A dozen clicks on one are nine.
    for _ in range(12):
        page.mouse.click(20, 20)
    quiet(page, 600)
    assert len(record.of("ad_click")) == 9


@pytest.mark.requirement("M35")
def test_adverts_that_are_rendered_ahead_begin_when_somebody_comes(record: Recorder, visitor: Any) -> None:
    """The page that writes the script itself, and a frame that has one, wait as the beacon does."""
    record.pages["/creative"] = (CREATIVE, {})
    frame = '<iframe style="width:180px;height:150px;border:0" src="/creative?x/framed/f00"></iframe>'
    framed = f'<div data-throng-ad="c/framed" style=width:180px>{frame}</div>'
    slots = f"{SLOT}{framed}<script defer src=/v.js></script>"
    alone = frame.replace("framed", "alone")
    record.page("/rendered", slots)
    record.pages["/bare"] = (f"<!doctype html>{alone}", {})
    rules = '{"prerender": [{"urls": ["/rendered", "/bare"], "eagerness": "immediate"}]}'
    links = "<a id=one href=/rendered>one</a><a id=two href=/bare>two</a>"
    at = record.page("/a", f"{links}<script type=speculationrules>{rules}</script>")
    for link, names in (("one", {"one", "framed"}), ("two", {"alone"})):
        before = len(record.posts)
        page = visitor.new_page()
        page.goto(at)
        target = "/rendered" if link == "one" else "/bare"
        until(lambda: sum(path == target for path, _ in record.asked) > (link == "two"))  # noqa: B023
        quiet(page, 1500)
        later = [e for *_, body in record.posts[before:] for e in json.loads(body)]
        assert not [event for event in later if "ad" in event], "nobody is there yet"
        came = page.evaluate("Date.now()")
        page.click(f"#{link}")
        until(lambda: len(record.of("ad_viewable")) == (2 if link == "one" else 3), 15)  # noqa: B023
        mine = [e for e in record.events if e.get("ad", {}).get("creative") in names]
        assert all(event["time"] >= came for event in mine)
        assert all(isinstance(event["url"], str) for event in mine)
        page.close()
        sent(record, "ad_engagement", 2 if link == "one" else 3)
    assert {len(kinds) for kinds in views(record).values()} == {5}
    whose = {e["ad"]["creative"]: e["ad"]["campaign"] for e in record.of("ad_impression")}
    assert whose == {"one": "c", "framed": "c", "alone": "x"}


def test_a_landing_says_which_click_it_was_and_no_address_has_it(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    page.goto(record.page("/a", SLOT) + "?x=1&th_click=12-34%2D56&utm_source=ad")
    (landing,) = sent(record, "ad_landing")
    assert landing["ad"] == {"id": "12-34-56"}
    sent(record, "ad_viewable")
    page.evaluate("throng('ad_conversion', {goal: 'hired', order: 'o-1'}, {value: 20})")
    (conversion,) = sent(record, "ad_conversion")
    assert (conversion["ad"], conversion["value"]) == ({"goal": "hired", "order": "o-1"}, 20)
    rest = [event for event in record.events if event["type"] != "ad_landing"]
    assert all(event["url"] == f"{record.origin}/a?utm_source=ad" for event in record.events)
    assert "12-34" not in json.dumps(rest)


@pytest.mark.requirement("S11")
def test_the_browser_counts_and_says_only_how_often_about(record: Recorder, visitor: Any) -> None:
    """Ten impressions: 1, 2, 3, 4-6, 7+; nothing before it is allowed, nothing after a refusal."""
    within_one(60)
    page, at = visitor.new_page(), record.page("/a", SLOT)
    page.goto(at)
    (first,) = sent(record, "ad_impression")
    assert "frequency" not in first["ad"]
    assert stored(page) == {}
    page.evaluate("throng.consent({measurement: false, ad_measurement: true})")
    other = "c => { a.dataset.throngAd = c }"
    for number in range(8):
        page.evaluate(other, f"d/{number}")
        until(lambda: len(record.of("ad_impression")) == number + 2)  # noqa: B023
    told = [event["ad"]["frequency"] for event in record.of("ad_impression")[1:]]
    assert told == ["1", "2", "3", "4-6", "4-6", "4-6", "7+", "7+"]
    kept = stored(page)
    assert set(kept) == {"throng.c", "throng.t", "throng.f"}
    assert outside(kept) == []
    # Also how many adverts it was today, of all campaigns: after five hundred it says no more.
    assert set(kept["throng.f"]) == {"/", "d/"}
    assert kept["throng.f"]["/"][0] == 8
    assert kept["throng.f"]["d/"][0] == 8
    # Another choice that still allows it leaves the counter; a refusal, of that alone, deletes it.
    page.evaluate("throng.consent({measurement: true, ad_measurement: true})")
    assert "throng.f" in stored(page)
    page.evaluate("throng.consent({measurement: true, ad_measurement: false})")
    assert "throng.f" not in stored(page)
    page.evaluate(other, "d/again")
    sent(record, "ad_impression", 10)
    assert "frequency" not in record.of("ad_impression")[-1]["ad"]
    assert "throng.f" not in stored(page)
    # After ninety days it counts from one.
    page.evaluate("throng.consent({measurement: false, ad_measurement: true})")
    page.evaluate(
        "const k = JSON.parse(localStorage.throng), today = Date.now() / 864e5 | 0;"
        " k.f = {'c/': [5, today - 92], 'e/': [5, today - 80]}; localStorage.throng = JSON.stringify(k)"
    )
    page.goto(at)
    sent(record, "ad_impression", 11)
    assert record.of("ad_impression")[-1]["ad"]["frequency"] == "1"
    assert stored(page)["throng.f"]["e/"][0] == 5


@pytest.mark.requirement("S11")
def test_two_payloads_of_one_browser_are_unlinkable(record: Recorder, browser: Any) -> None:
    """Whoever may be counted without a number: what two visits of one browser have in common, every other
    browser has in common with them. Of two browsers and four visits no pairing is better than another."""
    at, payloads = record.page("/a", SLOT), []
    for _ in range(2):
        context = browser.new_context(viewport={"width": 800, "height": 600})
        page = context.new_page()
        page.goto(record.page("/b"))
        page.evaluate("throng.consent({measurement: false, ad_measurement: true})")
        page.goto("about:blank")
        quiet(page, 300)
        for _ in range(2):
            before = len(record.posts)
            page.goto(at)
            until(lambda: len(record.of("ad_impression")) > len(payloads), 10)
            page.goto("about:blank")
            quiet(page, 200)
            payloads.append([e for *_, body in record.posts[before:] for e in json.loads(body)])
        context.close()

    def words(payload: list[dict[str, Any]]) -> set[str]:
        """All that stands in it, but for times and durations, which are of the visit."""
        plain = [{k: v for k, v in e.items() if k not in ("time", "duration")} for e in payload]
        found = re.findall(r'"[^"]*"|[\w.]+', json.dumps(plain))
        return set(found) - {'"1"', '"2"', '"frequency"'}

    assert all(record.choices == [] for _ in payloads)
    one, again, another, once_more = map(words, payloads)
    assert one & again == one & another == again & once_more == another & once_more
    told = [e["ad"]["frequency"] for payload in payloads for e in payload if e["type"] == "ad_impression"]
    assert told == ["1", "2", "1", "2"]
    assert math.log2(len({"1", "2", "3", "4-6", "7+"})) < 3, "bits: all that a browser keeps and tells"


def test_forty_slots_on_a_strict_page_are_all_told(record: Recorder, visitor: Any) -> None:
    """Its policy lets run what has its nonce; a hundred events may wait, and a slot is three."""
    slots = "".join(f"<div data-throng-ad=c/{n} style=height:20px></div>" for n in range(40))
    policy = "default-src 'none'; script-src 'nonce-abc'; style-src-attr 'unsafe-inline'; connect-src 'self'"
    page = visitor.new_page()
    page.goto(record.page("/a", slots, tag="nonce=abc", stub="", content_security_policy=policy))
    sent(record, "ad_impression", 40)
    assert {kinds[:3] == ["request", "served", "impression"] for kinds in views(record).values()} == {True}
    assert len(views(record)) == 40


def test_a_browser_that_objects_counts_nothing(record: Recorder, browser: Any) -> None:
    context = browser.new_context()
    context.add_init_script(GPC)
    page = context.new_page()
    page.goto(record.page("/a", SLOT))
    page.evaluate("throng.consent({measurement: true, ad_measurement: true})")
    sent(record, "ad_impression")
    page.evaluate("a.dataset.throngAd = 'c/two'")
    sent(record, "ad_impression", 2)
    assert "frequency" not in record.of("ad_impression")[1]["ad"]
    assert set(stored(page)) == {"throng.c", "throng.t"}
    context.close()
