"""Policy packs: what the law and the published policy say, read from TOML, refusing every unknown key.

A pack divides the world into regimes by country. A regime says what is granted by default, what each signal
denies, whether measuring without an identifier needs nobody's agreement, and on which legal basis.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

import msgspec
from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.purpose import BY_NAME
from consent_filter.site import Site


class Regime(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rules of one group of countries.

    kind: opt_in, opt_out or notice. countries: ISO codes, or names of the pack's groups. basis: legal basis
    of what is granted by default. default: purposes granted while nobody has said anything. cookieless:
    purposes allowed without agreement when no identifier is used (CNIL's exemption, Art. 82 LIL guidelines).
    gpc, dnt: purposes that the signal denies. objection: signals that also end cookieless measurement;
    an own refusal of measurement always does.
    """

    kind: str
    countries: tuple[str, ...] = ()
    basis: str
    default: tuple[str, ...] = ()
    cookieless: tuple[str, ...] = ()
    cookieless_basis: str = "exempt"
    gpc: tuple[str, ...] = ()
    dnt: tuple[str, ...] = ()
    objection: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise Misconfigured("regime.kind", self.kind, f"one of {', '.join(KINDS)}")
        for key in ("default", "cookieless", "gpc", "dnt"):
            for name in getattr(self, key):
                if name not in BY_NAME:
                    raise Misconfigured(f"regime.{key}", name, f"one of {', '.join(BY_NAME)}")
        for name in self.objection:
            if name not in ("gpc", "dnt"):
                raise Misconfigured("regime.objection", name, "gpc or dnt")
        if self.kind == "opt_in" and self.default:
            raise Misconfigured("regime.default", self.default, "empty where agreement is needed first")


KINDS = ("opt_in", "opt_out", "notice")


class Rule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which requirement is fulfilled by which key of the pack; a test checks that the key is there."""

    requirement: str
    by: str
    says: str


class Pack(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One pack. `otherwise` is the regime of every country that no other names, and of an unknown one."""

    name: str
    version: str
    policy: str
    otherwise: str
    facts_days: int = 760
    groups: dict[str, tuple[str, ...]] = {}
    regimes: dict[str, Regime]
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        if self.otherwise not in self.regimes:
            raise Misconfigured("otherwise", self.otherwise, f"one of {', '.join(self.regimes)}")
        if not 1 <= self.facts_days <= 760:
            raise Misconfigured("facts_days", self.facts_days, "1 to 760 (25 months)")

    def by_country(self) -> dict[str, str]:
        """Country to the name of its regime, for every country named."""
        found: dict[str, str] = {}
        for name, regime in self.regimes.items():
            for word in regime.countries:
                for country in self.groups.get(word, (word,)):
                    if found.setdefault(country, name) != name:
                        raise Misconfigured("countries", country, "in one regime only")
        return found


def mask(names: tuple[str, ...]) -> int:
    """Names of purposes as a bitmask."""
    return sum(BY_NAME[name] for name in dict.fromkeys(names))


def load(name: str) -> Pack:
    """A pack that ships, by name, or one of the operator's own, by path. Raises Misconfigured."""
    try:
        if name.endswith(".toml"):
            text = Path(name).read_text()
        else:
            text = (files("consent_filter") / "packs" / f"{name}.toml").read_text()
        pack = msgspec.convert(tomllib.loads(text), Pack)
        pack.by_country()
        return pack
    except OSError:
        raise Misconfigured("site.pack", name, "a pack that ships, or the path of a .toml file") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Misconfigured("site.pack", name, str(error)) from None


class Packs(Mapping[str, Pack]):
    """The pack of each site, by the site's id; loaded once for all sites that name it."""

    def __init__(self, sites: Mapping[str, Site]) -> None:
        self._sites = sites
        self._loaded: dict[str, Pack] = {}
        for site in sites.values():
            self._load(site.pack)

    def _load(self, name: str) -> Pack:
        if name not in self._loaded:
            self._loaded[name] = load(name)
        return self._loaded[name]

    def __getitem__(self, site: str) -> Pack:
        return self._load(self._sites[site].pack)

    def __iter__(self) -> Iterator[str]:
        return iter(self._sites)

    def __len__(self) -> int:
        return len(self._sites)
