"""A receipt holds what was recorded, as it was signed, and nothing else passes for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.chain import Link
from consent_filter.circumstances import SURFACES, Circumstances
from consent_filter.errors import Broken, Refused
from consent_filter.fields import stored
from consent_filter.ledger import Ledger
from consent_filter.policy import load
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import BY_NAME
from consent_filter.receipt import LARGEST, SCHEMA, canonical, draw, read
from consent_filter.signing import PublicKey, Signer, SigningKey, to_bytes, to_text
from consent_filter.site import Site
from tests.consent_filter.rows import NOON

#: For tests only: 0, 1, 2, … 31.
KEY = SigningKey.of(bytes(range(32)))
OTHER = SigningKey.of(bytes(32))
PACK = load("workallies-2024")
GOLDEN = Path(__file__).parent / "receipts" / "golden.jsonl"
RECORD = {
    "site": "shop", "granted": ["measurement", "research"], "denied": ["remarketing"], "source": "site",
    "at": NOON, "surface": "banner", "locale": "de-CH", "wording": "cookie-banner/3",
    "policy": "workallies-2024/1", "jurisdiction": "CH", "regime": "opt_in",
}  # fmt: skip
SITE = Site(id="shop", controller="Example Märkte AG, Bahnhofstrasse 1, 8001 Zürich")
LINK = Link(17, bytes(range(32, 64)), bytes(range(64, 80)))


@cache
def golden() -> bytes:
    return GOLDEN.read_bytes().rstrip(b"\n")


def why(line: bytes, *keys: PublicKey) -> str:
    with pytest.raises(Refused) as refused:
        read(line, keys or [KEY.public])
    return refused.value.code


def signed(change: Callable[[dict[str, Any]], None]) -> bytes:
    """The golden receipt changed, and signed again with the same key: only its shape can be wrong."""
    said = json.loads(golden())
    change(said)
    said.pop("signature", None)
    return canonical(said | {"signature": to_text(KEY.sign(canonical(said)))})


def test_golden() -> None:
    """Whoever holds a receipt of this schema can still have it checked: change SCHEMA before this text.

    Columns come and go: those that stood in it when it was given are what it says.
    """
    said, drawn = json.loads(golden()), json.loads(draw(RECORD, LINK, SITE, PACK, KEY))
    for one, now in zip(said["purposes"], drawn["purposes"], strict=True):
        now["data"] = one["data"]
    assert drawn | {"signature": said["signature"]} == said
    receipt = read(golden(), [OTHER.public, KEY.public])
    assert (receipt.schema, receipt.site, receipt.time) == (SCHEMA, "shop", NOON)
    assert [(one.purpose, one.decision, one.basis, one.kept_days) for one in receipt.purposes] == [
        ("measurement", "granted", "consent", 760),
        ("research", "granted", None, None),  # the pack does not name it: it is never done
        ("remarketing", "denied", None, None),
    ]
    assert {"person", "path", "country"} <= set(receipt.purposes[0].data)
    assert receipt.purposes[1].data == receipt.purposes[2].data == ()
    assert receipt.controller == SITE.controller
    assert receipt.recipients == PACK.recipients
    assert (receipt.notice.wording, receipt.notice.language) == ("cookie-banner/3", "de-CH")
    assert receipt.notice.text == PACK.policy
    assert (receipt.jurisdiction.country, receipt.jurisdiction.regime) == ("CH", "opt_in")
    assert (receipt.method.surface, receipt.method.source) == ("banner", "site")
    assert (receipt.ledger.position, to_bytes(receipt.ledger.commitment)) == LINK[:2]
    assert to_bytes(receipt.subject) == LINK.subject


def test_a_receipt_says_how_long_the_purpose_keeps_anything() -> None:
    """As facts are looked after there, which may be less than the longest time."""
    drawn = json.loads(draw({**RECORD, "granted": ["ad_measurement"]}, LINK, SITE, PACK, KEY))
    assert drawn["purposes"][0]["kept_days"] == 395


def test_what_is_stored_for_a_purpose() -> None:
    """As the columns themselves have it; never what lives in memory only."""
    everything = {name: set(stored(bit)) for name, bit in BY_NAME.items()}
    measured, advert = everything["measurement"], everything["ad_measurement"]
    assert {"path", "utm_source", "person", "country"} <= measured == everything["research"]
    assert {"path", "ad_slot", "person", "country"} <= advert
    assert not advert & {"utm_source", "props"}
    assert not measured & {"ad_slot"}
    for purpose, column in (("precise_geo", "cell"), ("gender", "gender"), ("security", "place")):
        assert column in everything.pop(purpose)
        assert column not in measured | advert
    for purpose in ("measurement", "research", "ad_measurement"):
        del everything[purpose]
    assert not any(everything.values())
    for secret in ("address", "agent", "url", "referrer", "id", "user_id", "device_id"):
        assert secret not in measured | advert


@given(
    st.dictionaries(st.sampled_from(sorted(BY_NAME)), st.booleans()),
    st.builds(
        Circumstances,
        surface=st.none() | st.sampled_from(SURFACES),
        locale=st.sampled_from([None, "de", "zh-Hant-TW"]),
        wording=st.sampled_from([None, "banner", "banner/3"]),
        policy=st.just("workallies-2024/1"),
        jurisdiction=st.sampled_from([None, "DE", "US"]),
        regime=st.sampled_from(sorted(PACK.regimes)),
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.integers(0, 2**48 - 1),  # words as they stand have 48 bits for it: the year 10889
)
def test_whatever_is_recorded_can_be_read_again(
    choice: dict[str, bool], how: Circumstances, site: str, now: int
) -> None:
    ledger = Ledger.memory(Keyring.memory())
    recorded = ledger.record(site, "device", "canary-device-7", choice, "site", now, how)
    line = draw(recorded.said, recorded.link, Site(id=site), PACK, KEY)
    receipt = read(line, [KEY.public])
    assert {one.purpose: one.decision == "granted" for one in receipt.purposes} == choice
    assert (receipt.site, receipt.time, receipt.ledger.position) == (site, now, 1)
    assert (receipt.method.surface, receipt.notice.wording) == (how.surface, how.wording)
    assert b"canary" not in line
    assert b"\n" not in line
    assert receipt.controller is None
    # What a program reads and writes again without blanks is the same line.
    again = json.dumps(json.loads(line), ensure_ascii=False, separators=(",", ":")).encode()
    assert again == line


@given(st.data())
def test_any_byte_that_was_changed_is_found(data: st.DataObject) -> None:
    line = golden()
    at = data.draw(st.integers(0, len(line) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[at]))
    assert why(line[:at] + bytes([byte]) + line[at + 1 :])


def test_each_place_holds_against_each_change_of_one_bit() -> None:
    line = golden()
    for at in range(len(line)):
        for bit in range(8):
            assert why(line[:at] + bytes([line[at] ^ 1 << bit]) + line[at + 1 :])


@given(st.integers(0, 5000), st.binary(max_size=3))
def test_cut_off_or_with_more_behind_it(length: int, more: bytes) -> None:
    assert why(golden()[: length % len(golden())])
    if more:
        assert why(golden() + more)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b'{"schema":"\xff"}', "not_utf8"),
        (b"[" * 10_000, "not_json"),
        (b"1" * 5_000, "not_json"),
        (b"{" * LARGEST + b"{", "too_large"),
        (b"[]", "schema"),
        (b"{}", "schema"),
        (b'{"schema":"throng-consent-receipt/2"}', "schema"),
        (b'{"schema":["throng-consent-receipt/1"]}', "schema"),
        (b'{"schema":"throng-consent-receipt/1"}', "shape"),
        (b'{"schema":"throng-consent-receipt/1","schema":"throng-consent-receipt/1"}', "repeated"),
        (b'{"a":{"b":1,"b":1}}', "repeated"),
        (b'{"time":1.0}', "fraction"),
        (b'{"time":NaN}', "fraction"),
    ],
)
def test_no_receipt_at_all(line: bytes, code: str) -> None:
    assert why(line) == code


def test_a_signature_does_not_excuse_the_shape() -> None:
    def put(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
        return lambda said: said.__setitem__(name, value)

    assert why(signed(put("more", 1))) == "shape"
    assert why(signed(put("time", "1"))) == "shape"
    assert why(signed(put("time", True))) == "shape"
    assert why(signed(put("time", -1))) == "shape"
    assert why(signed(put("time", 2**53))) == "shape"
    for position in (-1, 0, 2**53, 2**63):
        assert why(signed(put("ledger", {"position": position, "commitment": "A"}))) == "shape"
    assert why(golden().replace(b'"shop"', b'"\\ud800"')) == "shape"
    assert why(signed(lambda said: said.pop("purposes"))) == "shape"
    assert why(signed(lambda said: said["ledger"].pop("position"))) == "shape"
    assert why(signed(put("schema", "throng-consent-receipt/2"))) == "schema"
    assert read(signed(put("time", 1)), [KEY.public]).time == 1


def test_another_way_to_write_the_same_is_refused() -> None:
    said = json.loads(golden())
    assert why(json.dumps(said).encode()) == "not_canonical"
    assert why(golden() + b"\n") == "not_canonical"
    assert why(golden().replace(b"shop", b"\\u0073hop")) == "not_canonical"
    assert why(canonical(dict(said, signature=said["signature"] + "=="))) == "signature"
    # A last character whose unused bits are set stands for the same bytes, and is another text.
    letters = ascii_uppercase + ascii_lowercase + digits + "-_"
    other = said["signature"][:-1] + letters[letters.index(said["signature"][-1]) ^ 1]
    assert why(canonical(dict(said, signature=other))) == "signature"


def test_another_key() -> None:
    assert why(golden(), OTHER.public) == "other_key"
    said = json.loads(golden())
    said["key"] = OTHER.public.id
    assert why(canonical(said), OTHER.public) == "signature"
    forged = draw(RECORD, LINK, SITE, PACK, OTHER)
    assert why(forged) == "other_key"
    said = json.loads(forged)
    said["key"] = KEY.public.id
    assert why(canonical(said)) == "signature"


# The key.


def test_the_key_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "receipts.key"
    signer = Signer(file)
    assert not file.exists(), "only when it is needed"
    key = signer.key()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["receipts.key"]
    assert signer.key() is key
    assert Signer(file).key().public.id == key.public.id == SigningKey.read(file).public.id
    # What is published is not what is kept.
    assert PublicKey.parse(json.dumps(key.public.jwk())).id == key.public.id
    assert PublicKey.parse(key.public.jwk()["x"] + "\n").raw == key.public.raw
    assert set(key.public.jwk()) == {"kty", "crv", "alg", "use", "kid", "x"}


def test_of_two_processes_that_make_the_key_the_first_holds(tmp_path: Path) -> None:
    file = tmp_path / "receipts.key"
    first, late = Signer(file), Signer(file)
    key = first.key()
    assert late._make().public.id == key.public.id  # it had looked before the other was done
    assert [one.name for one in tmp_path.iterdir()] == ["receipts.key"]


def test_a_draft_that_was_left_behind_is_written_anew(tmp_path: Path) -> None:
    for name in ("receipts.new", "receipts-1.key"):
        (tmp_path / name).write_text("half a key")
        (tmp_path / name).chmod(0o644)
    Signer(tmp_path / "receipts.key").key()
    assert (tmp_path / "receipts.key").stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["receipts.key"]


@pytest.mark.parametrize("text", [b"", b"canary", b"\xff\x00", b"-----BEGIN PRIVATE KEY-----\ncanary\n"])
def test_a_key_that_is_damaged_is_not_replaced(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "receipts.key"
    file.write_bytes(text)
    with pytest.raises(Broken, match="is damaged: restore it, or move it away") as broken:
        Signer(file).key()
    assert "canary" not in str(broken.value)
    assert file.read_bytes() == text


def test_a_key_that_can_not_be_made_is_tried_again(tmp_path: Path) -> None:
    place = tmp_path / "later"
    signer = Signer(place / "receipts.key")
    with pytest.raises(OSError):
        signer.key()
    place.mkdir()
    assert signer.key().public.id == SigningKey.read(place / "receipts.key").public.id


@pytest.mark.parametrize(
    "text",
    ["", "canary", "{}", "{", "[" * 9, '{"kty":"OKP","crv":"X25519","x":"AAAA"}', "A" * 42, "A" * 44,
     "A" * 42 + "B", '{"kty":"OKP","crv":"Ed25519","x":7}', '{"kty":"OKP","crv":"Ed25519","x":"AAAA"}',
     "é" * 43],
)  # fmt: skip
def test_no_public_key(text: str) -> None:
    with pytest.raises(ValueError):
        PublicKey.parse(text)


def test_thumbprint_as_the_standard_has_it() -> None:
    """RFC 8037, appendix A.3."""
    key = PublicKey.parse("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    assert key.id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_signature_as_the_standard_has_it() -> None:
    """RFC 8032, section 7.1, test 2."""
    key = SigningKey.of(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    assert key.public.raw.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert (
        key.sign(b"\x72").hex().startswith("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da")
    )
