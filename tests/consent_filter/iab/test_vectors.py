"""Against the IAB's own encoders: thousands of strings with all that they can say, every field compared.

`npm ci --prefix tests/consent_filter/iab/vectors` installs them; nothing of them ships.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from consent_filter.iab import gpp, tcf
from consent_filter.iab.sections import NAMES
from tests.conftest import VECTORS

pytestmark = pytest.mark.needs("node")

#: Other strings: another seed.
SEED = 20261124

#: Today's, and the one before, which had both layouts of usnat under one version; sections that each lacks.
ENCODERS: dict[str, set[str]] = {
    "@iabgpp/cmpapi": set(),
    "cmpapi-before": {"tcfeuv2", "usmn", "usmd", "usin", "usky", "usri"},
}
#: What each field of a section of the United States takes on, where it is not 0, 1 and 2.
WANTED: dict[str, set[Any]] = {
    "Version": {1},
    "MspaVersion": {1},
    "MspaCoveredTransaction": {1, 2},
    "GpcSegmentType": {None, 1},
    "Gpc": {None, False, True},
}


def made(script: str, count: int, *more: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Strings of an encoder, and what was put into each."""
    command = ["node", script, str(count), str(SEED), *more]
    run = subprocess.run(command, cwd=VECTORS, capture_output=True, text=True, timeout=280, check=True)
    for line in run.stdout.splitlines():
        text, _, fields = line.partition("\t")
        yield text, json.loads(fields)


def test_tc_strings_say_what_the_encoder_was_told() -> None:
    seen = [(text, fields, tcf.as_json(tcf.decode(text))) for text, fields in made("tcf.mjs", 3000)]
    assert len(seen) == 3000
    for text, fields, read in seen:
        assert read == fields, text
    # The script's dice reach everything, or the comparison would be of nothing.
    told = [fields for _, fields, _ in seen]
    assert {fields["policyVersion"] for fields in told} == {2, 4, 5}
    for name in ("vendorsDisclosed", "vendorsAllowed", "publisherConsents"):
        assert {fields[name] is None for fields in told} == {True, False}
    for name, value in told[0].items():
        assert any(fields[name] != value for fields in told) or name == "version"
    kinds = {r["restrictionType"] for fields in told for r in fields["publisherRestrictions"]}
    assert kinds == {0, 1, 2}
    assert any(len(text) > 1000 for text, _, _ in seen)
    assert any(fields["vendorConsents"][-1:] == [[65534, 65535]] for fields in told)


@pytest.mark.parametrize(("encoder", "without"), ENCODERS.items())
def test_gpp_strings_say_what_the_encoder_was_told(encoder: str, without: set[str]) -> None:
    seen = [(text, fields, gpp.as_json(gpp.decode(text))) for text, fields in made("gpp.mjs", 3000, encoder)]
    assert len(seen) == 3000
    for text, fields, read in seen:
        assert read == fields, text
    # The dice reach every section, and in each every value of every field; those of TC strings see above.
    told = [(name, said) for _, fields, _ in seen for name, said in fields["sections"].items()]
    assert {name for name, _ in told} == set(NAMES.values()) - without
    found: dict[tuple[str, str], set[Any]] = {}
    for name, said in told:
        if name not in ("tcfeuv2", "uspv1"):
            for field, value in said.items():
                found.setdefault((name, field), set()).update(value if isinstance(value, list) else [value])
    for (name, field), values in found.items():
        if (name, field) != ("usnat", "Version"):
            assert values >= WANTED.get(field, {0, 1, 2}), (name, field)
    first = {
        len(said["SensitiveDataProcessing"])
        for name, said in told
        if name == "usnat" and said["Version"] == 1
    }
    assert first == ({12} if encoder == "@iabgpp/cmpapi" else {16})
    assert found["usnat", "Version"] == {1, 2}
    assert any(not fields["sectionIds"] for _, fields, _ in seen)
