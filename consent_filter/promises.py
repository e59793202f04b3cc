"""Which sentence of the policies is kept by which rule and proved by which test.

Three things are bound by the requirement's id: `requirements.toml` (the sentence), the packs' `[[rules]]`
(the rule) and `@pytest.mark.requirement("M1")` (the test). A rule or a test for what is no requirement is
Misconfigured; a promise that was said to be kept and has lost its rule or its test is `broken`.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.policy import Pack

_MARK = "pytest.mark.requirement"
SCOPES = ("in", "edge", "out")


class Requirement(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One sentence; what the keys mean is said in `requirements.toml`."""

    source: str = msgspec.field(name="from")
    says: str
    scope: str = "in"
    packs: tuple[str, ...] = ()
    lacks: str = ""
    kept: bool = False

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise Misconfigured("scope", self.scope, f"one of {', '.join(SCOPES)}")
        if self.scope == "out" and (self.kept or self.packs):
            raise Misconfigured("scope", self.scope, "nothing that is kept here")
        if self.lacks and not self.kept:
            raise Misconfigured("lacks", self.lacks, "only of what is kept: an open requirement lacks it all")


class Promise(NamedTuple):
    """A requirement, its rules as (pack, key), its tests as node ids, and its status.

    kept; in part, which lacks something; open, which has no test, or no rule where it needs one; elsewhere.
    """

    id: str
    requirement: Requirement
    rules: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]
    status: str


def requirements() -> dict[str, Requirement]:
    """All of them, in their order."""
    text = (files("consent_filter") / "requirements.toml").read_text()
    try:
        return msgspec.convert(tomllib.loads(text), dict[str, Requirement])
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Misconfigured("requirements.toml", "", str(error)) from None


def marked(root: Path) -> dict[str, tuple[str, ...]]:
    """Requirement → the node ids of the tests under `root/tests` that are marked with it, by their source."""
    found: dict[str, list[str]] = {}
    for file in sorted((root / "tests").rglob("*.py")):
        tree = ast.parse(file.read_text())
        tests = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        calls = [(test, call) for test in tests for call in test.decorator_list if _marks(call)]
        if len(calls) != sum(map(_named, ast.walk(tree))):
            raise Misconfigured(
                file.name, _MARK, "the decorator of a test at the top of its file, and nowhere else"
            )
        for test, call in calls:
            for id in _ids(call, f"{file.name}::{test.name}"):
                found.setdefault(id, []).append(f"{file.relative_to(root).as_posix()}::{test.name}")
    return {id: tuple(nodes) for id, nodes in found.items()}


def _named(node: ast.AST) -> bool:
    # The attribute first: writing out every node of every test took seven seconds.
    return isinstance(node, ast.Attribute) and node.attr == "requirement" and ast.unparse(node) == _MARK


def _marks(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and _named(decorator.func)


def _ids(call: ast.expr, where: str) -> Iterator[str]:
    for word in call.args if isinstance(call, ast.Call) else ():
        if not isinstance(word, ast.Constant) or not isinstance(word.value, str):
            raise Misconfigured(where, ast.unparse(word), "an id, written out")
        yield word.value


def bind(
    wanted: Mapping[str, Requirement], packs: Iterable[Pack], tests: Mapping[str, tuple[str, ...]]
) -> list[Promise]:
    """Every promise with what keeps it. Raises Misconfigured where a name leads nowhere."""
    rules: dict[str, list[tuple[str, str]]] = {}
    for pack in packs:
        for rule in pack.rules:
            rules.setdefault(rule.requirement, []).append((pack.name, rule.by))
    for what, named in (("rules", rules.keys()), ("pytest.mark.requirement", tests.keys())):
        for id in sorted(named - wanted.keys()):
            raise Misconfigured(what, id, "an id of requirements.toml")
    found = []
    for id, one in wanted.items():
        mine, proofs = tuple(rules.get(id, ())), tests.get(id, ())
        if one.scope == "out":
            status = "elsewhere"
        elif not proofs or {*one.packs} - {pack for pack, _ in mine}:
            status = "open"
        else:
            status = "in part" if one.lacks else "kept"
        found.append(Promise(id, one, mine, proofs, status))
    return found


def broken(promises: Iterable[Promise]) -> list[str]:
    """What is said to be kept and is not, or is kept and not said to be: a sentence each."""
    found = []
    for id, one, rules, tests, status in promises:
        lacks = [f"a rule in {pack}" for pack in one.packs if pack not in dict(rules)]
        lacks += [] if tests else ["a test"]
        if one.kept and lacks:
            found.append(f"{id} is said to be kept and lacks {' and '.join(lacks)}: {one.says}")
        if not one.kept and status in ("kept", "in part"):
            found.append(f"{id} is kept, says a test: write `kept = true` in requirements.toml")
        if status == "elsewhere" and (rules or tests):
            found.append(f"{id} is another system's, and a rule or a test names it")
    return found
