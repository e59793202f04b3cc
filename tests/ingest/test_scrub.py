"""A page's address becomes what a report may show, whatever was sent."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.raw import Page
from consent_filter.site import Site
from ingest.scrub import Scrub, decoded

SITE = Site(
    id="m", paths=("/u/{user}", "/u/{user}/portfolio/{work}", "/Project/{project}"), query=("category",)
)
scrub = Scrub(SITE).page
words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12)
#: What addresses are made of, and what breaks them.
pieces = [
    "/",
    "..",
    "%",
    "25",
    "2f",
    "%2F",
    "@",
    "?",
    "#",
    "&",
    "=",
    "utm_source",
    "[",
    "]",
    ":",
    "\\",
    "a",
    "7",
]
pieces += [";", "{", "}", "http:", "\ud800", "\0", "＠", "\u202e"]
anything = st.one_of(
    st.text(alphabet=st.characters(), max_size=200),
    st.builds("https://m.example/{}".format, st.text(alphabet=st.characters(), max_size=100)),
    st.lists(st.sampled_from(pieces), max_size=40).map("".join),
)


@pytest.mark.requirement("M25")
@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://m.example", "/"),
        ("https://m.example/about/", "/about"),
        ("https://m.example//about///us", "/about/us"),
        ("/about#ann", "/about"),
        ("/u/ann", "/u/{user}"),
        ("/U/Ann", "/u/{user}"),
        ("/u/ann/portfolio/7", "/u/{user}/portfolio/{work}"),
        ("/u/ann/reviews", "/u/{user}/reviews"),
        ("/u%2Fann", "/u/{user}"),
        ("/u/%61nn", "/u/{user}"),
        ("/%75/ann", "/u/{user}"),
        ("/%2575/ann", "/u/{user}"),
        ("\\u\\ann", "/u/{user}"),
        ("/x/../u/ann", "/u/{user}"),
        ("/./u/ann", "/u/{user}"),
        ("/u", "/u"),
        ("/project/Build-Me-A-Site", "/Project/{project}"),
        ("/list/17", "/list/{id}"),
        ("/order/AB-12345", "/order/{id}"),
        ("/pay/4111111111111111", "/pay/{card}"),
        ("/@ann", "/{user}"),
        ("/~ann/", "/{user}"),
        ("/%40ann", "/{user}"),
        ("/＠ann", "/{user}"),
        ("/a;jsessionid=AB12/b", "/a/b"),
        ("/reset/abc123", "/reset/{token}"),
        ("/reset/password", "/reset/password"),
        ("/search?q=ann+smith&category=web", "/search?category=web"),
        ("/how-to-hire-a-freelancer-in-2024", "/how-to-hire-a-freelancer-in-2024"),
        ("/a/" + "b" * 100, "/a/{long}"),
        ("javascript:alert(1)", None),
        ("mailto:ann@example.com", None),
        ("urn:isbn:1", None),
        ("words", None),
        ("", None),
    ],
)
def test_path(url: str, path: str | None) -> None:
    assert scrub(url).path == path


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("m.example", "m.example"),
        ("M.Example:8080", "m.example"),
        ("ann:secret@m.example", "m.example"),
        ("m.example.", "m.example"),
        ("[2001:db8::1]:80", "[2001:db8::1]"),
        ("[2001:db8::1", None),
        ("bücher.example", "bücher.example"),
        ("a b", None),
        ("", None),
        ("a" * 300, None),
    ],
)
def test_host(authority: str, host: str | None) -> None:
    assert scrub(f"https://{authority}/").host == host


def test_campaign_tags_are_kept_and_cleaned() -> None:
    page = scrub(
        "/?UTM_Source=News+Letter&utm_medium=e-mail&utm_campaign=%41&utm_term=ann@x.de&utm_content=&utm_id=7"
    )
    assert page == Page(None, "/", "News Letter", "e-mail", "A", "{email}", None, 1)


def test_the_first_of_two_tags_counts() -> None:
    assert scrub("/?utm_source=a&utm_source=b").utm_source == "a"


def test_what_is_dropped_with_an_address_in_it_is_counted() -> None:
    assert scrub("/?mail=ann%40example.com").redacted == 1


@given(anything)
def test_any_text_becomes_something_that_can_be_stored(url: str) -> None:
    for part in scrub(url)[:-1]:
        assert part is None or (len(str(part).encode()) < 4000 and not any(c < " " for c in str(part)))


@given(anything)
def test_a_scrubbed_path_is_scrubbed(url: str) -> None:
    path = scrub(url).path
    if path is not None and "?" not in path and "%" not in path and "#" not in path and "\ufffd" not in path:
        assert scrub(path).path == path


@pytest.mark.requirement("M12")
@given(words, st.integers(0, 3), st.sampled_from(["", "/reviews", "/a/b?x=1", "#x", "/"]))
def test_a_user_never_passes_however_often_encoded(user: str, times: int, after: str) -> None:
    said = "".join(f"%{byte:02X}" for byte in f"qq{user}qq".encode()) if times else f"qq{user}qq"
    for _ in range(times - 1):
        said = quote(said, safe="")
    assert f"qq{user}qq" not in str(scrub(f"https://m.example/u/{said}{after}"))


@pytest.mark.requirement("M5")
@given(
    words,
    words,
    st.sampled_from(["/x/{}", "/?utm_source={}", "/?category={}", "/x?mail={}", "/{}/y", "//m/{}"]),
)
def test_no_address_passes_anywhere(name: str, domain: str, where: str) -> None:
    address = f"zz{name}@{domain}.example"
    for said in (address, quote(address, safe=""), quote(quote(address, safe=""), safe="")):
        page = scrub(where.format(said))
        assert address not in str(page)
        assert f"zz{name}" not in str(page)


@given(st.text(max_size=30), st.integers(0, 6))
def test_decoding_ends(text: str, times: int) -> None:
    for _ in range(times):
        text = quote(text, safe="")
    assert "%41" not in decoded("%" + "25" * times + "41")
    decoded(text)
