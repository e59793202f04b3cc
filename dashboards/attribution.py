"""The page of orders: what they are credited to by a chosen rule, what was given back, and what was added."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any

from consent_filter.errors import Refused
from warehouse.incrementality import LEAST, Arm, Lift, lift
from warehouse.paths import NOBODY
from warehouse.reader import Reading
from warehouse.report import OTHER
from warehouse.shapley import Way, credits

#: Rule → what it is called, and what it does.
MODELS = {
    "last_touch": ("Last touch", "all to the last advert before the order"),
    "first_touch": ("First touch", "all to the first"),
    "linear": ("Linear", "to all alike"),
    "position": ("By position", "40 % to the first, 40 % to the last, the rest to those between"),
    "time_decay": ("Time decay", "half as much to an advert a week before"),
    "data_driven": (
        "Data-driven",
        "what each campaign adds to how often groups of people order (Shapley values); worth is not reckoned",
    ),
}


def read(reading: Reading, site: str, first: date, last: date, query: Mapping[str, str]) -> dict[str, Any]:
    """All that the page shows of a site and a period. `query`: `model`, one of MODELS, and `goal`. Raises
    Refused."""
    model, goal = query.get("model", "last_touch"), query.get("goal", "")
    if model not in MODELS:
        raise Refused(400, "model", "model is one of {models}", models=", ".join(MODELS))
    at = [site, first, last]
    goals = reading.rows(
        "SELECT ad_goal, sum(conversions)::BIGINT AS conversions, sum(value)::BIGINT AS value,"
        " sum(refunds)::BIGINT AS refunds, sum(refunded)::BIGINT AS refunded,"
        " sum(duplicates)::BIGINT AS duplicates FROM conversions WHERE site = ? AND day BETWEEN ? AND ?"
        " GROUP BY ad_goal ORDER BY 2 DESC, 1",
        at,
    )
    make = _driven if model == "data_driven" else _ruled
    rows = make(reading, at, goal, model)
    whole = sum(row["orders"] for row in rows)
    for row in rows:
        row["share"] = 100 * row["orders"] / whole if whole > 0 else None
    return {
        "model": model, "models": MODELS, "goal": goal, "goals": goals, "credited": rows, "whole": whole,
        "lifts": _lifts(reading, at), "least": LEAST,
    }  # fmt: skip


def _ruled(reading: Reading, at: list[Any], goal: str, model: str) -> list[dict[str, Any]]:
    """By a rule: campaigns, orders and worth."""
    found = reading.rows(
        f"SELECT ad_campaign, sum({model}) / 1000.0 AS orders, sum({model}_value)::BIGINT AS value"
        " FROM attribution WHERE site = ? AND day BETWEEN ? AND ? AND (? = '' OR ad_goal = ?)"
        " GROUP BY ad_campaign ORDER BY 2 DESC, 1",
        [*at, goal, goal],
    )
    return _last(found)


def _driven(reading: Reading, at: list[Any], goal: str, model: str) -> list[dict[str, Any]]:
    """From what groups ordered."""
    found = reading.rows(
        "SELECT campaigns, sum(people)::BIGINT AS people,"
        " coalesce(sum(conversions) FILTER (? = '' OR ad_goal = ?), 0)::BIGINT AS orders"
        " FROM conversion_paths WHERE site = ? AND day BETWEEN ? AND ? GROUP BY campaigns",
        [goal, goal, *at],
    )
    made = credits(Way(row["campaigns"], row["people"], row["orders"]) for row in found)
    best = sorted(made.campaigns.items(), key=lambda one: (-one[1], one[0]))
    rows: list[dict[str, Any]] = [{"ad_campaign": name, "orders": n, "value": None} for name, n in best]
    rows.append({"ad_campaign": NOBODY, "orders": made.unattributed, "value": None})
    if made.untold:
        rows.append({"ad_campaign": OTHER, "orders": made.untold, "value": None})
    return rows


def _last(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What no campaign led to, and what is of too few to be named, below the campaigns."""
    return sorted(rows, key=lambda row: (row["ad_campaign"] in (NOBODY, OTHER), row["ad_campaign"] == OTHER))


def _lifts(reading: Reading, at: list[Any]) -> list[tuple[str, dict[str, Arm], Lift | None]]:
    """Campaign by campaign the two groups of its experiment, and what exposing added, where they are not too
    small. Where rows of any day are folded nothing is said: days on which few ordered would be missing."""
    counts: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for row in reading.rows(
        "SELECT ad_campaign, ad_group, stage, sum(people)::BIGINT AS people FROM holdout"
        " WHERE site = ? AND day BETWEEN ? AND ? GROUP BY ALL ORDER BY ALL",
        at,
    ):
        counts[row["ad_campaign"]][row["ad_group"]][row["stage"]] = row["people"]
    found = []
    for campaign, groups in counts.items():
        arms = {
            name: Arm(stages["entered"], stages.get("ordered", 0))
            for name, stages in groups.items()
            if name in ("exposed", "holdout") and stages.get("entered")
        }
        if campaign != OTHER and arms:
            whole = OTHER not in groups and not any(OTHER in stages for stages in groups.values())
            both = lift(arms["exposed"], arms["holdout"]) if len(arms) == 2 and whole else None
            found.append((campaign, arms, both))
    return found
