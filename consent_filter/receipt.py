"""Consent receipts: what the ledger has recorded of a choice, signed, for whoever chose (ISO/IEC TS 27560).

A receipt is one line of canonical JSON (RFC 8785): names in order, no blanks, UTF-8, no fractions. Signed is
that line without its `signature`; a receipt that is written in any other way is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import Meta, Struct

from consent_filter.chain import Found, Link
from consent_filter.errors import Refused
from consent_filter.fields import stored
from consent_filter.policy import Pack
from consent_filter.purpose import BY_NAME
from consent_filter.signing import PublicKey, SigningKey, to_bytes, to_text
from consent_filter.site import Site

SCHEMA = "throng-consent-receipt/1"
#: Bytes of one receipt; ours have one to four thousand.
LARGEST = 16 * 1024
#: Up to here every reader of JSON has the same number.
_EXACT = 2**53 - 1


class Notice(Struct, frozen=True, forbid_unknown_fields=True):
    """What the choice was made over: the text that was shown, and the policy in force."""

    wording: str | None
    language: str | None
    policy: str
    text: str


class Decided(Struct, frozen=True, forbid_unknown_fields=True):
    """One purpose. basis is None where nothing is done for it; data: the columns that are stored for it;
    kept_days: how long, None where none are."""

    purpose: str
    decision: str
    basis: str | None
    data: tuple[str, ...]
    kept_days: int | None


class Jurisdiction(Struct, frozen=True, forbid_unknown_fields=True):
    """Where it was chosen, if known, and which of the pack's rules hold there."""

    country: str | None
    regime: str | None


class Method(Struct, frozen=True, forbid_unknown_fields=True):
    """Where it was chosen, if known, and who wrote it down."""

    surface: str | None
    source: str


class Held(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the ledger holds the record, and the salted hash that it holds of it for ever."""

    position: Annotated[int, Meta(ge=1, le=_EXACT)]
    commitment: str


class Receipt(Struct, frozen=True, forbid_unknown_fields=True):
    """controller: who answers for the site, if the settings say. subject: whose it is, as a salted hash of
    this one record; the salt is in the ledger until they are erased. time: UTC milliseconds. key: which key
    has signed."""

    schema: str
    id: str
    controller: str | None
    site: str
    subject: str
    notice: Notice
    purposes: tuple[Decided, ...]
    recipients: tuple[str, ...]
    jurisdiction: Jurisdiction
    method: Method
    time: Annotated[int, Meta(ge=0, le=_EXACT)]
    ledger: Held
    key: str
    signature: str


def canonical(said: Mapping[str, Any]) -> bytes:
    """The one way to write it."""
    return json.dumps(
        said, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()


def genuine(said: Mapping[str, Any], keys: Iterable[PublicKey]) -> None:
    """Whether one of the keys has signed that. Raises Refused, which says why it is not so."""
    key = next((key for key in keys if key.id == said["key"]), None)
    if key is None:
        raise Refused(400, "other_key", "it is signed with another key")
    try:
        signature = to_bytes(said["signature"])
    except ValueError:
        signature = b""
    if not key.verifies(signature, canonical({name: said[name] for name in said if name != "signature"})):
        raise Refused(400, "signature", "the signature is not that of what is written")


def draw(record: Mapping[str, Any], link: Link, site: Site, pack: Pack, key: SigningKey) -> bytes:
    """The receipt of a record of the ledger about that site, under the pack that was in force."""
    regime = pack.regimes.get(record.get("regime", ""))
    used = regime.purposes if regime else {}

    def granted(name: str) -> Decided:
        # As `decide` has it: what was agreed to stands on consent, and what no regime names is never done.
        if name not in used:
            return Decided(name, "granted", None, (), None)
        data = stored(BY_NAME[name])
        kept = pack.days(record.get("regime", ""), name) if data else None
        return Decided(name, "granted", "consent", data, kept)

    receipt = Receipt(
        schema=SCHEMA,
        id=to_text(link.commitment[:16]),
        controller=site.controller or None,
        site=record["site"],
        subject=to_text(link.subject),
        notice=Notice(record.get("wording"), record.get("locale"), record["policy"], pack.policy),
        purposes=(
            *[granted(name) for name in record["granted"]],
            *[Decided(name, "denied", None, (), None) for name in record["denied"]],
        ),
        recipients=pack.recipients,
        jurisdiction=Jurisdiction(record.get("jurisdiction"), record.get("regime")),
        method=Method(record.get("surface"), record["source"]),
        time=record["at"],
        ledger=Held(link.position, to_text(link.commitment)),
        key=key.public.id,
        signature="",
    )
    said = msgspec.to_builtins(receipt)
    del said["signature"]
    return canonical(said | {"signature": to_text(key.sign(canonical(said)))})


def read(line: bytes, keys: Iterable[PublicKey]) -> Receipt:
    """A receipt that one of these keys has signed. Raises Refused, which says why it is none."""
    if len(line) > LARGEST:
        raise Refused(400, "too_large", f"a receipt has at most {LARGEST} bytes")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise Refused(400, "not_utf8", "it is not UTF-8") from None
    try:
        said = json.loads(text, object_pairs_hook=_once, parse_float=_fraction, parse_constant=_fraction)
    except (ValueError, RecursionError):
        raise Refused(400, "not_json", "it is no JSON: cut off, or never a receipt") from None
    if not isinstance(said, dict) or said.get("schema") != SCHEMA:
        raise Refused(400, "schema", f"it is not of the schema {SCHEMA}")
    try:
        receipt = msgspec.convert(said, Receipt)
        as_written = canonical(said) == line
    except (msgspec.ValidationError, UnicodeEncodeError):
        raise Refused(400, "shape", "members are missing, unknown or of another type") from None
    if not as_written:
        raise Refused(400, "not_canonical", "it is not written as it was signed: one line, names in order")
    genuine(said, keys)
    return receipt


def held(receipt: Receipt, found: Found | None) -> str:
    """Whether the ledger has the record: "held", or "erased" where only the commitment is left.

    Raises Refused where it has another one, or none: then it is not the ledger that the receipt speaks of.
    """
    if found is None or to_text(found.commitment) != receipt.ledger.commitment:
        raise Refused(400, "not_held", "the ledger does not hold this commitment at this position")
    if found.subject is None or found.text is None:
        return "erased"
    record = json.loads(found.text)
    says = {
        "site": receipt.site,
        "granted": [one.purpose for one in receipt.purposes if one.decision == "granted"],
        "denied": [one.purpose for one in receipt.purposes if one.decision == "denied"],
        "source": receipt.method.source,
        "at": receipt.time,
        "surface": receipt.method.surface,
        "locale": receipt.notice.language,
        "wording": receipt.notice.wording,
        "policy": receipt.notice.policy,
        "jurisdiction": receipt.jurisdiction.country,
        "regime": receipt.jurisdiction.regime,
    }
    same = all(record.get(name) == value for name, value in says.items())
    if not same or to_text(found.subject) != receipt.subject:
        raise Refused(400, "differs", "the ledger's record says otherwise")
    return "held"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) != len(pairs):
        raise Refused(400, "repeated", "a name stands twice in one object")
    return found


def _fraction(_: str) -> NoReturn:
    raise Refused(400, "fraction", "it holds a fraction, and no receipt does")
