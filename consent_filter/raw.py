"""A batch before the filter: columns of codes into short lists of distinct values. Memory only.

Most work (understanding an agent, finding a country, hashing an id, reading a choice) depends on a value,
not on a row, and a batch has few distinct values. So a column is `codes` (one small integer a row) and
`values` (each distinct value once): a stage works on `values` and leaves `codes` alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from consent_filter.advert import Ad
from consent_filter.market import Counterpart
from consent_filter.member import Member, Referral
from consent_filter.whereabouts import Declared

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)


class Column(NamedTuple, Generic[T]):
    """Value of row i is `values[codes[i]]`. Codes are int32, and every code is in range."""

    codes: NDArray[np.int32]
    values: list[T]

    def map(self, work: Any) -> Column[Any]:
        """The same rows with `work` done once for each distinct value."""
        return Column(self.codes, [work(v) for v in self.values])

    def few(self, work: Any) -> Column[Any]:
        """The same, where many values give the same result: each distinct result is there once."""
        results = list(map(work, self.values))
        if len(results) == 1:
            return Column(self.codes, results)
        if results.count(results[0]) == len(results):
            return Column(np.zeros(len(self.codes), np.int32), results[:1])
        distinct = column(results)
        return Column(distinct.codes[self.codes], distinct.values)

    def take(self, rows: NDArray[np.intp]) -> Column[T]:
        """Some of the rows; the distinct values stay as they are."""
        return Column(self.codes[rows], self.values)

    def rows(self) -> list[T]:
        """One value a row: for tests and for the book, never on the path."""
        return [self.values[c] for c in self.codes]


def column(values: Sequence[H]) -> Column[H]:
    """One code a row and each distinct value once, in the order of first appearance.

    All of it runs inside C calls over the whole column: 60 to 100 ns a row, and next to nothing a batch,
    which is what counts when a batch is 32 requests.
    """
    n = len(values)
    index = dict.fromkeys(values)
    distinct = list(index)
    if len(distinct) == 1:
        return Column(np.zeros(n, np.int32), distinct)
    if len(distinct) == n:
        return Column(np.arange(n, dtype=np.int32), distinct)
    place = dict(zip(distinct, range(len(distinct)), strict=True))
    return Column(np.fromiter(map(place.__getitem__, values), np.int32, n), distinct)


def pair(left: Column[Any], right: Column[Any]) -> Column[tuple[Any, Any]]:
    """Distinct pairs of two columns of the same rows."""
    if len(right.values) == 1:
        (other,) = right.values
        return Column(left.codes, [(value, other) for value in left.values])
    if len(left.values) == 1:
        (other,) = left.values
        return Column(right.codes, [(other, value) for value in right.values])
    width = len(right.values)
    both = column((left.codes.astype(np.int64) * width + right.codes).tolist())
    return Column(both.codes, [(left.values[b // width], right.values[b % width]) for b in both.values])


def combine(parts: Sequence[Column[Any]]) -> Column[tuple[Any, ...]]:
    """The distinct combinations of several columns of the same rows, as tuples of their values."""
    code = np.zeros(len(parts[0].codes), np.int64)
    for part in parts:
        if len(part.values) > 1:
            code = code * len(part.values) + part.codes
    few = column(code.tolist())
    rest = np.array(few.values, np.int64)
    found: list[list[Any]] = []
    for _, values in reversed(parts):
        if len(values) > 1:
            rest, index = np.divmod(rest, len(values))
            found.append([values[i] for i in index.tolist()])
        else:
            found.append(values * len(few.values))
    return Column(few.codes, list(zip(*reversed(found), strict=True)))


class Raw(Struct):
    """`n` events as parsed, and what enrichment has understood of them.

    Numbers are numpy arrays of length n. `duration_ms` and `scroll` are -1 where absent, `value` is NaN.
    `agent` is a tuple: the User-Agent string, then whatever else enrichment needs, hashable. `geo` is a cell
    already. `browser`,
    `place`, `page` and `source` are filled by enrichment and share the codes of their column.
    """

    n: int
    site: Column[str]
    protocol: Column[str]
    type: Column[str]
    name: Column[str | None]
    received: NDArray[np.int64]
    time: NDArray[np.int64]
    id: list[str | None]
    address: Column[str]
    agent: Column[Any]
    url: Column[str]
    referrer: Column[str | None]
    user_id: Column[str | None]
    device_id: Column[str | None]
    consent: Column[bytes | None]
    gpc: Column[str | None]
    dnt: Column[str | None]
    props: Column[str | None]
    ad: Column[Ad | None]
    member: Column[Member | None]
    referral: Column[Referral | None]
    geo: Column[str | None]
    counterpart: Column[Counterpart | None]
    declared: Column[Declared | None]
    duration_ms: NDArray[np.int32]
    scroll: NDArray[np.int16]
    value: NDArray[np.float64]
    # filled by enrichment
    browser: Column[Agent]
    place: Column[Place]
    page: Column[Page]
    source: Column[Source]
    #: What each row counts as (`campaigns.py`); None where no row is about an advert.
    counted: Column[tuple[str, str]] | None = None
    #: How busy each row's network is, -1 where it is about no advert (`ad_rate`); None where no row is.
    rate: NDArray[np.int16] | None = None


class Agent(NamedTuple):
    """What is understood of a user agent. `robot` says why it is held to be one; None is a person. `odd`:
    what speaks against a person, as bits of `Suspicion`."""

    browser: str | None
    browser_version: str | None
    os: str | None
    os_version: str | None
    device: str
    robot: str | None = None
    odd: int = 0


class Place(NamedTuple):
    """What is understood of an address; never finer than a region."""

    continent: str | None
    country: str
    region: str | None
    network: str


class Page(NamedTuple):
    """A scrubbed URL: a templated path, campaign tags, and how many secrets were redacted from it."""

    host: str | None
    path: str | None
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    utm_term: str | None
    utm_content: str | None
    redacted: int


class Source(NamedTuple):
    """Where a visit came from: host and group of the referrer."""

    host: str | None
    group: str
