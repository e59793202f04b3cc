"""Keys by which a site's server says who asks: made here, ended here; each token is taken once."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from consent_filter.errors import Refused
from consent_filter.rights import token
from consent_filter.rights.store import Store
from consent_filter.rights.token import SiteKey
from consent_filter.signing import PublicKey


class SiteKeys:
    """The keys of all sites of one register."""

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store, self._now = store, now

    def make(self, site: str) -> tuple[str, bytes]:
        """A new shared secret (HS256): its name, and itself, which is shown once and kept sealed."""
        secret = secrets.token_bytes(32)
        return self._add(site, "HS256", secret), secret

    def add(self, site: str, public: PublicKey) -> str:
        """The name of a key whose private half only the site has (EdDSA)."""
        return self._add(site, "EdDSA", public.raw)

    def _add(self, site: str, algorithm: str, material: bytes) -> str:
        kid = f"{site}-{secrets.token_hex(4)}"
        with self._store.transaction() as database:
            database.execute(
                "INSERT INTO site_key VALUES (?, ?, ?, ?, ?, NULL)",
                (kid, site, algorithm, self._store.vault.seal(material, f"key {kid}"), self._now()),
            )
        return kid

    def end(self, kid: str) -> None:
        """No token of that key is believed any more."""
        with self._store.transaction() as database:
            done = database.execute(
                "UPDATE site_key SET ended = ?, sealed = x'' WHERE kid = ? AND ended IS NULL",
                (self._now(), kid),
            )
            if not done.rowcount:
                raise Refused(404, "no_such_key", "there is no such key, or it was ended before")

    def list(self, site: str | None = None) -> list[dict[str, object]]:
        """Names, algorithms and times, never the keys."""
        rows = self._store.rows(
            "SELECT kid, site, algorithm, made, ended FROM site_key"
            " WHERE site = coalesce(?, site) ORDER BY made",
            site,
        )
        return [dict(row) for row in rows]

    def read(self, text: str, site: str, now: int) -> token.Said:
        """What a token says that was signed by that site's server. Raises Refused."""

        def key(kid: str) -> SiteKey | None:
            rows = self._store.rows(
                "SELECT * FROM site_key WHERE kid = ? AND site = ? AND ended IS NULL", kid, site
            )
            if not rows:
                return None
            row = rows[0]
            return SiteKey(kid, site, row["algorithm"], self._store.vault.open(row["sealed"], f"key {kid}"))

        said = token.read(text, key, now)
        if self._store.rows("SELECT 1 FROM used WHERE hash = ?", self._jti(said)):
            raise Refused(403, "token_replayed", "this token was used before: have a new one made")
        return said

    def use(self, said: token.Said, now: int) -> None:
        """Never take it again. Part of the caller's transaction."""
        database = self._store.database
        database.execute("DELETE FROM used WHERE until < ?", (now,))
        until = (said.exp + 2 * token.SKEW) * 1000
        database.execute("INSERT INTO used VALUES (?, ?)", (self._jti(said), until))

    def _jti(self, said: token.Said) -> bytes:
        return self._store.vault.hash("jti", f"{said.site}\0{said.jti}".encode())
