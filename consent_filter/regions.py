"""In which region rows lie, and on what they may be read into another one (M100; GDPR Art. 44).

A region is where a law holds, by an ISO 3166 code or "EU". Two regions are the same or they are not, and a
region that nobody has named ("") is another one than each that somebody has.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from consent_filter.errors import Misconfigured, Refused

if TYPE_CHECKING:  # a pack is loaded by a module that needs this one
    from consent_filter.policy import Pack, Transfer


def region(key: str, name: str) -> str:
    """The name itself. Raises Misconfigured, naming the key, for what is no region."""
    if name and (len(name) != 2 or not (name.isascii() and name.isalpha() and name.isupper())):
        raise Misconfigured(key, name, 'an ISO 3166 code or "EU"')
    return name


def allowed(pack: Pack, origin: str, to: str, day: date) -> Transfer | None:
    """The mechanism of the pack by which rows of `origin` may be read in `to` on that day; None: there is
    none. Of several, the one that holds longest. Whether any is needed: where the two are not the same."""
    held = [one for one in pack.transfers if one.to == to and one.origin in ("", origin) and one.holds(day)]
    return max(held, key=lambda one: one.until or date.max, default=None)


def require(packs: Iterable[Pack], origin: str, to: str, day: date, what: str) -> Transfer | None:
    """The mechanism that each of these packs, the one in force for some of the rows, has for the way; None
    where none is needed or no pack was given. `what` is to be done, e.g. "a restore".

    Raises Refused (403, `region`) where a pack has none.
    """
    if origin == to:
        return None
    found = None
    for pack in packs:
        found = allowed(pack, origin, to, day)
        if found is None:
            raise Refused(
                403,
                "region",
                f"{what} would take rows of {_called(origin)} to {_called(to)}, and no [[transfers]] of "
                f"{pack.name} {pack.version} allows that on {day}",
            )
    return found


def _called(name: str) -> str:
    return f"region {name}" if name else "no named region"
