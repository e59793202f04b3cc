"""The collector process: opens what it needs, serves until it is told to stop, drains."""

from __future__ import annotations

import asyncio
import gc
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path as File
from typing import TYPE_CHECKING

import uvicorn

from consent_filter import joint, signing
from consent_filter.advert_links import Seals
from consent_filter.campaigns import Campaigns
from consent_filter.clicks import Clicks
from consent_filter.errors import Broken, Misconfigured
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.replacing import together, turn
from consent_filter.rights.settings import Rights
from consent_filter.rotation import Keys
from consent_filter.security import Security, note
from consent_filter.signing import Signer
from consent_filter.site import Site
from consent_filter.tokens import Tokens
from consent_filter.transport import Certificate
from consent_filter.unsubscribe import Links
from ingest import fast
from ingest.acknowledging import Acknowledging
from ingest.choosing import Choosing
from ingest.collector import create
from ingest.enrich import Enrich
from ingest.enrich.place import Places
from ingest.forwarded import Trust
from ingest.gather import Gather
from ingest.log import Lasting
from ingest.log.opening import opened
from ingest.log.opening import settings as log_settings
from ingest.looking import Looking
from ingest.metrics import PIPELINE, Metrics
from ingest.path import Path
from ingest.preferring import Preferring
from ingest.proxied import ProxiedProtocol
from ingest.rights import Requesting
from ingest.scripts import PanelPage
from ingest.settings import Ingest, Sites
from ingest.unsubscribe import Unsubscribing
from ingest.vouching import Vouching

if TYPE_CHECKING:
    from ingest.conferring import Conferring

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
#: Seconds between looks at slow clients, keys that have had their time, and segments that may be closed.
_SWEEP = 2.0
_TURN = 60.0


def serve(
    data: File,
    settings: Ingest,
    declared: Iterable[Site],
    *,
    port: int,
    version: str = "",
    dashboards: str | None = None,
    rights: Rights | None = None,
    lasting: Keys | None = None,
    security: Security | None = None,
    region: str = "",
    campaigns: Iterable[str] = (),
) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. The commit partition is `collector`. `region`:
    where the data folder lies. `campaigns`: those whose refused events are always counted by name."""
    sites = Sites(declared)
    if sites.open and settings.host not in _LOOPBACK:
        raise Misconfigured("ingest.host", settings.host, "127.0.0.1 while no [[site]] is declared")
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.levelno >= logging.CRITICAL)
    keys = Keyring.open(data / "keys.json")
    ledger, conferring = _ledger(data, keys)
    packs, metrics = Packs(sites), Metrics(data / PIPELINE)
    places = Places.open(settings.geo or None, settings.networks)
    path = Path(
        sites,
        Enrich(sites, places.look, hosting=settings.hosting_is_robot),
        packs,
        ledger,
        keys,
        limits=settings,
        here=region,
        seals=Seals.of(keys),
        clicks=Clicks.of(keys),
    )
    path.parsing.campaigns = Campaigns(campaigns)
    log = opened(data, "collector")
    with suppress(OSError):  # not there yet: the first commit says so
        log.check()
    server: _Server
    signer, trust = Signer(data / signing.FILE), Trust(settings.trusted_proxies)
    requesting = Requesting(
        data, rights or Rights(), ledger, keys, sites, packs, signer, trust, places.look, metrics
    )
    choosing = Choosing(ledger, sites, packs, signer, trust, places.look, Vouching(data, requesting.office))
    app = create(
        choosing,
        Preferring(ledger, sites, packs, choosing),
        Acknowledging(ledger, packs, choosing),
        PanelPage(sites),
        Unsubscribing(ledger, sites, packs, Links(keys), choosing.receipt, metrics),
        requesting,
        Looking(path.parsing),
        metrics,
        settings,
        version=version,
        dashboards=dashboards,
        ready=lambda: server.started and not metrics.unwritable and (not conferring or conferring.fresh),
    )
    pair = data / settings.certificate, data / settings.key
    certificate = Certificate(*pair) if settings.certificate else None
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=port,
        http=ProxiedProtocol if settings.proxy_protocol else fast.EventProtocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=4096,
        timeout_graceful_shutdown=10,
        ssl_context_factory=(lambda *_: certificate.context) if certificate else None,
    )
    schedule = lasting or Keys()

    def change() -> object:
        if conferring is None:
            return turn(keys, ledger, schedule)
        return together(keys, ledger, schedule, whole=conferring.fresh)

    change()
    days = (security or Security()).keep_days

    def spikes() -> None:
        note(data, path.rates.take(), days, keys.now())

    tidy: list[Callable[[], object]] = [requesting.tidy, spikes, change]
    server = _Server(config, path, log, ledger, keys, metrics, settings, tidy)
    server.certificate, server.parting, server.tokens = certificate, spikes, Tokens(data)
    try:
        if conferring is not None:
            conferring.start()
        server.run()
    finally:
        if conferring is not None:
            conferring.close()
        log.close()
        requesting.close()
        ledger.close()
    return 1 if server.failed else 0


def _ledger(data: File, keys: Keyring) -> tuple[Ledger, Conferring | None]:
    """The ledger of the folder, and, where several collectors share one, what makes it that of all."""
    told = log_settings(data)
    if not told.ledger:
        ledger = Ledger.open(data / "ledger.sqlite", keys)
        joint.alone(data / "ledger.sqlite")
        return ledger, None
    from ingest.conferring import Conferring
    from ingest.log.words import Words, given_up  # nobody else needs the client

    joined = joint.JointLedger.join(data / "ledger.sqlite", keys, told.ledger, given_up(told))
    return joined, Conferring(joined, Words(told, data, joined.name))


class _Server(uvicorn.Server):
    """uvicorn's server with the gather made on its loop, and a sweep."""

    def __init__(
        self,
        config: uvicorn.Config,
        path: Path,
        log: Lasting,
        ledger: Ledger,
        keys: Keyring,
        metrics: Metrics,
        settings: Ingest,
        tidy: Sequence[Callable[[], object]],
    ) -> None:
        super().__init__(config)
        self.certificate: Certificate | None = None
        self.tokens: Tokens | None = None
        #: What is done when everything is answered: a signal ends the process inside of `run`.
        self.parting: Callable[[], object] = lambda: None
        self._due = tidy
        self._path, self._log, self._ledger, self._keys = path, log, ledger, keys
        self._metrics, self._settings = metrics, settings
        self.failed = False

    async def startup(self, sockets: list | None = None) -> None:  # type: ignore[type-arg]
        self._gather = Gather(
            self._path, self._log, self._ledger, self._metrics,
            gap=self._settings.commit_gap_ms / 1000, most=self._settings.max_waiting, broken=self._stop,
            patience=self._settings.max_wait_s, most_bytes=self._settings.max_waiting_mib << 20,
        )  # fmt: skip
        fast.EventProtocol.collecting = fast.Collecting(
            self._settings, self._gather, self._metrics, self._path.parsing.seals, self.tokens
        )
        await super().startup(sockets)
        # What exists now stays; collecting it again and again costs a fifth of the throughput.
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        self._sweeper = asyncio.create_task(self._sweep())

    async def shutdown(self, sockets: list | None = None) -> None:  # type: ignore[type-arg]
        self._sweeper.cancel()
        await super().shutdown(sockets)
        await self._gather.drain()
        with suppress(OSError, sqlite3.Error):
            self.parting()

    def _stop(self) -> None:
        self.failed = self.should_exit = True

    async def _sweep(self) -> None:
        loop, turned = asyncio.get_running_loop(), 0.0
        while True:
            await asyncio.sleep(_SWEEP)
            now = loop.time()
            for connection in list(self.server_state.connections):
                if connection.late(now):  # type: ignore[union-attr]
                    connection.transport.abort()
            if now - turned > _TURN:
                turned = now
                await loop.run_in_executor(None, self._tidy)

    def _tidy(self) -> None:
        if self.certificate:
            self.certificate.renew()
        try:
            self._keys.roll()
            self._log.turn(300.0)
        except OSError:
            pass  # the disk says so to the next commit, which answers for it
        for one in self._due:
            with suppress(OSError, Broken, sqlite3.Error):  # whoever asks next is told
                one()
