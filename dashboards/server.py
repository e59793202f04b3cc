"""The dashboards process: uvicorn on loopback, with TLS where there is a certificate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import uvicorn

from consent_filter.rights.settings import Rights
from consent_filter.site import Site
from consent_filter.transport import Certificate
from dashboards.accounts.settings import AccountSettings
from dashboards.app import create
from dashboards.settings import Dashboards
from dashboards.sign_in import LINK
from warehouse.advert_settings import Adverts
from warehouse.recipient import Recipient
from warehouse.release_settings import Release
from warehouse.settings import Warehouse


def serve(
    data: Path,
    settings: Dashboards,
    warehouse: Warehouse,
    *,
    port: int,
    generated: bool = False,
    rights: Rights | None = None,
    sites: Mapping[str, Site] | None = None,
    adverts: Adverts | None = None,
    accounts: AccountSettings | None = None,
    recipients: Iterable[Recipient] = (),
    release: Release = Release(),  # noqa: B008
    link: str = LINK,
) -> None:
    """Serve until SIGTERM. Only loopback is bound; a proxy in front of it is the operator's."""
    app = create(
        data, settings, warehouse, generated=generated, rights=rights, sites=sites, adverts=adverts,
        accounts=accounts, recipients=recipients, release=release, link=link,
    )  # fmt: skip
    pair = data / settings.certificate, data / settings.key
    certificate = Certificate(*pair) if settings.certificate else None
    # Whoever reaches loopback is on this machine: uvicorn believes its X-Forwarded-Proto, and nobody else's.
    uvicorn.run(
        app, host="127.0.0.1", port=port, access_log=False, log_config=None, server_header=False, ws="none",
        ssl_context_factory=(lambda *_: certificate.context) if certificate else None,
    )  # fmt: skip
