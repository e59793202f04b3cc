"""Every sentence bound: to lose a sentence, a rule or a test breaks the build, and nothing slips open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import msgspec
import pytest

from consent_filter.errors import Misconfigured
from consent_filter.policy import Pack, load
from consent_filter.promises import Promise, Requirement, bind, broken, marked, requirements
from consent_filter.promises_page import Run, page

ROOT = Path(__file__).resolve().parent.parent
PACKS = [
    load(file.name.removesuffix(".toml"))
    for file in sorted((files("consent_filter") / "packs").iterdir(), key=lambda file: file.name)
]
WANTED = requirements()
TESTS = marked(ROOT)
PAGE = page(bind(WANTED, PACKS, TESTS))
BROKEN = broken(bind(WANTED, PACKS, TESTS))
#: One that nothing keeps yet.
OPEN = next(id for id, one in WANTED.items() if not one.kept and one.scope == "in")


def new(promises: list[Promise]) -> list[str]:
    """What is broken and was not: one fault fails one test."""
    return [sentence for sentence in broken(promises) if sentence not in BROKEN]


def test_nothing_is_missing_and_nothing_is_made_up() -> None:
    assert list(WANTED) == [f"M{n}" for n in range(1, 132)] + [f"S{n}" for n in range(1, 25)]
    scopes = [one.scope for one in WANTED.values()]
    assert {scope: scopes.count(scope) for scope in sorted({*scopes})} == {"edge": 17, "in": 131, "out": 7}
    says = [one.says for one in WANTED.values()]
    assert len({*says}) == len(says)
    assert all(sentence.endswith(".") and len(sentence) <= 120 for sentence in says)


@pytest.mark.requirement("S4")
def test_the_page_is_what_would_be_made() -> None:
    assert (ROOT / "docs/promises.md").read_text() == PAGE, "make promises, and look at what has changed"


@pytest.mark.requirement("S4")
def test_what_was_kept_is_kept_and_what_is_kept_is_said() -> None:
    assert BROKEN == []


def without_test(id: str, node: str) -> dict[str, tuple[str, ...]]:
    return TESTS | {id: tuple(one for one in TESTS[id] if one != node)}


def without_rule(pack: Pack, at: int) -> list[Pack]:
    fewer = msgspec.structs.replace(pack, rules=pack.rules[:at] + pack.rules[at + 1 :])
    return [fewer if one is pack else one for one in PACKS]


@pytest.mark.requirement("S4")
@pytest.mark.parametrize("id", WANTED)
def test_a_sentence_that_is_changed_or_lost_is_seen(id: str) -> None:
    changed = msgspec.structs.replace(WANTED[id], says="Something else.")
    assert page(bind(WANTED | {id: changed}, PACKS, TESTS)) != PAGE
    fewer = {name: one for name, one in WANTED.items() if name != id}
    if id in TESTS or any(rule.requirement == id for pack in PACKS for rule in pack.rules):
        with pytest.raises(Misconfigured, match=id):
            bind(fewer, PACKS, TESTS)
    else:
        assert page(bind(fewer, PACKS, TESTS)) != PAGE


@pytest.mark.requirement("S4")
@pytest.mark.parametrize(("id", "node"), [(id, node) for id, nodes in TESTS.items() for node in nodes])
def test_a_test_that_is_lost_is_seen(id: str, node: str) -> None:
    lost = bind(WANTED, PACKS, without_test(id, node))
    assert page(lost) != PAGE
    assert bool(new(lost)) == (WANTED[id].kept and TESTS[id] == (node,))


RULES = [(pack, at) for pack in PACKS for at in range(len(pack.rules))]


@pytest.mark.requirement("S4")
@pytest.mark.parametrize(
    ("pack", "at"), RULES, ids=[f"{pack.name} {pack.rules[at].requirement}" for pack, at in RULES]
)
def test_a_rule_that_is_lost_or_moved_is_seen(pack: Pack, at: int) -> None:
    id = pack.rules[at].requirement
    lost = bind(WANTED, without_rule(pack, at), TESTS)
    assert page(lost) != PAGE
    assert bool(new(lost)) == WANTED[id].kept
    moved = msgspec.structs.replace(pack.rules[at], by="name and nothing else")
    rules = (*pack.rules[:at], moved, *pack.rules[at + 1 :])
    packs = [msgspec.structs.replace(pack, rules=rules) if one is pack else one for one in PACKS]
    assert page(bind(WANTED, packs, TESTS)) != PAGE


def test_a_rule_or_a_test_of_what_is_no_requirement_is_refused() -> None:
    with pytest.raises(Misconfigured, match=r"requirement = 'M999'"):
        bind(WANTED, PACKS, {"M999": ("tests/test_x.py::test_x",)})
    rule = msgspec.structs.replace(PACKS[0].rules[0], requirement="M0")
    with pytest.raises(Misconfigured, match="rules = 'M0'"):
        bind(WANTED, [msgspec.structs.replace(PACKS[0], rules=(rule,))], {})


def test_what_is_anothers_is_not_kept_here() -> None:
    for wrong in ({"kept": True}, {"packs": ["workallies-2024"]}):
        with pytest.raises(Misconfigured, match="scope"):
            msgspec.convert({"from": "W", "says": "x.", "scope": "out"} | wrong, Requirement)
    with pytest.raises(Misconfigured, match="scope"):
        Requirement(source="W", says="x.", scope="perhaps")
    with pytest.raises(Misconfigured, match="lacks"):
        Requirement(source="W", says="x.", lacks="all")
    said = new(bind(WANTED, PACKS, TESTS | {"M43": ("tests/test_x.py::test_x",)}))
    assert len(said) == 1
    assert said[0].startswith("M43 is another system's")


def test_what_a_test_proves_is_said_in_its_requirement() -> None:
    said = new(bind(WANTED, PACKS, TESTS | {OPEN: ("tests/test_x.py::test_x",)}))
    assert said == [f"{OPEN} is kept, says a test: write `kept = true` in requirements.toml"]


def test_marks_are_read_from_the_source(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "deep"
    folder.mkdir(parents=True)
    (folder / "test_it.py").write_text(
        'import pytest\n@pytest.mark.needs("x")\n@pytest.mark.requirement("M1", "M2")\ndef test_a(): ...\n'
        '@pytest.mark.requirement("M2")\nasync def test_b(): ...\ndef test_c(): ...\n'
    )
    a, b = "tests/deep/test_it.py::test_a", "tests/deep/test_it.py::test_b"
    assert marked(tmp_path) == {"M1": (a,), "M2": (a, b)}
    (folder / "test_it.py").write_text("@pytest.mark.requirement(ID)\ndef test_a(): ...\n")
    with pytest.raises(Misconfigured, match="written out"):
        marked(tmp_path)
    mark = "pytest.mark.requirement"
    for elsewhere in (
        f'pytestmark = {mark}("M1")\n',
        f'class TestIt:\n    @{mark}("M1")\n    def test_a(self): ...\n',
        f'@pytest.mark.parametrize("x", [pytest.param(1, marks={mark}("M1"))])\ndef test_a(x): ...\n',
        f"@{mark}\ndef test_a(): ...\n",
    ):
        (folder / "test_it.py").write_text(elsewhere)
        with pytest.raises(Misconfigured, match="nowhere else"):
            marked(tmp_path)


def test_a_promise_is_as_old_as_its_oldest_proof() -> None:
    runs = {node: Run("2026-11-24 03:00", "abc1234") for nodes in TESTS.values() for node in nodes}
    older = TESTS["M1"][0]
    runs[older] = Run("2026-11-01 00:00", "0000000")
    del runs[TESTS["M2"][0]]
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in page(
        bind(WANTED, PACKS, TESTS), runs
    ).splitlines()}  # fmt: skip
    assert rows["M1"].endswith("| 2026-11-01 00:00 0000000 |")
    assert rows["M2"].endswith("| none of all its tests |")
    assert rows["M3"].endswith("| 2026-11-24 03:00 abc1234 |")
    assert rows[OPEN].endswith("|  |")


def test_a_run_leaves_when_each_passed_last(tmp_path: Path) -> None:
    file = tmp_path / "build" / "promises.json"
    node = "tests/consent_filter/test_raw.py::test_raw_has_every_column_of_its_catalogue"
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", node.partition("::")[0]],
            cwd=ROOT,
            env=os.environ | {"THRONG_PROMISES": str(file), "THRONG_NOTHING_SKIPPED": ""},
            capture_output=True,
            text=True,
            timeout=250,
        )
        assert done.returncode == 0, done.stdout
        found = json.loads(file.read_text())
        assert set(found) == {node, "another"} - ({"another"} if len(found) == 1 else set())
        assert len(found[node]) == 2
        file.write_text(json.dumps(found | {"another": ["2026-11-01 00:00", "0000000"]}))
    assert found["another"] == ["2026-11-01 00:00", "0000000"], "what was not run stands as it was"
