"""EVENT from what came and what was granted, built once, from the distinct values of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, compress
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter import advert, suspicion
from consent_filter.decide import IDENTIFIED, Verdict
from consent_filter.events import ABSENT, BEFORE, NUMBERS, TEXTS, Events
from consent_filter.fields import BY_NAME
from consent_filter.member import Member, Referral
from consent_filter.pseudonym import Keyring, event_ids
from consent_filter.purpose import ALL
from consent_filter.raw import Agent, Column, Page, Place, Raw, Source, pair
from consent_filter.whereabouts import agreement

_COUNTRY = attrgetter("country")
_NO_MEMBER, _NO_REFERRAL = Member(None, None), Referral(None, None)


class Texts(NamedTuple):
    """Columns of text that share their codes: their names, and what a distinct value holds for each."""

    names: tuple[str, ...]
    of: Callable[[Any], Iterable[str | None]] | None


def _fields(kind: type[Any], *names: str) -> Callable[[Any], Iterable[str | None]]:
    """Those fields of a tuple, which stand next to each other in it."""
    first = kind._fields.index(names[0])
    assert kind._fields[first : first + len(names)] == names, (
        f"{kind.__name__} has its fields in another order"
    )
    return itemgetter(slice(first, first + len(names)))


_UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
_BROWSER = ("browser", "browser_version", "os", "os_version", "device")
_PLACE = ("continent", "country", "region", "network")
#: Every column of text in EVENT, by the column of RAW whose codes it has.
_TEXTS: dict[str, Texts] = {
    "site": Texts(("site", "home"), lambda where: where),
    "protocol": Texts(("protocol",), None),
    "type": Texts(("type",), None),
    "name": Texts(("name",), None),
    "props": Texts(("props",), None),
    "verdict": Texts(
        ("treatment", "because", "signal", "basis", "policy"),
        _fields(Verdict, "treatment", "because", "signal", "basis", "policy"),
    ),
    "page": Texts(("path", *_UTM), _fields(Page, "path", *_UTM)),
    "source": Texts(("referrer_host", "referrer_group"), _fields(Source, "host", "group")),
    "browser": Texts(_BROWSER, _fields(Agent, *_BROWSER)),
    "place": Texts(_PLACE, _fields(Place, *_PLACE)),
    "ad": Texts(advert.COLUMNS, lambda ad: (ad or advert.NOTHING).texts),
    "member": Texts(("age", "gender"), lambda member: (member or _NO_MEMBER)[:2]),
    "referral": Texts(("referral_code", "referral_channel"), lambda by: (by or _NO_REFERRAL)[:2]),
    "geo": Texts(("cell",), None),
    "agreement": Texts(("place",), None),
}
_FROM = {
    name: (source, within, len(texts.names))
    for source, texts in enumerate(_TEXTS.values())
    for within, name in enumerate(texts.names)
}
#: For each of TEXTS: which of `_TEXTS` it is from, its place there, and how many columns come from that.
_SOURCE, _WITHIN, _WIDTH = np.array([_FROM[name] for name in TEXTS], np.int32).T
#: For each column of text: the purposes of which one must be granted.
_NEEDED = np.array([int(BY_NAME[name].purposes) for name in TEXTS], np.uint32)[:, None]
#: Columns of text that a row has only under a lasting pseudonym (M30).
_LASTING = np.flatnonzero([not BY_NAME[name].alone for name in TEXTS])
#: Columns of text that a row has not where something speaks against whoever has no identifier.
_VAGUE = np.flatnonzero([name in suspicion.VAGUE for name in TEXTS])
#: Numbers that need a purpose, as typed nothings, with the purposes of which one must be granted.
_OPTIONAL = {
    name: (NUMBERS[name].type(ABSENT[name]), np.uint32(BY_NAME[name].purposes))
    for name in ("duration_ms", "scroll", "value", *advert.COUNTED)
}
#: Where all of these are granted, every column is open.
_EVERY = int(ALL)


def events(
    raw: Raw,
    rows: NDArray[np.intp] | None,
    verdicts: Column[Verdict],
    person: NDArray[np.uint64],
    days: NDArray[np.int32],
    offsets: NDArray[np.int16],
    keys: Keyring,
    homes: Callable[[str], str],
) -> Events:
    """The rows (None: all) as EVENT, every column empty where none of its purposes is granted, or where it
    would tell visitors apart who have no identifier. `homes`: a site's region, "" where nobody names one."""
    site = raw.site
    head = (
        site.map(lambda id: (id, homes(id) or None)),
        raw.protocol,
        raw.type,
        raw.name,
        raw.props,
        verdicts,
    )
    sources: list[Column[Any]] = [*head, raw.page, raw.source, raw.browser, raw.place, raw.ad]
    sources += raw.member, raw.referral, raw.geo, _agreement(raw)
    codes = np.concatenate([source.codes for source in sources]).reshape(len(sources), raw.n)
    ids = raw.id
    numbers: dict[str, NDArray[Any]] = {
        "time": raw.time,
        "received": raw.received,
        "day": days,
        "offset_min": offsets,
        "person": person,
        "duration_ms": raw.duration_ms,
        "scroll": raw.scroll,
        "value": raw.value,
    }
    if rows is not None:
        codes = codes[:, rows]
        numbers = {name: whole[rows] for name, whole in numbers.items()}
        ids = [ids[row] for row in rows.tolist()]
    granted = np.array([v.granted for v in verdicts.values], np.uint32)[codes[len(head) - 1]]
    numbers["purposes"] = granted
    numbers["event_id"] = event_ids(keys, Column(codes[0], site.values), ids)
    if (before := keys.before("event_id")) is not None:
        numbers[BEFORE] = event_ids(keys, Column(codes[0], site.values), ids, before)
    alone = np.array([v.treatment != IDENTIFIED for v in verdicts.values])[codes[len(head) - 1]]
    suspect = None
    numbers |= _adverts(raw, rows, codes[0], keys)
    if raw.rate is not None:
        bits = _bits(raw, rows)
        suspect = (bits != 0) & alone
        _weigh(numbers, bits, raw.rate if rows is None else raw.rate[rows], alone)
    # What is not granted must not lie in memory behind a null either: it would reach the disk.
    for name, (absent, purposes) in _OPTIONAL.items():
        closed = (granted & purposes) == 0
        if closed.any():
            numbers[name] = np.where(closed, absent, numbers[name])
    words, places = _texts(codes, [source.values for source in sources], granted, alone, suspect)
    return Events(len(ids), words, places, numbers)


def _adverts(
    raw: Raw, rows: NDArray[np.intp] | None, sites: NDArray[np.int32], keys: Keyring
) -> dict[str, NDArray[Any]]:
    """The numbers of each event's advert, each distinct one hashed once."""
    ads = raw.ad if rows is None else raw.ad.take(rows)
    both = pair(Column(sites, raw.site.values), ads)
    copy = keys.state("adverts").copy
    laid = [advert.BLANK if ad is None else advert.numbers(ad, site, copy) for site, ad in both.values]
    found = np.frombuffer(b"".join(laid), advert.LAID)[both.codes]
    return {name: np.ascontiguousarray(found[name]) for name in advert.COUNTED}


def _bits(raw: Raw, rows: NDArray[np.intp] | None) -> NDArray[np.uint32]:
    """What speaks against each sender of an advert's event; 0 for all others."""
    assert raw.rate is not None
    senders = pair(raw.browser, raw.place).map(lambda both: suspicion.of(*both))
    bits = np.where(raw.rate >= 0, np.array(senders.values, np.uint32)[senders.codes], np.uint32(0))
    return bits if rows is None else bits[rows]


def _weigh(
    numbers: dict[str, NDArray[Any]],
    bits: NDArray[np.uint32],
    rate: NDArray[np.int16],
    alone: NDArray[np.bool_],
) -> None:
    """Put what speaks against a sender, and how busy its network is, to the numbers of adverts' events."""
    # An event of an advert that says nothing of the advert has no bits of its own.
    own = np.where(numbers["ad_flags"] == np.uint32(ABSENT["ad_flags"]), np.uint32(0), numbers["ad_flags"])
    numbers["ad_flags"] = np.where(rate >= 0, own | bits, numbers["ad_flags"])
    numbers["ad_rate"] = np.where(alone & (rate >= 0) & (rate < suspicion.SPIKE), np.int16(0), rate)


def _agreement(raw: Raw) -> Column[str | None]:
    """Whether what was declared agrees with the address (M29)."""
    if raw.declared.values == [None]:
        return raw.declared  # type: ignore[return-value]
    both = pair(raw.declared, raw.place.few(_COUNTRY))
    return both.map(lambda said: agreement(*said))


def _texts(
    codes: NDArray[np.int32],
    values: Sequence[list[Any]],
    granted: NDArray[np.uint32],
    alone: NDArray[np.bool_],
    suspect: NDArray[np.bool_] | None = None,
) -> tuple[pa.StringArray, NDArray[Any]]:
    """Words and places, from codes (a row for each of `_TEXTS`) and the distinct values behind them."""
    words: list[str | None] = [None]
    starts: list[int] = []
    for texts, source in zip(_TEXTS.values(), values, strict=True):
        starts.append(len(words))
        words += source if texts.of is None else chain.from_iterable(map(texts.of, source))
    # One row for each column: where in `words` each text stands.
    places = codes[_SOURCE] * _WIDTH[:, None] + (np.array(starts, np.int32)[_SOURCE] + _WITHIN)[:, None]
    if int(np.bitwise_and.reduce(granted)) & _EVERY != _EVERY:
        places[(granted & _NEEDED) == 0] = 0
    if alone.any():
        places[np.ix_(_LASTING, alone)] = 0
    if suspect is not None and suspect.any():
        places[np.ix_(_VAGUE, suspect)] = 0
    # A value that no stored row has, or none that may be read there, must not reach the disk as a word.
    used = np.bincount(places.ravel(), minlength=len(words))
    used[0] = 1
    if not used.all():
        words = list(compress(words, used.tolist()))
        places = (np.cumsum(used != 0, dtype=np.int32) - 1)[places]
    return pa.array(words, pa.string()), places.astype(np.uint16 if len(words) < 1 << 16 else np.uint32)
