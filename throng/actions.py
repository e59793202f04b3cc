"""What a command can do, each with a data folder and a form of answer; and options that many have."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def below(one: argparse.ArgumentParser, dest: str) -> Callable[..., argparse.ArgumentParser]:
    """What makes an action of that command, of a name, a sentence and what stands at its end. `dest`: where
    the name of the one that was chosen is found."""
    actions = one.add_subparsers(dest=dest, metavar="WHAT", required=True)

    def action(name: str, says: str, epilog: str | None = None) -> argparse.ArgumentParser:
        said = actions.add_parser(
            name, help=says, description=says, epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        folder(said)
        form(said)
        return said

    return action


def folder(one: argparse.ArgumentParser, default: Any = argparse.SUPPRESS) -> None:
    """`--data`. It may be said below a command as well, which leaves what was said before where it is not."""
    one.add_argument(
        "--data", type=Path, default=default, metavar="DIR",
        help="data folder (default: THRONG_DATA, else ./throng-data)",
    )  # fmt: skip


def form(one: argparse.ArgumentParser, forms: Sequence[str] = ("table", "json")) -> None:
    """`--format`; the first is for people."""
    says = f"how the answer is written (default: {forms[0]})"
    one.add_argument("--format", choices=forms, default=forms[0], help=says)


def site(one: argparse.ArgumentParser) -> None:
    """`--site`, where there is no doing without one."""
    says = "the site's id, or another name of it in throng.toml"
    one.add_argument("--site", required=True, metavar="S", help=says)
