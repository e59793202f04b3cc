"""The way of an event, on one screen: parse → enrich → decide → apply. Nothing here touches a disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from consent_filter.advert_links import Seals
from consent_filter.apply import apply
from consent_filter.clicks import Clicks
from consent_filter.counterpart import judged
from consent_filter.counts import Counts
from consent_filter.decide import Laws, decide
from consent_filter.events import NOTHING, Events, join
from consent_filter.ledger import Ledger
from consent_filter.policy import Pack, Packs
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Raw
from consent_filter.regions import barred
from consent_filter.sender import Senders
from ingest.clicks import lead
from ingest.contacts import named
from ingest.enrich import Enrich
from ingest.live import Live
from ingest.log.record import Record
from ingest.protocols import Parsed, Parsing, parse, redirect
from ingest.protocols.columns import take
from ingest.rates import Rates
from ingest.request import Answer, Request
from ingest.settings import Ingest, Sites
from ingest.tally import Tally, balance

#: Bytes of bodies from which on columns are faster than rows: some 400 events.
_MANY = 200_000


class Path:
    """Turns requests into what may be stored of them. One thread at a time; the order of requests is kept.

    `bounded`: events older than a retry may be are refused; an import of old logs switches it off. `here`:
    the region that this is in, "" where nobody names it; None asks for none. `seals`, `clicks`: what
    addresses of adverts and ids of clicks are signed with.
    """

    def __init__(
        self,
        sites: Sites,
        enrich: Enrich,
        packs: Mapping[str, Pack],
        ledger: Ledger,
        keys: Keyring,
        *,
        limits: Ingest | None = None,
        bounded: bool = True,
        here: str | None = None,
        seals: Seals | None = None,
        clicks: Clicks | None = None,
    ) -> None:
        self.sites, self.enrich, self.packs, self.ledger, self.keys = sites, enrich, packs, ledger, keys
        ledger.lasts = {site: packs[site].identifier_days for site in packs}
        self.laws = Laws(packs)
        self.parsing = Parsing(sites, limits or Ingest(), bounded, seals, clicks)
        if here is not None and isinstance(packs, Packs):
            self.parsing.barred = lambda site, time: barred(packs, site, here, time)
        self.rates = Rates(keys)
        self.live = Live(enrich, Senders(self.laws, ledger, keys), self.parsing, self.rates)

    def run(self, requests: Sequence[Request]) -> tuple[Record, list[Answer]]:
        """The record to append, and one answer for each request, to be sent once the record is durable.

        Raises Broken when an event would be neither stored nor refused. No input makes it raise anything.
        """
        parts: list[Events] = []
        counts, answers = Counts(), cast("list[Answer | None]", [None] * len(requests))
        if sum([len(request.body) for request in requests]) <= _MANY:
            events, counts, answers = self.live.run(requests)
            parts.append(events)
        for places in _apart(requests, answers):
            parsed = parse([requests[place] for place in places], self.parsing)
            rest = self.keep(parsed)
            parts.append(rest.events)
            counts.update(rest.counts)
            for place, answer in zip(places, parsed.answers, strict=True):
                answers[place] = answer
        return Record(parts[0] if len(parts) == 1 else join(parts), counts), cast("list[Answer]", answers)

    def led(self, request: Request) -> Answer | None:
        """Where a click leads, without counting it: for when nothing more can be taken."""
        if request.protocol != redirect.NAME:
            return None
        (answer,) = redirect.parse([request], self.parsing).answers
        return answer if answer.leads else None

    def nothing(self) -> Record:
        """A record of no events, for counts alone."""
        return Record(NOTHING, Counts())

    def keep(self, parsed: Parsed) -> Record:
        """What may be stored of events already parsed, and the counts of all of them. Answers that lead on
        get the id of their click, where it may have one."""
        self.ledger.refresh()
        raw = parsed.raw
        if raw.n == 0:
            return Record(NOTHING, balance({}, parsed.rejects, [], 0))
        self.enrich.fill(raw)
        raw.counted = self.parsing.campaigns.column(raw)
        tally = Tally(raw, self.sites)
        # Programs go before the decision: they are nobody, have no choice to ask for, and need no pseudonym.
        raw, robots, rows = self._people(raw, tally)
        raw.rate = self.rates.rows(raw)
        if raw.n == 0:
            return Record(NOTHING, balance(tally.where(), parsed.rejects, robots, 0))
        decision = decide(raw, self.ledger.words(raw, self.laws.turns), self.laws)
        if parsed.clicks and self.parsing.clicks:
            decision = lead(parsed, rows, decision, self.parsing.clicks)
        decision = named(raw, decision)
        others = judged(raw, decision.verdict, self.ledger.others(raw, self.laws.turns), self.laws)
        events, refused, narrow = apply(raw, decision, self.keys, self.ledger, self.sites, others)
        return Record(events, balance(tally.where(), parsed.rejects, [*robots, refused], events.n - narrow))

    def _people(self, raw: Raw, tally: Tally) -> tuple[Raw, list[Counts], NDArray[np.intp]]:
        """The rows that people sent, counts of the others by the list that knew them, and their places."""
        robots: list[Counts] = []
        people = np.ones(raw.n, np.bool_)
        for why, found in self.enrich.robots(raw):
            robots.append(tally.refused(found & people, "robot", why))
            people &= ~found
        rows = np.flatnonzero(people)
        return (take(raw, rows) if robots else raw), robots, rows


def _apart(requests: Sequence[Request], answers: Sequence[Answer | None]) -> Iterator[list[int]]:
    """The places of requests without an answer: clicks that are led on for themselves, as each of their rows
    has an answer that waits for its verdict."""
    left = [place for place, answer in enumerate(answers) if answer is None]
    going = [place for place in left if requests[place].protocol == redirect.NAME]
    others = [place for place in left if requests[place].protocol != redirect.NAME] if going else left
    return filter(None, (others, going))
