"""What a command can do, each with the data folder and a form of answer among its options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


def below(one: argparse.ArgumentParser, dest: str) -> Callable[..., argparse.ArgumentParser]:
    """What makes an action of that command, of a name, a sentence and what stands at its end. `dest`: where
    the name of the one that was chosen is found."""
    actions = one.add_subparsers(dest=dest, metavar="WHAT", required=True)

    def action(name: str, says: str, epilog: str | None = None) -> argparse.ArgumentParser:
        said = actions.add_parser(
            name, help=says, description=says, epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        said.add_argument("--data", type=Path, default=argparse.SUPPRESS, metavar="DIR", help="data folder")
        said.add_argument("--format", choices=("table", "json"), default="table")
        return said

    return action
