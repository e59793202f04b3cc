"""Orders and what led to them, counted slowly and by hand: what `warehouse/paths.py` must agree with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from tests.warehouse.adverts import invalid, reasons

Fact = Mapping[str, Any]
Row = tuple[tuple[Any, ...], Any, list[int]]
#: (site, person) → places and events.
Touches = Mapping[Any, Sequence[tuple[int, Fact]]]

HOUR = 3_600_000
#: Goal → days after a click, and after an impression in view; whatever is not named has the usual ones.
USUAL = (30, 1)
NAMES = ("last_touch", "first_touch", "linear", "position", "time_decay")


def worth(fact: Fact) -> int:
    """In whole units, halves up; nothing is worth less than nothing."""
    return int(max(fact.get("value") or 0.0, 0.0) + 0.5)


def goal(fact: Fact) -> str:
    return fact.get("ad_goal") or "(none)"


def campaign(fact: Fact) -> str:
    return fact.get("ad_campaign") or "(none)"


class Order:
    """One conversion: whether it counts, and what was given back of it."""

    def __init__(self, fact: Fact, all_of: Sequence[Fact]) -> None:
        self.fact, self.value, self.at = fact, worth(fact), (fact["site"], fact["day"])
        number, self.counts, back = fact.get("ad_order"), True, []
        if number is not None:
            same = [f for f in all_of if f.get("ad_order") == number and f["site"] == fact["site"]
                    and goal(f) == goal(fact)]  # fmt: skip
            told = [f for f in same if f["type"] == "ad_conversion"
                    and fact["day"] - timedelta(days=30) <= f["day"] <= fact["day"]]  # fmt: skip
            order = lambda f: (f["day"], f["time"], f["person"], campaign(f), f.get("value") or 0)  # noqa: E731
            self.counts = min(told, key=order) is fact
            near = fact["day"] - timedelta(days=1), fact["day"] + timedelta(days=60)
            back = [f for f in same if f["type"] == "ad_refund" and near[0] <= f["day"] <= near[1]]
        self.refunded = self.counts and bool(back)
        wholly = any(f.get("value") is None for f in back) or sum(map(worth, back)) >= self.value
        self.returned = self.refunded and wholly
        self.given = self.value if self.returned else sum(map(worth, back)) if self.refunded else 0
        self.stands = self.counts and not self.returned


def orders(facts: Sequence[Fact]) -> list[Order]:
    return [Order(fact, facts) for fact in facts if fact["type"] == "ad_conversion"]


def touches(facts: Sequence[Fact]) -> Touches:
    """What may count for an order of each (site, person): its places and events, in the order of `facts`."""
    found, bad = defaultdict[Any, list[tuple[int, Fact]]](list), invalid(facts)
    for place, fact in enumerate(facts):
        if place not in bad and fact["type"] in ("ad_click", "ad_viewable"):
            found[fact["site"], fact["person"]].append((place, fact))
    return found


def path(
    site: str, person: Any, day: Any, time: int, goal: str, touched: Touches, windows: Mapping[str, Any]
) -> list[tuple[int, str]]:
    """(moment, campaign) of what counts for an order, the earliest first."""
    fires: dict[Any, tuple[Any, int, str, bool]] = {}
    for place, fact in touched.get((site, person), ()):
        view, click = fact.get("ad_view"), fact["type"] == "ad_click"
        name = (fact["day"], campaign(fact), click, place if view is None else (view,))
        one = (fact["day"], fact["time"], campaign(fact), click)
        fires[name] = min(one, fires.get(name, one))
    after = dict(zip((True, False), windows.get(goal, USUAL), strict=True))
    found = []
    for on, at, name, click in fires.values():
        if on < day or (on == day and at <= time):
            at = at if on == day else at - at % HOUR
            if at >= time - time % HOUR - after[click] * 24 * HOUR:
                found.append((at, name, click))
    clicked = any(click for _, _, click in found)
    return sorted((at, name) for at, name, click in found if click == clicked)


def weights(times: Sequence[int], time: int) -> dict[str, list[int]]:
    """What each touch weighs, by rule."""
    n = len(times)
    ends = [1] * n if n <= 2 else [2 * (n - 2), *[1] * (n - 2), 2 * (n - 2)]
    hours = [time // HOUR - at // HOUR for at in times]
    decay = [round(2 ** (-h / 168) * 2**20) for h in hours]
    return {
        "last_touch": [0] * (n - 1) + [1], "first_touch": [1] + [0] * (n - 1), "linear": [1] * n,
        "position": ends, "time_decay": decay,
    }  # fmt: skip


def shares(whole: int, by: Sequence[int]) -> list[int]:
    """A whole number in whole parts: each has what is passed, halves up, while its weight is laid down."""
    laid, before, found = 0, 0, []
    for weight in by:
        laid += weight
        upto = int(Fraction(whole * laid, sum(by)) + Fraction(1, 2))
        found.append(upto - before)
        before = upto
    return found


def conversions(facts: Sequence[Fact]) -> Iterator[Row]:
    for one in orders(facts):
        sums = [one.counts, one.value * one.counts, one.refunded, one.given, not one.counts]
        yield (*one.at, goal(one.fact), campaign(one.fact)), one.fact["person"], [int(n) for n in sums]


def attribution(facts: Sequence[Fact], windows: Mapping[str, Any]) -> Iterator[Row]:
    touched = touches(facts)
    for one in orders(facts):
        if not one.stands:
            continue
        fact, value = one.fact, one.value - one.given
        led = path(fact["site"], fact["person"], fact["day"], fact["time"], goal(fact), touched, windows)
        led = led or [(fact["time"], "(unattributed)")]
        by = weights([at for at, _ in led], fact["time"])
        for place, (_, name) in enumerate(led):
            credit = [shares(1000, by[rule])[place] for rule in NAMES]
            share = [shares(value, by[rule])[place] for rule in NAMES]
            yield (*one.at, goal(fact), name), fact["person"], [*credit, *share]


def ways(facts: Sequence[Fact], windows: Mapping[str, Any]) -> Iterator[Row]:
    ordered, touched = set(), touches(facts)
    for one in orders(facts):
        if one.stands:
            fact = one.fact
            ordered.add((*one.at, fact["person"]))
            led = path(fact["site"], fact["person"], fact["day"], fact["time"], goal(fact), touched, windows)
            yield (*one.at, _latest(led) or "(unattributed)", goal(fact)), fact["person"], [1]
    looked: dict[Any, int] = {}
    first: dict[Any, Any] = {}
    for place, fact in (one for mine in touched.values() for one in mine):
        who = fact["site"], fact["person"], campaign(fact), fact["type"], fact["day"]
        name = (*who, fact.get("ad_view"), place if fact.get("ad_view") is None else None)
        first[name] = min((fact["day"], fact["time"]), first.get(name, (fact["day"], fact["time"])))
    for (site, person, *_), (day, time) in first.items():
        looked[site, day, person] = max(time, looked.get((site, day, person), time))
    for (site, day, person), time in looked.items():
        if (site, day, person) not in ordered:
            led = path(site, person, day, time, "(none)", touched, windows)
            if led:
                yield (site, day, _latest(led), "(none)"), person, [0]


def _latest(led: Sequence[tuple[int, str]]) -> str:
    last = dict(sorted((name, at) for at, name in led))
    kept = sorted(last, key=lambda name: (-last[name], name))[:4]
    return " + ".join(sorted(kept))


def holdout(facts: Sequence[Fact]) -> Iterator[Row]:
    said = defaultdict(list)
    for fact in facts:
        if fact.get("ad_group"):
            key = fact["site"], fact["person"], campaign(fact)
            said[key].append((fact["day"], fact["ad_group"], fact["time"]))
    days = {(fact["site"], fact["day"], fact["person"]) for fact in facts}
    standing = [one for one in orders(facts) if one.stands]
    for (site, person, name), labels in said.items():
        for day in {day for s, day, p in days if (s, p) == (site, person)}:
            near = [one for one in labels if day - timedelta(days=30) <= one[0] <= day]
            if not near:
                continue
            first, part, _ = min(near)
            today = [time for on, _, time in near if on == day]
            if first == day:
                yield (site, day, name, part, "entered"), person, [1]
            mine = [o for o in standing if o.at == (site, day) and o.fact["person"] == person]
            before = {f["day"] for f in facts if f["type"] == "ad_conversion"
                      and (f["site"], f["person"]) == (site, person)}  # fmt: skip
            if any(first < day or o.fact["time"] >= min(today) for o in mine) and not any(
                first <= on < day for on in before
            ):
                yield (site, day, name, part, "ordered"), person, [1]


def hours(facts: Sequence[Fact]) -> Iterator[Row]:
    """Impressions and clicks by the hour, and what each counts as."""
    fired = set[Any]()
    why = reasons(facts)
    name = lambda f: (f["site"], f["day"], f["person"], f.get("ad_campaign"), f.get("ad_view"))  # noqa: E731
    for fact in facts:
        fired.add((*name(fact), fact["type"]))
    for place, fact in enumerate(facts):
        if fact["type"] not in ("ad_impression", "ad_click"):
            continue
        impression = fact["type"] == "ad_impression"
        if place in why:
            said = "duplicate" if why[place].startswith("duplicate") else "invalid"
        elif fact["received"] - fact["time"] > 24 * HOUR:
            said = "late"
        elif impression and fact.get("ad_view") is not None and (*name(fact), "ad_viewable") not in fired:
            said = "not viewable"
        else:
            said = "counted"
        at = datetime.fromtimestamp(fact["time"] / 1000, UTC)
        deed = "impression" if impression else "click"
        keys = (fact["site"], fact["day"], campaign(fact), deed, said, f"{at:%Y-%m-%dT%H}")
        yield keys, fact["person"], [1]
