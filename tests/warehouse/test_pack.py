"""A pack is whole and ours, or refused: whatever byte was changed, and whatever file was swapped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter.errors import Refused
from consent_filter.receipt import canonical
from consent_filter.signing import PublicKey, SigningKey, to_text
from warehouse import pack
from warehouse.pack import Content, Figure, Given, Ground, Revision

KEY = SigningKey.of(b"k" * 32)
HERE = Path(__file__).parent / "packs"
FILES = {
    "README.txt": b"what this is\n",
    "report.pdf": b"%PDF-1.4 and so on",
    "tables/growth.csv": b"month,people\r\n2026-07,1200\r\n",
    "tables/growth.parquet": b"PAR1 rows PAR1",
}


def drawn(files: dict[str, bytes] = FILES, key: SigningKey = KEY, **other: Any) -> dict[str, bytes]:
    """A pack with a manifest."""
    sha = pack.sha256(files["tables/growth.parquet"])
    said: dict[str, Any] = {
        "id": "00ff", "release": "investors-2026-Q3-2", "audience": "investors", "period": "2026-Q3",
        "first": "2026-07-01", "last": "2026-09-30", "sites": ["market"], "drafted": 1_791_000_000_000,
        "approved": 1_791_000_100_000, "approved_by": "Ada Officer", "delivered": 1_791_000_200_000,
        "given": Given("example-capital", "investor", "US", "T-7", "For assessing an investment."),
        "confidence": "0.95", "files": pack.listed(files),
        "tables": [Content("growth", "measurement", "noise", ("site", "month"),
                           (Figure("people", 1, "30.0", "0.0"),), 3, None, 1, 50, "0.01", "1e-09", sha)],
        "policies": {"market": ["workallies-2024/1"]}, "mix": {"market": {"stored": 4711, "consent": 300}},
        "transfers": ["standard contractual clauses (2021/914)"],
        "grounds": [Ground("market", "workallies-2024 1", "EU", "US", "clauses", "2030-01-01")],
        "revisions": [Revision(1, "investors-2026-Q3-1", "aa" * 32, "", 1_790_000_000_000),
                      Revision(2, "investors-2026-Q3-2", "bb" * 32, "robots counted", 1_791_000_000_000)],
        "compared": {}, "made_of": pack.exact({"snapshot": 4711, "rho": 0.15}), "code": {"throng": "0.1.0"},
    }  # fmt: skip
    return files | {pack.MANIFEST: pack.draw(key, **(said | other))}


WHOLE = drawn()
ZIP = pack.zipped(WHOLE)


def why(files: dict[str, bytes], keys: list[PublicKey] | None = None) -> str:
    with pytest.raises(Refused) as refused:
        pack.verify(files, keys or [KEY.public])
    return f"{refused.value.code}: {refused.value.message}"


@pytest.mark.requirement("S16", "M131")
def test_what_was_signed_is_whole(tmp_path: Path) -> None:
    assert pack.verify(WHOLE, [KEY.public]).given.terms == "T-7"
    (tmp_path / "pack.zip").write_bytes(ZIP)
    assert pack.opened(tmp_path / "pack.zip") == WHOLE
    for name, body in WHOLE.items():
        (tmp_path / "pack" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pack" / name).write_bytes(body)
    assert pack.verify(pack.opened(tmp_path / "pack"), [KEY.public]).release == "investors-2026-Q3-2"
    (tmp_path / "pack" / "link").symlink_to(tmp_path / "pack" / "report.pdf")
    with pytest.raises(Refused, match="link"):
        pack.opened(tmp_path / "pack")


@pytest.mark.requirement("S16", "M131")
def test_one_bit_of_any_file_is_found_and_the_file_named() -> None:
    for name, body in WHOLE.items():
        for at in range(len(body)):
            changed = bytes([*body[:at], body[at] ^ 1 << at % 8, *body[at + 1 :]])
            said = why(WHOLE | {name: changed})
            assert name == pack.MANIFEST or said == f"changed: not as it was signed: {name}"


@pytest.mark.requirement("S16")
@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(ZIP) - 1), st.integers(1, 255))
def test_no_byte_of_the_zip_is_left_unlooked_at(tmp_path_factory: Any, at: int, by: int) -> None:
    """Also those that no reader of zips looks at: times, attributes, what lies between."""
    path = tmp_path_factory.getbasetemp() / "flipped.zip"
    path.write_bytes(bytes([*ZIP[:at], ZIP[at] ^ by, *ZIP[at + 1 :]]))
    with pytest.raises(Refused):
        pack.verify(pack.opened(path), [KEY.public])


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_and_a_swapped_file_are_named(name: str) -> None:
    assert why({one: body for one, body in WHOLE.items() if one != name}) == f"missing: missing: {name}"
    other = next(one for one in FILES if one != name)
    assert name in why(WHOLE | {name: FILES[other], other: FILES[name]})
    assert why(WHOLE | {"note.txt": b"hello"}) == "added: not of this pack: 'note.txt'"


def test_whoever_else_signs_it_is_found() -> None:
    other = SigningKey.of(b"o" * 32)
    assert why(drawn(key=other)).startswith("other_key")
    assert pack.verify(drawn(key=other), [KEY.public, other.public]).key == other.public.id


def test_a_member_that_nobody_knows_is_found_even_if_signed() -> None:
    said = json.loads(WHOLE[pack.MANIFEST])
    del said["signature"]
    said["approved_by_nobody"] = True
    line = canonical(said | {"signature": to_text(KEY.sign(canonical(said)))})
    assert why(WHOLE | {pack.MANIFEST: line}).startswith("manifest")
    assert why(WHOLE | {pack.MANIFEST: WHOLE[pack.MANIFEST] + b"\n"}).startswith("not_canonical")
    assert why(FILES).startswith("no_manifest")


def test_a_manifest_may_not_speak_against_itself() -> None:
    table = json.loads(WHOLE[pack.MANIFEST])["tables"][0]
    assert "growth is not the one" in why(drawn(tables=[table | {"sha256": "ab" * 32}]))
    revisions = json.loads(WHOLE[pack.MANIFEST])["revisions"]
    assert "a version is missing" in why(drawn(revisions=revisions[1:]))
    assert "does not end" in why(drawn(revisions=revisions[:1]))
    assert "no reason" in why(drawn(revisions=[revisions[0], revisions[1] | {"why": ""}]))


@pytest.mark.parametrize("name", ["../out.txt", "/etc/passwd", "a\\b"])
def test_a_zip_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "bad.zip").write_bytes(pack.zipped({name: b"x"}))
    with pytest.raises(Refused):
        pack.opened(tmp_path / "bad.zip")


@pytest.mark.requirement("S16")
def test_a_pack_of_old_code_is_whole_for_new_code(tmp_path: Path) -> None:
    """`packs/golden.zip` was made by the first version that made any; its key is beside it. Never make it
    anew: a reader of the schema that it has must stay."""
    shutil.copy(HERE / "golden.zip", tmp_path)
    key = PublicKey.parse((HERE / "golden.json").read_text())
    found = pack.verify(pack.opened(tmp_path / "golden.zip"), [key])
    assert (found.schema, found.given.recipient) == ("throng-pack/1", "example-capital")
