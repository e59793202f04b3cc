"""What is understood of a batch: agent, place, page and source, each once for every distinct value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consent_filter.raw import Agent, Column, Page, Place, Raw, Source, pair
from consent_filter.site import Site
from ingest.enrich.agent import Agents, Said
from ingest.scrub import Scrub, host
from ingest.settings import Sites
from ingest.sources import source

#: Longer ones come once; remembering them would only cost memory.
_WORTH_REMEMBERING = 512
_REMEMBERED = 8192


class Enrich:
    """Fills `browser`, `place`, `page` and `source`. What it remembers stays in memory, within bounds.

    `look` finds the place of an address (`ingest.enrich.place.Places.look`). `hosting` holds what comes from
    data centres to be programs; it needs a database that knows networks.
    """

    def __init__(
        self, sites: Sites, look: Callable[[str], Place], agents: Agents | None = None, hosting: bool = False
    ):
        self._sites = sites
        self._look = look
        self.agents = agents or Agents()
        self.hosting = hosting
        #: Secrets found in addresses since the start, for the metrics (M5, M9, M12).
        self.redacted = 0
        self._places: dict[str, Place] = {}
        self.pages: dict[tuple[str, str], Page] = {}
        self.sources: dict[tuple[tuple[str, str], str | None], Source] = {}
        self._ways: dict[str, tuple[Scrub, frozenset[str]]] = {}

    def fill(self, raw: Raw) -> Raw:
        """The same batch, understood."""
        # Looked up in line: at 32 requests a batch, a call for each value would be half of the cost.
        agents, places, pages, sources = self.agents.known, self._places, self.pages, self.sources
        raw.browser = Column(
            raw.agent.codes, [agents.get(said) or self.agents.look(said) for said in raw.agent.values]
        )
        raw.place = Column(
            raw.address.codes, [places.get(said) or self._place(said) for said in raw.address.values]
        )
        seen = pair(raw.site, raw.url)
        raw.page = Column(seen.codes, [pages.get(key) or self._page(key) for key in seen.values])
        secrets = [page.redacted for page in raw.page.values]
        if any(secrets):
            self.redacted += int(np.array(secrets)[seen.codes].sum())
        came = pair(seen, raw.referrer)
        raw.source = Column(came.codes, [sources.get(key) or self._source(key) for key in came.values])
        return raw

    def agent(self, said: Said) -> Agent:
        """What is understood of one agent."""
        return self.agents.known.get(said) or self.agents.look(said)

    def place(self, address: str) -> Place:
        """Where one address is."""
        return self._places.get(address) or self._place(address)

    def page(self, site: str, url: str) -> Page:
        """One URL, scrubbed."""
        return self.pages.get((site, url)) or self._page((site, url))

    def source(self, site: str, url: str, referrer: str | None) -> Source:
        """Where one visit came from."""
        key = (site, url), referrer
        return self.sources.get(key) or self._source(key)

    def robot(self, agent: Agent, place: Place) -> str | None:
        """Why one sender is held for a program; None for a person."""
        return agent.robot or ("hosting" if self.hosting and place.network == "hosting" else None)

    def robots(self, raw: Raw) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Each reason to hold something for a program, and the rows that it holds for."""
        agents = raw.browser.values
        for why in dict.fromkeys([agent.robot for agent in agents if agent.robot]):
            yield why, np.array([agent.robot == why for agent in agents])[raw.browser.codes]
        if self.hosting and any(place.network == "hosting" for place in raw.place.values):
            yield (
                "hosting",
                np.array([place.network == "hosting" for place in raw.place.values])[raw.place.codes],
            )

    def _place(self, address: str) -> Place:
        _bound(self._places)
        found = self._places[address] = self._look(address)
        return found

    def _page(self, key: tuple[str, str]) -> Page:
        site, url = key
        page = self._way(site)[0].page(url)
        if len(url) <= _WORTH_REMEMBERING:
            _bound(self.pages)
            self.pages[key] = page
        return page

    def _source(self, key: tuple[tuple[str, str], str | None]) -> Source:
        here, referrer = key
        page = self.pages.get(here) or self._page(here)
        found = source(referrer, page, self._way(here[0])[1])
        if len(here[1]) + len(referrer or "") <= _WORTH_REMEMBERING:
            _bound(self.sources)
            self.sources[key] = found
        return found

    def _way(self, id: str) -> tuple[Scrub, frozenset[str]]:
        found = self._ways.get(id)
        if found is None:
            _bound(self._ways)
            site = self._sites.get(id) or Site(id=id)
            hosts = (host(origin.partition("//")[2]) for origin in site.origins)
            found = self._ways[id] = (Scrub(site), frozenset(name for name in hosts if name))
        return found


def _bound(known: dict[Any, Any]) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()
