"""What would become of an event, and because of which rule. Nothing is stored, and nothing is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from consent_filter.decide import Laws, decide
from consent_filter.errors import Refused
from consent_filter.ledger import Ledger
from consent_filter.member import Member, age
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import names
from consent_filter.raw import Agent, Column, Page, Place, Raw, Source
from consent_filter.site import Site

#: What an event says about nothing that the decision could depend on.
_AGENT = Agent(None, None, None, None, "other")
_PAGE = Page(None, None, None, None, None, None, None, 0)
_SOURCE = Source(None, "direct")


class _AnySite(dict[str, Site]):
    """While none is declared, any site is one with default settings."""

    def __missing__(self, id: str) -> Site:
        return Site(id=id)


class Explainer:
    """Explains events against a ledger, as the collector would decide them now."""

    def __init__(
        self, ledger: Ledger, sites: Sequence[Site], look: Callable[[str], Place] | None = None
    ) -> None:
        self._ledger, self._look = ledger, look
        self._sites: dict[str, Site] = {s.id: s for s in sites} if sites else _AnySite()
        self._laws = Laws(Packs(self._sites))

    @classmethod
    def open(cls, data: Path, sites: Sequence[Site], look: Callable[[str], Place] | None = None) -> Explainer:
        """With the ledger and the keys of a data folder, where there are some.

        `look` finds the place of an address, for requests that name no country.
        """
        file = data / "keys.json"
        keys = Keyring.open(file) if file.exists() else Keyring.memory()
        return cls(Ledger.open(data / "ledger.sqlite", keys, read_only=True), sites, look)

    def line(self, text: bytes) -> dict[str, Any]:
        """`explain` for a request in JSON. Raises Refused."""
        try:
            request = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise Refused(400, "malformed", "a line is one request in JSON") from None
        if not isinstance(request, dict):
            raise Refused(400, "not_an_object", "a line is one event: a JSON object")
        return self.explain(request)

    def explain(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The decision for an event, with its request's `headers`, `address` (or `ip`) or `country` in it.

        `decision`: identified, cookieless, count or drop. `purposes`: what it may be used for. `because`: the
        rule, as `policy.regime.rule`. `signal`, `basis`, `reason`, `policy` and `country` say the rest.
        """
        inner = request.get("event")
        event: Mapping[str, Any] = inner if isinstance(inner, dict) else request
        headers = request.get("headers")
        said = {str(k).lower(): str(v) for k, v in headers.items()} if isinstance(headers, dict) else {}
        site = event.get("site")
        if not isinstance(site, str) or (site not in self._sites and not isinstance(self._sites, _AnySite)):
            raise Refused(400, "site", "site is missing or not one that is measured here")
        country = self._country(request)
        raw = _raw(event, site, country, said)
        words = self._ledger.words(raw, self._laws.turns)
        (verdict,) = decide(raw, words, self._laws).verdict.rows()
        return {
            "decision": verdict.treatment,
            "purposes": names(verdict.granted),
            "because": verdict.because,
            "signal": verdict.signal,
            "basis": verdict.basis,
            "reason": verdict.reason,
            "policy": verdict.policy,
            "country": country,
        }

    def _country(self, request: Mapping[str, Any]) -> str:
        named, address = request.get("country"), request.get("address") or request.get("ip")
        if isinstance(named, str) and named:
            return named.upper()
        if self._look is not None and isinstance(address, str):
            with suppress(ValueError):
                return self._look(address).country
        return "ZZ"


def _member(said: Any) -> Member | None:
    """The age that an event says, as far as the decision may depend on it."""
    return Member(age(said.get("age_ok"), said.get("age_band")), None) if isinstance(said, dict) else None


def _raw(event: Mapping[str, Any], site: str, country: str, headers: Mapping[str, str]) -> Raw:
    """One event as a batch."""

    def one(value: Any) -> Column[Any]:
        return Column(np.zeros(1, np.int32), [value])

    def id(name: str) -> Column[str | None]:
        value = event.get(name)
        return one(str(value) if isinstance(value, str | int) and value != "" else None)

    consent, at, now = event.get("consent"), event.get("time"), time.time_ns() // 1_000_000
    return Raw(
        n=1,
        site=one(site),
        protocol=one("explain"),
        type=one(str(event.get("type") or "page_view")),
        name=one(None),
        received=np.zeros(1, np.int64),
        time=np.full(1, min(at, now) if isinstance(at, int) and at >= 0 else now, np.int64),
        id=[None],
        address=one(""),
        agent=one(("",)),
        url=one(""),
        referrer=one(None),
        user_id=id("user_id"),
        device_id=id("device_id"),
        consent=one(None if consent is None else msgspec.json.encode(consent)),
        gpc=one(headers.get("sec-gpc")),
        dnt=one(headers.get("dnt")),
        props=one(None),
        ad=one(None),
        member=one(_member(event.get("member"))),
        referral=one(None),
        geo=one(None),
        counterpart=one(None),
        declared=one(None),
        duration_ms=np.full(1, -1, np.int32),
        scroll=np.full(1, -1, np.int16),
        value=np.full(1, np.nan),
        browser=one(_AGENT),
        place=one(Place(None, country, None, "unknown")),
        page=one(_PAGE),
        source=one(_SOURCE),
    )
