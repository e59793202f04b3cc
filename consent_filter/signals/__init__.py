"""The signals: one file each, one line here."""

from __future__ import annotations

from consent_filter.signals.choice import choice
from consent_filter.signals.dnt import dnt
from consent_filter.signals.gpc import gpc
from consent_filter.signals.said import Said, Signal

SIGNALS: dict[str, Signal] = {"choice": choice, "gpc": gpc, "dnt": dnt}

__all__ = ["SIGNALS", "Said", "Signal"]
