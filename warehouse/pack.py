"""Packs: what a recipient holds, and a signed manifest by which it is checked without us (S16, M91, M131).

A pack is a folder, or the one zip that stands for it: files, and `manifest.json`, one line of canonical
JSON that names each of them by its SHA-256 and is signed (Ed25519). The zip is stored and without clock, so
there is one zip for a folder: `verify` makes it anew and compares, and no byte of it is left unlooked at.
Numbers that are no whole ones are texts in a manifest, as a fraction has more than one canonical form.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from consent_filter.errors import Refused
from consent_filter.receipt import canonical, genuine
from consent_filter.signing import PublicKey, SigningKey, to_text

SCHEMA = "throng-pack/1"
MANIFEST = "manifest.json"
#: Bytes of a pack, and of its manifest, above which nobody unpacks it.
LARGEST, LARGEST_MANIFEST = 1 << 30, 16 << 20
_Number = Annotated[int, Meta(ge=0, le=2**53 - 1)]
_SHA = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
#: As zip knows no earlier time; a clock would make two packs of one.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


class File(Struct, frozen=True, forbid_unknown_fields=True):
    """One file: its name in the pack, its size, and the SHA-256 of its bytes."""

    name: str
    bytes: _Number
    sha256: _SHA


class Given(Struct, frozen=True, forbid_unknown_fields=True):
    """To whom it was given, and on which terms (M91)."""

    recipient: str
    kind: str
    region: str
    terms: str
    permitted_use: str


class Figure(Struct, frozen=True, forbid_unknown_fields=True):
    """One number of a table: what one person may add to it, the noise's standard deviation, and what share
    of the exact total the cap took."""

    name: str
    most: _Number
    scale: str
    clipped: str


class Content(Struct, frozen=True, forbid_unknown_fields=True):
    """One table, as its draft says it. sha256: of the Parquet file that the draft holds, and the pack."""

    name: str
    purpose: str
    method: str
    keys: tuple[str, ...]
    figures: tuple[Figure, ...]
    rows: _Number
    held_back: _Number | None
    cells: _Number
    least: _Number
    rho: str
    delta: str
    sha256: _SHA


class Ground(Struct, frozen=True, forbid_unknown_fields=True):
    """On what figures of a site may be read where the recipient is (M101); `until` is the first day on which
    the mechanism does not hold any more, "" is open."""

    site: str
    policy: str
    origin: str
    to: str
    mechanism: str
    until: str


class Revision(Struct, frozen=True, forbid_unknown_fields=True):
    """One version of this release. draft: the SHA-256 of draft.json; why: what it mends, "" of the first."""

    version: _Number
    release: str
    draft: _SHA
    why: str
    at: _Number


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """id: of this delivery. release: of what was approved, by whom and when. Times are UTC milliseconds.
    revisions: all versions up to this one, the oldest first; the last is this one. compared: the release of
    the year before, and the SHA-256 of its draft, where the pack shows it. made_of: the draft's lineage:
    snapshot, code, definitions (S24). code: what has rendered this."""

    schema: str
    id: str
    release: str
    audience: str
    period: str
    first: str
    last: str
    sites: tuple[str, ...]
    drafted: _Number
    approved: _Number
    approved_by: str
    delivered: _Number
    given: Given
    confidence: str
    files: tuple[File, ...]
    tables: tuple[Content, ...]
    policies: dict[str, tuple[str, ...]]
    mix: dict[str, dict[str, _Number]]
    transfers: tuple[str, ...]
    grounds: tuple[Ground, ...]
    revisions: tuple[Revision, ...]
    compared: dict[str, str]
    made_of: dict[str, Any]
    code: dict[str, str]
    key: str
    signature: str


def exact(said: Any) -> Any:
    """The same without fractions: those become the shortest text that stands for them."""
    if isinstance(said, float):
        return repr(said)
    if isinstance(said, Mapping):
        return {str(name): exact(one) for name, one in said.items()}
    if isinstance(said, (list, tuple)):
        return [exact(one) for one in said]
    return said


def listed(files: Mapping[str, bytes]) -> tuple[File, ...]:
    """Files as a manifest names them, in order."""
    return tuple(File(name, len(data), sha256(data)) for name, data in sorted(files.items()))


def draw(key: SigningKey, **said: Any) -> bytes:
    """A signed manifest: the members of Manifest but schema, key and signature; one line."""
    empty = {"schema": SCHEMA, "key": key.public.id, "signature": ""}
    whole = msgspec.to_builtins(msgspec.convert(msgspec.to_builtins(said) | empty, Manifest))
    del whole["signature"]
    return canonical(whole | {"signature": to_text(key.sign(canonical(whole)))})


def check(line: bytes, keys: Iterable[PublicKey]) -> Manifest:
    """A manifest that one of these keys has signed. Raises Refused, which says why it is none."""
    try:
        said = json.loads(line)
        found = msgspec.convert(said, Manifest)
        written = canonical(said)
    except (ValueError, RecursionError, msgspec.ValidationError):
        raise Refused(400, "manifest", "the manifest is cut off, or members are missing or unknown") from None
    if found.schema != SCHEMA:
        raise Refused(400, "schema", f"the manifest is not of the schema {SCHEMA}")
    if written != line:
        raise Refused(400, "not_canonical", "the manifest is not written as it was signed")
    genuine(said, keys)
    return found


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The one zip of these files: in order, stored, without clock or owner."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as whole:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            whole.writestr(entry, data)
    return out.getvalue()


def opened(pack: Path) -> dict[str, bytes]:
    """The files of a pack, by name. Raises Refused where it is none, or no zip that we have made."""
    try:
        if pack.is_dir():
            return {
                file.relative_to(pack).as_posix(): _read(file)
                for file in sorted(pack.rglob("*"))
                if not file.is_dir()
            }
        return _unzipped(pack.read_bytes())
    except OSError as error:
        raise Refused(400, "unreadable", f"it can't be read: {error.strerror}") from None


def _read(file: Path) -> bytes:
    if file.is_symlink() or not file.is_file():
        raise Refused(400, "link", f"{file.name} is a link or no plain file: a pack has none")
    return file.read_bytes()


def _unzipped(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as whole:
            entries = whole.infolist()
            if sum(entry.file_size for entry in entries) > LARGEST:
                raise Refused(413, "too_large", "it unpacks to more than any pack of ours")
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise Refused(400, "zip", "it is no zip that we have made: something in it is compressed")
            files = {entry.filename: whole.read(entry) for entry in entries}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError):
        raise Refused(400, "zip", "it is no whole zip: a byte of it is not as it was made") from None
    for name in files:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
            raise Refused(400, "name", "a file in it has a name that leads elsewhere")
    if zipped(files) != data:
        raise Refused(400, "zip", "the zip is not the one that we make of these files")
    return files


def verify(files: Mapping[str, bytes], keys: Iterable[PublicKey]) -> Manifest:
    """The manifest of a pack, if it is whole and one of these keys has signed it. Needs nothing else: no
    network and no data folder. Raises Refused, which says what is wrong, and with which file."""
    line = files.get(MANIFEST)
    if line is None:
        raise Refused(400, "no_manifest", f"there is no {MANIFEST}: it is no pack, or not a whole one")
    if len(line) > LARGEST_MANIFEST:
        raise Refused(413, "too_large", "the manifest is larger than any of ours")
    found = check(line, keys)
    named = {file.name: file for file in found.files}
    if len(named) != len(found.files) or MANIFEST in named:
        raise Refused(400, "contradiction", "the manifest names a file twice, or itself")
    if missing := sorted(named.keys() - files.keys()):
        raise Refused(400, "missing", f"missing: {', '.join(missing)}")
    if added := sorted(files.keys() - named.keys() - {MANIFEST}):
        raise Refused(400, "added", f"not of this pack: {', '.join(ascii(name) for name in added)}")
    changed = [
        name
        for name, one in named.items()
        if (len(files[name]), sha256(files[name])) != (one.bytes, one.sha256)
    ]
    if changed:
        raise Refused(400, "changed", f"not as it was signed: {', '.join(sorted(changed))}")
    if wrong := contradiction(found):
        raise Refused(400, "contradiction", wrong)
    return found


def contradiction(one: Manifest) -> str:
    """What in it can't be true together; "" where nothing is against it."""
    held = {file.name: file.sha256 for file in one.files}
    for table in one.tables:
        if held.get(f"tables/{table.name}.parquet") != table.sha256:
            return f"the table {table.name} is not the one that was drafted"
    numbers = [revision.version for revision in one.revisions]
    if numbers != list(range(1, len(numbers) + 1)):
        return "a version is missing in the revision history"
    if not one.revisions or one.revisions[-1].release != one.release:
        return "the revision history does not end with this release"
    if any(not revision.why for revision in one.revisions[1:]):
        return "a version gives no reason"
    return ""


def sha256(data: bytes) -> str:
    """As files are named by."""
    return hashlib.sha256(data).hexdigest()
