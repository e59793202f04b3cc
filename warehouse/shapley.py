"""Data-driven attribution: what each campaign adds to how often people order, from released groups (M52).

People of a day are grouped by the campaigns that they had touched; of each group it is published how many
they are and how many orders they made (`conversion_paths`). A group that had touched fewer campaigns would
have ordered as often as the group that had touched just those. What each campaign adds, on average over all
orders in which they may have come, is its Shapley value (Shapley 1953; for adverts Dalessandro et al.
2012): exact, as a way has four campaigns at most. Nothing is read but what has passed release, so no single
person's path.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from math import factorial
from typing import NamedTuple

from consent_filter.errors import Refused
from warehouse.paths import AND, NOBODY
from warehouse.report import OTHER

Group = frozenset[str]
#: More players than that have more coalitions than are worth adding up.
PLAYERS = 12


class Way(NamedTuple):
    """A row of `conversion_paths`, of one goal or of none: who had touched these campaigns, their orders."""

    campaigns: str
    people: int
    orders: int


class Credits(NamedTuple):
    """Orders by campaign; those that no campaign led to; and those of ways too few people took to be told."""

    campaigns: dict[str, float]
    unattributed: int
    untold: int


def shapley(players: Iterable[str], value: Callable[[Group], float]) -> dict[str, float]:
    """What each player adds to a coalition's value, averaged over all orders of joining. They add up to the
    value of all less that of none. Raises Refused where there are more than PLAYERS."""
    names = sorted(set(players))
    if len(names) > PLAYERS:
        raise Refused(400, "players", f"{len(names)} players have too many coalitions: at most {PLAYERS}")
    n, known = len(names), dict[Group, float]()
    for size in range(n + 1):
        known |= {frozenset(some): value(frozenset(some)) for some in combinations(names, size)}
    found = dict.fromkeys(names, 0.0)
    for one in names:
        for some, worth in known.items():
            if one not in some:
                weight = factorial(len(some)) * factorial(n - len(some) - 1) / factorial(n)
                found[one] += weight * (known[some | {one}] - worth)
    return found


def credits(ways: Iterable[Way]) -> Credits:
    """Orders by campaign. What one adds may be less than nothing; they add up to the orders of ways."""
    people, orders = defaultdict[Group, int](int), defaultdict[Group, int](int)
    unattributed = untold = 0
    for way in ways:
        if way.campaigns == NOBODY:
            unattributed += way.orders
        elif way.campaigns == OTHER:
            untold += way.orders
        else:
            group = frozenset(way.campaigns.split(AND))
            people[group] += way.people
            orders[group] += way.orders
    found = defaultdict[str, float](float)
    for group, n in people.items():
        for name, worth in shapley(group, lambda some: _rate(some, people, orders)).items():
            found[name] += n * worth
    return Credits(dict(found), unattributed, untold)


def _rate(some: Group, people: Mapping[Group, int], orders: Mapping[Group, int]) -> float:
    """How often people order who have touched these. Of a coalition that no group was in: as often as the
    largest that are in it, together. Who touched nothing orders nothing that a campaign led to."""
    for size in range(len(some), 0, -1):
        like = [g for g in map(frozenset, combinations(sorted(some), size)) if people.get(g)]
        if like:
            return sum(orders[g] for g in like) / sum(people[g] for g in like)
    return 0.0
