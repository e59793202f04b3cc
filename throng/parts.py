"""One process of `throng up`, started by it: the collector, the pipeline loop, the dashboards, the demo's."""

from __future__ import annotations

import signal
from argparse import Namespace
from contextlib import nullcontext
from pathlib import Path
from threading import Event, Thread

from consent_filter.errors import Misconfigured
from throng import __version__, belonging, lines, lock
from throng.child import follow_parent
from throng.settings import load


def collector(arguments: Namespace) -> int:
    from ingest.server import serve

    settings = load(arguments.data)
    belonging.hold(arguments.data)
    scheme = "https" if settings.dashboards.certificate else "http"
    return serve(
        arguments.data,
        settings.ingest,
        settings.site,
        port=arguments.port,
        version=__version__,
        dashboards=f"{scheme}://127.0.0.1:{arguments.port + 1}/",
        rights=settings.rights,
        lasting=settings.keys,
        security=settings.security,
        region=settings.folder.region,
        campaigns=_campaigns(arguments.data / settings.adverts.catalogue),
    )


def _campaigns(file: Path) -> list[str]:
    """What the catalogue lists now. A wrong one is no reason not to collect: `throng status` says it."""
    from warehouse import catalogue

    try:
        return [one.id for one in catalogue.read(file).campaign]
    except (Misconfigured, OSError):
        return []


def pipeline(arguments: Namespace) -> int:
    from throng import loop, traces
    from warehouse.checks import expectations

    stop = Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    end = traces.begin(load(arguments.data).operations.traces)
    Thread(target=expectations.warm, name="warm", daemon=True).start()
    loop.run(arguments.data, stop)
    end()
    return 0


def dashboards(arguments: Namespace) -> int:
    from dashboards.server import serve
    from dashboards.sign_in import LINK
    from ingest.settings import Sites
    from throng import access

    settings = load(arguments.data)
    with lock.shown(arguments.data, arguments.port + 1):
        serve(
            arguments.data,
            settings.dashboards,
            settings.warehouse,
            port=arguments.port + 1,
            generated=settings.demo.generated,
            rights=settings.rights,
            sites=Sites(settings.site),
            adverts=settings.adverts,
            accounts=settings.accounts,
            recipients=settings.recipient,
            release=settings.release,
            # Only who tries the demo, on this machine, is told where its folder is.
            link=access.command(arguments.data) if settings.demo.generated else LINK,
        )
    return 0


def site(arguments: Namespace) -> int:
    from throng.demo.site import serve

    serve(arguments.port + 2, f"http://127.0.0.1:{arguments.port}")
    return 0


def crowd(arguments: Namespace) -> int:
    from throng.demo.crowd import run

    stop = Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    run(f"http://127.0.0.1:{arguments.port}", rate=arguments.rate, seed=arguments.seed, stop=stop)
    return 0


_PARTS = {
    "collector": collector,
    "pipeline": pipeline,
    "dashboards": dashboards,
    "site": site,
    "crowd": crowd,
}


def main(arguments: Namespace) -> int:
    followed = follow_parent()
    lines.begin(arguments.name, load(arguments.data).operations.lines)
    with nullcontext() if followed else lock.together(arguments.data):
        return _PARTS[arguments.name](arguments)
