"""Rights that are words in the ledger: withdrawing (GDPR Art. 7(3)) and objecting (Art. 21), done at once.

Which purposes an objection reaches is the policy pack's to say, by legal basis (M112): those that rest on a
legitimate interest, and profiling and direct marketing whatever they rest on (Art. 21(2)). What rests on
consent is not objected to but withdrawn; security goes on, on compelling grounds (Art. 21(1)), which the
answer says. Where nobody knows where the person lives, a purpose is reached if it is under any regime.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from consent_filter.circumstances import Circumstances
from consent_filter.errors import Broken, Refused
from consent_filter.ledger import Ledger, Recorded
from consent_filter.marketing import CHANNELS, EVERY
from consent_filter.marketing import mask as channel_mask
from consent_filter.policy import Pack
from consent_filter.purpose import ALL, BY_NAME, Purpose, mask, names
from consent_filter.receipt import draw
from consent_filter.rights.case import AT_ONCE, Case
from consent_filter.rights.register import Register
from consent_filter.signing import Signer
from consent_filter.site import Site

#: What profiles, or is direct marketing: an objection always reaches it.
PROFILING = int(Purpose.PERSONALISATION | Purpose.AD_PERSONALISATION | Purpose.REMARKETING) | EVERY


class Reach(NamedTuple):
    """What a request stops, and of what goes on: purpose → (basis, because)."""

    stops: int
    goes_on: dict[str, tuple[str, str]]


def asked(detail: Mapping[str, Any]) -> int:
    """The purposes that a request names, by purpose or by channel of marketing; all of them if it names none.

    Raises Refused for what is neither.
    """
    purposes, channels = detail.get("purposes"), detail.get("channels")
    for said, known, name in ((purposes, BY_NAME, "purposes"), (channels, CHANNELS, "channels")):
        if said is None:
            continue
        if not isinstance(said, list) or not said or not all(isinstance(x, str) and x in known for x in said):
            raise Refused(400, name, "{name} is a list of some of {known}", name=name, known=", ".join(known))
    if purposes is None and channels is None:
        return int(ALL)
    return mask(purposes or ()) | channel_mask(channels or ())


def reach(right: str, purposes: int, pack: Pack, country: str | None) -> Reach:
    """What stops of the purposes that were asked for. country: ISO 3166, None is unknown."""
    regimes = list(pack.regimes.values()) if country is None else [pack.regimes[pack.regime(country)]]
    stops, goes_on = 0, dict[str, tuple[str, str]]()
    for name in names(purposes):
        bit = int(BY_NAME[name])
        bases = {regime.purposes[name].basis for regime in regimes if name in regime.purposes}
        if bit == Purpose.SECURITY:
            goes_on[name] = ("legitimate_interest", "compelling")
        elif right == "withdraw" or bit & PROFILING or "legitimate_interest" in bases:
            stops |= bit
        elif bases:
            goes_on[name] = (", ".join(sorted(bases)), "withdraw" if bases == {"consent"} else "basis")
    return Reach(stops, goes_on)


class Carrying:
    """Carries out what is proved, one case or all, and closes it with a receipt."""

    def __init__(
        self,
        register: Register,
        ledger: Ledger,
        sites: Mapping[str, Site],
        packs: Mapping[str, Pack],
        signer: Signer,
    ) -> None:
        self._register, self._ledger = register, ledger
        self._sites, self._packs, self._signer = sites, packs, signer

    def all(self) -> int:
        """Whatever was proved and not yet done: a process may have ended in between. How many."""
        found = self._register.pending(AT_ONCE)
        for case in found:
            self.carry(case)
        return len(found)

    def carry(self, case: Case) -> Case:
        """Do it if it is proved, and of this kind; else it stays as it is.

        The word is in the ledger before the case is closed: ended in between, it is said once more, which
        changes nothing.
        """
        if case.state != "verified" or case.right not in AT_ONCE or case.key is None:
            return case
        if case.site not in self._sites:
            return case
        pack, country = self._packs[case.site], case.detail.get("country")
        found = reach(case.right, asked(case.detail), pack, country)
        now = self._register.now()
        how = Circumstances(
            surface="api" if case.channel == "api" else "officer",
            policy=f"{pack.name}/{pack.version}",
            jurisdiction=country,
            regime=pack.regime(country or "ZZ"),
        )
        recorded = None
        if found.stops:
            removes = case.detail.get("past") is True
            recorded = self._ledger.refuse(
                case.key, case.site, found.stops, "rights", now, how, removes=removes
            )
        outcome = {
            "stopped": names(found.stops),
            "goes_on": [
                {"purpose": name, "basis": basis, "because": because}
                for name, (basis, because) in found.goes_on.items()
            ],
            "past": "removed" if case.detail.get("past") is True else "kept out of every report",
            "at": now,
        }
        answer = {"request": case.id, "right": case.right, "site": case.site, **outcome}
        answer["receipt"] = self._receipt(recorded, case.site) if recorded else None
        # As compact as the receipt was signed, which is read letter by letter.
        text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        return self._register.finish(case.id, outcome, text.encode(), by="throng")

    def _receipt(self, recorded: Recorded, site: str) -> Any:
        try:
            key = self._signer.key()
        except (OSError, Broken):
            return None  # the word stands all the same
        return json.loads(draw(recorded.said, recorded.link, self._sites[site], self._packs[site], key))
