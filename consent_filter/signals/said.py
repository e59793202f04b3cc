"""What a signal says: which purposes it grants and which it denies; silence is neither."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from consent_filter.purpose import ALL
from consent_filter.raw import Column, Raw


class Said(NamedTuple):
    """Two bitmasks of purposes.

    unreadable: something was said, and nobody can tell what. regulated: it says that the law of the pack's
    strict regime holds, wherever the visitor's address is. child: a known child is behind it: whatever the
    regime, nothing goes on, with or without an identifier (M86, standards 1.9). tcf: the TC string that it
    was understood from, which says something else to each vendor; besides: what something else denies with
    it.
    """

    grant: int
    deny: int
    unreadable: bool = False
    regulated: bool = False
    child: bool = False
    tcf: str = ""
    besides: int = 0


SILENCE = Said(0, 0)
#: A signal that can only object: what that denies where is for the policy pack to say.
OBJECTION = Said(0, int(ALL))
#: Malformed is a refusal (standards: malformed counts as deny), and is counted by that name.
UNREADABLE = Said(0, int(ALL), True)
CHILD = Said(0, int(ALL), child=True)


class Signal(NamedTuple):
    """A column of RAW, and what its values mean. `read` never raises, whatever was sent."""

    field: str
    read: Callable[[Any], Said]

    def __call__(self, raw: Raw) -> Column[Said]:
        """A word for each row, as codes into the few distinct words of the batch."""
        column: Column[Any] = getattr(raw, self.field)
        return column.few(self.read)


def objects(header: str | None) -> Said:
    """A header that objects when it is `1` and says nothing otherwise (GPC, DNT). No value permits."""
    return OBJECTION if header is not None and header.strip() == "1" else SILENCE
