"""Who is heard before a release is approved, and before it is delivered: whoever objects raises Refused.

Both lists are written out here, so that there is one place to look whether anything stands between a draft
and whoever receives it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from warehouse.draft import Draft
from warehouse.recipient import Recipient

#: Called with the data folder and the draft, before a person's approval is written down.
BEFORE_APPROVAL: tuple[Callable[[Path, Draft], None], ...] = ()
#: Called with the data folder, the draft, who is to get it, and who shares with them, before a delivery.
BEFORE_DELIVERY: tuple[Callable[[Path, Draft, Recipient, Sequence[Recipient]], None], ...] = ()


def approval(data: Path, draft: Draft) -> None:
    """Hear everyone. Raises Refused, which says why it may not be approved."""
    for one in BEFORE_APPROVAL:
        one(data, draft)


def delivery(data: Path, draft: Draft, to: Recipient, recipients: Sequence[Recipient]) -> None:
    """Hear everyone. Raises Refused, which says why it may not be delivered."""
    shared = [one for one in recipients if to.coalition and one.coalition == to.coalition and one != to]
    for one in BEFORE_DELIVERY:
        one(data, draft, to, shared)
