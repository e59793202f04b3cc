"""Pages asked for in process, as a browser on this machine would ask."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from consent_filter.site import Site
from dashboards.app import create
from dashboards.settings import Dashboards
from tests import signed
from warehouse.advert_settings import Adverts
from warehouse.recipient import Recipient
from warehouse.release_settings import Release
from warehouse.settings import Warehouse

HTML = {"accept": "text/html"}


class Asking:
    """The dashboards of one data folder."""

    def __init__(
        self,
        data: Path,
        generated: bool,
        warehouse: Warehouse,
        recipients: Iterable[Recipient] = (),
        release: Release = Release(),  # noqa: B008
        adverts: Adverts | None = None,
        sites: Mapping[str, Site] | None = None,
    ) -> None:
        settings = Dashboards(hosts=("stats.example",), outside=("numbers.example",))
        self._app = create(
            data,
            settings,
            warehouse,
            generated=generated,
            recipients=recipients,
            release=release,
            adverts=adverts,
            sites=sites,
        )
        self._runner = asyncio.Runner()
        #: Whoever asks has every role, unless a request says otherwise.
        self.signed, self.data = signed.head(data), data

    def get(
        self, path: str, method: str = "GET", base: str = "http://127.0.0.1:8601", **head: str
    ) -> httpx.Response:
        """The answer to a request; `sec_fetch_site="…"` is a header."""
        return self._runner.run(
            self._get(
                path, method, base, HTML | self.signed | {k.replace("_", "-"): v for k, v in head.items()}
            )
        )

    def send(self, path: str, body: str, **head: str) -> httpx.Response:
        """The answer to a POST of that body; of a form, with the word that its page has."""
        named = self.signed | {k.replace("_", "-"): v for k, v in head.items()}
        if "form" in named.get("content-type", "") and not path.startswith("/api/"):
            body += f"&word={signed.word(self.data, self.signed)}"
        return self._runner.run(self._get(path, "POST", "http://127.0.0.1:8601", named, body))

    async def _get(
        self, path: str, method: str, base: str, head: dict[str, str], body: str = ""
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.request(method, path, headers=head, content=body.encode())

    async def _end(self) -> None:
        async with self._app.router.lifespan_context(self._app):
            pass

    def close(self) -> None:
        self._runner.run(self._end())
        self._runner.close()


@contextmanager
def asking(
    data: Path,
    *,
    generated: bool = False,
    warehouse: Warehouse | None = None,
    recipients: Iterable[Recipient] = (),
    release: Release = Release(),  # noqa: B008
    adverts: Adverts | None = None,
    sites: Mapping[str, Site] | None = None,
) -> Iterator[Asking]:
    """The dashboards of a data folder, until done."""
    usual = Warehouse(explore_ahead=0)  # half a minute of processor for each process that is asked
    one = Asking(data, generated, warehouse or usual, recipients, release, adverts, sites)
    try:
        yield one
    finally:
        one.close()
