"""What must be true after a run, of what was seen: pure, so that each check can be shown to fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults.load import Load, page

#: A row of facts: the event's number (-1: nobody has sent it), its day, and the day's pseudonym where it was
#: stored without the identifier it came with, else 0.
Fact = tuple[int, date, int]
#: A row of the report: day, path, views, people.
Row = tuple[date, str, int, int]


class Seen(NamedTuple):
    """What the loader was told (`answers`: how often each event was acknowledged; `tries`: requests with an
    event; `acknowledged`, `unwanted`: what must be stored, and must not), and what is there. `people`: whose
    each event is; `out`: who has refused; `stepped`: whether a collector's clock was."""

    answers: Counter[int]
    tries: int
    acknowledged: set[int]
    unwanted: set[int]
    people: Mapping[int, int]
    out: set[int]
    stepped: bool
    facts: Counter[Fact]
    balance: Mapping[str, Any]
    pages: list[Row]
    lag: Mapping[str, int]
    #: Files in which something stands that names a visitor.
    named: list[str]

    @classmethod
    def of(cls, load: Load, stepped: bool, facts: Counter[Fact], **there: Any) -> Seen:
        """With what the loader knows."""
        everyone = {n: load.who(n) for n in range(load.sent)}
        out = {who for n, who in everyone.items() if not load.counts(n)}
        told = Counter(load.answers), load.tries, load.acknowledged, load.unwanted
        return cls(*told, everyone, out, stepped, facts, **there)


def wrong(seen: Seen) -> list[str]:
    """Everything that should not be."""
    return [*_facts(seen), *_balance(seen), *_reports(seen), *(f"not folded: {n} {unit}" for unit, n in
            seen.lag.items() if n), *(f"a visitor is named in {file}" for file in seen.named)]  # fmt: skip


def _facts(seen: Seen) -> Iterator[str]:
    stored = Counter[int]()
    for (number, *_), times in seen.facts.items():
        stored[number] += times
    if stored.pop(-1, 0):
        yield "there is an event that nobody has sent"
    yield from _some((n for n, times in stored.items() if times > 1), "is stored more than once")
    yield from _some(seen.acknowledged - stored.keys(), "was acknowledged, and is not stored")
    yield from _some(seen.unwanted & stored.keys(), "was refused before it was sent, and is stored")
    # On a clock behind that of an agreement an event is older than it, and stored as of nobody in particular.
    nameless = {number for number, _, person in seen.facts if person}
    late = set() if not seen.stepped else {n for n in nameless if n in seen.people} - seen.acknowledged
    yield from _some(nameless - late, "was stored without the identifier that was agreed to")


def _some(numbers: Iterable[int], what: str) -> Iterator[str]:
    """One line for all, or a loss of thousands hides everything else."""
    found = sorted(numbers)
    if found:
        more = " …" if len(found) > 8 else ""
        yield f"{what}: {len(found)} ({', '.join(map(str, found[:8]))}{more})"


def _balance(seen: Seen) -> Iterator[str]:
    received, refused = seen.balance["received"], Counter(seen.balance["refused"])
    if received != seen.balance["stored"] + refused.total():
        yield f"received is not stored and refused: {dict(seen.balance)}"
    if seen.balance["stored"] != seen.facts.total():
        yield f"{seen.balance['stored']} are said to be stored, and {seen.facts.total()} are"
    answered = seen.answers.total()
    if not answered <= received <= seen.tries:
        yield f"{received} are said to be received; {answered} were answered, of {seen.tries} that were sent"
    # Whoever had refused is counted under that, each time; what came again of others, as that.
    least = {
        "consent": sum(seen.answers[n] for n in seen.unwanted),
        "duplicate": sum(seen.answers[n] - 1 for n in seen.acknowledged),
    }
    for reason, n in least.items():
        if refused[reason] < n:
            yield f"{refused[reason]} are said to be refused by {reason}, and at least {n} were"
    # What was taken at one collector while its person refused at another leaves before it is stored.
    stored = {number for number, *_ in seen.facts}
    gone = {n for n, who in seen.people.items() if who in seen.out} - stored
    left = sum(max(seen.answers[n], 1) for n in gone)
    if refused["erased"] > left:
        yield f"{refused['erased']} are said to be refused by erased, and at most {left} were"
    for reason in refused.keys() - least.keys() - {"erased"}:
        yield f"{refused[reason]} are said to be refused by {reason}, and none were"


def _reports(seen: Seen) -> Iterator[str]:
    views, people = Counter[tuple[date, str]](), set[tuple[date, str, int]]()
    for (number, day, nameless), times in seen.facts.items():
        if number >= 0 and (nameless or seen.people[number] not in seen.out):
            views[day, page(number)] += times
            people.add((day, page(number), nameless or seen.people[number]))
    expected = [(*at, n, sum(one[:2] == at for one in people)) for at, n in sorted(views.items())]
    if sorted(seen.pages) != expected:
        yield f"the report says {_plain(seen.pages)}, and should say {_plain(expected)}"


def _plain(rows: list[Row]) -> str:
    return "; ".join(f"{day} {path}: {views} of {people}" for day, path, views, people in sorted(rows))


def naming(folders: Iterable[Path], canaries: Iterable[str]) -> list[str]:
    """Files below in which one of these stands."""
    wanted, found = [one.encode() for one in canaries], []
    for folder in folders:
        for file in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            try:
                data = file.read_bytes() if file.is_file() else b""
            except OSError:  # a server's, removed meanwhile
                continue
            found += [str(file)] if any(one in data for one in wanted) else []
    return found
