"""Unsubscribe links: nobody makes, reads or changes one; and whom marketing may reach."""

from __future__ import annotations

import base64
import struct
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.decide import MEASUREMENT, Word
from consent_filter.errors import Refused
from consent_filter.ledger import Ledger
from consent_filter.marketing import CHANNELS, EVERY, WAYS, channels, contact, mask, may, with_affiliates
from consent_filter.policy import Regime, Use, load
from consent_filter.pseudonym import Keyring, subject
from consent_filter.purpose import BY_NAME
from consent_filter.signals import OWN, SIGNALS
from consent_filter.signing import to_bytes, to_text
from consent_filter.unsubscribe import LONGEST, Link, Links

KEYS = Keyring.memory()
LINKS = Links(KEYS)
TOKEN = LINKS.make("shop", "user", "anna@mail.example", CHANNELS["email"])
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

some_purposes = st.sets(st.sampled_from(sorted(CHANNELS)), min_size=1).map(mask)
sites = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)


@given(
    sites, st.sampled_from(["user", "device", "contact"]), st.text(min_size=1, max_size=256), some_purposes
)
def test_a_link_says_whose_and_what_and_holds_no_id(site: str, kind: str, id: str, purposes: int) -> None:
    token = LINKS.make(site, kind, id, purposes)
    assert LINKS.read(token) == Link(site, kind, subject(KEYS, site, kind, id), purposes)
    assert token == LINKS.make(site, kind, id, purposes), "the same message has the same link"
    assert set(token) <= set(ALPHABET)
    assert len(token) <= LONGEST
    data = base64.urlsafe_b64decode(token + "==")
    assert subject(KEYS, site, kind, id) not in data, "two links of one person would show that they are"
    assert len(site) < 3 or site.encode() not in data


@given(st.data())
def test_any_changed_byte_is_refused(data: st.DataObject) -> None:
    raw = bytearray(base64.urlsafe_b64decode(TOKEN + "=" * (-len(TOKEN) % 4)))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Refused) as refused:
        LINKS.read(base64.urlsafe_b64encode(raw).rstrip(b"=").decode())
    assert refused.value.code == ("link_version" if at == 0 else "link_key" if at < 4 else "link_altered")
    assert TOKEN not in str(refused.value)


@given(st.data())
def test_any_changed_letter_is_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(TOKEN) - 1))
    letter = data.draw(st.characters().filter(lambda one: one != TOKEN[at]))
    refuses(TOKEN[:at] + letter + TOKEN[at + 1 :])
    refuses(TOKEN[:at])
    refuses(TOKEN[at + 1 :])
    refuses(TOKEN + letter)


@given(st.text() | st.text(ALPHABET, max_size=200))
def test_nothing_else_is_a_link(text: str) -> None:
    refuses(text)


def refuses(token: str) -> str:
    with pytest.raises(Refused) as refused:
        LINKS.read(token)
    assert refused.value.status == 404
    return refused.value.code


def test_links_of_other_keys_are_no_links_here(tmp_path: Path) -> None:
    assert refuses(Links(Keyring.memory()).make("shop", "user", "anna@mail.example", EVERY)) == "link_key"
    # The next process has the same keys.
    token = Links(Keyring.open(tmp_path / "keys.json")).make("shop", "user", "a", EVERY)
    assert Links(Keyring.open(tmp_path / "keys.json")).read(token).purposes == EVERY


@pytest.mark.parametrize("purposes", [0, int(BY_NAME["measurement"]), EVERY | 1, 1 << 20])
def test_a_link_refuses_marketing_and_nothing_else(purposes: int) -> None:
    with pytest.raises(ValueError, match="marketing"):
        LINKS.make("shop", "user", "anna", purposes)


def test_every_channel_of_the_policy_is_one() -> None:
    assert mask(CHANNELS) == EVERY
    assert channels(EVERY) == list(CHANNELS)
    assert all(bit & EVERY for name, bit in BY_NAME.items() if name.startswith(("marketing_", "affiliate_")))
    assert channels(with_affiliates(mask(["email", "adverts"]))) == ["email", "adverts", "affiliate_email"]


@pytest.mark.requirement("M67")
def test_own_and_affiliate_material_are_apart() -> None:
    pack = load("worktasker-2014")
    for way in WAYS:
        own, theirs = CHANNELS[way], CHANNELS[f"affiliate_{way}"]
        assert own.bit_count() == theirs.bit_count() == 1
        for regime in pack.regimes.values():
            named = f"affiliate_{way}" in regime.purposes
            assert named == (way != "sms"), "the text names these four"
            assert may(Word(own, theirs), regime, way) == ((True, "agreed") if named else (False, "unnamed"))
            assert may(Word(own, theirs), regime, f"affiliate_{way}") == (False, "refused")
            assert not may(Word(own, 0), regime, f"affiliate_{way}")[0], "one is not agreed to by the other"
            assert not may(Word(theirs, 0), regime, way)[0]
    new = load("workallies-2024").regimes["notice"]
    assert may(Word(EVERY, 0), new, "affiliate_email") == (False, "unnamed"), "that text names none"


def test_links_that_were_made_before_refuse_both() -> None:
    """Made by the code as it was: a letter of then could be an affiliate's."""
    key, purposes = subject(KEYS, "shop", "user", "anna"), mask(["email", "adverts"])
    head = bytes([1]) + KEYS.derived("ledger", b"unsubscribe generation")[:3]
    seal = AESSIV(KEYS.derived("ledger", b"unsubscribe link"))
    body = struct.pack(">IB16s", purposes, 0, key) + b"shop"
    old = to_text(head + seal.encrypt(body, [head]))
    assert LINKS.read(old) == Link("shop", "user", key, mask(["email", "adverts", "affiliate_email"]))
    assert LINKS.read(LINKS.make("shop", "user", "anna", purposes)).purposes == purposes
    # The version is sealed in: an old link is not a new one with another first byte.
    assert refuses(to_text(bytes([2]) + to_bytes(old)[1:])) == "link_altered"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@Mail.Example", " anna@mail.example\t"),
        ("ａnna@mail.example", "anna@mail.example"),
        ("+49 (0)170/123-45.67", "0049 0170 1234567"),
    ],
)
def test_an_address_is_one_however_it_is_written(one: str, other: str) -> None:
    assert contact(one) == contact(other) == contact(contact(one))


@pytest.mark.parametrize("text", ["canary", "@", "canary@", "canary@a@b", "+", "12", "canary 4711", "a b@c"])
def test_what_is_no_contact_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(Refused) as refused:
        contact(text)
    assert "canary" not in str(refused.value)


# The ledger, where it is told by keyed hash.


def test_the_ledger_hears_by_hash_what_it_hears_by_id() -> None:
    keys = Keyring.memory()
    ledger = Ledger.memory(keys)
    key = subject(keys, "shop", "user", "anna")
    [person] = ledger.persons([(MEASUREMENT, "shop", "user", "anna")])
    before = ledger.version
    recorded = ledger.refuse(key, "shop", CHANNELS["email"], "link", 5)
    assert recorded is not None
    assert ledger.get("shop", "user", "anna") == recorded.entry == (0, CHANNELS["email"], 5)
    assert ledger.version > before, "what was found out before holds no longer"
    assert ledger.get("shop", "user", "anna2") is None
    assert ledger.refuse(key, "shop", CHANNELS["email"], "link", 9) is None
    assert ledger.get("shop", "user", "anna") == recorded.entry
    assert ledger.refuse(key, "shop", EVERY, "link", 10) is not None
    assert ledger.verify()
    assert ledger.persons([(MEASUREMENT, "shop", "user", "anna")]) == [person]
    assert not len(ledger.withdrawn()), "who stops letters is measured as before"


def test_who_is_erased_stays_erased() -> None:
    keys = Keyring.memory()
    ledger = Ledger.memory(keys)
    ledger.put("shop", "user", "anna", {"marketing_email": True}, "site", 1)
    ledger.erase("shop", "user", "anna", "site", 2)
    version = ledger.version
    assert ledger.refuse(subject(keys, "shop", "user", "anna"), "shop", EVERY, "link", 3) is None
    word, since = ledger.word("shop", "anna", None)
    assert (word, since, ledger.version) == (Word(0, 0, True), 2, version)


# Who may be written to.


def regime(**uses: bool) -> Regime:
    pack = load("workallies-2024")
    signals = {name: pack.regimes["notice"].signals[name] for name in SIGNALS if name not in OWN}
    return Regime(
        kind="notice",
        purposes={name: Use(basis="notice", default=default) for name, default in uses.items()},
        signals=signals,
    )


EMAIL = CHANNELS["email"]
FREE = regime(marketing_email=True, ad_personalisation=True, remarketing=True)
ASKED = regime(marketing_email=False, ad_personalisation=True)


@pytest.mark.parametrize(
    ("word", "rules", "channel", "answer"),
    [
        (Word(0, 0), ASKED, "email", (False, "silent")),
        (Word(0, 0), FREE, "email", (True, "default")),
        (Word(EMAIL, 0), ASKED, "email", (True, "agreed")),
        (Word(0, EMAIL), FREE, "email", (False, "refused")),
        (Word(0, 0, True), FREE, "email", (False, "erased")),
        (Word(EMAIL, 0, True), ASKED, "email", (False, "erased")),
        (Word(EVERY, 0), ASKED, "sms", (False, "unnamed")),
        (Word(CHANNELS["sms"], 0), ASKED, "email", (False, "silent")),
        (Word(0, CHANNELS["sms"]), FREE, "email", (True, "default")),
        (Word(0, int(BY_NAME["remarketing"])), FREE, "adverts", (False, "refused")),
        (Word(0, int(BY_NAME["remarketing"])), ASKED, "adverts", (False, "refused")),
        (Word(0, 0), ASKED, "adverts", (True, "default")),
        (Word(int(BY_NAME["remarketing"]), 0), FREE, "adverts", (True, "default")),
        (Word(CHANNELS["adverts"], 0), FREE, "adverts", (True, "agreed")),
    ],
)
def test_who_may_be_written_to(word: Word, rules: Regime, channel: str, answer: tuple[bool, str]) -> None:
    assert may(word, rules, channel) == answer


@pytest.mark.requirement("M73")
@given(st.integers(0, EVERY), st.integers(0, EVERY), st.booleans(), st.sampled_from(sorted(CHANNELS)))
def test_a_refusal_is_never_weighed(grant: int, deny: int, erased: bool, channel: str) -> None:
    allowed, _ = may(Word(grant & ~deny, deny, erased), FREE, channel)
    assert not allowed or not (erased or deny & CHANNELS[channel])
