"""`POST /acknowledgement`: that somebody has taken note of the policy in force; the ledger holds it (M2).

It is no agreement: nothing is granted by it, and whoever does not send one is measured no less and no more.
"""

from __future__ import annotations

import time

from msgspec import UNSET, Struct, UnsetType
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from consent_filter.errors import Refused
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from ingest.choosing import Choosing, circumstances, read, who


class Acknowledgement(Struct, forbid_unknown_fields=True):
    """The body. policy: which one was shown, as pack and version; unsaid, the one in force."""

    site: str
    device_id: str | None = None
    user_id: str | None = None
    policy: str | None = None
    surface: str | UnsetType = UNSET
    locale: str | UnsetType = UNSET
    wording: str | UnsetType = UNSET
    token: str | None = None


class Acknowledging:
    """Answers `/acknowledgement`. `choosing`: who knows sites, places and tokens."""

    def __init__(self, ledger: Ledger, packs: Packs, choosing: Choosing) -> None:
        self._ledger, self._packs, self._choosing = ledger, packs, choosing

    async def answer(self, request: Request) -> Response:
        """Durable when it is answered. Sent again, it is the same one: a page may send it at every visit."""
        if request.method == "OPTIONS":
            return Response(status_code=204)
        said = await read(request, Acknowledgement, "send {site, user_id or device_id}")
        site = self._choosing.site(said.site)
        origin = self._choosing.own_page(request, site)
        kind, id = who(said.user_id, said.device_id)
        await self._choosing.vouched(site, kind, id, said.token, once=True)
        pack = self._packs[site]
        policy = f"{pack.name}/{pack.version}"
        if said.policy not in (None, policy):
            raise Refused(409, "policy", f"the policy in force is {policy}: show that one")
        told = {name: getattr(said, name) for name in ("surface", "locale", "wording")}
        ids = [id for id in (said.user_id, said.device_id) if id]
        country = self._choosing.country(request) if origin else None
        how = circumstances(told, ids, pack, country)
        try:
            now = time.time_ns() // 1_000_000
            at = await run_in_threadpool(self._ledger.acknowledge, site, kind, id, how, now)
        except OSError:
            raise Refused(503, "unavailable", "nothing can be stored now; try again") from None
        return JSONResponse({"site": site, "policy": policy, "at": at})
