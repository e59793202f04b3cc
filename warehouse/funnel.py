"""Funnels of one's own, as text: `funnel page '/' then event 'sign_up' within day last 28 days`.

As a question (`question.py`) it is read into one form and written back the same way whoever asks: the form is
what an answer is drawn for, once. Values of steps are given to the database beside the SQL, never in it.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from consent_filter.errors import Refused
from warehouse.askable import PURPOSES, subject
from warehouse.question import LONGEST, USUAL, Parser, quoted

#: Where it is published what a step may be: kind → report, its column, and which of its rows.
KINDS = {"page": ("pages", "path", "true"), "event": ("custom_events", "name", "type <> 'engagement'")}
#: Steps of a funnel, and the days that it is of at most.
FEWEST, MOST, MOST_DAYS = 2, 5, 92
#: How long somebody may take: a day of the site, or all days that are asked about.
WINDOWS = ("day", "range")
_CLAUSES = ("within", "for", "where", "from", "to", "on", "last", "days", "site", "then")


class Step(NamedTuple):
    """A page by its templated path, or an event by its name."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind} {quoted(self.value)}"


class Funnel(Struct, frozen=True, kw_only=True):
    """What is asked. first, last: days of the site; days: how many of the last, where none are named."""

    steps: tuple[Step, ...]
    within: Literal["day", "range"] = "day"
    purpose: str = ""
    site: str = ""
    first: date | None = None
    last: date | None = None
    days: int = 0

    def __post_init__(self) -> None:
        subject((), [KINDS[one.kind][1] for one in self.steps], self.purpose or PURPOSES[0])
        if not FEWEST <= len(self.steps) <= MOST or len({*self.steps}) < len(self.steps):
            raise Refused(
                400, "steps", "a funnel has {fewest} to {most} steps, each once", fewest=FEWEST, most=MOST
            )
        if self.first and self.last and not 0 <= (self.last - self.first).days < MOST_DAYS:
            raise Refused(
                400, "days", "from the first day to the last, {most_days} days at most", most_days=MOST_DAYS
            )

    def __str__(self) -> str:
        """The one way to write it."""
        parts = [f"funnel {' then '.join(map(str, self.steps))} within {self.within}"]
        parts.append(f"for {self.purpose or PURPOSES[0]}")
        if self.site:
            parts.append(f"where site = {quoted(self.site)}")
        if self.first and self.last:
            parts.append(f"from {self.first.isoformat()} to {self.last.isoformat()}")
        elif self.days:
            parts.append(f"last {self.days} days")
        return " ".join(parts)


def asks(text: str) -> bool:
    """Whether that text is of a funnel, and of no other question."""
    return text.strip()[:7].lower().split() == ["funnel"]


def read(text: str) -> Funnel:
    """A funnel from its text. Raises Refused with what to write instead."""
    if len(text) > LONGEST:
        raise Refused(413, "too_large", "a question has {longest} characters at most", longest=LONGEST)
    return _Funnels(text).funnel()


def spanned(funnel: Funnel, site: str, newest: date) -> Funnel:
    """With its site and its days: the last of them is the newest that can be asked about."""
    first, last = funnel.first, min(funnel.last or newest, newest)
    if first is None:
        first = last - timedelta(days=(funnel.days or USUAL) - 1)
    if first > last:
        raise Refused(
            404, "nothing_over", "these days are not over and published yet: the newest that is, is {day}",
            day=newest.isoformat(),
        )  # fmt: skip
    return msgspec.structs.replace(
        funnel, site=site, purpose=funnel.purpose or PURPOSES[0], first=first, last=last, days=0
    )


class _Funnels(Parser):
    example = "funnel page '/' then event 'sign_up' within day from 2026-09-01 to 2026-09-30"

    def funnel(self) -> Funnel:
        self._expect("funnel")
        steps, more = [self._step()], dict[str, Any]()
        while self._peek():
            clause = self._word().lower()
            if clause == "then":
                steps.append(self._step())
            elif clause == "within":
                more["within"] = self._one("window", WINDOWS)
            elif clause == "for":
                more["purpose"] = self._purpose()
            elif clause == "where":
                if [*self._conditions(more)]:
                    raise Refused(
                        400,
                        "bad_question",
                        "a funnel is of everybody at a site: where site = '…', and no more",
                    )
            elif not self._span(clause, more, MOST_DAYS):
                raise self._misplaced(clause, _CLAUSES)
        return Funnel(steps=tuple(steps), **more)

    def _step(self) -> Step:
        return Step(self._one("kind", tuple(KINDS)), self._value())
