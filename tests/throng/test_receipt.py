"""`throng receipt` as who holds a receipt runs it, and as who keeps the ledger does."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consent_filter.circumstances import Circumstances
from consent_filter.ledger import Ledger
from consent_filter.policy import load
from consent_filter.pseudonym import Keyring
from consent_filter.receipt import LARGEST, canonical, draw
from consent_filter.signing import Signer, SigningKey, to_text
from consent_filter.site import Site
from tests.throng.conftest import Said, Throng
from tests.whole.running import ENVIRON

HOW = Circumstances(
    surface="banner", locale="de-CH", wording="banner/3", policy="workallies-2024/1", jurisdiction="CH",
    regime="opt_in",
)  # fmt: skip
IDS = ["canary-device-1", "canary-device-2", "canary-device-3"]
PACK = load("workallies-2024")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    data = tmp_path / "data"
    data.mkdir()
    ledger = Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"))
    yield ledger
    ledger.close()


@pytest.fixture
def receipts(tmp_path: Path, ledger: Ledger) -> list[bytes]:
    """Three people's receipts."""
    key = Signer(tmp_path / "data" / "receipts.key").key()
    lines = []
    for id in IDS:
        recorded = ledger.record("shop", "device", id, {"measurement": True}, "site", 1_000, HOW)
        lines.append(draw(recorded.said, recorded.link, Site(id="shop"), PACK, key))
    return lines


def answers(said: Said) -> list[dict[str, Any]]:
    assert said.err == ""
    return [json.loads(line) for line in said.out.splitlines()]


def only(said: Said, why: str) -> dict[str, Any]:
    """There is one answer: invalid, for that reason."""
    assert said.code == 1
    [found] = answers(said)
    assert (found["receipt"], found["why"]) == ("invalid", why), found
    assert found["says"]
    assert "canary" not in said.out
    return found


def changed(data: Path, change: str) -> None:
    database = sqlite3.connect(data / "ledger.sqlite")
    database.execute(change)
    database.commit()
    database.close()


def test_valid_and_held(tmp_path: Path, receipts: list[bytes], throng: Throng) -> None:
    file = tmp_path / "receipts.jsonl"
    file.write_bytes(b"\n".join(receipts) + b"\n")
    said = throng("receipt", "verify", str(file))
    assert said.code == 0
    found = answers(said)
    assert [(one["file"], one["line"]) for one in found] == [(str(file), n) for n in (1, 2, 3)]
    for one in found:
        assert (one["receipt"], one["ledger"], one["site"], one["time"]) == ("valid", "held", "shop", 1_000)
    assert answers(throng("receipt", "verify", given=receipts[0]))[0]["file"] == "-"
    assert answers(throng("receipt", "verify", "-", given=receipts[0]))[0]["receipt"] == "valid"


def test_with_the_key_alone_nothing_else_is_needed(
    tmp_path: Path, receipts: list[bytes], throng: Throng
) -> None:
    """Whoever holds a receipt has no data folder."""
    published = throng("receipt", "key").out
    (tmp_path / "key.json").write_text(published)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    x, other = json.loads(published)["x"], to_text(SigningKey.of(bytes(32)).public.raw)

    def verify(*keys: str) -> dict[str, Any]:
        command = [
            sys.executable,
            "-m",
            "throng.main",
            "receipt",
            "verify",
            *(f"--key={key}" for key in keys),
        ]
        done = subprocess.run(
            command, input=receipts[0], capture_output=True, cwd=elsewhere, env=ENVIRON, timeout=60
        )
        assert done.stderr == b""
        found: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (found["receipt"] != "valid")
        assert "ledger" not in found
        return found

    assert verify(x)["receipt"] == verify("../key.json")["receipt"] == "valid"
    assert verify(other, x)["receipt"] == "valid"
    assert verify(other)["why"] == "other_key"
    assert list(elsewhere.iterdir()) == []


def test_each_is_judged_by_itself(tmp_path: Path, receipts: list[bytes], throng: Throng) -> None:
    first, second, third = receipts
    lines = [first, second.replace(b'"granted"', b'"denied"'), b"", third[:-40], third]
    said = throng("receipt", "verify", given=b"\n".join(lines))
    assert said.code == 1
    found = answers(said)
    assert [(one["line"], one.get("why", "valid")) for one in found] == [
        (1, "valid"), (2, "signature"), (4, "not_json"), (5, "valid"),
    ]  # fmt: skip


def _resigned(line: bytes, data: Path, change: Callable[[dict[str, Any]], None]) -> bytes:
    """As an operator could who has the key: what the ledger says stands against it."""
    said = json.loads(line)
    change(said)
    del said["signature"]
    signature = SigningKey.read(data / "receipts.key").sign(canonical(said))
    return canonical(said | {"signature": to_text(signature)})


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"{", "not_json"),
        (b"\xff\xfe{\x00}\x00", "not_utf8"),
        (b"[" * LARGEST, "not_json"),
        (b"x" * 5_000_000, "too_large"),
        (b"x" * 50_000 + b"\n" + b"canary\n" * 100, "too_large"),
        (b'{"canary":1,"canary":2}', "repeated"),
        (b'{"canary":1.5}', "fraction"),
        (b'{"canary":1}', "schema"),
    ],
)
def test_what_is_no_receipt(given: bytes, why: str, receipts: list[bytes], throng: Throng) -> None:
    only(throng("receipt", "verify", given=given), why)


def test_a_file_that_can_not_be_read(tmp_path: Path, receipts: list[bytes], throng: Throng) -> None:
    only(throng("receipt", "verify", str(tmp_path / "nothing")), "unreadable")
    only(throng("receipt", "verify", str(tmp_path)), "unreadable")


def test_the_ledger_has_another_record(tmp_path: Path, receipts: list[bytes], throng: Throng) -> None:
    data, line = tmp_path / "data", receipts[1]

    def put(part: str, name: str, value: Any) -> bytes:
        def change(said: dict[str, Any]) -> None:
            (said[part] if part else said)[name] = value

        return _resigned(line, data, change)

    for part, name, value, why in [
        ("ledger", "position", 1, "not_held"),
        ("ledger", "position", 4, "not_held"),
        ("ledger", "position", 0, "shape"),
        ("ledger", "position", 2**53 - 1, "not_held"),
        ("ledger", "position", 2**63, "shape"),
        ("ledger", "commitment", json.loads(receipts[0])["ledger"]["commitment"], "not_held"),
        ("", "time", 1_001, "differs"),
        ("", "purposes", [], "differs"),
        ("", "subject", json.loads(receipts[0])["subject"], "differs"),
        ("notice", "wording", "banner/4", "differs"),
        ("notice", "language", None, "differs"),
        ("method", "surface", "panel", "differs"),
        ("jurisdiction", "country", "DE", "differs"),
    ]:
        only(throng("receipt", "verify", given=put(part, name, value)), why)


def test_a_chain_that_was_changed(
    tmp_path: Path, ledger: Ledger, receipts: list[bytes], throng: Throng
) -> None:
    ledger.close()
    changed(tmp_path / "data", "UPDATE content SET text = replace(text, 'CH', 'DE') WHERE seq = 3")
    only(throng("receipt", "verify", given=receipts[0]), "chain")


def test_a_record_that_was_replaced(
    tmp_path: Path, ledger: Ledger, receipts: list[bytes], throng: Throng
) -> None:
    """A whole other chain, which verifies by itself, is not the one that was signed for."""
    ledger.close()
    data = tmp_path / "data"
    (data / "ledger.sqlite").unlink()
    with_others = Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"))
    for id in IDS:
        with_others.put("shop", "device", id, {"measurement": True}, "site", 1_000, HOW)
    with_others.close()
    only(throng("receipt", "verify", given=receipts[0]), "not_held")
    (data / "ledger.sqlite").unlink()
    only(throng("receipt", "verify", given=receipts[0]), "not_held")


def test_a_person_who_was_erased(
    tmp_path: Path, ledger: Ledger, receipts: list[bytes], throng: Throng
) -> None:
    ledger.erase("shop", "device", IDS[1], "site", 2_000)
    said = throng("receipt", "verify", given=b"\n".join(receipts))
    assert said.code == 0
    found = answers(said)
    assert [(one["receipt"], one["ledger"]) for one in found] == [
        ("valid", "held"),
        ("valid", "erased"),
        ("valid", "held"),
    ]
    assert found[1]["says"] == "the record's content is gone, its commitment stands"
    # Nothing that was handed out leads back to them: the salt of their subject is gone with the record.
    left = b"".join(file.read_bytes() for file in (tmp_path / "data").iterdir())
    subject = json.loads(receipts[1])["subject"].encode()
    assert subject not in left


def test_the_key(tmp_path: Path, throng: Throng, receipts: list[bytes]) -> None:
    found = json.loads(throng("receipt", "key").out)
    assert found["kid"] == json.loads(receipts[0])["key"]
    assert set(found) == {"kty", "crv", "alg", "use", "kid", "x"}


def test_where_there_is_no_key(tmp_path: Path, throng: Throng) -> None:
    said = throng("receipt", "key")
    assert (said.code, said.out) == (1, "")
    assert "made when the first receipt is asked for (no_key)" in said.err
    said = throng("receipt", "verify", given=b"{}")
    assert (said.code, said.out) == (2, "")
    assert "has no receipts.key" in said.err
    assert list(tmp_path.iterdir()) == []


def test_no_key_at_all_is_not_repeated(tmp_path: Path, receipts: list[bytes], throng: Throng) -> None:
    """Who gives the private key by mistake does not find it in a log."""
    private = tmp_path / "data" / "receipts.key"
    for key in (str(private), "canary", "", "A" * 5000, str(tmp_path)):
        said = throng("receipt", "verify", f"--key={key}", given=receipts[0])
        assert (said.code, said.out) == (2, "")
        assert said.err == "throng: --key = '…': a file as GET /consent/key answers, or the x in it\n"
