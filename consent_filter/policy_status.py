"""What a site's policy says in public: which one is in force, and what each signal does where (M106)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from consent_filter.in_force import Era, History
from consent_filter.policy import Meaning, Regime

IGNORED, LIMITS, COUNT_ONLY, DROPS = "ignored", "limits", "count_only", "drops"


def status(site: str, history: History, time: int) -> dict[str, Any]:
    """At a moment (UTC milliseconds). `in_force`: the policy's first day here, None where it always was one's
    only one. `announced`: those that are not in force yet. `regimes`: where each holds and what signals do.
    """
    now = history.eras[sum(turn <= time for turn in history.turns)]
    pack = now.pack
    return {
        "site": site,
        **_named(now, history),
        "text": pack.policy,
        "otherwise": pack.otherwise,
        "conflict": pack.conflict,
        "announced": [
            _named(era, history)
            for era, turn in zip(history.eras[1:], history.turns, strict=True)
            if turn > time
        ],
        "regimes": {
            name: {
                "kind": regime.kind,
                "countries": sorted(code for code, of in pack.by_country().items() if of == name),
                "signals": {signal: _does(meaning, regime) for signal, meaning in regime.signals.items()},
            }
            for name, regime in pack.regimes.items()
        },
    }


def _named(era: Era, history: History) -> dict[str, Any]:
    always = era is history.eras[0]
    since = None if always else str(date(1970, 1, 1) + timedelta(days=era.first))
    return {"policy": f"{era.pack.name}/{era.pack.version}", "in_force": since}


def _does(meaning: Meaning, regime: Regime) -> dict[str, Any]:
    """ignored: it changes nothing. limits: what it takes back ends, and what needs no identifier goes on.
    count_only, drops: of an event that it objects to a number remains, with the rule or without."""
    takes = [purpose for purpose in regime.purposes if purpose in meaning.denies]
    permits = [purpose for purpose in regime.purposes if purpose in meaning.grants]
    left = meaning.leaves or regime.refusal
    does = LIMITS if not meaning.ends else DROPS if left == "drop" else COUNT_ONLY
    return {"does": does if takes or permits else IGNORED, "takes_back": takes, "permits": permits}
