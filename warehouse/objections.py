"""Who is heard before a release is approved, and before it is delivered: whoever objects raises Refused.

Both lists are written out here, so that there is one place to look whether anything stands between a draft
and whoever receives it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from consent_filter.errors import Refused
from warehouse.draft import Draft
from warehouse.recipient import Recipient

if TYPE_CHECKING:
    from warehouse.attack.evidence import Finding

#: Site → its time zone: where its days begin, which figures of days are about.
Zones = Mapping[str, str]
#: Findings that a refusal names; `throng release attack` and `explain` have all of them.
_NAMED = 3


def checked(data: Path, draft: Draft) -> None:
    """Whether its tables are what it says of them; the run is written down beside those of publications."""
    from warehouse.checks import drafts, runs  # brings Great Expectations
    from warehouse.checks.expectations import validate
    from warehouse.snapshot import folder

    docs = folder(data) / "validation"
    outcome = validate(drafts.SUITE, drafts.control(data, draft), docs)
    runs.note(docs, outcome, time.time())
    if outcome.failures:
        raise Refused(409, "checked", f"{'; '.join(outcome.failures)}; the whole validation: {outcome.docs}")


def attacked(data: Path, draft: Draft) -> None:
    """What is tried on a draft before anyone outside can (S19)."""
    from warehouse.attack.drafts import attack_draft  # brings the solver

    _refuse("attacked", "an attack succeeds", attack_draft(data, draft.id).stopping)


def known(data: Path, draft: Draft, to: Recipient, shared: Sequence[Recipient], zones: Zones) -> None:
    """What would follow from it with all that the recipient, and whoever shares with it, has already (S8)."""
    from warehouse.attack.drafts import least, of_draft
    from warehouse.known import Figures

    figures = [one for some in of_draft(data, draft.id, zones).values() for one in some]
    with Figures.open(data) as book:
        found = book.would([to.name, *(one.name for one in shared)], figures, least(draft))
    _refuse("known", f"with what {to.name} has, too much would follow", found)


#: Called with the data folder and the draft, before a person's approval is written down.
BEFORE_APPROVAL: tuple[Callable[[Path, Draft], None], ...] = (checked, attacked)
#: Called with data folder, draft, who is to get it, who shares with them, and zones, before a delivery.
BEFORE_DELIVERY: tuple[Callable[[Path, Draft, Recipient, Sequence[Recipient], Zones], None], ...] = (known,)


def approval(data: Path, draft: Draft) -> None:
    """Hear everyone. Raises Refused, which says why it may not be approved."""
    for one in BEFORE_APPROVAL:
        one(data, draft)


def delivery(data: Path, draft: Draft, to: Recipient, recipients: Sequence[Recipient], zones: Zones) -> None:
    """Hear everyone. Raises Refused, which says why it may not be delivered."""
    shared = [one for one in recipients if to.coalition and one.coalition == to.coalition and one != to]
    for one in BEFORE_DELIVERY:
        one(data, draft, to, shared, zones)


def given(data: Path, draft: Draft, to: Recipient, zones: Zones) -> None:
    """Remember that a recipient has its figures, for whoever is heard the next time."""
    from warehouse.attack.drafts import of_draft
    from warehouse.known import Figures

    figures = [one for some in of_draft(data, draft.id, zones).values() for one in some]
    with Figures.open(data) as book:
        book.note(to.name, draft.id, figures)


def _refuse(code: str, what: str, found: Iterable[Finding]) -> None:
    named = [f"{one.report}, {one.where}: {one.says}" for one in found]
    if named:
        more = f"; and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        raise Refused(409, code, f"{what}: {'; '.join(named[:_NAMED])}{more}")
