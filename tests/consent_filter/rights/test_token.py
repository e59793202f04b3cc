"""Tokens of a site's server: forged, expired, replayed, altered, about somebody else: refused, recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter.errors import Refused
from consent_filter.rights import token
from consent_filter.rights.proof import Code, Device, Token
from consent_filter.rights.token import SiteKey
from consent_filter.signing import SigningKey, to_bytes, to_text
from tests.consent_filter.rights.desk import BROWSER, EMAIL, SEEN, USER, Desk, desk
from tests.consent_filter.rights.test_register import refused

SECRET = b"s" * 32
SIGNER = SigningKey.of(b"e" * 32)
NOW = 1_800_000_000_000


def said(one: Desk | None = None, **more: Any) -> dict[str, Any]:
    now = (one.now if one else NOW) // 1000
    whole = {
        "site": "shop",
        "user_id": USER,
        "right": "access",
        "exp": now + 300,
        "jti": "0123456789ab",
    } | more
    return {name: value for name, value in whole.items() if value is not None}


@pytest.mark.requirement("M115")
@pytest.mark.parametrize("algorithm", token.ALGORITHMS)
def test_a_token_says_who_asks_once(tmp_path: Path, algorithm: str) -> None:
    with desk(tmp_path) as one:
        if algorithm == "HS256":
            kid, secret = one.register.keys.make("shop")
        else:
            kid, secret = one.register.keys.add("shop", SIGNER.public), SIGNER
        text = token.make(said(one, email=EMAIL), kid, secret)
        case = one.receive("access", proof=Token(text))
        assert (case.state, case.method, case.assurance) == ("verified", "token", "substantial")
        assert (case.email, case.vouched) == (EMAIL, True), "the site knows the address on file"
        with refused("token_replayed"):
            one.receive("access", proof=Token(text))
        again = one.receive("access", proof=Token(token.make(said(one, jti="another-jti"), kid, secret)))
        assert again.id == case.id
        one.register.keys.end(kid)
        with refused("token_key"):
            one.receive("access", proof=Token(token.make(said(one, jti="a-third-jti"), kid, secret)))
        with refused("no_such_key"):
            one.register.keys.end(kid)
        assert one.register.statistics("2026-03")["proofs_refused"] == {"token_key": 1, "token_replayed": 1}
        for file in ("rights.sqlite", "rights.key"):
            assert secret is SIGNER or secret not in (tmp_path / file).read_bytes()


WRONG: dict[str, tuple[str, Callable[[Desk, str, bytes], str]]] = {
    "of another person": (
        "token_subject",
        lambda d, k, s: token.make(said(d, user_id="x"), k, s),
    ),
    "of a browser with the same id": (
        "token_subject",
        lambda d, k, s: token.make(said(d, user_id=None, device_id=USER), k, s),
    ),
    "of another site": ("token_key", lambda d, k, s: token.make(said(d, site="blog"), k, s)),
    "for another right": (
        "token_right",
        lambda d, k, s: token.make(said(d, right="erase"), k, s),
    ),
    "for another request": (
        "token_request",
        lambda d, k, s: token.make(said(d, request="R-1"), k, s),
    ),
    "expired": (
        "token_expired",
        lambda d, k, s: token.make(said(d, exp=d.now // 1000 - 61), k, s),
    ),
    "for ever": (
        "token_far",
        lambda d, k, s: token.make(said(d, exp=d.now // 1000 + 10**6), k, s),
    ),
    "by another key": ("token_forged", lambda d, k, s: token.make(said(d), k, b"x" * 32)),
    "by no known key": ("token_key", lambda d, k, s: token.make(said(d), "other", s)),
    "with another algorithm": ("token_forged", lambda d, k, s: token.make(said(d), k, SIGNER)),
    "with none": (
        "token_forged",
        lambda d, k, s: (
            ".".join(to_text(json.dumps(p).encode()) for p in ({"alg": "none", "kid": k}, said(d))) + "."
        ),
    ),
    "about nobody": ("token_malformed", lambda d, k, s: token.make(said(d, user_id=None), k, s)),
    "about two": ("token_malformed", lambda d, k, s: token.make(said(d, device_id="d"), k, s)),
    "without a jti": ("token_malformed", lambda d, k, s: token.make(said(d, jti=None), k, s)),
    "with more": ("token_malformed", lambda d, k, s: token.make(said(d, admin=True), k, s)),
    "no token": ("token_malformed", lambda d, k, s: "a.b"),
    "too long": ("token_malformed", lambda d, k, s: "a" * 5000),
    "not text": ("token_malformed", lambda d, k, s: "é.é.é"),
    "deep": (
        "token_malformed",
        lambda d, k, s: ".".join([to_text(b"[" * 2000), to_text(b"{}"), to_text(b"x")]),
    ),
}


@pytest.mark.requirement("M115")
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_token_changes_nothing_and_is_recorded(tmp_path: Path, what: str) -> None:
    code, make = WRONG[what]
    with desk(tmp_path) as one:
        kid, key = one.register.keys.make("shop")
        one.register.keys.make("blog")
        case = one.receive("access")
        with refused(code) as error:
            one.register.prove(case.id, Token(make(one, kid, key)))
        assert USER not in error.value.message
        assert one.register.get(case.id).state == "unproved"
        step = one.register.history(case.id)[-1]
        assert (step.what, step.code) == ("proof refused", code)
        before = one.register.cases()
        with refused(code):
            one.receive("access", proof=Token(make(one, kid, key)))
        assert one.register.cases() == before
        assert one.register.statistics("2026-03")["proofs_refused"] == {code: 2}
        assert one.register.prove(case.id, Token(token.make(said(one), kid, key))).state == "verified"


SOUND = token.make(said(), "shop-1", SECRET)


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(SOUND) - 1), letter=st.characters(codec="latin-1"))
def test_an_altered_letter_is_seen(at: int, letter: str) -> None:
    altered = SOUND[:at] + letter + SOUND[at + 1 :]
    key = SiteKey("shop-1", "shop", "HS256", SECRET)
    if altered == SOUND:
        assert token.read(SOUND, lambda kid: key, NOW).user_id == USER
        return
    with pytest.raises(Refused):
        token.read(altered, lambda kid: key, NOW)


def test_a_public_key_is_no_shared_secret() -> None:
    """The old confusion: a token signed by HMAC under the public key, which everyone has."""
    public = SIGNER.public.raw
    forged = token.make(said(), "shop-1", public)
    with refused("token_forged"):
        token.read(forged, lambda kid: SiteKey(kid, "shop", "EdDSA", public), NOW)
    assert to_bytes(forged.split(".")[2])


@pytest.mark.requirement("M115")
def test_a_code_is_good_once_for_a_day_and_the_newest_only(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        case = one.receive("erase")
        first, second = one.register.code(case.id), one.register.code(case.id)
        with refused("code"):
            one.register.prove(case.id, Code(first))
        other = one.receive("erase", "somebody else")
        with refused("code_expired"):
            one.register.prove(other.id, Code(second))
        text = f" {second[:5].lower()}-{second[5:]}"
        assert one.register.prove(case.id, Code(text)).method == "code"
        late = one.receive("access")
        code = one.register.code(late.id)
        held = (tmp_path / "rights.sqlite").read_bytes()
        assert code.encode() not in held
        one.now += 24 * 3_600_000
        with refused("code_expired"):
            one.register.prove(late.id, Code(code))


def test_codes_cannot_be_guessed_and_fill_no_mailbox(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        case = one.receive("erase")
        code = one.register.code(case.id)
        for _ in range(8):
            with refused("code"):
                one.register.prove(case.id, Code("0000000000"))
        for _ in range(3):
            with refused("attempts"):
                one.register.prove(case.id, Code(code))
        assert len(one.register.history(case.id)) == 10, "what goes on for ever fills no disk"
        for _ in range(4):
            one.register.code(one.receive("erase").id)
        with refused("rate"):
            one.register.code(one.receive("erase").id)
        assert one.register.prove(case.id, SEEN).state == "verified", "an officer still can"


@pytest.mark.requirement("M115")
def test_a_browser_speaks_for_its_own_rows_and_for_no_account(tmp_path: Path) -> None:
    with desk(tmp_path) as one:
        own = one.receive("access", BROWSER, kind="device", proof=Device(BROWSER))
        assert (own.state, own.assurance) == ("verified", "low")
        account = one.receive("access", BROWSER)
        with refused("device"):
            one.register.prove(account.id, Device(BROWSER))
        other = one.receive("access", BROWSER[:-1], kind="device")
        with refused("device"):
            one.register.prove(other.id, Device(BROWSER))
        short = one.receive("access", "7", kind="device")
        with refused("device"):
            one.register.prove(short.id, Device("7"))
        guardian = one.receive("guardian")
        with refused("way"):
            one.register.code(guardian.id)
