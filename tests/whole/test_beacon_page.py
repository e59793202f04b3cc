"""What the unmodified t.js hears on a page: clicks, forms, adverts, vitals; and pages that make it hard."""

from __future__ import annotations

from typing import Any

import pytest

from consent_filter.performance import VITALS
from tests.whole.recording import STUB, Recorder, quiet
from tests.whole.running import until

pytestmark = pytest.mark.needs("chromium")


@pytest.mark.requirement("M95")
def test_clicks_and_forms_say_where_and_which_and_nothing_else(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    page.goto(record.page("/a", """
        <a id=out href="https://other.example/private/path?q=secret"><b>out</b></a>
        <a id=doc href="/files/secret-name.PDF">doc</a> <a id=raw href="/raw/secret" download>raw</a>
        <a id=here href="/b">here</a> <a id=mail href="mailto:secret@example.org">mail</a> <p id=none>none</p>
        <form id=second name=first><input name=id value=secret-id><input name=q><button>send</button></form>
        <form id=third><input name=name value=secret-name type=hidden><button>send</button></form>
        <script>onclick = onsubmit = e => e.preventDefault()</script>
    """))  # fmt: skip
    until(lambda: record.views())
    page.fill("[name=q]", "secret words")
    for what in ("#out b", "#doc", "#raw", "#here", "#mail", "#none", "#second button", "#third button"):
        page.click(what)
    page.click("#out", button="right")
    page.evaluate(
        "document.querySelector('#out').dispatchEvent(new MouseEvent('auxclick', {button: 1, bubbles: true}))"
    )
    page.evaluate(
        "document.querySelector('#third').dispatchEvent(new SubmitEvent('submit', {bubbles: true}))"
    )
    page.evaluate(
        "document.querySelector('#second').dispatchEvent(new SubmitEvent('submit', {bubbles: true}))"
    )
    until(lambda: len(record.of("event")) >= 2)
    quiet(page)
    assert [(event["name"], event["props"]) for event in record.of("click")] == [
        ("outbound", {"host": "other.example"}),
        ("download", {"extension": "pdf"}),
        ("download", {"extension": None}),
        ("outbound", {"host": "other.example"}),
    ]
    assert {(event["name"], event["props"]["form"]) for event in record.of("event")} == {
        ("form", "first"),
        ("form", "third"),
    }
    assert all(b"secret" not in body for *_, body in record.posts)


def test_what_the_page_says_before_the_script_is_there_counts(record: Recorder, visitor: Any) -> None:
    stub = STUB + "<script>throng('early', {n: 1}); throng('second')</script>"
    page = visitor.new_page()
    page.goto(record.page("/a", stub=stub))
    until(lambda: len(record.of("event")) == 2)
    assert [(event["name"], event.get("props")) for event in record.of("event")] == [
        ("early", {"n": 1}),
        ("second", None),
    ]
    assert record.events[0]["type"] == "page_view"
    # A circle in one event's properties is that event's trouble alone, and a later change does not show.
    page.evaluate("const c = {}; c.c = c; throng('circle', c); const o = {n: 2}; throng('third', o); o.n = 3")
    until(lambda: len(record.of("event")) == 3)
    assert record.of("event")[2]["props"] == {"n": 2}


@pytest.mark.requirement("M35")
def test_an_advert_is_seen_when_it_was_seen(record: Recorder, visitor: Any) -> None:
    def ad(slot: str, style: str) -> str:
        return (
            f'<a href="https://ads.example/{slot}" style="display:block;background:#ccc;{style}"'
            f" data-ad-slot={slot} data-ad-campaign=c data-ad-creative={slot}1>{slot}</a>"
        )

    body = ad("top", "width:300px;height:250px") + ad("hidden", "display:none")
    # 800 x 600 is above 242,500 px: three tenths of it are enough. They are not for a small one.
    body += ad("large", "position:absolute;top:400px;left:0;width:800px;height:600px")
    body += ad("edge", "position:absolute;top:530px;left:500px;width:200px;height:200px")
    body += ad("below", "position:absolute;top:2000px;left:0;width:300px;height:250px")
    page = visitor.new_page()
    page.goto(record.page("/a", body + "<script>onclick = e => e.preventDefault()</script>"))
    shown = lambda: {event["ad"]["slot"] for event in record.of("ad_impression")}  # noqa: E731
    seen = lambda: [event["ad"]["slot"] for event in record.of("ad_viewable")]  # noqa: E731
    until(lambda: shown() == {"top", "large", "edge", "below"})
    first = record.of("ad_impression")[0]["ad"]
    assert {name: first[name] for name in ("slot", "creative", "campaign")} == {
        "slot": "top", "creative": "top1", "campaign": "c"
    }  # fmt: skip
    # Half a second in view, away, and half a second again is no second without a break.
    page.evaluate("scrollTo(0, 1800)")
    quiet(page, 600)
    page.evaluate("scrollTo(0, 0)")
    quiet(page, 600)
    page.evaluate("scrollTo(0, 1800)")
    quiet(page, 600)
    assert "below" not in seen()
    quiet(page, 1000)
    assert "below" in seen()
    page.evaluate("scrollTo(0, 0)")
    until(lambda: sorted(seen()) == ["below", "large", "top"])
    # One that comes later counts like the others, and a click on it is no outbound link besides.
    page.evaluate("html => document.body.insertAdjacentHTML('afterbegin', html)", ad("late", "height:60px"))
    until(lambda: "late" in shown())
    page.click("[data-ad-slot=late]")
    until(lambda: record.of("ad_click"))
    quiet(page, 1200)
    assert [event["ad"]["slot"] for event in record.of("ad_click")] == ["late"]
    assert record.of("click") == []
    assert sorted(seen()) == ["below", "large", "late", "top"]
    assert len(record.of("ad_impression")) == 5


@pytest.mark.requirement("M35")
def test_an_advert_in_a_tab_behind_is_not_seen(record: Recorder, visitor: Any) -> None:
    """The tab goes behind in the middle of the second; what counts is a whole second after it came back."""
    page = visitor.new_page()
    hide = (
        "hide => { Object.defineProperty(document, 'hidden', {get: () => hide, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')) }"
    )
    page.goto(record.page("/a", "<div data-ad-slot=top style=height:100px></div>"))
    until(lambda: record.of("ad_impression"))
    page.evaluate(hide, True)
    quiet(page, 1500)
    assert record.of("ad_viewable") == []
    (looked,) = record.of("engagement")
    assert looked["duration"] < 1500
    page.evaluate(hide, False)
    until(lambda: record.of("ad_viewable"), 5)


def test_vitals_where_asked_for(record: Recorder, visitor: Any) -> None:
    moves = "setTimeout(() => { document.querySelector('p').style.marginTop = '200px' }, 200)"
    page = visitor.new_page()
    page.goto(
        record.page(
            "/a", f"<p>Words enough to be the largest thing</p><script>{moves}</script>", tag="data-vitals"
        )
    )
    until(lambda: record.views())
    page.click("p")
    quiet(page, 800)
    page.close()
    until(lambda: record.of("vital"), 5)
    found = {event["name"]: event["value"] for event in record.of("vital")}
    assert {"TTFB", "LCP", "CLS"} <= set(found) <= {"TTFB", "LCP", "CLS", "INP"}
    assert 0 < found["TTFB"] < 5000
    assert 0 < found["LCP"] < 10_000
    assert 0 < found["CLS"] < 1
    assert len(record.of("vital")) == len(found)


@pytest.mark.requirement("M47")
def test_speed_and_errors_are_numbers_and_kinds_and_no_word_of_the_page(
    record: Recorder, browser: Any
) -> None:
    """Each vital once, when the page is first left; errors on the page where they were; no text at all."""
    early = '<script src="/p.js"></script><script>null.secret</script>'
    inner = """<p id=p>Words enough to be the largest thing</p><img src="/none/secret.png">
        <script>
        setTimeout(() => { throw new RangeError('secret') })
        setTimeout(() => { throw {name: 'secret', message: 'secret'} })
        Promise.reject(new Error('secret'))
        setTimeout(() => { history.pushState(0, '', '/b'); setTimeout(() => { null.secret }) }, 400)
        </script>"""
    context = browser.new_context()
    page = context.new_page()
    page.goto(record.page("/a", inner, stub=STUB + early))
    until(lambda: len(record.views()) == 2)
    page.click("#p")
    quiet(page, 800)
    page.close()
    until(lambda: record.of("error") and record.of("vital"), 5)
    told = {event["name"]: event for event in record.of("vital")}
    assert {"TTFB", "LCP", "CLS", "FCP", "load"} <= set(told) <= {*VITALS}
    assert all(0 <= event["value"] < 10_000 and event["url"].endswith("/a") for event in told.values())
    assert len(record.of("vital")) == len(told)
    errors = {(event["name"], event["url"][-2:]): event["value"] for event in record.of("error")}
    first = ("RangeError", "TypeError", "other", "promise", "resource")
    assert errors == {**{(name, "/a"): 1 for name in first}, ("TypeError", "/b"): 1}
    assert all(b"secret" not in body for *_, body in record.posts)
    context.close()


@pytest.mark.requirement("M47")
def test_without_the_beacon_nothing_is_told_of_speed_and_errors(record: Recorder, browser: Any) -> None:
    record.pages["/bare"] = ("<script src=/p.js></script><script>null.secret</script>words", {})
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{record.origin}/bare")
    quiet(page, 500)
    page.goto(f"{record.origin}/bare?again")
    quiet(page, 500)
    context.close()
    assert record.posts == []


@pytest.mark.requirement("M22", "M104")
def test_it_works_where_nothing_may_be_stored(record: Recorder, visitor: Any) -> None:
    inner = record.page(
        "/inner", "<script>onload = () => { throng.consent({measurement: true}); throng('in') }</script>"
    )
    page = visitor.new_page()
    page.goto(record.page("/outer", f'<iframe sandbox="allow-scripts" src="{inner}"></iframe>'))
    until(lambda: record.of("event"))
    (event,) = record.of("event")
    assert event["consent"] == {"measurement": True}, "kept for as long as the page lives"
    assert "/inner" in record.views()


def test_twice_the_script_is_once_the_visit(record: Recorder, visitor: Any) -> None:
    page = visitor.new_page()
    page.goto(record.page("/a", f'<script defer src="{record.origin}/t.js" data-site="shop"></script>'))
    until(lambda: record.views())
    quiet(page)
    assert record.views() == ["/a"]


def test_it_lives_under_a_strict_policy(record: Recorder, visitor: Any) -> None:
    own = f"script-src {record.origin}; connect-src {record.origin}"
    policy = f"default-src 'none'; {own}; require-trusted-types-for 'script'"
    page = visitor.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(
        record.page("/a", "<a href='https://other.example/'>x</a>", stub="", content_security_policy=policy)
    )
    until(lambda: record.views())
    page.evaluate("throng('x')")
    until(lambda: record.of("event"))
    assert said == []


@pytest.mark.parametrize("broken", [
    "delete window.crypto", "delete window.IntersectionObserver", "delete window.fetch",
    "delete window.performance", "localStorage.throng = 'not json'", "localStorage.throng = '7'",
    "Storage.prototype.setItem = () => { throw 1 }", "document.querySelectorAll = null",
    "navigator.sendBeacon = () => { throw new Error('x') }", "window.throng = {q: 7}",
])  # fmt: skip
def test_whatever_is_broken_the_page_hears_nothing_of_it(record: Recorder, visitor: Any, broken: str) -> None:
    visitor.add_init_script(f"try {{ {broken} }} catch (e) {{}}")
    page = visitor.new_page()
    page.goto(
        record.page(
            "/a", "<div data-ad-slot=a>ad</div><a href='https://other.example/' target=x>x</a>", stub=""
        )
    )
    page.evaluate("window.throng && throng.consent && throng.consent({measurement: true})")
    page.evaluate("history.pushState(null, '', '/b')")
    page.mouse.click(5, 5)
    quiet(page, 400)
    assert page.evaluate("location.pathname") == "/b"
    page.close()  # the fixture looks for errors
