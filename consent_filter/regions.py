"""In which region rows lie, and on what they may be read into another one (M100; GDPR Art. 44).

A region is where a law holds, by an ISO 3166 code or "EU". Two regions are the same or they are not, and a
region that nobody has named ("") is another one than each that somebody has.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from consent_filter.errors import Misconfigured, Refused

if TYPE_CHECKING:  # a pack is loaded by a module that needs this one
    from consent_filter.policy import Pack, Packs, Transfer
    from consent_filter.site import Site


class Folder(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[folder]`. region: where the data folder lies, an ISO 3166 code or "EU". What would take rows of
    another region there needs a mechanism of their site's policy (`[[transfers]]`)."""

    region: str = ""

    def __post_init__(self) -> None:
        region("folder.region", self.region)


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


def barred(packs: Packs, site: Site, here: str, time: int) -> bool:
    """Whether rows of a site may not be taken in `here` at a moment (UTC ms): it is of another region, and no
    mechanism of its policy allows that then."""
    if site.region in ("", here):
        return False
    day = datetime.fromtimestamp(time / 1000, UTC).date()
    return allowed(packs.history(site.id).then(time), site.region, here, day) is None


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
