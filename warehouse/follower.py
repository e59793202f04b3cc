"""Funnels of one's own answered from facts: looked up where they were told, else paid for, drawn, and kept.

Like `explore.py` it runs in the process that meets facts; what leaves it is noisy rows, and what is left of
the account of each month (docs/funnels.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from consent_filter.errors import Refused
from warehouse.drawn import CONFIDENCE, SCHEMA, draw, price
from warehouse.followed import Followed, Told
from warehouse.footprint import RECEIVED
from warehouse.funnel import KINDS, Funnel, spanned
from warehouse.furthest import furthest, wanted
from warehouse.purges import coarse
from warehouse.reader import Reading
from warehouse.recall import Recall
from warehouse.relations import Bucket, Days
from warehouse.report import Report
from warehouse.settings import Warehouse

Said = tuple[pa.Table, dict[str, Any]]


class Follower:
    """Funnels of one data folder. clock: seconds since 1970."""

    def __init__(self, data: Path, settings: Warehouse, recall: Recall, clock: Callable[[], float]) -> None:
        self._settings, self._recall, self._clock = settings, recall, clock
        self._followed = Followed(data, price(settings.funnel_rho), settings.funnel_rho_month)

    def follow(
        self, reading: Reading, funnel: Funnel, site: str, span: Sequence[date], *, spend: bool
    ) -> Said:
        """What was told of it; where nothing was, it is asked and paid for if `spend`. Beside the rows:
        `question` in its one form, its `first` and `last` day, whether it is `asked`, `at` (UTC), `days` that
        it is of, `confidence`, and the `accounts` of its months. span: the site's days that are published and
        over. Raises Refused."""
        asked = spanned(funnel, site, span[-1])
        assert asked.first is not None
        assert asked.last is not None
        days = [day for day in span if asked.first <= day <= asked.last]
        months = {f"{day:%Y-%m}" for day in days}
        told = self._followed.told(str(asked))
        if told is None:
            if not days:
                raise Refused(404, "nothing_over", "no day of these is published")
            _known(reading, asked)
            if spend:
                self._followed.afford(site, months)
                how = self._settings
                table = draw(asked, self._classes(asked, days), how.funnel_rho, how.min_group)
                told = self._followed.keep(str(asked), site, months, Told(self._clock(), len(days), table))
        said = {
            "question": str(asked), "first": asked.first.isoformat(), "last": asked.last.isoformat(),
            "asked": told is not None, "confidence": CONFIDENCE,
            "days": told.days if told else len(days),
            "at": datetime.fromtimestamp(told.at, UTC).isoformat(timespec="seconds") if told else None,
            "accounts": msgspec.to_builtins(self._followed.accounts(site, months)),
        }  # fmt: skip
        return (told.table if told else SCHEMA.empty_table()), said

    def _classes(self, funnel: Funnel, days: list[date]) -> list[int]:
        """How many people came exactly so far, of the facts as they stand. Raises Refused."""
        report = _report(funnel)
        with self._recall.facts(funnel.site, days) as (facts, _):
            fine = {*wanted(funnel.steps), *(["person"] if funnel.within == "range" else [])}
            rough = {
                mark.day for mark in coarse(facts.con)
                if mark.site == funnel.site and mark.purpose == report.bit and mark.field in fine
            } & {*days}  # fmt: skip
            if rough:
                raise Refused(
                    409, "coarse", "facts up to {day} are no longer as fine as following people needs: ask"
                    " about later days", day=max(rough).isoformat(),
                )  # fmt: skip
            relations = Days(
                facts.con, facts.those, RECEIVED, days, rows=facts.rows, many=self._settings.max_cells,
                everyone=facts.everyone,
            )  # fmt: skip
            relations.move(Bucket(), [report])
            relations.show(report)
            return furthest(facts.con, funnel)


def _report(funnel: Funnel) -> Report:
    """What relations are made for: no rows are made by it."""
    return Report(
        name="own_funnel", title="A funnel of one's own", doc="A question.", owner="whoever asks",
        purpose=funnel.purpose, keys=("site", "day"), sums=("n",), caps={"n": 1},
        sql="SELECT site, day, person, 1 AS n FROM events",
    )  # fmt: skip


def _known(reading: Reading, funnel: Funnel) -> None:
    """Refuse a step that is not published in these days: what no report shows can't be asked about."""
    for one in funnel.steps:
        report, key, which = KINDS[one.kind]
        found = report in reading.tables and reading.rows(
            f"SELECT 1 FROM {report} WHERE site = ? AND day BETWEEN ? AND ? AND {key} = ? AND {which}"
            " LIMIT 1",
            [funnel.site, funnel.first, funnel.last, one.value],
        )
        if not found or one.value in ("(other)", "(none)"):
            raise Refused(
                404, "no_such_step", "step {number} is not published in these days: choose pages and events"
                " that the reports show", number=funnel.steps.index(one) + 1,
            )  # fmt: skip
