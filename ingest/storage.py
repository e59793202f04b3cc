"""What our scripts keep in a visitor's browser: each name, why, how long at most, and whose it is (M103).

There are no cookies. The scripts name nothing that is not here, and drop what is older than `days`; tests
read the scripts that ship, and a browser, and hold both against this list.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Kept(NamedTuple):
    """One thing that is kept.

    name: the key in the storage, and behind a dot the member of the object there. where: localStorage. party:
    "first", the site's own. purpose: what has to be granted before it exists; "" is what the visitor has
    asked for themselves (ePrivacy Directive Art. 5(3)). days: its longest life. script: who writes it.
    """

    name: str
    where: str
    party: str
    purpose: str
    days: int
    script: str
    says: str


#: Thirteen months: the longest life of what needs an agreement (CNIL, guidelines of 17 September 2020).
LONGEST = 395

KEPT = (
    Kept("throng.c", "localStorage", "first", "", LONGEST, "t.js", "what the visitor has chosen"),
    Kept("throng.t", "localStorage", "first", "", LONGEST, "t.js", "when they chose, so that it has an end"),
    Kept(
        "throng.d", "localStorage", "first", "measurement", LONGEST, "t.js",
        "a random id: that it is the same browser again",
    ),
    Kept(
        "throng.f", "localStorage", "first", "ad_measurement", 90, "t.js",
        "how often which campaign was shown here, and since which day; how many adverts today",
    ),
    Kept(
        "throng-rights", "localStorage", "first", "", 180, "privacy.js",
        "numbers and secrets of the requests that the visitor has made here, to see what became of them",
    ),
)  # fmt: skip


def listed() -> list[dict[str, Any]]:
    """The register as pages show it."""
    return [one._asdict() for one in KEPT]
