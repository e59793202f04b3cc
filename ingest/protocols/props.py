"""The properties of an event that its site allows, scrubbed, as JSON with sorted names (M15)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from consent_filter.experiment import LABELS
from consent_filter.market import CATEGORY
from consent_filter.site import Site
from ingest.protocols.event import FAULTS
from ingest.redaction import controls, plain
from ingest.settings import Ingest

_REMEMBERED = 8192
#: What an event is that has properties of a closed kind; "" is any other.
Kind = Literal["", "market", "experiment"]
#: The code of labels of which none is of an experiment that runs.
LABEL: Literal["experiment"] = "experiment"
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder(order="sorted").encode


class Props:
    """Remembers the last few thousand distinct objects: a site sends the same ones over and over."""

    def __init__(self, limits: Ingest) -> None:
        self._limits = limits
        self._known: dict[tuple[str, bytes, Kind, int], str | bool | None] = {}

    def clean(self, site: Site, data: bytes, kind: Kind = "", day: int = 0) -> str | bool | None:
        """The allowed properties as JSON; None when there are none, False when it is no flat, short object.

        A name that the site has not listed is dropped, whatever it holds. `kind`: of an event of a
        marketplace's own nothing is kept but a category that the site has declared; of labels those of
        experiments that run on that `day` (days since 1970): LABEL where there is none.
        """
        key = (site.id, data, kind, day)
        try:
            return self._known[key]
        except KeyError:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[key] = self._read(site, data, kind, day)
            return found

    def _read(self, site: Site, data: bytes, kind: Kind, day: int) -> str | bool | None:
        try:
            said = _decode(data)
        except FAULTS:
            return False
        if len(said) > self._limits.max_props:
            return False
        for name, value in said.items():
            if len(name) > self._limits.max_text or isinstance(value, list | dict):
                return False
            if isinstance(value, str) and (len(value) > self._limits.max_text or controls(value)):
                return False
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                return False
        if kind == "experiment":
            seen = {
                one.name: said[one.name]
                for one in site.experiments
                if said.get(one.name) in one.variants and one.runs(day)
            }
            return _encode(dict(list(seen.items())[:LABELS])).decode() if seen else LABEL
        if kind == "market":
            word = said.get(CATEGORY)
            return _encode({CATEGORY: word}).decode() if word in site.categories else None
        kept = {
            name: plain(said[name]) if isinstance(said[name], str) else said[name]
            for name in site.props
            if said.get(name) is not None
        }
        return _encode(kept).decode() if kept else None
