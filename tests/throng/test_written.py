"""Each command that a page or the manual shows can be given, and each setting that a page names is there."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from throng.main import MANUAL, parser
from throng.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
#: A line that begins with the command, also by its path or as somebody else, and those that go on behind "\".
_COMMAND = re.compile(r"^[ \t]*(?:sudo -u \w+ )?(?:\S*/bin/)?throng (?:[^\n\\]|\\\n?)+", re.MULTILINE)
_BLOCK = re.compile(r"^ *```[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
#: What a shell does with it, and what is said of it: behind two spaces in a manual.
_END = re.compile(r"\s*(?:&&|;|\||<|>|\s#\s|\s{2}).*")


def parsers(whole: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield whole
    for action in whole._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from parsers(one)


def commands(text: str) -> Iterator[str]:
    """Each command but those that stand for several: with "…", or "pause | resume"."""
    for line in _COMMAND.findall(text):
        whole = re.sub(r"^(?:sudo -u \w+ )?(?:\S*/bin/)?", "", re.sub(r"\\\n\s*", "", line).strip())
        for part in re.split(r" && | ; ", whole):
            said = _END.sub("", part)
            if "…" not in said and " | " not in part and said.startswith("throng "):
                yield said


SHOWN = {said for page in PAGES for block in _BLOCK.findall(page.read_text()) for said in commands(block)}
HELP = {
    said
    for one in parsers(parser())
    for text in (one.epilog, one.description, MANUAL)
    for said in commands(text or "")
}


@pytest.mark.parametrize("said", sorted(SHOWN | HELP))
def test_it_can_be_given(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Planted: an option that is called otherwise, and one that is needed and is not shown."""
    code: object = 0
    try:
        parser().parse_args(shlex.split(said)[1:])
    except SystemExit as end:
        code = end.code
    assert not code, capsys.readouterr().err


def test_they_are_found() -> None:
    assert len(SHOWN) > 60
    assert len(HELP) > 50
    assert "throng rights access ID --site shop --out all.zip" in SHOWN


def keys(table: type[msgspec.Struct]) -> Iterator[str]:
    """Each `[table] key` that there is."""

    def of(kind: object) -> Iterator[type[msgspec.Struct]]:
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield kind
        for part in get_args(kind):
            yield from of(part)

    def below(struct: type[msgspec.Struct], place: str) -> Iterator[str]:
        for field in msgspec.structs.fields(struct):
            yield f"[{place}] {field.encode_name}"
            for one in of(field.type):
                yield from below(one, f"{place}.{field.encode_name}")

    for field in msgspec.structs.fields(table):
        for one in of(field.type):
            yield from below(one, field.encode_name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_setting_that_a_page_names_is_there(page: Path) -> None:
    """Planted: `[backup] keep`, which is `keep_days`."""
    named = re.findall(r"`\[\[?([a-z_.]+)\]?\] ([a-z_]+)", page.read_text())
    assert {f"[{table}] {key}" for table, key in named} <= set(keys(Settings))
