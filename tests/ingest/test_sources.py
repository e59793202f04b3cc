"""Where a visit came from, as host and group, and never whose page it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.raw import Page, Source
from ingest.sources import origin, source

HERE = Page("m.example", "/", None, None, None, None, None, 0)
GROUPS = {"search", "social", "mail", "referral", "direct", "internal", "campaign"}


@pytest.mark.parametrize(
    ("referrer", "host", "group"),
    [
        ("https://www.google.com/search?q=ann", "google.com", "search"),
        ("https://www.google.co.uk/", "google.co.uk", "search"),
        ("https://news.google.de/", "google.de", "search"),
        ("https://mail.google.com/mail/u/0", "mail.google.com", "mail"),
        ("https://google.evil.example/", "google.evil.example", "referral"),
        ("https://notgoogle.com/", "notgoogle.com", "referral"),
        ("https://l.facebook.com/l.php?u=x", "facebook.com", "social"),
        ("https://ann.tumblr.com/", "tumblr.com", "social"),
        ("https://ann.github.io/cv", "github.io", "referral"),
        ("android-app://com.google.android.gm/", "com.google.android.gm", "mail"),
        ("https://192.0.2.1/wiki", None, "referral"),
        ("https://[2001:db8::1]/wiki", None, "referral"),
        ("https://user:pw@blog.example:8080/x", "blog.example", "referral"),
        ("https://0123456789abcdef0.cdn.example/", "{token}.cdn.example", "referral"),
        ("about:client", None, "direct"),
        ("app://ann", None, "direct"),
        ("blog.example", None, "direct"),
        ("", None, "direct"),
        (None, None, "direct"),
    ],
)
def test_origin(referrer: str | None, host: str | None, group: str) -> None:
    assert origin(referrer) == Source(host, group)


def test_moving_within_the_site_is_internal() -> None:
    assert source("https://m.example/u/ann", HERE, frozenset()) == Source("m.example", "internal")
    assert source("https://www.m.example/", HERE, frozenset({"www.m.example"})) == Source(
        "m.example", "internal"
    )
    local = HERE._replace(host="127.0.0.1")
    assert source("http://127.0.0.1:8602/a", local, frozenset()) == Source(None, "internal")


def test_a_campaign_says_more_than_a_referrer_but_not_within_the_site() -> None:
    tagged = HERE._replace(utm_source="news")
    assert source("https://t.co/x", tagged, frozenset()) == Source("t.co", "campaign")
    assert source(None, tagged._replace(utm_medium="Email"), frozenset()) == Source(None, "mail")
    assert source("https://m.example/", tagged, frozenset()) == Source("m.example", "internal")


@given(st.one_of(st.none(), st.text(alphabet=st.characters()), st.text().map("https://{}".format)))
def test_any_referrer_has_a_group(referrer: str | None) -> None:
    found = source(referrer, HERE, frozenset({"m.example"}))
    assert found.group in GROUPS
    assert found.host is None or len(found.host.encode()) <= 1024


@pytest.mark.requirement("M25")
@given(st.from_regex(r"[a-z]{3,12}", fullmatch=True), st.text(max_size=40))
def test_nothing_behind_the_host_passes(name: str, behind: str) -> None:
    assert "zz" + name not in str(origin(f"https://blog.example/zz{name}?{behind}"))
