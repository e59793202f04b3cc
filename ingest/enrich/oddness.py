"""Agents that no browser sends: not certain enough to refuse, and worth a bit of `ad_flags` (M44).

Each bit is for what MRC calls falsified or unknown agents. Browsers that people change a little (a phone that
asks for the desktop's page) must pass: where one is known to differ from its hints, the difference is none.
"""

from __future__ import annotations

import re
import time

from consent_filter.suspicion import Suspicion

_DAY = 86_400
_MAJOR = re.compile(r"(?:Chrome|Firefox|Edg|OPR)/(\d{1,5})")
_CHROME = re.compile(r"Chrome/(\d{1,5})")
#: Browsers of iOS by their own tokens; all of them run on Apple's devices only, and a tablet that asks for
#: the desktop's page says Macintosh.
_IOS = re.compile(r"\b(?:CriOS|FxiOS|EdgiOS)/")
_ELSEWHERE = re.compile(r"Windows NT|Android|X11;")
#: A phone or a tablet may pass for the desktop of the same kind, so these may differ.
_ALIKE = frozenset({"Android", "Linux", "Chrome OS", "Ubuntu"})
#: Chrome 120 is of 5 December 2023; Firefox 121 of that month; one more every two weeks is more than there
#: has been, and a dozen is left for channels that are ahead.
_SINCE, _FIRST, _PACE, _AHEAD = 1_701_734_400, 121, 14 * _DAY, 12


def odd(
    agent: str,
    family: str | None,
    system: str | None,
    brands: str,
    version: str | None,
    mobile: bool | None,
    platform: str | None,
    now: float | None = None,
) -> int:
    """Bits of `Suspicion` that an agent has.

    `family`, `system`: what ua-parser reads in it, None for nothing it knows. `brands`: of which `version` is
    that of Chrome or Chromium; `mobile`, `platform`: as the client hints say, None where they say nothing.
    """
    bits = Suspicion(0)
    chromium = _CHROME.search(agent)
    hinted = '"Chromium"' in brands or '"Google Chrome"' in brands
    if family is None and not hinted:
        bits |= Suspicion.NO_BROWSER
    if (
        (hinted and chromium is None)
        or (version is not None and chromium is not None and chromium[1] != version)
        or (_IOS.search(agent) and _ELSEWHERE.search(agent))
        or ("Windows NT" in agent and ("Android" in agent or "iPhone" in agent))
        or (platform and system and platform != system and not {platform, system} <= _ALIKE)
        or (mobile and "Windows NT" in agent)
    ):
        bits |= Suspicion.CONTRADICTION
    majors = [int(one) for one in _MAJOR.findall(agent)]
    if majors and max(majors) > newest(now):
        bits |= Suspicion.FUTURE
    return int(bits)


def newest(now: float | None = None) -> int:
    """A version that no browser can have passed by now (seconds since 1970)."""
    return _FIRST + int(((time.time() if now is None else now) - _SINCE) // _PACE) + _AHEAD
