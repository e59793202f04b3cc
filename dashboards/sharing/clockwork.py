"""What happens without anybody asking: alerts are judged and mails go, in a thread beside the pages.

It reads what pages read, for whoever it is for, as the gate would let them: an account that has ended, or may
not see a site any more, is told nothing. Whatever fails is said once, without a value, and tried again later.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from threading import Event, Thread
from urllib.parse import urlsplit

from consent_filter import signing
from consent_filter.errors import Refused
from consent_filter.signing import Signer
from consent_filter.site import Site
from dashboards.accounts.door import Door
from dashboards.language import spoken
from dashboards.pages import Pages
from dashboards.rights import rule
from dashboards.sharing.alerts import Alerts, Finding
from dashboards.sharing.files import Files
from dashboards.sharing.letters import Post
from dashboards.sharing.mailings import Mailing, Mailings, due, site_of
from dashboards.sharing.told import told
from dashboards.sharing.views import Views, query
from dashboards.who import here
from warehouse import link
from warehouse.snapshot import manifest

#: Seconds between looks, and after a mail that the server would not take. Milliseconds that a link to stop
#: mails is good: as long as anybody keeps a mail.
EVERY, PATIENCE = 20.0, 600.0
_GOOD = 10 * 366 * 86_400_000


class Clockwork:
    """Begun and ended with the application."""

    def __init__(self, door: Door, pages: Pages, post: Post, sites: Mapping[str, Site]) -> None:
        self._door, self._pages, self._post, self._sites = door, pages, post, sites
        self._signer, self._files = Signer(door.data / signing.FILE), Files(pages)
        self._stop, self._thread = Event(), Thread(target=self._run, name="clockwork", daemon=True)
        self._judged, self._said, self._waits = -1, "", 0.0

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """A look that has begun is finished; a server of mails may hold it for a while."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            try:
                self.look(time.time())
                self._said = ""
            except Exception as error:  # whatever it is, the pages go on
                kind = type(error).__name__
                if kind != self._said:
                    self._said = kind
                    with suppress(OSError):
                        print(f"dashboards: alerts and mails wait: {kind}", file=sys.stderr, flush=True)

    def look(self, now: float) -> None:
        """Judge a new publication, and send what is due. now: seconds since 1970."""
        made = manifest(self._pages.data)
        if made is None:
            return
        if made["generation"] != self._judged:
            with self._pages.reader.reading() as reading:
                Alerts(self._door.open().people).judge(reading, self._pages.warehouse)
            self._judged = made["generation"]
        if self._post.on and time.monotonic() >= self._waits:
            self._warn()
            for one in Mailings(self._door.open().people).all():
                self._mail(one, now)

    def _warn(self) -> None:
        """One mail for an account, of all that was found for it."""
        alerts, people, by = Alerts(self._door.open().people), self._door.open().people, defaultdict(list)
        for one in alerts.unsent():
            by[one.alert.account].append(one)
        for account, found in by.items():
            owner = people.get(account)
            to = self._post.to(owner)
            seen: list[Finding] = [one for one in found if owner.who.sees(one.alert.site)]
            alerts.sent(found)  # first, so that a crash loses a mail and sends none twice
            with spoken(self._post.speaks(owner)):
                letter = self._post.warned(to, seen) if to and seen else None
            if letter and not self._post.send(letter):
                alerts.sent(found, done=False)
                self._waits = time.monotonic() + PATIENCE
                return

    def _mail(self, one: Mailing, now: float) -> None:
        owner = self._door.open().people.get(one.account)
        to, mailings = self._post.to(owner), Mailings(self._door.open().people)
        if not to:
            return
        with here(owner.who, ""), spoken(self._post.speaks(owner)):
            try:
                view = Views(self._door.open().store).get(one.view, owner.who)
                with self._pages.reader.reading() as reading:
                    found = told(reading, view)
            except Refused:
                return  # the page of mails says that it is there no more
            allowed = rule(view.path)
            if allowed is None or not owner.who.has(*(allowed.roles or ())):
                return
            day = due(one, site_of(self._sites, found.site), found.newest, now)
            if day is None or self._stop.is_set():
                return
            picture = b""
            if found.drawn:
                with suppress(Refused), spoken("en"):  # as every file
                    picture = self._files.picture("curve", query(view.address) | {"site": found.site})
            word = link.make(self._signer.key(), one.id, int(now * 1000) + _GOOD, link.MAILS)
            path = urlsplit(view.address)
            where = path.path + (f"?{path.query}" if path.query else "")
            letter = self._post.report(to, found, where, f"/mails/stop/{word}", picture)
        mailings.claim(one, day)
        if not self._post.send(letter):
            mailings.unclaim(one)
            self._waits = time.monotonic() + PATIENCE
