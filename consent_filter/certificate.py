"""Certificates of removal: what was searched, written anew, deleted and kept, signed for whoever asks (S3).

One certificate is one removal, perhaps of several people; whoever asked finds the number of the request in
it. It names files of facts by their content, before and after, and nobody's pseudonym. `check` needs nothing
but the certificate and the public key; against a data folder more can be said (`throng rights verify`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from consent_filter.errors import Refused
from consent_filter.receipt import canonical, genuine
from consent_filter.signing import PublicKey, SigningKey, to_text

SCHEMA = "throng-erasure-certificate/1"
_EXACT = 2**53 - 1
_Number = Annotated[int, Meta(ge=0, le=_EXACT)]


class FactFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of facts: name in the lake, rows, SHA-256 of its bytes."""

    file: str
    rows: _Number
    sha256: str


class Rewritten(Struct, frozen=True, forbid_unknown_fields=True):
    """A file that held somebody, and those that stand for it."""

    old: FactFile
    new: tuple[FactFile, ...]


class Searched(Struct, frozen=True, forbid_unknown_fields=True):
    """One store: files looked at, rows found, rows left in the end (none), and what was done."""

    holder: str
    files: _Number
    found: _Number
    left: _Number
    removed: tuple[str, ...]


class Remains(Struct, frozen=True, forbid_unknown_fields=True):
    """What stays, why, and until when (M85)."""

    what: str
    why: str
    until: str


class Certificate(Struct, frozen=True, forbid_unknown_fields=True):
    """Times are UTC milliseconds. before: every file of facts as the catalog listed them, `root_before` its
    hash; `root_after` the hash of the list with `rewritten` replaced. rows_before, rows_after: as the catalog
    counted them. rewritten_at: the catalog's snapshot with that list. copies_until: the last moment at which
    a backup made by us can still hold what was removed."""

    schema: str
    id: str
    requests: tuple[str, ...]
    people: _Number
    reasons: tuple[str, ...]
    begun: _Number
    done: _Number
    before: tuple[FactFile, ...]
    root_before: str
    rows_before: _Number
    rewritten: tuple[Rewritten, ...]
    root_after: str
    rows_after: _Number
    rewritten_at: _Number
    searched: tuple[Searched, ...]
    remains: tuple[Remains, ...]
    copies_until: _Number
    key: str
    signature: str


def root(files: Iterable[FactFile]) -> str:
    """The hash of a list of files, whatever its order."""
    listed = sorted([file.file, file.rows, file.sha256] for file in files)
    return hashlib.sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()


def after(certificate: Certificate) -> list[FactFile]:
    """The list of files with those rewritten replaced."""
    old = {one.old.file for one in certificate.rewritten}
    kept = [file for file in certificate.before if file.file not in old]
    return kept + [file for one in certificate.rewritten for file in one.new]


def draw(key: SigningKey, **said: Any) -> bytes:
    """Sign one: the members of Certificate but schema, roots, key and signature; one line."""
    empty = {"schema": SCHEMA, "root_before": "", "root_after": "", "key": key.public.id, "signature": ""}
    draft = msgspec.convert(msgspec.to_builtins(said) | empty, Certificate)
    whole = msgspec.to_builtins(draft)
    whole |= {"root_before": root(draft.before), "root_after": root(after(draft))}
    del whole["signature"]
    return canonical(whole | {"signature": to_text(key.sign(canonical(whole)))})


def check(line: bytes, keys: Iterable[PublicKey]) -> Certificate:
    """A certificate that one of these keys has signed, and that agrees with itself. Raises Refused, which
    says why it is none."""
    try:
        said = json.loads(line)
        found = msgspec.convert(said, Certificate)
        written = canonical(said)
    except (ValueError, RecursionError, msgspec.ValidationError):
        raise Refused(400, "shape", "it is no certificate: cut off, or members missing or unknown") from None
    if found.schema != SCHEMA:
        raise Refused(400, "schema", f"it is not of the schema {SCHEMA}")
    if written != line.removesuffix(b"\n"):
        raise Refused(400, "not_canonical", "it is not written as it was signed: one line, names in order")
    genuine(said, keys)
    if wrong := contradiction(found):
        raise Refused(400, "contradiction", wrong)
    return found


def contradiction(one: Certificate) -> str:
    """What in it can't be true together; "" where nothing is against it."""
    listed = {file.file: file for file in one.before}
    if len(listed) != len(one.before):
        return "a file is listed twice"
    if any(listed.get(each.old.file) != each.old for each in one.rewritten):
        return "a file was rewritten that is not in the list"
    rest = after(one)
    if len({file.file for file in rest}) != len(rest):
        return "two files stand under one name"
    if root(one.before) != one.root_before or root(rest) != one.root_after:
        return "the list of files is not the one whose hash it names"
    if sum(file.rows for file in one.before) != one.rows_before:
        return "the files listed hold fewer or more rows than the catalog counted: one was left out"
    if sum(file.rows for file in rest) != one.rows_after:
        return "the files that remain hold fewer or more rows than the catalog counted"
    if any(store.left for store in one.searched):
        return "something was left"
    if one.done < one.begun:
        return "it was done before it was begun"
    return ""
