"""Faults of a policy pack that loading lets pass: what the law of some country does not.

The faults of the published text are looked for in `policy_text`; both are findings of one shape. Each names
the law or the case, and a lawyer decides: a pattern or a table is no judgement.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from consent_filter.errors import Misconfigured
from consent_filter.policy import Pack, Regime

ERROR, WARNING = "error", "warning"
#: Where storing on a device, or reading from it, needs agreement first: ePrivacy Art. 5(3), PECR, FADP.
AGREEMENT = (
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT"),
    *("LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "IS", "LI", "NO", "GB", "CH"),
)
#: A browser's signal that is an objection, and what it must take back where it binds.
TARGETING = ("ad_personalisation", "remarketing", "third_party")


class Finding(NamedTuple):
    """code: stable. where: a line or a key. says: what is there. why: the law or the case."""

    code: str
    severity: str
    where: str
    says: str
    why: str


def faults(pack: Pack) -> list[Finding]:
    """All of them, in the order of the pack; its own warnings last."""
    found = [*_of_countries(pack)]
    if not pack.recipients:
        found.append(
            Finding("recipients_not_named", WARNING, "recipients", "nobody is named", "GDPR Art. 13(1)(e)")
        )
    found += _of_transfers(pack, date.today())
    for name, regime in pack.regimes.items():
        found += [*_of_uses(f"regimes.{name}", regime), *_of_signals(f"regimes.{name}", regime, pack)]
    return found + [
        Finding("of_the_text", WARNING, "warnings", says, "said by the pack itself") for says in pack.warnings
    ]


def _of_transfers(pack: Pack, today: date) -> Iterator[Finding]:
    for number, one in enumerate(pack.transfers):
        if one.until is not None and one.until <= today:
            says = f"{one.mechanism}, to {one.to}, is over since {one.until}"
            yield Finding("transfer_lapsed", WARNING, f"transfers.{number}", says, "GDPR Art. 44")
    for country in pack.unlawful(today):
        says = f"nothing allows what goes to {country}"
        yield Finding("transfer_unlawful", ERROR, "transfers", says, "GDPR Art. 44, 46; CJEU C-311/18")


def refused(error: Misconfigured) -> Finding:
    """Of a pack that does not load: agreement that is a default where it comes first, say."""
    return Finding("refused", ERROR, error.key, error.allowed, "loading refuses it: consent_filter/policy.py")


def _of_countries(pack: Pack) -> Iterator[Finding]:
    lax = [country for country in AGREEMENT if pack.regimes[pack.regime(country)].kind != "opt_in"]
    if lax:
        says = f"no agreement is asked for in {', '.join(lax)}"
        yield Finding(
            "agreement_not_asked", ERROR, "regimes", says, "ePrivacy Directive Art. 5(3), CJEU C-673/17"
        )
    if pack.regimes[pack.regime("ZZ")].kind != "opt_in":
        says = "of an address that nobody knows, the strictest rule does not hold"
        yield Finding("unknown_country", WARNING, "regimes", says, "GDPR Art. 3: the person's place decides")


def _of_uses(where: str, regime: Regime) -> Iterator[Finding]:
    for purpose, use in regime.purposes.items():
        key = f"{where}.purposes.{purpose}"
        if purpose.startswith(("marketing_", "affiliate_")) and (use.default or use.basis != "consent"):
            says = f"direct marketing stands on {use.basis}{', by default' if use.default else ''}"
            why = "ePrivacy Directive Art. 13(1); CASL s. 6 (Canada)"
            yield Finding("marketing_by_default", ERROR, key, says, why)
        if purpose == "precise_geo" and use.default:
            says, why = "where a phone is, by default", "CPRA 1798.121: sensitive personal information"
            yield Finding("precise_place_by_default", ERROR, key, says, why)
        if not use.balanced:
            says, why = "an interest, and no note that weighs it", "GDPR Art. 6(1)(f) and 5(2)"
            yield Finding("no_balancing_note", ERROR, f"{key}.balancing", says, why)
        if regime.kind == "opt_in" and use.cookieless and purpose != "measurement":
            says = "goes on without agreement; only measuring an audience is exempt"
            yield Finding(
                "not_exempt", ERROR, f"{key}.cookieless", says, "CNIL guidelines of 17 September 2020, Art. 5"
            )
        if use.basis == "exempt" and purpose != "measurement":
            yield Finding(
                "no_legal_basis", ERROR, f"{key}.basis", "an exemption that no law has", "GDPR Art. 6(1)"
            )


def _of_signals(where: str, regime: Regime, pack: Pack) -> Iterator[Finding]:
    reached = regime in (pack.regimes[pack.regime(country)] for country in ("US", "CA"))
    for signal in ("gpc", "dnt"):
        if signal not in regime.signals:
            continue
        denied, key = {*regime.signals[signal].denies}, f"{where}.signals.{signal}.denies"
        open_ = [purpose for purpose in TARGETING if purpose in regime.purposes and purpose not in denied]
        if open_ and regime.kind == "opt_in":
            says = f"{', '.join(open_)} goes on in spite of it"
            why = "GDPR Art. 21(5): objecting by automated means; LG Berlin 16 O 420/19"
            yield Finding(f"{signal}_ignored", ERROR, key, says, why)
        elif open_ and signal == "gpc" and (reached or regime.kind == "opt_out"):
            says = f"{', '.join(open_)} goes on in spite of it"
            yield Finding("gpc_ignored", ERROR, key, says, "CCPA, 11 CCR 7025; People v. Sephora (2022)")
