"""Live events of the beacon, row by row: the same as parse → enrich → decide → apply, for ordinary requests.

Whatever is not ordinary (a fault, an unknown site, a strange time) is left to the columns, which know all the
rules; here stands only what a good request needs. Columns are made for thousands of events: on a few dozen,
a call on a column costs more than a look into memory for each row (64 events: 1.2 ms against 0.3 ms).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec.structs import astuple

from consent_filter.advert import NOTHING, WORDS, Ad
from consent_filter.counterpart import LOST, TYPE, lost, moments
from consent_filter.counts import COMPARED, DEEDS, RECEIVED, REMOVED, STORED, Counts, Key
from consent_filter.errors import Broken
from consent_filter.events import Events
from consent_filter.experiment import labelled
from consent_filter.hours import HOUR_MS
from consent_filter.market import Counterpart, band
from consent_filter.market import named as named_market
from consent_filter.member import Referral, removed
from consent_filter.performance import TYPES as MEASURED
from consent_filter.sender import Kept, Sender, Senders
from consent_filter.site import Site, day
from consent_filter.whereabouts import agreement
from ingest.enrich import Enrich
from ingest.protocols.event import ABSENT, FAULTS, TYPES, Event
from ingest.protocols.finish import ACCEPTED
from ingest.protocols.keys import NAME, doubled
from ingest.protocols.parsing import CLICK, Parsing
from ingest.protocols.props import LABEL
from ingest.protocols.rules import edges, elsewhere, in_clear, named
from ingest.rates import Rates
from ingest.request import Answer, Request

PROTOCOL = "beacon"
_AD = {type: type.startswith("ad_") for type in TYPES}
#: The numbers of texts that are not there: properties, those of an advert, a cell, two of a referral.
_NOTHING_MORE = bytes(4 * (1 + len(WORDS) + 3))
_NAN = float("nan")
#: Pages with their sources, and names of events, remembered at once; longer addresses come once.
_REMEMBERED, _WORTH_REMEMBERING = 16_384, 512


#: The numbers of eight texts that are not there: of a page and a source.
_NOWHERE = bytes(32)
#: A good event: who sends it, what it counts as, what `Kept.add` takes of it, kinds of fields that it loses,
#: how many secrets its URL held, its other side and what is taken of that, how many names its JSON has.
Row = tuple[Sender, Key, tuple[Any, ...], tuple[str, ...], int, tuple[Sender, tuple[Any, ...]] | None, int]


class Result(NamedTuple):
    """What became of a batch. `answers`: None for each request that is left to the columns."""

    events: Events
    counts: Counts
    answers: list[Answer | None]


class Live:
    """Takes the good requests out of a batch. One thread at a time."""

    def __init__(self, enrich: Enrich, senders: Senders, parsing: Parsing, rates: Rates) -> None:
        self._enrich, self._senders, self._parsing, self._rates = enrich, senders, parsing, rates
        self._sites, self._limits = parsing.sites, parsing.limits
        self._words = senders.words
        # (site, URL, referrer) → the numbers of the page's and the source's texts, and secrets in the URL;
        # (type, name) → their numbers.
        self._seen: dict[tuple[str, str, str | None], tuple[bytes, int]] = {}
        self._kinds: dict[tuple[str, str | None], bytes] = {}
        # What an advert's event counts as, by the key of its sender, which lives as long as the sender does.
        self._fates: dict[tuple[int, str, str], Key] = {}
        self._known: dict[str, Site] = {}

    def run(self, requests: Sequence[Request]) -> Result:
        """Raises Broken when an event would be neither stored nor refused; no input makes it raise."""
        self._fresh()
        kept = self._kept = Kept(self._senders)
        good: list[tuple[int, list[Row]]] = []
        for index, request in enumerate(requests):
            if request.protocol == PROTOCOL and (rows := self._rows(request)):
                good.append((index, rows))
        bodies = [requests[index].body for index, _ in good]
        expected = sum([row[-1] for _, rows in good for row in rows])
        for place in reversed(doubled(bodies, expected) if bodies else ()):
            del good[place]
        answers: list[Answer | None] = [None] * len(requests)
        fates, lost, narrow = [], Counts(), 0
        busy = self._busy(requests, good)
        for index, rows in good:
            answers[index] = ACCEPTED
            for sender, fate, written, gone, redacted, beside, _ in rows:
                fates.append(fate)
                self._enrich.redacted += redacted
                if sender.kept:
                    more = (busy[requests[index].address],) if fate.event else ()
                    kept.add(sender, *written, *more)
                    if beside is not None:
                        kept.add(beside[0], *beside[1])
                        narrow += 1
                    for field in gone:
                        lost[sender.key._replace(outcome=REMOVED, reason="field", detail=field)] += 1
                elif fate.event in DEEDS and fate.reason in COMPARED:
                    lost[fate.hourly(written[0] // HOUR_MS)] += 1
        events = kept.events()
        counts = _counts(fates, events.n - narrow)
        counts.update(lost)
        return Result(events, counts, answers)

    def _busy(self, requests: Sequence[Request], good: list[tuple[int, list[Row]]]) -> dict[str, int]:
        """How busy the network of each address is that sends of adverts, with all that it sends now."""
        rates, found = self._rates, dict[str, int]()
        for index, rows in good:
            for row in rows:
                if row[1].event and row[1].reason != "robot":
                    found[requests[index].address] = 0
                    rates.add(requests[index].address, requests[index].received)
        return {address: rates.of(address) for address in found}

    def _rows(self, request: Request) -> list[Row] | None:
        """The events of one request; None where any of them is not ordinary."""
        body = request.body
        try:
            if body[:1] == b"[":
                found: Sequence[Event] = self._parsing.decoder.list(body)
                if len(found) > self._limits.max_events:
                    return None
            else:
                found = (self._parsing.decoder.one(body),)
        except FAULTS:
            return None
        rows = []
        for event in found:
            row = self._row(request, *astuple(event))
            if row is None:
                return None
            rows.append(row)
        return rows

    def _row(
        self, request: Request, id: str | None, type: str | None, url: str | None, number: Any, moment: Any,
        referrer: str | None, title: str | None, name: str | None, user: Any, device: Any, consent: Any,
        props: Any, ad: Any, member: Any, referral: Any, geo: Any, counterpart: Any, declared: Any,
        duration: float | None, scroll: float | None, value: float | None,
    ) -> Row | None:  # fmt: skip
        """One event, by Event's fields in their order; None where a rule may be broken."""
        if id is None or type is None:
            return None
        advert, site = _AD.get(type), self._known.get(id) or self._site(id)
        if advert is None or site is None or not url or moment.__class__ is str:
            return None
        if advert and value is not None and value < 0:
            return None
        received = request.received
        time = received if moment is None else min(int(moment), received)
        if self._parsing.bounded and time < received - self._parsing.retry_ms:
            return None
        today, offset = day(site.timezone, time)
        choice = None if consent is ABSENT else bytes(consent)
        who = None if member is ABSENT else bytes(member)
        lives = None if declared is ABSENT else bytes(declared)
        key = id, today, advert, request.address, request.browser, user, device, choice, who, lives
        sender = self._senders.known.get(key) or self._sender(key, site, type, request, time)
        if sender is None or time < sender.since:
            return None
        where, redacted = self._seen.get((id, url, referrer)) or self._where(id, url, referrer)
        names_ = 3 + (title is not None)
        if choice is not None:
            names_ += 1 + choice.count(NAME)
        if name is not None or type == "event" or type in MEASURED:
            names_ += name is not None
            clean = named(site, type, name)
            if clean is False:
                return None
            name = clean
        market = named_market(type, name)
        label = labelled(type, name)
        listed: Any = LABEL if label else None
        if props is not ABSENT:
            data = bytes(props)
            names_ += 1 + data.count(NAME)
            if data != b"null":
                of = self._parsing.props.clean
                listed = of(site, data, LABEL, today) if label else of(site, data, "market" if market else "")
        if listed is False or listed == LABEL:
            return None
        shown: Ad | None = None
        if ad is not ABSENT:
            data = bytes(ad)
            names_ += 1 + data.count(NAME)
            found = None if data == b"null" else self._parsing.advert(data)
            if found is False or found == CLICK:
                return None
            shown = found if isinstance(found, Ad) else None
        cell, by = None, None
        if who is not None:
            names_ += 1 + who.count(NAME)
        if lives is not None:
            names_ += 1 + lives.count(NAME)
        if geo is not ABSENT or referral is not ABSENT:
            read = self._more(geo, referral)
            if read is None:
                return None
            cell, by, more_names = read
            names_ += more_names
        gone: tuple[str, ...] = ()
        more = _NOTHING_MORE
        if listed is not None or shown is not None or cell is not None or by is not None:
            code, channel = (None, None) if by is None else by[:2]
            more = self._kept.words.bytes((listed, *(shown or NOTHING).texts, cell, code, channel))
        other: Counterpart | None = None
        if counterpart is not ABSENT:
            data = bytes(counterpart)
            names_ += 1 + data.count(NAME)
            told = None if data == b"null" else self._parsing.counterpart(data)
            if told is False:
                return None
            other = told
        steps = edges(type, name)
        number_ = _NAN if value is None else value if steps is None else band(steps, value)
        beside, without = (None, ()) if other is None else self._beside(
            sender, id, today, type, name, _id(user), other, time, received, listed, number_
        )  # fmt: skip
        if who is not None or cell is not None or by is not None or without:
            gone = removed(sender.granted, sender.member, by, cell is not None, without)
        if number is not None:
            names_ += 1
            number = str(number) or None
        names_ += (
            (moment is not None)
            + (referrer is not None)
            + (user is not None)
            + (device is not None)
            + (duration is not None)
            + (scroll is not None)
            + (value is not None)
        )
        written = (
            time,
            received,
            offset,
            number,
            (self._kinds.get((type, name)) or self._kind(type, name), where, more),
            -1 if duration is None else int(duration),
            -1 if scroll is None else int(scroll),
            number_,
            shown,
        )
        fate = self._fate(sender.key, type, shown) if advert else sender.key
        return sender, fate, written, gone, redacted, beside, names_

    def _fate(self, key: Key, type: str, ad: Ad | None) -> Key:
        """What an advert's event of that sender counts as: one object for all that are alike."""
        shown = self._parsing.campaigns.counted(type, None if ad is None else ad.campaign)
        found = self._fates.get((id(key), *shown))
        if found is None:
            if len(self._fates) >= _REMEMBERED:
                self._fates.clear()
            found = key._replace(event=shown[0], campaign=shown[1])
            self._fates[id(key), *shown] = found
        return found

    def _beside(
        self, sender: Sender, site: str, day: int, type: str, name: str | None, user: str | None,
        said: Counterpart, time: int, received: int, props: str | None, value: float,
    ) -> tuple[tuple[Sender, tuple[Any, ...]] | None, tuple[str, ...]]:  # fmt: skip
        """The other side of an event and what is written of it, if anything is; and what is lost of it."""
        gone = lost(type, name, user, sender.granted, said, True)
        if LOST in gone or not sender.kept:
            return None, gone
        key = site, day, said.user, said.country
        found = self._senders.known.get(key)
        if found is None:
            at = self._site(site)
            home = at.region or None if at else None
            found = self._senders.known[key] = self._senders.other(site, day, PROTOCOL, *said[:2], home)
        if not found.kept or time < found.since:
            return None, (*gone, LOST)
        more = self._kept.words.bytes((props, *NOTHING.texts, None, None, None)) if props else _NOTHING_MORE
        what = self._kinds.get((TYPE, name)) or self._kind(TYPE, name), _NOWHERE, more
        return (found, (*moments(day, received), 0, None, what, -1, -1, value)), gone

    def _more(self, geo: Any, referral: Any) -> tuple[str | None, Referral | None, int] | None:
        """The cell, the referral, and how many names their JSON should hold; None where one is malformed."""
        cell, by, names_ = None, None, 0
        if geo is not ABSENT:
            data = bytes(geo)
            names_ += 1 + data.count(NAME)
            cell = None if data == b"null" else self._parsing.geo(data)
        if referral is not ABSENT:
            data = bytes(referral)
            names_ += 1 + data.count(NAME)
            by = None if data == b"null" else self._parsing.referral(data)
        return None if cell is False or by is False else (cell, by, names_)

    def _fresh(self) -> None:
        """Nothing is remembered that may hold no longer."""
        self._senders.fresh()
        if self._words is not self._senders.words or len(self._seen) >= _REMEMBERED:
            self._words = self._senders.words
            self._seen.clear()
            self._kinds.clear()
            self._fates.clear()

    def _where(self, id: str, url: str, referrer: str | None) -> tuple[bytes, int]:
        page, source = self._enrich.page(id, url), self._enrich.source(id, url, referrer)
        texts = (*page[1:7], *source)
        if len(url) + len(referrer or "") > _WORTH_REMEMBERING:
            return self._kept.words.bytes(texts), page.redacted
        found = self._seen[id, url, referrer] = self._words.bytes(texts), page.redacted
        return found

    def _kind(self, type: str, name: str | None) -> bytes:
        if name is not None and len(self._kinds) >= _REMEMBERED:
            return self._kept.words.bytes((type, name))
        found = self._kinds[type, name] = self._words.bytes((type, name))
        return found

    def _site(self, id: str) -> Site | None:
        found = self._sites.get(id)
        if found is not None:
            if len(self._known) >= 1000:
                self._known.clear()
            self._known[found.id] = found
        return found

    def _sender(
        self, key: tuple[Any, ...], site: Site, type: str, request: Request, time: int
    ) -> Sender | None:
        """Who that is, found out and remembered; None for one that must not send here, or says too much."""
        _, today, _, address, browser, user, device, choice, said, lives = key
        if elsewhere(site, browser.origin) or len(choice or b"") > self._limits.max_consent:
            return None
        barred = self._parsing.barred
        if barred is not None and barred(site, request.received):
            return None
        if in_clear(self._limits, browser.encrypted, _id(user), _id(device)):
            return None
        member = None if said is None or said == b"null" else self._parsing.member(said)
        if member is False:
            return None
        declared = None if lives is None or lives == b"null" else self._parsing.declared(lives)
        if declared is False:
            return None
        agent, where = self._enrich.agent(browser.said), self._enrich.place(address)
        why = self._enrich.robot(agent, where)
        if why:
            sender = self._senders.robot(site.id, today, PROTOCOL, where.country, why)
        else:
            heard = {"consent": None if choice == b"null" else choice, "gpc": browser.gpc, "dnt": browser.dnt}
            sender = self._senders.settle(
                site.id,
                today,
                PROTOCOL,
                type,
                _id(user),
                _id(device),
                address,
                browser.said[0],
                agent,
                where,
                heard,
                time,
                member,
                site.region or None,
                agreement(declared, where.country),
            )
        self._senders.known[key] = sender
        return sender


def _id(said: str | int | None) -> str | None:
    return None if said is None or said == "" else str(said)


def _counts(fates: list[Any], stored: int) -> Counts:
    """Each event as received, and as what became of it."""
    counts, kept = Counts(), 0
    keys = dict(zip(map(id, fates), fates, strict=True))
    for place, n in Counter(map(id, fates)).items():
        key = keys[place]
        counts[key] += n
        counts[key._replace(outcome=RECEIVED, reason="", detail="")] += n
        kept += n if key.outcome == STORED else 0
    if kept != stored:
        raise Broken(f"{kept} events were decided to be stored, and {stored} are")
    return counts
