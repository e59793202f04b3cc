"""Who needs one table of the settings is told of what is wrong in that one, by its name, and of no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.one_table import FILE, table


class Colours(Struct, frozen=True, forbid_unknown_fields=True):
    """`[colours]`."""

    sky: str = "grey"


@pytest.mark.parametrize(
    ("text", "sky"),
    [
        (None, "grey"),
        ("", "grey"),
        ("[colours]", "grey"),
        ('[colours]\nsky = "blue"', "blue"),
        ("[sounds]\nsky = 3\n", "grey"),
    ],
)
def test_a_table_is_read_and_what_is_not_said_is_by_default(
    text: str | None, sky: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / FILE).write_text(text)
    assert table(tmp_path, "colours", Colours) == Colours(sky)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"[colours]\nsky = 3", "$.colours.sky"),
        (b"[colours]\nsea = 'blue'", "sea"),
        (b"colours = 3", "$.colours"),
        (b"[colours", "at end of document"),
        (b"# \xff", "utf-8"),
    ],
)
def test_what_is_wrong_in_it_is_said_with_its_place(text: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(text)
    with pytest.raises(Misconfigured) as wrong:
        table(tmp_path, "colours", Colours)
    assert str(tmp_path / FILE) in str(wrong.value)
    assert says in str(wrong.value)
