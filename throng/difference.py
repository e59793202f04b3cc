"""What differs between two packs on one stream: events, fields, people to tell (S5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from consent_filter.decide import Laws, lapsed
from consent_filter.in_force import Era, History
from consent_filter.policy_change import Change, changes, reset
from consent_filter.purpose import BY_NAME, names
from throng.rehearsal import FIELDS, Run, Step


class Difference(NamedTuple):
    """What the second policy does to the stream that the first did not.

    fates: (before, after) → events, where the way they are kept differs. by_country: the same, by country.
    purposes: rows that may be used for each, before and after. fields: column → rows that have it before and
    after, that lose it, that gain it. tell: people who have an id here, and so can be told;
    again: of them, how many have agreed to a purpose that they have to be asked for again.
    """

    received: int
    kept: tuple[Counter[str], Counter[str]]
    fates: Counter[tuple[str, str]]
    by_country: Counter[tuple[str, str, str]]
    purposes: dict[str, tuple[int, int]]
    fields: dict[str, tuple[int, int, int, int]]
    bytes: tuple[int, int]
    changes: list[Change]
    reset: dict[str, tuple[str, ...]]
    tell: int
    again: Counter[str]


def compare(steps: Sequence[Step], old: Run, new: Run) -> Difference:
    """Event by event."""
    events = [one for one in steps if one.choice is None]
    fates, places = Counter[tuple[str, str]](), Counter[tuple[str, str, str]]()
    for one, before, after in zip(events, old.fates, new.fates, strict=True):
        if before.treatment != after.treatment:
            fates[before.treatment, after.treatment] += 1
            places[one.country or "ZZ", before.treatment, after.treatment] += 1
    purposes = {}
    for name, bit in BY_NAME.items():
        granted = [sum(bool(fate.purposes & bit) for fate in one.fates) for one in (old, new)]
        if granted[0] != granted[1]:
            purposes[name] = granted[0], granted[1]
    fields = {}
    for name in FIELDS:
        pairs = Counter(
            (name in before.stored, name in after.stored)
            for before, after in zip(old.fates, new.fates, strict=True)
        )
        lost, gained = pairs[True, False], pairs[False, True]
        if lost or gained:
            fields[name] = (pairs[True, True] + lost, pairs[True, True] + gained, lost, gained)
    tell, again = _people(steps, old, new)
    return Difference(
        len(events),
        (Counter(fate.treatment for fate in old.fates), Counter(fate.treatment for fate in new.fates)),
        fates,
        places,
        purposes,
        fields,
        (old.bytes, new.bytes),
        changes(old.pack, new.pack),
        reset(old.pack, new.pack),
        tell,
        again,
    )


def _people(steps: Sequence[Step], old: Run, new: Run) -> tuple[int, Counter[str]]:
    """How many have an id, by which they can be told; and what has to be asked again of how many."""
    seen: dict[tuple[str, str, str], str] = {}
    for one in steps:
        kind = "user" if isinstance(one.said.get("user_id"), str) else "device"
        id = one.said.get(f"{kind}_id")
        if isinstance(id, str) and id:
            who = one.site, kind, id
            seen[who] = one.country or seen.get(who, "")
    tomorrow = steps[-1].time // 86_400_000 + 1 if steps else 1
    again = Counter[str]()
    laws = dict[str, Laws]()
    for (site, kind, id), country in seen.items():
        if site not in laws:
            past = History([Era(0, old.pack), Era(tomorrow, new.pack)])
            laws[site] = Laws({site: past})
        user, device = (id, None) if kind == "user" else (None, id)
        word, _ = new.ledger.word(site, user, device, laws[site].turns(site))
        for purpose in names(lapsed(laws[site].of(site, country or "ZZ", tomorrow), word)):
            again[purpose] += 1
    return len(seen), again
