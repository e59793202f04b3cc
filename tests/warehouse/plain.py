"""Every report counted and released again, slowly and by hand: what the fast way must agree with.

Cells are `{keys: {person: sums}}`, all people in plain sets. Nothing here is shared with the warehouse but
the headers of the reports.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, date, datetime, timedelta
from hashlib import md5
from typing import Any

from tests.warehouse import adverts, plain_paths, plain_trials
from warehouse import report as reports
from warehouse.report import OTHER, Report
from warehouse.settings import Warehouse

Fact = Mapping[str, Any]
Keys = tuple[Any, ...]
Cells = dict[Keys, dict[Any, list[int]]]
Rows = list[tuple[Any, ...]]

_SOURCE = ("referrer_group", "referrer_host", "utm_source", "utm_medium", "utm_campaign")


def release(facts: Sequence[Fact], received: Sequence[Fact], settings: Warehouse) -> dict[str, Rows]:
    """Every report. `facts`: rows that were stored, of nobody who has withdrawn. `received`: all of them."""
    found = {}
    for name, report in sorted(reports.load().items(), key=lambda one: one[1].grain == "all"):
        if report.grain == "day":
            cells = daily(report, facts, received)
        else:
            published = {row[:2] for row in found["traffic_day"]}
            new = {row[:2] for row in found.get("new_returning", ()) if row[2] == "new"}
            cells = overall(report, facts, published, new, settings.min_group)
        found[name] = hidden(report, limited(report, cells, settings), settings)
    return found


def rejoined(facts: Sequence[Fact], logins: Iterable[tuple[Any, Any, int]]) -> list[Fact]:
    """Facts as reports read them: what a browser did in a visit before its login is the account's (M42).

    Walks back from each login, the earliest first, over the browser's measured rows of the site's own day;
    a pause of more than half an hour ends the walk, and a row that has been walked over belongs to an earlier
    login. `logins`: device, account, UTC milliseconds.
    """
    found = [dict(fact) for fact in facts]
    taken: set[int] = set()
    for device, account, at in sorted(logins, key=lambda one: (one[2], one[1])):
        mine = [
            place
            for place, fact in enumerate(facts)
            if fact["person"] == device and fact["time"] <= at and fact["purposes"] & 1
            and (at + fact["offset_min"] * 60_000) // 86_400_000 == (fact["day"] - date(1970, 1, 1)).days
        ]  # fmt: skip
        until = at
        for place in sorted(mine, key=lambda place: -facts[place]["time"]):
            if until - facts[place]["time"] > 30 * 60 * 1000 or place in taken:
                break
            until = facts[place]["time"]
            taken.add(place)
            found[place]["person"] = account
    return found


def _add(cells: Cells, keys: Keys, person: Any, sums: Iterable[int]) -> None:
    old = cells.setdefault(keys, {}).get(person)
    cells[keys][person] = [a + b for a, b in zip(old, sums, strict=True)] if old else list(sums)


def _views(fact: Fact) -> list[int]:
    return [int(fact["type"] == "page_view"), 1]


#: report → the word for each of its keys (besides site and day) where a fact has none
_PROFILES = {
    "browsers": {"browser": "(unknown)", "os": "(unknown)"},
    "consent_mix": {"basis": "(none)", "signal": "none", "country": "ZZ"},
    "countries": {"country": "ZZ"},
    "devices": {"device": "other"},
}
#: report → what it is of a visit: the keys besides site and day, and the sums
_VISITS: dict[str, Callable[[Fact], tuple[Keys, list[int]]]] = {
    "campaigns": lambda v: (
        tuple(v[key] or "(none)" for key in ("utm_source", "utm_medium", "utm_campaign")),
        [1, v["views"]],
    ),
    "entry_pages": lambda v: ((v["entry"] or "(none)",), [1, v["bounced"]]),
    "exit_pages": lambda v: ((v["leave"] or "(none)",), [1]),
    "sessions": lambda v: ((), [1, v["bounced"], v["duration_ms"], v["views"]]),
    "sources": lambda v: (
        (v["referrer_group"] or "direct", v["referrer_host"] or "(none)"),
        [1, v["views"]],
    ),
    "traffic_day": lambda v: ((), [0, 1, 0]),
}
#: Reports of orders, and what led to them
_LED: dict[str, Callable[[Sequence[Fact]], Iterable[Any]]] = {
    "conversions": plain_paths.conversions,
    "attribution": lambda facts: plain_paths.attribution(facts, {}),
    "conversion_paths": lambda facts: plain_paths.ways(facts, {}),
    "holdout": plain_paths.holdout,
    "advert_hours": plain_paths.hours,
}


def daily(report: Report, facts: Sequence[Fact], received: Sequence[Fact]) -> Cells:
    """What each person adds to each row of a report by day; of one about requests, each request."""
    name, cells = report.name, Cells()
    if not report.people:
        for number, fact in enumerate(received):
            stored = "reason" not in fact
            if name == "balance":
                _add(cells, (fact["site"], fact["day"]), number, [1, int(stored), int(not stored)])
            elif name == "advert_balance":
                if fact["type"].startswith("ad_"):
                    keys = fact["type"], fact.get("ad_campaign") or "(none)", fact.get("reason", "stored")
                    _add(cells, (fact["site"], fact["day"], *keys), number, [1])
            elif name == "advert_refusals":
                deed = {"ad_impression": "impression", "ad_click": "click"}.get(fact["type"])
                if deed and fact.get("reason") in ("robot", "consent", "signal"):
                    hour = f"{datetime.fromtimestamp(fact['time'] / 1000, UTC):%Y-%m-%dT%H}"
                    keys = fact.get("ad_campaign") or "(none)", deed, fact["reason"], hour
                    _add(cells, (fact["site"], fact["day"], *keys), number, [1])
            elif not stored:
                words = ("site", "day", "protocol", "country", "reason", "detail")
                _add(cells, tuple(fact[word] or "ZZ" for word in words), number, [1])
        return cells
    facts = [fact for fact in facts if fact["purposes"] & report.bit]
    if report.two:  # nobody here is on another side, so that nothing is shown: `test_market.py` counts them
        return cells
    if name in _LED:
        for keys, person, sums in _LED[name](facts):
            _add(cells, keys, person, sums)
        if name == "holdout":  # who is in a row is in it once
            return {keys: {one: [1] for one in people} for keys, people in cells.items()}
    if name in _VISITS:
        for visit in _visits(facts):
            rest, sums = _VISITS[name](visit)
            _add(cells, (visit["site"], visit["day"], *rest), visit["person"], sums)
    if name == "invalid_traffic":
        for fact, why in _judged(facts):
            known = int(fact["treatment"] == "identified")
            keys = fact["type"], fact.get("ad_campaign") or "(none)", *why
            _add(cells, (fact["site"], fact["day"], *keys), fact["person"], [1, known, 1 - known])
    if name == "speed":
        for keys, person, sums in plain_trials.speeds(facts):
            _add(cells, keys, person, sums)
    if name == "viewing":
        for keys, person, sums in adverts.looks(facts):
            _add(cells, keys, person, sums)
    for fact in facts:
        kind, at = fact["type"], (fact["site"], fact["day"])
        add = lambda sums, *rest: _add(cells, (*at, *rest), fact["person"], sums)  # noqa: B023, E731
        if name == "traffic_day":
            views, one = _views(fact)
            add([views, 0, one])
        elif name in _PROFILES:
            add(_views(fact), *(fact.get(key) or word for key, word in _PROFILES[name].items()))
        elif name == "traffic_hour":
            add(_views(fact), (fact["time"] + fact["offset_min"] * 60_000) // 3_600_000 % 24)
        elif name == "custom_events" and kind != "page_view":
            add([1], kind, fact.get("name") or "(none)")
        elif name == "pages" and kind in ("page_view", "engagement"):
            asked = kind == "engagement"
            long = (fact.get("duration_ms") or 0) if asked else 0
            deep = fact.get("scroll") if asked else None
            sums = [int(not asked), long, deep or 0, int(deep is not None)]
            add(sums, fact.get("path") or "(none)")
        elif name == "tasks" and kind == "event" and fact.get("name") == "task_posted":
            add([1], "(none)")
        elif name == "referrals" and fact.get("referral_channel"):
            add([1], fact["referral_channel"], fact.get("name") or "(none)")
        elif name == "page_errors" and kind == "error" and fact.get("name"):
            add([int(fact.get("value") or 1)], fact["name"], fact.get("path") or "(none)")
        elif name in ("genders", "places"):
            said = fact.get("gender" if name == "genders" else "cell")
            if said:
                add([1], said)
    if name in adverts.KEYS:
        for view in adverts.views(facts):
            if sums := adverts.sums(name, view):
                at = tuple(view[key] for key in ("site", "day", *adverts.KEYS[name]))
                _add(cells, at, view["person"], sums)
    return cells


def _moment(fact: Fact) -> tuple[int, str]:
    return fact["time"], fact["treatment"]


def _judged(facts: Sequence[Fact]) -> Iterator[tuple[Fact, tuple[str, str]]]:
    """Adverts' events, each with ground and reason."""
    found = adverts.reasons(facts)
    for place, fact in enumerate(facts):
        if fact["type"].startswith("ad_"):
            why = found.get(place)
            ground = "general" if why in ("duplicate", "duplicate_click") else "sophisticated"
            yield fact, ("none", "valid") if why is None else (ground, why)


def _visits(facts: Sequence[Fact]) -> list[dict[str, Any]]:
    by = defaultdict(list)
    for fact in facts:
        by[fact["site"], fact["day"], fact["person"]].append(fact)
    visits: list[list[Fact]] = []
    tie = lambda fact: [(fact.get(word) is None, fact.get(word) or "") for word in ("path", *_SOURCE)]  # noqa: E731
    for mine in by.values():
        before = None
        # A path or a source is looked at where it is a page view's only.
        for fact in sorted(
            mine, key=lambda f: (f["time"], f["type"], tie(f) if f["type"] == "page_view" else [])
        ):
            if before is None or fact["time"] - before > 30 * 60 * 1000:
                visits.append([])
            visits[-1].append(fact)
            before = fact["time"]
    found = []
    for visit in visits:
        pages = [fact for fact in visit if fact["type"] == "page_view"]
        if pages:
            did = any(fact["type"] in ("click", "event") for fact in visit)
            found.append(
                {name: pages[0].get(name) for name in ("site", "day", "person", *_SOURCE)}
                | {
                    "views": len(pages),
                    "bounced": int(len(pages) == 1 and not did),
                    "duration_ms": visit[-1]["time"] - visit[0]["time"],
                    "entry": pages[0].get("path"),
                    "leave": pages[-1].get("path"),
                }
            )
    return found


def monday(day: date) -> date:
    """The day that a day's week begins on."""
    return day - timedelta(days=day.weekday())


def overall(
    report: Report, facts: Sequence[Fact], published: Set[Any], new: Set[Any] = frozenset(), least: int = 1
) -> Cells:
    """The same of a report over all days.

    `published`: (site, day) that may be counted. `new`: those whose new people are published. `least`: people
    who have done the same on a day, for it to be a step.
    """
    cells = Cells()
    if report.name in ("reach", "pressure"):
        for keys, person, n in adverts.contacts(report.name, facts, report.bit, least):
            _add(cells, keys, person, list(n))
        return cells
    kept = [f for f in facts if f["purposes"] & report.bit and (f["site"], f["day"]) in published]
    if report.name == "experiments":
        for keys, person, times in plain_trials.counted(kept, least):
            _add(cells, keys, person, [times])
        return cells
    days: dict[tuple[str, date, int], list[int]] = {}
    known: set[tuple[str, date, int]] = set()
    for fact in kept:
        at = fact["site"], fact["day"], fact["person"]
        days[at] = [a + b for a, b in zip(days.get(at, [0, 0]), _views(fact), strict=True)]
        if fact["treatment"] == "identified":
            known.add(at)
    first: dict[tuple[str, int], date] = {}
    for site, day, person in sorted(known, reverse=True):
        first[site, person] = day
    if report.name == "funnel":
        return _funnel(kept, least)
    for (site, day, person), sums in days.items():
        if report.name == "growth":
            for period, begins in (("week", monday(day)), ("month", day.replace(day=1))):
                _add(cells, (site, period, begins), (person, day), sums)
        elif report.name == "new_returning":
            kind = "new" if first.get((site, person)) == day else "returning"
            _add(cells, (site, day, kind if (site, day, person) in known else "unknown"), person, sums)
        elif (site, first.get((site, person))) in new:
            week = monday(first[site, person])
            _add(cells, (site, week, (monday(day) - week).days // 7), person, sums[1:])
    return cells


def _funnel(facts: Sequence[Fact], least: int) -> Cells:
    cells = Cells()
    by, did_so = defaultdict(list), defaultdict(set)
    for fact in facts:
        if fact["type"] == "event":
            did_so[fact["site"], fact["day"], fact.get("name")].add(fact["person"])
    for fact in facts:
        if len(did_so[fact["site"], fact["day"], fact.get("name")]) >= least and fact["type"] == "event":
            by[fact["site"], monday(fact["day"]), fact["person"]].append((fact["time"], fact.get("name")))
    for (site, week, person), did in by.items():
        since = 0
        for step, name in enumerate(("sign_up", "post_project", "bid_placed", "hired"), 1):
            times = [time for time, done in did if done == name and time >= since]
            if not times:
                break
            since = min(times)
            _add(cells, (site, week, step, name), person, [len(times)])
    return cells


def limited(report: Report, cells: Cells, settings: Warehouse) -> Cells:
    """Nobody in more than `max_cells` rows of a group, nobody adding more than the most to a number."""
    if not report.people:
        return cells
    if report.rest:
        mine: dict[tuple[Keys, Any], list[Keys]] = defaultdict(list)
        for keys, people in cells.items():
            for person in people:
                mine[_part(report, keys, report.within), person].append(keys)
        moved = Cells()
        for (_, person), of in mine.items():
            rest = [[dict(zip(report.keys, keys, strict=True))[key] for key in report.rest] for keys in of]
            order = sorted(
                zip(rest, of, strict=True),
                key=lambda one: (
                    "" if report.nested else md5("/".join(map(str, one[0])).encode()).hexdigest(),
                    one[0],
                ),
            )
            for place, (_, keys) in enumerate(order):
                if place < min(settings.max_cells, report.caps["cells"]):
                    _add(moved, keys, person, cells[keys][person])
                elif report.fold:
                    _add(moved, _other(report, keys, 0), person, cells[keys][person])
        cells = moved
    most = [min(settings.most(name), report.caps.get(name, settings.most(name))) for name in report.sums]
    return {
        keys: {
            person: [min(n, m) for n, m in zip(sums, most, strict=True)] for person, sums in people.items()
        }
        for keys, people in cells.items()
    }


def _part(report: Report, keys: Keys, names: Sequence[str]) -> Keys:
    named = dict(zip(report.keys, keys, strict=True))
    return tuple(named[name] for name in names)


def _other(report: Report, keys: Keys, level: int) -> Keys:
    """The row that a row is folded into, of the part that it is in at that level."""
    kept = report.levels[level]
    return tuple(key if name in kept else OTHER for name, key in zip(report.keys, keys, strict=True))


def hidden(report: Report, cells: Cells, settings: Warehouse) -> Rows:
    """The rows that may be seen, and those that stand for the others."""
    k, left, folded = settings.min_group * report.times, dict(cells), defaultdict(list)
    if report.nested or not report.rest:
        left = {keys: people for keys, people in cells.items() if len(people) >= k}
    for level in range(1, len(report.levels)) if not report.nested else ():
        parts: dict[Keys, dict[Keys, set[Any]]] = defaultdict(lambda: defaultdict(set))
        for keys, people in left.items():
            node = _part(report, keys, report.levels[level])
            parts[_part(report, keys, report.levels[level - 1])][node] |= people.keys()
        for nodes in parts.values():
            out = {n for n, who in nodes.items() if len(who) < k or (report.fold and n[-1] == OTHER)}
            rest = sorted(nodes.keys() - out, key=lambda node: (len(nodes[node]), node))
            if out and len(set().union(*(nodes[node] for node in out))) < k:
                out |= set(rest[:1])
            for keys in [keys for keys in left if _part(report, keys, report.levels[level]) in out]:
                folded[_other(report, keys, level - 1)].append(left.pop(keys))
    equals = min(-(-100 // settings.dominance), settings.min_group)
    table = [_row(report, keys, [people], equals) for keys, people in left.items()]
    for keys, several in folded.items() if report.fold else ():
        if len(set().union(*several)) >= k:
            table.append(_row(report, keys, several, equals))
    if not report.nested:
        return sorted(table)
    return _together(report, _apart(report, sorted(table), k), cells, k)


def _row(
    report: Report, keys: Keys, several: Sequence[Mapping[Any, list[int]]], equals: int
) -> tuple[Any, ...]:
    people = [len(set().union(*several))] if report.people else []
    mine: dict[Any, list[int]] = defaultdict(lambda: [0] * len(report.sums))
    for one in several:
        for person, sums in one.items():
            mine[person] = [a + b for a, b in zip(mine[person], sums, strict=True)]
    columns = [list(column) for column in zip(*mine.values(), strict=True)]
    return (*keys, *people, *(undominated(one, equals if report.people else 1) for one in columns))


def undominated(parts: Sequence[int], equals: int) -> int:
    """The sum with nobody more than one of so many equals: the most that anybody may add, by halves."""
    low, high = 0, max(parts)
    while low < high:
        most = (low + high + 1) // 2
        if sum(min(part, most) for part in parts) >= equals * most:
            low = most
        else:
            high = most - 1
    return sum(min(part, low) for part in parts)


def _apart(report: Report, table: Rows, k: int) -> Rows:
    """Of rows that contain each other those whose difference is nobody, or a group."""
    kept: Rows = []
    around: dict[Keys, int] = {}
    place = len(report.keys)
    for row in sorted(
        table, key=lambda row: tuple(row[report.keys.index(k)] for k in (*report.within, *report.rest))
    ):
        group = _part(report, row[:place], report.within)
        less = around.get(group, row[place]) - row[place]
        if less == 0 or less >= k:
            kept.append(row)
            if group not in around or report.nested == "previous":
                around[group] = row[place]
    return sorted(kept)


def _together(report: Report, table: Rows, cells: Cells, k: int) -> Rows:
    """Of groups that are parts of a total those without which nobody, or a group, is lacking in it."""
    firsts: dict[Keys, tuple[Keys, int]] = {}
    for keys, people in cells.items():
        group, rest = _part(report, keys, report.within), _part(report, keys, report.rest)
        firsts[group] = min(firsts.get(group, (rest, len(people))), (rest, len(people)))
    shown = {_part(report, row[: len(report.keys)], report.within) for row in table}
    for total in {group[: len(report.beside)] for group in firsts} if report.beside else ():
        while 0 < sum(n for g, (_, n) in firsts.items() if g not in shown and g[: len(total)] == total) < k:
            left = [(n, g) for g, (_, n) in firsts.items() if g in shown and g[: len(total)] == total]
            if not left:
                break
            shown.remove(min(left)[1])
    return [row for row in table if _part(report, row[: len(report.keys)], report.within) in shown]
