"""The way of an event, on one screen: parse → enrich → decide → apply. Nothing here touches a disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from consent_filter.apply import apply
from consent_filter.counterpart import judged
from consent_filter.counts import Counts
from consent_filter.decide import Laws, decide
from consent_filter.events import NOTHING, join
from consent_filter.ledger import Ledger
from consent_filter.policy import Pack, Packs
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Raw
from consent_filter.regions import barred
from consent_filter.sender import Senders
from ingest.enrich import Enrich
from ingest.live import Live
from ingest.log.record import Record
from ingest.protocols import Parsed, Parsing, parse
from ingest.protocols.columns import take
from ingest.request import Answer, Request
from ingest.settings import Ingest, Sites
from ingest.tally import Tally, balance

#: Bytes of bodies from which on columns are faster than rows: some 400 events.
_MANY = 200_000


class Path:
    """Turns requests into what may be stored of them. One thread at a time; the order of requests is kept.

    `bounded`: events older than a retry may be are refused; an import of old logs switches it off. `here`:
    the region that this is in, "" where nobody names it; None asks for none.
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
    ) -> None:
        self.sites, self.enrich, self.packs, self.ledger, self.keys = sites, enrich, packs, ledger, keys
        ledger.lasts = {site: packs[site].identifier_days for site in packs}
        self.laws = Laws(packs)
        self.parsing = Parsing(sites, limits or Ingest(), bounded)
        if here is not None and isinstance(packs, Packs):
            self.parsing.barred = lambda site, time: barred(packs, site, here, time)
        self.live = Live(enrich, Senders(self.laws, ledger, keys), self.parsing)

    def run(self, requests: Sequence[Request]) -> tuple[Record, list[Answer]]:
        """The record to append, and one answer for each request, to be sent once the record is durable.

        Raises Broken when an event would be neither stored nor refused. No input makes it raise anything.
        """
        if sum([len(request.body) for request in requests]) > _MANY:
            parsed = parse(requests, self.parsing)
            return self.keep(parsed), parsed.answers
        events, counts, answers = self.live.run(requests)
        left = [place for place, answer in enumerate(answers) if answer is None]
        if left:
            parsed = parse([requests[place] for place in left], self.parsing)
            rest = self.keep(parsed)
            events = join([events, rest.events])
            counts.update(rest.counts)
            for place, answer in zip(left, parsed.answers, strict=True):
                answers[place] = answer
        return Record(events, counts), cast("list[Answer]", answers)

    def nothing(self) -> Record:
        """A record of no events, for counts alone."""
        return Record(NOTHING, Counts())

    def keep(self, parsed: Parsed) -> Record:
        """What may be stored of events already parsed, and the counts of all of them."""
        self.ledger.refresh()
        raw = parsed.raw
        if raw.n == 0:
            return Record(NOTHING, balance({}, parsed.rejects, [], 0))
        self.enrich.fill(raw)
        tally = Tally(raw, self.sites)
        # Programs go before the decision: they are nobody, have no choice to ask for, and need no pseudonym.
        raw, robots = self._people(raw, tally)
        if raw.n == 0:
            return Record(NOTHING, balance(tally.where(), parsed.rejects, robots, 0))
        decision = decide(raw, self.ledger.words(raw, self.laws.turns), self.laws)
        others = judged(raw, decision.verdict, self.ledger.others(raw, self.laws.turns), self.laws)
        events, refused, narrow = apply(raw, decision, self.keys, self.ledger, self.sites, others)
        return Record(events, balance(tally.where(), parsed.rejects, [*robots, refused], events.n - narrow))

    def _people(self, raw: Raw, tally: Tally) -> tuple[Raw, list[Counts]]:
        """The rows that people sent, and counts of the others by the list that knew them."""
        robots: list[Counts] = []
        people = np.ones(raw.n, np.bool_)
        for why, rows in self.enrich.robots(raw):
            robots.append(tally.refused(rows & people, "robot", why))
            people &= ~rows
        return (take(raw, np.flatnonzero(people)) if robots else raw), robots
