"""What `throng check` says of the way in and out: certificates, secrets, what would come in clear (M102)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from consent_filter.transport import faults
from throng.settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: Keys that name a file of a secret, or of who is trusted, of those whom we connect to.
_FILES = {
    "log": ("ca", "certificate", "key", "password_file"),
    "lake": ("ca", "password_file", "endpoint_ca", "secret_file"),
    "rights": ("mail_password_file",),
}


def found(data: Path, settings: Settings) -> Iterator[tuple[str, str]]:
    """What there is, and how to mend what is wrong with it ("" where nothing is)."""
    ingest = settings.ingest
    for table in (ingest, settings.dashboards):
        if table.certificate:
            yield from faults(data / table.certificate, data / table.key)
    for name, keys in _FILES.items():
        for key in keys:
            file = getattr(getattr(settings, name), key)
            if file and not os.access(data / file, os.R_OK):
                yield f"{data / file} can't be read", f"put it there, or correct [{name}] {key}"
    if ingest.certificate or not settings.site:
        return
    if ingest.host not in _LOOPBACK and not ingest.trusted_proxies:
        says = f"the collector listens in clear at {ingest.host}"
        if ingest.https_only == "all":
            yield (
                f"{says}, and refuses everything",
                "name a certificate and its key, or the proxy that has them",
            )
        else:
            secure = [
                site.id for site in settings.site if any(o.startswith("https://") for o in site.origins)
            ]
            says += f", also for the pages of {', '.join(secure)}" if secure else ""
            yield says, "name a certificate and its key in [ingest], or a proxy in trusted_proxies"
    elif ingest.trusted_proxies and ingest.https_only == "no":
        yield "what proxies pass on in clear is taken: [ingest] https_only refuses it", ""
