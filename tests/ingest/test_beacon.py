"""The scripts that sites load: small, made from their sources, and nothing that a strict page refuses."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import brotli
import pytest

from consent_filter.marketing import WAYS
from consent_filter.purpose import BY_NAME
from ingest.scripts import SCRIPTS, Script
from ingest.storage import KEPT, LONGEST

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "ingest" / "beacon"
SHIPPED = {name: (FOLDER / name).read_bytes() for name in SCRIPTS}
BEACON = SHIPPED["t.js"]
#: Bytes of each, compressed; a visitor's first page waits for none of them.
LARGEST = {"t.js": 2048, "v.js": 3600, "p.js": 1500, "cmp.js": 1000, "banner.js": 6000, "privacy.js": 9000}


@pytest.mark.parametrize("name", SCRIPTS)
def test_they_are_small(name: str) -> None:
    packed = Script(name).encoded["br"]
    assert len(packed) <= LARGEST[name]
    (said,) = re.findall(rf"\| `/{name}` \| ([\d,]+) \|", (ROOT / "docs" / "beacon.md").read_text())
    assert abs(len(packed) - int(said.replace(",", ""))) <= len(packed) / 100, "docs/beacon.md says otherwise"
    assert brotli.decompress(packed) == SHIPPED[name]


@pytest.mark.parametrize("name", SCRIPTS)
def test_they_ask_for_nothing_that_a_strict_policy_refuses(name: str) -> None:
    text = SHIPPED[name].decode()
    for word in (r"\beval\b", r"\bFunction\b", "innerHTML", r"document\.write", r"\bimport\b", "cssText"):
        assert not re.search(word, text), word
    for word in (
        "document.cookie",
        "cookieStore",
        "sessionStorage",
        "indexedDB",
        "fingerprint",
        "plugins",
        "hardwareConcurrency",
        "deviceMemory",
        "canvas",
        "userAgent",
        "languages",
        "screen",
    ):
        assert word not in text, f"{word} would help to tell visitors apart, or to keep what nobody has named"
    if name in ("v.js", "p.js", "cmp.js"):
        assert "createElement" not in text
    if name == "t.js":
        assert re.findall(r"createElement\(([^)]*)", text) == ['"script"'], "v.js, and nothing else"


@pytest.mark.requirement("M75")
@pytest.mark.parametrize("name", SCRIPTS)
def test_they_name_no_host(name: str) -> None:
    assert not re.search(rb"https?://", SHIPPED[name])


@pytest.mark.requirement("M103")
def test_the_register_has_all_that_they_keep() -> None:
    """Every name in the scripts' storage is in the register, with an end that the script keeps to."""
    named: dict[str, set[str]] = {}
    for name in SCRIPTS:
        text = SHIPPED[name].decode()
        keys = set(re.findall(r"localStorage\.(\w+)", text)) | set(
            re.findall(r'localStorage\["([^"]+)"', text)
        )
        if re.search(r"localStorage\[\w", text):
            keys |= set(re.findall(r'="(throng-[a-z]+)"', text))
        named[name] = keys
    known = {one.name.split(".")[0] for one in KEPT}
    assert set().union(*named.values()) == known
    assert named["v.js"] == named["p.js"] == named["cmp.js"] == named["banner.js"] == set()
    assert all(
        one.where == "localStorage" and one.party == "first" and 0 < one.days <= LONGEST for one in KEPT
    )
    # The ends, as the scripts have them, in milliseconds.
    (end,) = re.findall(rb"Date\.now\(\)-\w\.t<(\w+)|\w\.t>Date\.now\(\)-(\w+)", BEACON)
    assert LONGEST - 1 <= float(end[0] or end[1]) / 86_400_000 <= LONGEST
    (counters,) = [one for one in KEPT if one.name == "throng.f"]
    assert re.search(rf"Date\.now\(\)/864e5-\w+\.f\[\w\]\[1\]>{counters.days}\b", BEACON.decode())
    (requests,) = [one for one in KEPT if one.name == "throng-rights"]
    assert f"{requests.days} * 864e5" in (FOLDER / "panel.js").read_text()
    table = (ROOT / "docs/beacon.md").read_text()
    for one in KEPT:
        purpose = f"`{one.purpose}`" if one.purpose else "asked for by the visitor"
        row = (one.where, one.party, purpose, f"{one.days} days", f"`{one.script}`", one.says)
        assert f"| `{one.name}` | {' | '.join(row)} |" in table


def texts() -> dict[str, dict[str, object]]:
    if shutil.which("node") is None:
        pytest.skip("needs node; to enable: apt-get install nodejs")
    source = (FOLDER / "texts.js").read_text().partition("/* What the banner and the panel share")[0]
    done = subprocess.run(
        ["node", "-e", source + "; console.log(JSON.stringify({...TEXTS, wording: {of: WORDING}}))"],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, object]] = json.loads(done.stdout)
    return found


def shape(of: object) -> object:
    return {key: shape(value) for key, value in of.items()} if isinstance(of, dict) else type(of)


def test_every_language_says_everything() -> None:
    found = texts()
    del found["wording"]
    assert shape(found["en"]) == shape(found["de"])
    written = {name for name in BY_NAME if name.startswith(("marketing_", "affiliate_"))}
    for said in found.values():
        purposes, ways, stored = said["purposes"], said["ways"], said["stored"]
        assert isinstance(purposes, dict)
        assert isinstance(ways, dict)
        assert isinstance(stored, dict)
        assert set(purposes) == set(BY_NAME) - written
        assert set(ways) == {*WAYS, "referral"}
        assert set(stored) == {one.name for one in KEPT}


def test_a_text_that_changes_has_a_new_name() -> None:
    """Whoever changes a text that is chosen over counts up WORDING: a receipt names what was shown."""
    found = texts()
    names = ("ask", "asks", "accept", "refuse", "choose", "save", "gpc", "purposes", "ways")
    version = found.pop("wording")["of"]
    chosen = {language: [said[name] for name in names] for language, said in found.items()}
    as_shown = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:16]
    assert (version, as_shown) == ("1", "a44e99d044cfca88")


def test_they_are_their_sources_made_small(tmp_path: Path) -> None:
    """The very commands of `make beacon`. Where Node or the package is not at hand, .ci/run is the place."""
    if shutil.which("npx") is None:
        pytest.skip("needs npx; to enable: apt-get install nodejs npm")
    command = subprocess.run(
        ["make", "-n", "-B", "beacon"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = [line for line in command.stdout.splitlines() if "terser" in line]
    assert len(lines) == len(SCRIPTS)
    for line in lines:
        name = line.rpartition("/")[2]
        done = subprocess.run(
            line.replace(f"--output ingest/beacon/{name}", f"--output {tmp_path / name}"),
            shell=True,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode and re.search(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|E404", done.stderr):
            pytest.skip("needs the package terser; to enable: let npm reach its registry once")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name).read_bytes() == SHIPPED[name], "run `make beacon`"
