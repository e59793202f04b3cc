"""Policy packs: what the law and the published policy say, read from TOML, refusing every unknown key.

A pack divides the world into regimes by country. A regime says of each purpose on which legal basis it
stands, whether it is granted while nobody has spoken, and whether it may go on without an identifier where it
is not granted; and of each browser signal what it denies. A purpose that a regime does not name is never
granted there, whatever anybody says: new uses need a new version of the policy first (M64).
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path

import msgspec
from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.in_force import Era, History, history
from consent_filter.purpose import BY_NAME
from consent_filter.regions import region
from consent_filter.retention import Retention
from consent_filter.signals import OWN, SIGNALS
from consent_filter.site import Site

#: Characters of a balancing note: it is shown to people, so what is longer is kept elsewhere and referred to.
_NOTE = 1000
KINDS = ("opt_in", "opt_out", "notice")
BASES = ("consent", "legitimate_interest", "exempt", "notice")
REFUSALS = ("count", "drop")
WITHDRAWALS = ("stop", "remove")
CONFLICTS = ("restrictive", "latest", "specific")
#: The visitor's word in the ledger: heard like a signal, and like a choice it cannot be weakened.
LEDGER = "ledger"


def _one_of(key: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise Misconfigured(key, value, f"one of {', '.join(allowed)}")


class Use(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One purpose in one regime (M66).

    basis: the legal basis of what is granted by default. balancing: where somebody's interest is weighed, the
    note that says how: a short text, or where it is kept (GDPR Art. 6(1)(f)). default: granted while nobody
    has said anything.
    cookieless: the legal basis for going on without an identifier where it is not granted; "" is none.
    """

    basis: str
    default: bool = False
    cookieless: str = ""
    balancing: str = ""

    @property
    def balanced(self) -> bool:
        """Whether a note is there, where one is needed."""
        return bool(self.balancing) or "legitimate_interest" not in (self.basis, self.cookieless)

    def __post_init__(self) -> None:
        if self.balancing != self.balancing.strip() or len(self.balancing) > _NOTE:
            raise Misconfigured("balancing", self.balancing, f"a text of at most {_NOTE} characters")
        _one_of("basis", self.basis, BASES)
        _one_of("cookieless", self.cookieless, (*BASES, ""))


class Meaning(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a signal means in one regime (M106, M107).

    denies: the purposes that it takes back; none of them is "ignored". grants: the purposes that it may
    permit, where it can permit at all. ends: it also ends what goes on without an identifier, so that only a
    count remains. leaves: what a refusal by it leaves, "count" or "drop"; "" is the regime's `refusal`.
    """

    denies: tuple[str, ...]
    grants: tuple[str, ...] = ()
    ends: bool = False
    leaves: str = ""

    def __post_init__(self) -> None:
        for name in self.denies:
            _one_of("signals.denies", name, BY_NAME)
        for name in self.grants:
            _one_of("signals.grants", name, BY_NAME)
        _one_of("signals.leaves", self.leaves, (*REFUSALS, ""))


class Regime(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rules of one group of countries.

    kind: opt_in, opt_out or notice. countries: ISO 3166 codes, or names of the pack's groups. refusal: what a
    refused event leaves behind: "count" (a number by the rule that refused it) or "drop" (a number that tells
    no rule, as the balance needs one). purposes, signals: as above; every browser signal is spoken of.
    """

    kind: str
    countries: tuple[str, ...] = ()
    refusal: str = "count"
    purposes: dict[str, Use]
    signals: dict[str, Meaning]

    def __post_init__(self) -> None:
        _one_of("regime.kind", self.kind, KINDS)
        _one_of("regime.refusal", self.refusal, REFUSALS)
        for name, use in self.purposes.items():
            _one_of("regime.purposes", name, BY_NAME)
            if self.kind == "opt_in" and (use.default or use.basis != "consent"):
                raise Misconfigured(
                    f"regime.purposes.{name}",
                    use.basis,
                    "consent, and no default, where agreement comes first",
                )
        if set(self.signals) != set(SIGNALS) - OWN:
            raise Misconfigured(
                "regime.signals", sorted(self.signals), f"exactly {', '.join(sorted(set(SIGNALS) - OWN))}"
            )


class Age(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How old somebody must be (M86). Whoever says to be younger leaves a number and no more.

    minimum: years. unknown_denies: purposes that are never granted while nobody has said how old they are.
    """

    minimum: int = 18
    unknown_denies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.unknown_denies:
            _one_of("age.unknown_denies", name, BY_NAME)
        if not 0 < self.minimum <= 25:
            raise Misconfigured("age.minimum", self.minimum, "1 to 25 years")


class Transfer(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """On what the text sends data out of the country where it was collected (M101).

    to: where it goes (ISO 3166, or "EU"). mechanism: what allows that. origin: whence, where not from
    anywhere. since: from which day; until: the first day on which it does not hold any more. None is open.
    """

    to: str
    mechanism: str
    origin: str = ""
    since: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        if len(self.to) != 2 or not (self.to.isalpha() and self.to.isupper()):
            raise Misconfigured("transfers.to", self.to, "an ISO 3166 code")
        region("transfers.origin", self.origin)
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise Misconfigured("transfers.until", str(self.until), "a day after since")

    def holds(self, day: date) -> bool:
        """Whether it allows anything on that day."""
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)


class Rule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which requirement is fulfilled by which key of the pack; a test looks each of them up."""

    requirement: str
    by: str
    says: str


class Pack(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One pack, made from one published policy.

    version: goes with every event (M2). policy: which text. aliases: every name by which it calls the
    operator, who is one all the same (M4). in_force: the day from which it is, as the text
    says it; a site may name another. otherwise: the regime of every country that no
    regime names. regulated: the regime of whoever's signals say that the law of agreement holds for them,
    wherever their address is (`gdpr=1`, GPP's section 2); "" takes no notice. order: whose word is heard
    first. conflict: what holds where two disagree. "restrictive": a refusal binds whoever says it, and the
    order decides only whose it is said to be. "specific": what was granted by one that is heard earlier is
    not taken back by a signal that is heard later. "latest": the same among those that speak at the moment of
    the event; what is on record was said before it, and a signal that comes with the event takes it back.
    The visitor's own refusal binds under all three, until they agree again where it is on record. tcf_vendor:
    the operator's number on the IAB's vendor list; 0 is a publisher, who is on none. facts_days: how long
    facts are kept (M79); `pipelines/expire.py` deletes. identifier_days: after how long a browser becomes
    somebody else (M23). retention: what of them for less, by purpose, column and regime (`retention.py`).
    withdrawal: what becomes of the past of who takes
    measurement back (M113): no report counts it ("stop"), or it leaves the disk, too ("remove"). rules: which
    requirement stands where. age: how old one must be, and what is not done while that is unknown; None asks
    for no age. transfers: mechanisms by which data leave the country, with their days; `throng check` and
    `throng policy lint` say which are over, and where none is left. Words for people, which `throng
    check` shows and nothing acts on: recipients, to whom the text says released tables go (that nothing
    else goes out is the walls' doing); warnings, where the text contradicts itself or the law.
    """

    name: str
    version: str
    policy: str
    aliases: tuple[str, ...] = ()
    in_force: date | None = None
    otherwise: str
    regulated: str = ""
    order: tuple[str, ...]
    conflict: str = "restrictive"
    tcf_vendor: int = 0
    facts_days: int
    identifier_days: int = 395
    withdrawal: str = "stop"
    retention: Retention = Retention()
    recipients: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    groups: dict[str, tuple[str, ...]] = {}
    age: Age | None = None
    transfers: tuple[Transfer, ...] = ()
    regimes: dict[str, Regime]
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        _one_of("otherwise", self.otherwise, self.regimes)
        _one_of("regulated", self.regulated, (*self.regimes, ""))
        _one_of("conflict", self.conflict, CONFLICTS)
        _one_of("withdrawal", self.withdrawal, WITHDRAWALS)
        if sorted(self.order) != sorted([LEDGER, *SIGNALS]):
            raise Misconfigured("order", list(self.order), f"{LEDGER}, {', '.join(SIGNALS)}: each once")
        if not 1 <= self.identifier_days <= 395:
            raise Misconfigured("identifier_days", self.identifier_days, "1 to 395 (13 months, CNIL)")
        if not 1 <= self.facts_days <= 760:
            raise Misconfigured("facts_days", self.facts_days, "1 to 760 (25 months, CNIL)")
        for name in self.retention.regimes:
            _one_of("retention.regimes", name, self.regimes)
        self.by_country()

    def by_country(self) -> dict[str, str]:
        """Country to the name of its regime, for every country that is named."""
        found: dict[str, str] = {}
        for name, regime in self.regimes.items():
            for word in regime.countries:
                for country in self.groups.get(word, (word,)):
                    if len(country) != 2 or not country.isupper():
                        raise Misconfigured(
                            "countries", country, "an ISO 3166 code or one of the pack's groups"
                        )
                    if found.setdefault(country, name) != name:
                        raise Misconfigured("countries", country, "in one regime only")
        return found

    def unlawful(self, day: date) -> tuple[str, ...]:
        """Countries that the text sends data to, and that no mechanism of it allows on that day."""
        to = dict.fromkeys(one.to for one in self.transfers)
        held = {one.to for one in self.transfers if one.holds(day)}
        return tuple(country for country in to if country not in held)

    def days(self, regime: str, purpose: str) -> int:
        """How long rows are kept for a purpose there, as people are told it; parts of them go sooner."""
        return min(self.retention.term(regime, purpose, self.facts_days).days, self.facts_days)

    def regime(self, country: str) -> str:
        """The name of the regime that holds in a country. "ZZ" is a country that nobody knows."""
        return self.by_country().get(country, self.otherwise)


def load(name: str) -> Pack:
    """A pack that ships, by name, or one of the operator's own, by path. Raises Misconfigured."""
    try:
        if name.endswith(".toml"):
            text = Path(name).read_text()
        else:
            text = (files("consent_filter") / "packs" / f"{name}.toml").read_text()
        return msgspec.convert(tomllib.loads(text), Pack)
    except OSError:
        raise Misconfigured("site.pack", name, "a pack that ships, or the path of a .toml file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise Misconfigured("site.pack", name, str(error)) from None


#: Sites whose packs are remembered.
_REMEMBERED = 10_000


class Packs(Mapping[str, Pack]):
    """The packs of each site, by the site's id; loaded once for all sites that name them.

    `packs[site]` is the one in force now. Raises Misconfigured for packs or dates that do not fit.
    """

    def __init__(self, sites: Mapping[str, Site], now: Callable[[], float] = time.time) -> None:
        self._sites, self._now = sites, now
        self._loaded: dict[str, Pack] = {}
        self._histories: dict[str, History] = {}
        for site in sites:
            self.history(site)

    def _load(self, name: str) -> Pack:
        if name not in self._loaded:
            self._loaded[name] = load(name)
        return self._loaded[name]

    def history(self, id: str) -> History:
        """The packs of a site, and when each was in force."""
        found = self._histories.get(id)
        if found is None:
            if len(self._histories) >= _REMEMBERED:  # while no site is declared any name is one
                self._histories.clear()
            site = self._sites[id]
            named = [(site.pack, site.since), *((one.pack, one.since) for one in site.earlier)]
            packs = [(self._load(name), since) for name, since in named]
            found = history(site, [(since or pack.in_force, pack) for pack, since in packs])
            self._histories[id] = found
        return found

    def __getitem__(self, site: str) -> Pack:
        return self.history(site).then(int(self._now() * 1000))

    def __iter__(self) -> Iterator[str]:
        return iter(self._sites)

    def __len__(self) -> int:
        return len(self._sites)


def histories(packs: Mapping[str, Pack | History]) -> Callable[[str], History]:
    """The history of each site; a pack alone is in force for ever."""
    if isinstance(packs, Packs):
        return packs.history

    def of(site: str) -> History:
        found = packs[site]
        return found if isinstance(found, History) else History([Era(0, found)])

    return of
