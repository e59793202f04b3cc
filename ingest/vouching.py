"""Who may see and change an account's preferences: whoever the site's server says is signed in (M115).

Where a site has made a key (`throng rights key`), whoever knows a user's id and has no token that the server
signed for it learns and changes nothing. Without a key it is as with `PUT /consent`: an id is believed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from consent_filter.errors import Broken, Refused
from consent_filter.rights.office import Office

#: What the token's `right` has to be.
RIGHT = "preferences"


class Vouching:
    """`office`: opens the register of requests, which holds the keys; not asked where there is none yet."""

    def __init__(self, data: Path, office: Callable[[], Office]) -> None:
        self._file, self._office = data / "rights.sqlite", office

    def check(self, site: str, user_id: str, token: str | None, *, once: bool) -> None:
        """Raises Refused where that user is not who asks. once: the token is good for this and no more."""
        if not self._file.exists():
            return
        try:
            register = self._office().register
            if all(key["ended"] is not None for key in register.keys.list(site)):
                return
            if not token:
                raise Refused(403, "token", "the site's server has to say who is signed in: send its token")
            now = time.time_ns() // 1_000_000
            said = register.keys.read(token, site, now)
            if said.user_id != user_id:
                raise Refused(403, "token_subject", "the token is about somebody else's data")
            if said.right != RIGHT:
                raise Refused(403, "token_right", "the token is for another right")
            if once:
                with register.store.transaction():
                    register.keys.use(said, now)
        except (OSError, Broken):
            raise Refused(503, "unavailable", "nothing can be looked up now; try again") from None
