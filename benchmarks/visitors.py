"""Visitors as the filter gets them, before it has decided anything: does what is stored tell them apart?

Shares of browsers, systems, countries and connections are those of a marketplace with visitors from all over
the world, with a long tail of each. Everything that a sender's column can hold varies here, so that a new one
shows in the measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec.structs import replace
from numpy.typing import NDArray

from benchmarks.crowd import CONTINENT, COUNTRIES
from benchmarks.line import emit
from consent_filter.apply import apply
from consent_filter.decide import Laws, decide
from consent_filter.entropy import MOST_BITS, Told, measure
from consent_filter.ledger import Ledger
from consent_filter.member import Member
from consent_filter.policy import Pack, Packs, Use
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Agent, Column, Page, Place, Raw, Source
from consent_filter.sender import WHO
from consent_filter.site import Site
from consent_filter.whereabouts import Declared

#: The pack that names every purpose which a column of a sender has.
SITES = {"market": Site(id="market", timezone="Europe/Berlin", pack="worktasker-2014")}
#: Browser, system, its releases, device, share of visitors in a thousand.
_AGENTS: list[tuple[str | None, str | None, Sequence[str | None], str, float]] = [
    ("Chrome", "Windows", (None,), "desktop", 290),
    ("Chrome Mobile", "Android", (None, "13", "14", "15"), "mobile", 270),
    ("Mobile Safari", "iOS", ("18", "17", "26", "16", "15"), "mobile", 150),
    ("Safari", "Mac OS X", (None,), "desktop", 62),
    ("Edge", "Windows", (None,), "desktop", 58),
    ("Chrome", "Mac OS X", (None,), "desktop", 45),
    ("Firefox", "Windows", (None, "7", "8.1"), "desktop", 24),
    ("Samsung Internet", "Android", ("13", "14", "15"), "mobile", 22),
    ("Opera", "Windows", (None,), "desktop", 15),
    ("Firefox", "Linux", (None,), "desktop", 12),
    ("Chrome Mobile iOS", "iOS", ("18", "17", "26"), "mobile", 11),
    ("Mobile Safari", "iOS", ("18", "17", "16"), "tablet", 9),
    ("Chrome", "Linux", (None,), "desktop", 8),
    ("Chrome", "Chrome OS", (None,), "desktop", 6),
    ("Firefox Mobile", "Android", ("14", "15"), "mobile", 5),
    ("Yandex Browser", "Windows", (None,), "desktop", 4),
    ("UC Browser", "Android", ("9", "11"), "mobile", 3),
    ("Other", "Other", (None,), "other", 2),
    ("Chrome", "Android", ("9",), "tv", 1.5),
    ("Opera Mini", "Android", (None,), "mobile", 1.5),
    (None, None, (None,), "console", 1),
]
_NETWORKS = ["residential", "mobile", "business", "unknown"]
_VERSIONS = 24
_REGIONS = 12
NOON = 1_795_435_200_000


def events(n: int, seed: int = 1) -> Raw:
    """One page view of each of `n` visitors of a day, a third of them with an identifier."""
    chance = np.random.default_rng(seed)

    def drawn(weights: Sequence[float]) -> NDArray[np.int32]:
        shares = np.array(weights, float)
        return chance.choice(len(shares), n, p=shares / shares.sum()).astype(np.int32)

    def tail(kinds: int, power: float) -> list[float]:
        return [1 / k**power for k in range(1, kinds + 1)]

    kinds = [
        (a[0], v, a[1], r, a[3])
        for a in _AGENTS
        for r in a[2]
        for v in map(str, range(150, 150 - _VERSIONS, -1))
    ]
    weights = [
        a[-1] * release * version
        for a in _AGENTS
        for release in tail(len(a[2]), 1.0) / np.sum(tail(len(a[2]), 1.0))
        for version in 0.6 ** np.arange(_VERSIONS) * 0.4
    ]
    places = [
        Place(CONTINENT.get(country, "EU"), country, f"{country}-{region}", network)
        for country in COUNTRIES
        for region in range(_REGIONS)
        for network in _NETWORKS
    ]
    where = [
        country * region * network
        for country in tail(len(COUNTRIES), 1.1)
        for region in tail(_REGIONS, 1.0)
        for network in (0.6, 0.25, 0.1, 0.05)
    ]
    one = np.zeros(n, np.int32)
    agent, place = drawn(weights), drawn(where)
    known = drawn([2, 1])
    choices: list[bytes | None] = [
        None,
        b'{"measurement":true}',
        b'{"measurement":true,"ad_measurement":true,"gender":true,"security":true}',
    ]
    members = [Member("ok", "female"), Member("18-24", "male"), Member("65+", "other")]
    moment = np.full(n, NOON, np.int64)
    nothing: Column[Any] = Column(one, [None])
    return Raw(
        n=n,
        site=Column(one, ["market"]),
        protocol=Column(drawn([9, 1]), ["beacon", "pixel"]),
        type=Column(one, ["page_view"]),
        name=nothing,
        received=moment,
        time=moment,
        id=[None] * n,
        address=Column(np.arange(n, dtype=np.int32), list(map(str, range(n)))),
        agent=Column(one, [("", ("", "", ""), None)]),
        url=Column(one, [""]),
        referrer=nothing,
        user_id=nothing,
        device_id=Column(
            np.where(known == 1, np.arange(1, n + 1), 0).astype(np.int32), [None, *map(str, range(n))]
        ),
        consent=Column(drawn([6, 2, 2]), choices),
        gpc=Column(drawn([95, 5]), [None, "1"]),
        dnt=Column(drawn([97, 3]), [None, "1"]),
        props=nothing,
        ad=nothing,
        member=Column(drawn([6, 2, 1, 1]), [None, *members]),
        referral=nothing,
        geo=nothing,
        counterpart=nothing,
        declared=Column(drawn([2, 5, 3]), [None, Declared("DE", None), Declared(None, "US/Eastern")]),
        duration_ms=np.full(n, -1, np.int32),
        scroll=np.full(n, -1, np.int16),
        value=np.full(n, np.nan),
        browser=Column(agent, [Agent(*kind) for kind in kinds]),
        place=Column(place, places),
        page=Column(one, [Page("x", "/", None, None, None, None, None, 0)]),
        source=Column(one, [Source(None, "direct")]),
    )


def _watched(pack: Pack) -> Pack:
    """The pack, and security on agreement, which none that ships names: its column is to be measured, too."""
    use = Use(basis="consent", default=False)
    regimes = {
        name: replace(regime, purposes={**regime.purposes, "security": use})
        for name, regime in pack.regimes.items()
    }
    return replace(pack, regimes=regimes)


#: Columns that say of a sender who is shown adverts more than those of every event.
SHOWN = ("ad_flags", "ad_rate")
#: Of viewers in a thousand: how many have an agent that is odd, and a network that is busy by its class.
_ODD, _BUSY = {2: 4, 4: 3, 8: 0.2}, {7: 20, 8: 10, 9: 5, 10: 2, 11: 1}


def viewers(n: int, seed: int = 1) -> Raw:
    """The same visitors, each of whom is shown one advert."""
    chance, raw = np.random.default_rng(seed + 1), events(n, seed)

    def drawn(shares: dict[int, float], rest: int) -> NDArray[np.int64]:
        weights = np.array([1000 - sum(shares.values()), *shares.values()]) / 1000
        return chance.choice([rest, *shares], n, p=weights)

    odd = drawn(_ODD, 0)
    kinds = [(agent, bits) for bits in (0, *_ODD) for agent in raw.browser.values]
    place = np.searchsorted([0, *_ODD], odd).astype(np.int32)
    raw.browser = Column(
        raw.browser.codes + place * np.int32(len(raw.browser.values)),
        [agent._replace(odd=bits) for agent, bits in kinds],
    )
    hosted = chance.random(n) < 0.01
    raw.place = Column(
        raw.place.codes + np.where(hosted, np.int32(len(raw.place.values)), np.int32(0)),
        [*raw.place.values, *[place._replace(network="hosting") for place in raw.place.values]],
    )
    raw.type = Column(raw.type.codes, ["ad_impression"])
    raw.rate = drawn(_BUSY, 0).astype(np.int16)
    return raw


def stored(n: int, seed: int = 1, adverts: bool = False) -> pa.Table:
    """What the filter leaves of them, as a table of EVENT."""
    packs, keys = (
        {id: _watched(pack) for id, pack in Packs(SITES).items()},
        Keyring.memory(lambda: NOON / 1000),
    )
    ledger = Ledger.memory(keys)
    raw = viewers(n, seed) if adverts else events(n, seed)
    found = apply(raw, decide(raw, ledger.words(raw), Laws(packs)), keys, ledger, SITES)
    return pa.Table.from_batches([found.batch])


def main() -> None:
    """The joint entropy of what is stored, and what it would be if every column were kept on every row."""
    told: Told = measure(stored(200_000))
    emit(
        "what is stored of visitors without an identifier",
        told.bits,
        "bits",
        against="cap",
        ratio=told.bits / MOST_BITS,
    )
    emit("visitors alone with it", told.alone, "share")
    shown: Told = measure(stored(200_000, adverts=True), (*WHO, *SHOWN))
    emit(
        "what is stored of viewers without an identifier",
        shown.bits,
        "bits",
        against="cap",
        ratio=shown.bits / MOST_BITS,
    )
    emit("viewers alone with it", shown.alone, "share")
    emit("visitors with fewer than ten like them", told.few, "share")


if __name__ == "__main__":
    main()
