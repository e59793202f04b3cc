"""The other person of a marketplace's event: whose word decides, and the narrow row that stands for them.

An event of two people becomes two rows of one person each (M18): the sender's own, which says nothing of the
other, and, right behind it, one of the other that says nothing of the sender: what happened, on which day, in
which category and band. Each lies in its own person's bucket, so that both sides are counted exactly, and
erasing, withdrawing or restricting one of them cannot touch, or tell, the other's part (S14, M114).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from consent_filter.decide import IDENTIFIED, MEASUREMENT, Law, Laws, Verdict, Word, remembered
from consent_filter.events import ABSENT, NUMBERS, TEXTS, Events, join
from consent_filter.ledger import Ledger
from consent_filter.market import Counterpart, named
from consent_filter.raw import Column, Raw, combine, pair
from consent_filter.signals import SIGNALS
from consent_filter.signals.said import SILENCE

#: The type of a narrow row. No sender can say it.
TYPE = "counterpart"
#: The kind that the count of an event without its other side has.
LOST = "counterpart"
DAY_MS = 86_400_000
_SILENT = (SILENCE,) * len(SIGNALS)
_TYPE = TEXTS.index("type")
_NOTHING: tuple[str, ...] = ()


class Beside(NamedTuple):
    """`kept`: which rows are stored with their other side. `lost`: what each loses of it, if it is stored.
    `verdicts`: of the other sides."""

    kept: NDArray[np.bool_]
    lost: Column[tuple[str, ...]]
    verdicts: Column[Verdict | None]


def verdict(law: Law, word: Word | None) -> Verdict | None:
    """What may be done with somebody of whom an event of another says nothing but an id.

    Their own word and their own law decide, as if they had sent an event and no signal with it: what the
    sender's browser says is not theirs. None where they may not be kept under a lasting pseudonym: there is
    no other that could stand for them.
    """
    if word is None:
        return None
    found = remembered(law, word, MEASUREMENT, True, *_SILENT)
    return found if found.treatment == IDENTIFIED and found.granted & MEASUREMENT else None


def lost(
    type: str, name: str | None, user: str | None, granted: int, said: Counterpart, found: object
) -> tuple[str, ...]:
    """Kinds of what an event loses of its other side, were it stored. The other side is among them where
    they may not be kept (`found` is nothing); where no report counts both sides of such an event; where the
    event itself may not be measured; and where somebody is said to deal with themselves."""
    whole = found and named(type, name) and user != said.user and granted & MEASUREMENT
    return said.removed if whole else (*said.removed, LOST)


def judged(
    raw: Raw, verdicts: Column[Verdict], words: Column[Word | None] | None, laws: Laws
) -> Beside | None:
    """What becomes of the other sides of a batch; None where no row has any. `words`: `Ledger.others`."""
    if words is None:
        return None
    both = pair(laws.others(raw), words)
    found = Column(both.codes, [law and verdict(law, word) for law, word in both.values])
    granted = verdicts.few(lambda one: one.granted)
    cases = combine([raw.type, raw.name, raw.user_id, granted, raw.counterpart, found])
    gone = Column(cases.codes, [_NOTHING if case[4] is None else lost(*case) for case in cases.values])
    whole = [said is not None and LOST not in out
             for (*_, said, _), out in zip(cases.values, gone.values, strict=True)]  # fmt: skip
    return Beside(np.array(whole)[cases.codes], gone.few(lambda kinds: kinds), found)


def put(
    own: Events,
    raw: Raw,
    rows: NDArray[np.intp],
    beside: Beside,
    days: NDArray[np.int32],
    ledger: Ledger,
    homes: Callable[[str], str],
) -> Events:
    """The events with each narrow row right behind its own. `rows`: those of `raw` that `own` are. `homes`: a
    site's region."""
    parents = np.flatnonzero(beside.kept[rows])
    if not len(parents):
        return own
    narrow = _narrow(raw, rows[parents], beside.verdicts, days, ledger, homes)
    order = np.argsort(np.concatenate([np.arange(own.n) * 2, parents * 2 + 1]), kind="stable")
    whole = join([own, narrow]).take(order)
    return Events(whole.n, whole.words, np.ascontiguousarray(whole.places), whole.numbers)


def moments(day: int, received: int) -> tuple[int, int]:
    """`time` and `received` of a narrow row: no finer than days, or they would name the event it is of."""
    return day * DAY_MS, received - received % DAY_MS


def _narrow(
    raw: Raw,
    rows: NDArray[np.intp],
    verdicts: Column[Verdict | None],
    days: NDArray[np.int32],
    ledger: Ledger,
    homes: Callable[[str], str],
) -> Events:
    n = len(rows)
    who = pair(raw.site, raw.counterpart).take(rows)
    used, codes = np.unique(who.codes, return_inverse=True)
    some = [who.values[code] for code in used.tolist()]
    digests = ledger.persons([(MEASUREMENT, site, "user", said.user) for site, said in some])
    said = verdicts.take(rows)
    texts: dict[str, Column[Any]] = {
        name: getattr(raw, name).take(rows) for name in ("site", "protocol", "name", "props")
    }
    texts["home"] = texts["site"].map(lambda id: homes(id) or None)
    texts["type"] = Column(np.zeros(n, np.int32), [TYPE])
    for name in ("treatment", "because", "signal", "basis", "policy"):
        texts[name] = said.map(lambda one, name=name: one and getattr(one, name))
    words: dict[str | None, int] = {None: 0}
    places = np.zeros((len(TEXTS), n), np.uint32)
    for name, column in texts.items():
        # Of the distinct values only those that these rows have: others must not reach the disk as words.
        have, at = np.unique(column.codes, return_inverse=True)
        index = [words.setdefault(column.values[code], len(words)) for code in have.tolist()]
        places[TEXTS.index(name)] = np.array(index, np.uint32)[at]
    numbers: dict[str, NDArray[Any]] = {
        name: np.full(n, ABSENT.get(name, 0), kind) for name, kind in NUMBERS.items()
    }
    numbers["day"] = days[rows]
    numbers["time"] = days[rows].astype(np.int64) * DAY_MS
    numbers["received"] = raw.received[rows] - raw.received[rows] % DAY_MS
    numbers["person"] = np.frombuffer(b"".join(digests), "<u8")[codes]
    granted = np.array([0 if one is None else one.granted for one in said.values], np.uint32)
    numbers["purposes"] = granted[said.codes]
    numbers["value"] = raw.value[rows]
    return Events(n, pa.array(list(words), pa.string()), places, numbers)


def narrow(events: Events) -> NDArray[np.bool_]:
    """Which rows are the other side of the event before them: no events of their own."""
    there = pc.equal(events.words, TYPE).fill_null(False).to_numpy(zero_copy_only=False)
    return there[events.places[_TYPE]]  # type: ignore[no-any-return]
