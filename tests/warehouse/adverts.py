"""Adverts counted by hand: views, how they ended, and who met what how often (the oracle of `plain.py`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

Fact = Mapping[str, Any]

#: Report of views → its keys besides site and day.
KEYS = {
    "adverts": ("ad_campaign", "ad_creative", "ad_placement", "continent", "country", "device"),
    "delivery": ("ad_campaign",),
    "interest": ("category", "country", "device"),
}
_KINDS = ("ad_request", "ad_served", "ad_impression", "ad_viewable", "ad_engagement", "ad_click")
_NONE = {"continent": "(unknown)", "country": "ZZ", "device": "other"}
_SECONDS = {"0-1": 1, "1-2": 2, "2-5": 5, "5-10": 10, "10-30": 30, "30-60": 60}
_WEEK = {"1-2": 2, "3-5": 5, "6-10": 10, "11-20": 20, "21-40": 40, "41-80": 80}


def invalid(facts: Sequence[Fact]) -> set[int]:
    """Places of the events that are no valid traffic."""
    return set(reasons(facts))


def reasons(facts: Sequence[Fact]) -> dict[int, str]:
    """Place of an event → the first of rules 1 of invalid traffic that speaks against it, of those that facts
    of these tests can break; `tests/warehouse/invalid` has cases of every rule."""
    found: dict[int, str] = {}
    began: dict[Any, int] = {}
    shown: dict[Any, int] = {}
    seen = set[Any]()
    clicked: dict[Any, int] = {}
    order = sorted(range(len(facts)), key=lambda place: _order(facts[place]))
    for place in order:
        fact = facts[place]
        if fact["type"] == "ad_impression" and fact.get("ad_view") is not None:
            mine = fact["site"], fact["person"], fact["day"], fact["ad_view"]
            began.setdefault(mine, fact["time"])
            shown.setdefault((fact["site"], fact["day"], fact["ad_view"]), fact["time"])
    sender = _senders(facts)
    steady = _steady([facts[place] for place in order])
    for place in order:
        fact = facts[place]
        kind, view, at = fact["type"], fact.get("ad_view"), fact["time"]
        mine = fact["site"], fact["person"], fact["day"], view
        near = [shown.get((fact["site"], fact["day"] - timedelta(days=by), view)) for by in (0, 1)]
        first = began.get(mine, min((one for one in near if one is not None), default=None))
        after = at - first if view is not None and first is not None else None
        wrong: dict[str, bool] = {}
        if view is not None:
            eve = (*mine[:2], fact["day"] - timedelta(days=1), view, kind)
            wrong["duplicate_click" if kind == "ad_click" else "duplicate"] = (
                *mine,
                kind,
            ) in seen or eve in seen
            seen.add((*mine, kind))
        if kind == "ad_click":
            same = (*mine[:3], *(fact.get(key) for key in ("ad_campaign", "ad_creative", "ad_slot")))
            if at - clicked.get(same, -(10**15)) < 30_000:
                wrong["duplicate_click"] = True
            clicked[same] = at
        wrong["replayed"] = fact["person"] != sender.get((fact["site"], fact["day"], view), fact["person"])
        late = after is not None and after > 86_400_000
        wrong["replayed_late"] = late and kind in _ON_PAGE
        wrong["impossible_viewability"] = kind == "ad_viewable" and (
            (view is not None and after is None)
            or (after is not None and after < 800)
            or (fact.get("ad_share") is not None and fact["ad_share"] < 30)
        )
        wrong["impossible_duration"] = (
            kind == "ad_engagement" and after is not None and (fact.get("duration_ms") or 0) > after + 2000
        )
        wrong["click_unshown"] = kind == "ad_click" and view is not None and (after is None or after < 0)
        wrong["click_late"] = kind == "ad_click" and late
        wrong["click_at_once"] = kind == "ad_click" and after is not None and 0 <= after < 100
        wrong["click_steady"] = kind == "ad_click" and id(fact) in steady
        said = [reason for reason, holds in wrong.items() if holds]
        if said:
            found[place] = said[0]
    return found


_TIES = (
    "treatment", "duration_ms", "ad_share", "ad_flags", "ad_rate", "value", "ad_slot", "ad_campaign",
    "ad_creative", "ad_size", "country", "browser",
)  # fmt: skip


def _order(fact: Fact) -> list[Any]:
    """As events are put in order, those of one moment too: what is not said comes last."""
    return [fact["time"], *((fact.get(key) is None, fact.get(key) or 0) for key in _TIES)]


_ON_PAGE = ("ad_impression", "ad_viewable", "ad_engagement", "ad_video")


def _steady(facts: Sequence[Fact]) -> set[int]:
    """Clicks of a person on a day that follow another after the same tenth of a second, five or more."""
    by: dict[Any, list[int]] = defaultdict(list)
    before: dict[Any, int] = {}
    for fact in facts:
        if fact["type"] == "ad_click":
            who = fact["site"], fact["person"], fact["day"]
            if who in before:
                by[*who, (fact["time"] - before[who] + 50) // 100].append(id(fact))
            before[who] = fact["time"]
    return {one for clicks in by.values() if len(clicks) >= 5 for one in clicks}


def _senders(facts: Sequence[Fact]) -> dict[Any, int]:
    """Of each view the person of whom it came in first on that day."""
    by: dict[Any, list[tuple[int, int, int]]] = defaultdict(list)
    for fact in facts:
        if fact.get("ad_view") is not None:
            by[fact["site"], fact["day"], fact["ad_view"]].append(
                (fact["received"], fact["time"], fact["person"])
            )
    return {view: min(sent)[2] for view, sent in by.items()}


def views(facts: Sequence[Fact]) -> Iterator[dict[str, Any]]:
    """Each view of an advert with the words of all its events, and how many events of each kind it has."""
    by, bad = defaultdict(list), invalid(facts)
    for place, fact in enumerate(facts):
        told = fact["type"] != "ad_engagement" or fact.get("ad_share") is not None
        if fact["type"] in _KINDS:
            words = {key: fact.get(key) for key in ("ad_campaign", "ad_creative", "path", *_NONE)}
            words["ad_placement"] = fact.get("ad_placement") or fact.get("ad_slot")
            view = fact.get("ad_view")
            named = view if view is not None else tuple(words.items())
            by[fact["site"], fact["day"], fact["person"], named].append(
                (fact["type"] if told else "", words, place not in bad)
            )
    for (site, day, person, _), events in by.items():
        found: dict[str, Any] = {"site": site, "day": day, "person": person}
        for word in events[0][1]:
            said = [words[word] for _, words, _ in events if words[word] is not None]
            found[word] = max(said) if said else _NONE.get(word, "(none)" if word != "path" else None)
        path = found.pop("path")
        found["category"] = "(none)" if path is None else "/" + [*path.split("/"), "", ""][1]
        found |= {kind: sum(one == kind for one, _, _ in events) for kind in _KINDS}
        found |= {f"net {kind}": sum(one == kind and valid for one, _, valid in events) for kind in _KINDS}
        yield found


def sums(name: str, view: Mapping[str, Any]) -> list[int]:
    """What a view adds to a report."""
    if name == "interest":
        net = [view[f"net {kind}"] for kind in ("ad_impression", "ad_viewable", "ad_click")]
        return net if any(net) else []
    return [view["ad_request"], view["ad_served"], *_four(view, ""), *_four(view, "net ")]


def _four(view: Mapping[str, Any], net: str) -> list[int]:
    begun, viewable, ended, clicked = (view[f"{net}{kind}"] for kind in _KINDS[2:])
    return [begun, max(viewable, ended), viewable, clicked]


def looks(facts: Sequence[Fact]) -> Iterator[tuple[tuple[Any, ...], Any, list[int]]]:
    """(keys, person, ended, impressions, viewable) of each band that a view is in."""
    bad, by = invalid(facts), defaultdict(list)
    for place, fact in enumerate(facts):
        if fact["type"] in _LOOKED and place not in bad:
            view = fact.get("ad_view")
            at = fact["site"], fact["day"], fact["person"], ("alone", place) if view is None else view
            by[at].append(fact)
    for (site, day, person, _), events in by.items():
        ended = [fact for fact in events if fact["type"] == "ad_engagement"]
        sums = [sum(fact["type"] == kind for fact in events) for kind in _LOOKED]
        largest = lambda name, some: max((f[name] for f in some if f.get(name) is not None), default=None)  # noqa: E731
        at = site, day, largest("ad_campaign", events) or "(none)"
        if (long := largest("duration_ms", ended)) is not None:
            band = next((band for band, end in _SECONDS.items() if long < 1000 * end), "60+")
            yield (*at, "seconds", band), person, sums
        if (share := largest("ad_share", ended)) is not None:
            bands = {"0": 1, "1-29": 30, "30-49": 50, "50-74": 75, "75-99": 100, "100": 101}
            yield (*at, "share", next(band for band, end in bands.items() if share < end)), person, sums
        if sums[0] + sums[1]:
            yield (*at, "size", largest("ad_size", events) or "(none)"), person, sums


_LOOKED = ("ad_engagement", "ad_impression", "ad_viewable")


def often(n: int) -> str:
    """The band of a frequency, as a device tells it (S11)."""
    return str(n) if n < 4 else "4-6" if n < 7 else "7+"


def contacts(
    name: str, facts: Sequence[Fact], bit: int, least: int
) -> Iterator[tuple[Any, Any, tuple[int, ...]]]:
    """(keys, person, impressions gross and net) of reach, and of pressure with messages and their ways, of
    the campaigns, ways and days that may be told."""
    granted = [fact for fact in facts if fact["purposes"] & bit]
    bad = {id(granted[place]) for place in invalid(granted)}
    mine = [
        fact for fact in granted
        if fact["type"] == "ad_impression" and fact.get("ad_campaign") is not None
    ]  # fmt: skip
    people: dict[tuple[str, date], dict[str, set[Any]]] = defaultdict(lambda: defaultdict(set))
    for fact in mine:
        people[fact["site"], fact["day"]][fact["ad_campaign"]].add(fact["person"])
    told = set()
    for at, campaigns in people.items():
        large = sorted((len(who), name) for name, who in campaigns.items() if len(who) >= least)
        hide = large[:1] if len(large) < len(campaigns) else []
        told |= {(*at, name) for _, name in large if (_, name) not in hide and name != "(other)"}
    kept = [fact for fact in mine if (fact["site"], fact["day"], fact["ad_campaign"]) in told]
    first: dict[tuple[str, str], date] = {}
    for site, day, campaign in sorted(told, reverse=True):
        first[site, campaign] = day
    counted: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    said: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    for fact in kept:
        site, day, campaign, who = fact["site"], fact["day"], fact["ad_campaign"], fact["person"]
        monday, known = day - timedelta(days=day.weekday()), fact["treatment"] == "identified"
        spans = (("day", day), ("week", monday), ("flight", first[site, campaign]))
        at: list[tuple[Any, ...]] = [(site, *span, campaign) for span in spans]
        if name == "pressure":
            at = [(site, monday)]
        for keys in at:
            if known:
                _both(counted[keys, who], id(fact) not in bad)
            if name == "reach" and fact.get("ad_frequency"):
                kind = "told_known" if known else "told"
                _both(said[(*keys, kind, fact["ad_frequency"]), who], id(fact) not in bad)
    for (keys, who), (gross, net) in counted.items():
        if name == "reach":
            yield (*keys, "known" if net else "filtered", often(net or gross)), who, (gross, net)
    if name == "pressure":
        yield from _pressed(counted, _messages(granted, least))
    for (keys, who), (gross, net) in said.items():
        yield keys, who, (gross, net)


_MESSAGES = ("email", "post", "sms", "phone", "account")


def _messages(facts: Sequence[Fact], least: int) -> dict[Any, list[int]]:
    """((site, week), person) → messages by way, of ways and days of a group."""
    sent = [
        fact for fact in facts
        if fact["type"] == "ad_contact" and fact["ad_step"] in _MESSAGES and fact["treatment"] == "identified"
    ]  # fmt: skip
    people: dict[Any, dict[str, set[Any]]] = defaultdict(lambda: defaultdict(set))
    for fact in sent:
        people[fact["site"], fact["day"]][fact["ad_step"]].add(fact["person"])
    found: dict[Any, list[int]] = defaultdict(lambda: [0] * len(_MESSAGES))
    for fact in sent:
        at = people[fact["site"], fact["day"]]
        large = sorted((len(who), way) for way, who in at.items() if len(who) >= least)
        hidden = [way for _, way in large[:1]] if len(large) < len(at) else []
        if len(at[fact["ad_step"]]) >= least and fact["ad_step"] not in hidden:
            monday = fact["day"] - timedelta(days=fact["day"].weekday())
            found[(fact["site"], monday), fact["person"]][_MESSAGES.index(fact["ad_step"])] += 1
    return found


def _pressed(
    counted: Mapping[Any, Sequence[int]], sent: Mapping[Any, Sequence[int]]
) -> Iterator[tuple[Any, Any, tuple[int, ...]]]:
    for keys, who in sorted({*counted, *sent}):
        gross, net = counted.get((keys, who), (0, 0))
        ways = sent.get((keys, who), [0] * len(_MESSAGES))
        n = sum(ways)
        for kind, often, sums in (
            ("all", net + n, (gross, net, n, 0, 0, 0, 0, 0)), ("messages", n, (0, 0, n, *ways)),
        ):  # fmt: skip
            if often:
                band = next((band for band, most in _WEEK.items() if often <= most), "81+")
                yield (*keys, kind, band), who, sums


def _both(sums: list[int], valid: bool) -> None:
    sums[0] += 1
    sums[1] += valid
