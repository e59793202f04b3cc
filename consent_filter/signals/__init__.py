"""The signals: one file each, one line here. `OWN` are the visitor's own words, which no pack can weaken."""

from __future__ import annotations

from consent_filter.signals.choice import choice
from consent_filter.signals.consent_mode import consent_mode
from consent_filter.signals.dnt import dnt
from consent_filter.signals.gpc import gpc
from consent_filter.signals.gpp import gpp
from consent_filter.signals.said import Said, Signal
from consent_filter.signals.tcf import tcf
from consent_filter.signals.usp import usp

SIGNALS: dict[str, Signal] = {
    "choice": choice,
    "tcf": tcf,
    "gpp": gpp,
    "usp": usp,
    "consent_mode": consent_mode,
    "gpc": gpc,
    "dnt": dnt,
}

#: Said by the visitor to this site, in no other form: its refusal ends what it speaks of.
OWN = frozenset({"choice"})

__all__ = ["OWN", "SIGNALS", "Said", "Signal"]
