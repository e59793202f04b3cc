"""`/experiments`: what people of each variant did, with intervals, and what speaks against it (M48)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from msgspec import structs
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from consent_filter.experiment import Experiment
from consent_filter.site import Site
from dashboards import charts, numbers, words
from dashboards.language import later, say
from dashboards.pages import Pages
from dashboards.view import View
from warehouse.incrementality import LEAST, Arm
from warehouse.perturbation import bound, variance
from warehouse.reader import Reading
from warehouse.readout import UNLIKELY, deviations, mismatch, outcomes

KINDS = {
    "known": later("People with an identifier"),
    "unknown": later("People of a day, without one"),
}
_SEVERAL, _ALL = "(several)", "(assigned)"
#: Goals that nobody has declared, at most.
_OTHERS = 12


class Trials:
    """The page on experiments. `sites`: what they have declared."""

    def __init__(self, pages: Pages, sites: Mapping[str, Site]) -> None:
        self._pages = pages
        self._declared = {name: site.experiments for name, site in sites.items()}

    def routes(self) -> list[Route]:
        return [Route("/experiments", self._answer, methods=["GET"])]

    async def _answer(self, request: Request) -> Response:
        return HTMLResponse(await run_in_threadpool(self.page, request.query_params))

    def page(self, query: Mapping[str, str]) -> str:
        """Every experiment of a site, or the one that `experiment` names. Raises Refused."""
        kind, wanted = query.get("kind", "known"), query.get("experiment", "")
        if kind not in KINDS:
            raise Refused(400, "kind", "kind is one of {kinds}", kinds=", ".join(KINDS))
        with self._pages.reader.reading() as reading:
            if not numbers.sites(reading):
                return self._pages.nothing()
            view = self._pages.view(reading, query)
            rows = _rows(reading, view.site, kind)
            how = reading.made["release"]
        known = {one.name: one for one in self._declared.get(view.site, ())}
        names = [*known, *sorted(rows.keys() - known.keys())]
        noise = variance(bound(how["min_group"])) if how["perturb"] else 0.0
        said = {"experiment": wanted} if wanted else {}
        here = structs.replace(view, more={**said, **({"kind": kind} if kind != "known" else {})})
        return self._pages.page(
            "experiments.html", "/experiments", title=say("Experiments"),
            **self._pages.shown(here, "/experiments") | {
                "kinds": KINDS, "kind": kind, "names": names, "wanted": wanted, "least": LEAST,
                "unlikely": UNLIKELY, "whisker": charts.whisker,
                "found": [
                    told(known.get(name), name, rows.get(name, {}), view, noise)
                    for name in names
                    if wanted in ("", name)
                ],
            },
        )  # fmt: skip


Rows = dict[str, dict[str, int]]


def _rows(reading: Reading, site: str, kind: str) -> dict[str, Rows]:
    """Experiment → variant → goal → people, as released."""
    found: dict[str, Rows] = defaultdict(lambda: defaultdict(dict))
    if "experiments" in reading.tables:
        for row in reading.rows(
            "SELECT experiment, variant, goal, people FROM experiments WHERE site = ? AND kind = ?"
            " AND begins = (SELECT max(begins) FROM experiments e WHERE e.site = experiments.site"
            " AND e.experiment = experiments.experiment) ORDER BY ALL",
            [site, kind],
        ):
            found[row["experiment"]][row["variant"]][row["goal"]] = row["people"]
    return found


def told(one: Experiment | None, name: str, rows: Rows, view: View, noise: float) -> dict[str, Any]:
    """What the page says of one experiment; `one` is None where the site declares it no more."""
    variants = one.variants if one else tuple(sorted(rows.keys() - {_SEVERAL}))
    people = {variant: rows.get(variant, {}).get(_ALL) for variant in variants}
    shown = [n for n in people.values() if n is not None]
    wrong = None
    if one and len(shown) == len(variants) > 1 and min(shown) >= LEAST:
        chance = mismatch(shown, one.expected, noise)
        wrong = chance if chance < UNLIKELY else None
    done = {goal for variant in variants for goal in rows.get(variant, {})} - {_ALL}
    goals = one.goals if one else ()
    most = {goal: max(rows.get(v, {}).get(goal, 0) for v in variants) for goal in done}
    others = sorted(done - set(goals), key=lambda goal: (-most[goal], goal))[:_OTHERS]

    def read(goal: str, among: int) -> dict[str, Any]:
        z = deviations(among * max(len(variants) - 1, 1))
        arms = [(v, _arm(people[v], rows.get(v, {}).get(goal))) for v in variants]
        results = outcomes(arms, z, noise) if arms else []
        top = max((result.high for result in results), default=0.0)
        return {"goal": goal, "results": results, "top": top}

    return {
        "name": name, "one": one, "variants": variants, "people": people, "whole": sum(shown),
        "several": rows.get(_SEVERAL, {}).get(_ALL), "wrong": wrong, "state": _state(one, view),
        "runs": _runs(one, view),
        "expected": dict(zip(variants, one.expected, strict=True)) if one else {},
        "goals": [read(goal, len(goals)) for goal in goals],
        "others": [read(goal, len(others)) for goal in others],
    }  # fmt: skip


def _arm(people: int | None, reached: int | None) -> Arm | None:
    return Arm(people, reached) if people is not None and reached is not None else None


def _state(one: Experiment | None, view: View) -> str:
    if one is None:
        return say("The site declares it no more")
    if one.since and view.newest < one.since:
        return say("Begins on {day}", day=words.day(one.since))
    if one.until and one.until < view.newest:
        return say("Ended on {day}", day=words.day(one.until))
    return say("Runs until {day}", day=words.day(one.until)) if one.until else say("Runs")


def _runs(one: Experiment | None, view: View) -> bool:
    begun = one is not None and (one.since is None or one.since <= view.newest)
    return one is not None and begun and (one.until is None or view.newest <= one.until)
