"""Steps of a funnel of one's own, as an address has them: `event:sign_up|page:/projects`; and which may be
chosen."""

from __future__ import annotations

from consent_filter.errors import Refused
from dashboards.numbers import Numbers
from warehouse.funnel import KINDS, MOST, Step
from warehouse.report import OTHER

#: How many of each kind are offered.
OFFERED = 12
_MARK = "|"


def read(text: str) -> tuple[Step, ...]:
    """The steps of an address, each once. Raises Refused."""
    found = []
    for part in filter(None, text.split(_MARK)):
        kind, mark, value = part.partition(":")
        if kind not in KINDS or not mark or not value:
            raise Refused(400, "steps", "steps are event:name or page:path, with | between")
        found.append(Step(kind, value))
    if len(found) > MOST:
        raise Refused(400, "steps", "at most {most} steps", most=MOST)
    return tuple(dict.fromkeys(found))


def written(steps: tuple[Step, ...]) -> str | None:
    """The same for an address; None where there are none."""
    return _MARK.join(f"{one.kind}:{one.value}" for one in steps) or None


def moved(steps: tuple[Step, ...], at: int, by: int) -> tuple[Step, ...] | None:
    """With the step there so many places later; None where there is no such place."""
    if not 0 <= at + by < len(steps):
        return None
    rest = [*steps[:at], *steps[at + 1 :]]
    return (*rest[: at + by], steps[at], *rest[at + by :])


def offered(ask: Numbers) -> list[Step]:
    """What may be chosen: the released events and pages that most did, in these days."""
    found = []
    for kind, (report, key, which) in KINDS.items():
        rows = ask.ask(
            report, f"{key} AS value, sum(people) AS n",
            group=f"AND {key} NOT IN ('{OTHER}', '(none)') AND {which} GROUP BY {key} ORDER BY n DESC, {key}"
            f" LIMIT {OFFERED}",
        )  # fmt: skip
        found += [Step(kind, row["value"]) for row in rows if _MARK not in row["value"]]
    return found
