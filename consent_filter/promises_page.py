"""The page of promises, docs/promises.md: the same for the same sentences, rules and tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from consent_filter.promises import Promise

HEAD = """\
# Promises

What two published privacy policies promise, sentence by sentence, and what keeps it: the key of a policy pack
where it is a rule of the filter, and the tests that fail when it is no longer true. Made by `make promises`
from `consent_filter/requirements.toml`, the packs' `[[rules]]` and the tests marked `requirement`; the
build fails while it is not what would be made. What is open is said as plainly as what is kept.

W is the Worktasker policy of 2014, A the WorkAllies policy of 2024; S are features beyond both.
"""


OURS = ("kept", "in part", "open")


class Run(NamedTuple):
    """When a test passed last, and at which commit."""

    at: str
    commit: str


def page(promises: Iterable[Promise], runs: Mapping[str, Run] | None = None) -> str:
    """Markdown. runs: node id → its last passing run; only where given is there a column for it."""
    promises = list(promises)
    text = HEAD
    for title, letter, statuses in (
        ("Of the two policies", "M", OURS),
        ("Beyond them", "S", OURS),
        ("Left to the marketplace's other systems", "M", ("elsewhere",)),
    ):
        some = [one for one in promises if one.id.startswith(letter) and one.status in statuses]
        text += f"\n## {title}\n\n{_count(some)}\n\n"
        columns = ["id", "sentence", "from"]
        if "elsewhere" not in statuses:
            columns += ["status", "rules", "tests"]
            columns += [] if runs is None else ["last passing run"]
        text += _row(columns) + _row(["---"] * len(columns))
        text += "".join(_row(_cells(one, runs)[: len(columns)]) for one in some)
    return text


def _count(some: list[Promise]) -> str:
    if all(one.status == "elsewhere" for one in some):
        return f"{len(some)}: nothing of them is built here."
    return ", ".join(f"{sum(one.status == status for one in some)} {status}" for status in OURS) + "."


def _cells(one: Promise, runs: Mapping[str, Run] | None) -> list[str]:
    edge = " (only counted, gated or audited here)" if one.requirement.scope == "edge" else ""
    rules = "<br>".join(f"{pack}: `{key}`" for pack, key in one.rules)
    tests = "<br>".join(
        f"[`{node.removeprefix('tests/')}`](../{node.partition('::')[0]})" for node in one.tests
    )
    lacks = f"; lacks {one.requirement.lacks}" if one.status == "in part" else ""
    cells = [one.id, one.requirement.says + edge, one.requirement.source, one.status + lacks, rules, tests]
    return cells + ([] if runs is None else [_last(one, runs)])


def _last(one: Promise, runs: Mapping[str, Run]) -> str:
    """A promise is proved as of its oldest test."""
    if not one.tests:
        return ""
    if any(node not in runs for node in one.tests):
        return "none of all its tests"
    at, commit = min(runs[node] for node in one.tests)
    return f"{at} {commit}".strip()


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
