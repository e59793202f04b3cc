"""One table of the settings file, for who needs no other; what is wrong elsewhere is not their concern."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from consent_filter.errors import Misconfigured

FILE = "throng.toml"
Table = TypeVar("Table", bound=Struct)


def table(data: Path, name: str, kind: type[Table]) -> Table:
    """The table of that name in the settings of a data folder; its defaults where there is none, or no file.

    Raises Misconfigured, with the file, the key and what is allowed.
    """
    file = data / FILE
    try:
        found: Table = getattr(msgspec.convert(tomllib.loads(file.read_text()), _only(name, kind)), name)
    except FileNotFoundError:
        return kind()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise Misconfigured(str(file), "…", str(error)) from None
    return found


@cache
def _only(name: str, kind: type[Struct]) -> type[Struct]:
    """A file of which only that table is looked at, so that errors name the key with its table."""
    return msgspec.defstruct("Only", [(name, kind, kind())], frozen=True)
