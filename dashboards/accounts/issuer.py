"""Signing in elsewhere: OpenID Connect, by authorization code with PKCE (RFC 7636), of one configured issuer.

The only place from which the pages ask another host, and only that issuer and what its own document names
(`/.well-known/openid-configuration`). Whoever it vouches for has the roles that their groups have here, each
time anew; a local account of the same name is never taken over.
"""

from __future__ import annotations

import http.client
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from consent_filter.errors import Misconfigured, Refused
from consent_filter.signing import to_text
from dashboards.accounts.people import Account, People
from dashboards.accounts.settings import Issuer
from dashboards.who import Role

#: Never `none`, and no secret that the issuer and we would share.
_ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]
#: Seconds: in which somebody may come back; that the issuer's document is believed; that clocks may be off;
#: of a request. Bytes of an answer; journeys that are remembered.
_BACK, _FRESH, _OFF, _PATIENCE = 600.0, 3600.0, 60, 10
_LARGEST, _JOURNEYS = 1 << 20, 10_000
#: Seconds between two looks at the keys because of a key that is not known.
_AGAIN = 30.0
_FAILED = Refused(502, "issuer", "the issuer can't be asked now, or its answer can't be read")


class Journey(NamedTuple):
    """What was given to a browser that went there. word: of the browser (`dashboards/forms.py`)."""

    word: str
    nonce: str
    verifier: str
    back: str
    onward: str
    until: float


class Elsewhere:
    """The issuer of one data folder."""

    def __init__(self, data: Path, settings: Issuer) -> None:
        self._data, self._settings, self._lock = data, settings, threading.Lock()
        self._journeys: OrderedDict[str, Journey] = OrderedDict()
        self._known: tuple[float, dict[str, Any], KeySet] | None = None

    def begin(self, word: str, back: str, onward: str) -> str:
        """Where a browser has to go. back: our address to which it comes back."""
        document, _ = self._document()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with self._lock:
            until = time.monotonic() + _BACK
            self._journeys[state] = Journey(word, nonce, verifier, back, onward, until)
            while len(self._journeys) > _JOURNEYS:
                self._journeys.popitem(last=False)
        challenge = to_text(sha256(verifier.encode()).digest())
        asked = {
            "response_type": "code", "client_id": self._settings.client, "redirect_uri": back,
            "scope": "openid profile email", "state": state, "nonce": nonce, "code_challenge": challenge,
            "code_challenge_method": "S256",
        }  # fmt: skip
        to = document["authorization_endpoint"]
        return f"{to}{'&' if '?' in to else '?'}{urlencode(asked)}"

    def end(self, people: People, word: str, query: Mapping[str, str]) -> tuple[Account, str]:
        """Who has come back, and where they were going. Raises Refused."""
        with self._lock:
            journey = self._journeys.pop(query.get("state", ""), None)
        if journey is None or journey.until < time.monotonic() or journey.word != word:
            raise Refused(403, "issuer_state", "this did not begin here, or took too long: try again")
        # RFC 9207: an answer that another issuer has sent is not for this one.
        if query.get("iss", self._settings.address) != self._settings.address or "code" not in query:
            raise Refused(403, "issuer_refused", "the issuer has not let you in")
        claims = self._claims(query["code"], journey)
        return self._account(people, claims), journey.onward

    def _claims(self, code: str, journey: Journey) -> dict[str, Any]:
        document, keys = self._document()
        said = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": journey.back,
            "client_id": self._settings.client, "code_verifier": journey.verifier,
        }  # fmt: skip
        if self._settings.secret:
            said["client_secret"] = (self._data / self._settings.secret).read_text().strip()
        answer = _asked("POST", document["token_endpoint"], urlencode(said))
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise Refused(403, "issuer_refused", "the issuer has not let you in")
        checks = jwt.JWTClaimsRegistry(
            leeway=_OFF, iss={"essential": True, "value": self._settings.address},
            aud={"essential": True, "value": self._settings.client}, exp={"essential": True},
            nonce={"essential": True, "value": journey.nonce}, sub={"essential": True},
        )  # fmt: skip
        try:
            try:
                read = jwt.decode(token, keys, algorithms=_ALGORITHMS)
            except (JoseError, ValueError):  # a key may be new
                read = jwt.decode(token, self._document(_AGAIN)[1], algorithms=_ALGORITHMS)
            checks.validate(read.claims)
        except (JoseError, ValueError, KeyError, TypeError):
            raise Refused(403, "issuer_token", "what the issuer says of you is not signed for us") from None
        party = read.claims.get("azp", self._settings.client)
        if party != self._settings.client:
            raise Refused(403, "issuer_token", "what the issuer says of you is not signed for us")
        return dict(read.claims)

    def _account(self, people: People, claims: Mapping[str, Any]) -> Account:
        """Whom that is here, with the rights of now; made where there was none."""
        groups = claims.get(self._settings.claim, [])
        groups = {one for one in groups if isinstance(one, str)} if isinstance(groups, list) else {groups}
        roles = frozenset(Role(role) for group, role in self._settings.roles.items() if group in groups)
        some = frozenset(site for group, site in self._settings.sites.items() if group in groups)
        sites = some if self._settings.sites else None
        store = people.store
        subject = store.vault.hash("elsewhere", f"{self._settings.address} {claims['sub']}".encode())
        with store.transaction() as database:
            row = store.row("SELECT account FROM elsewhere WHERE subject = ?", subject)
            found = people.get(row["account"]) if row else None
            if found is not None and found.ended is not None:
                raise Refused(403, "ended", "your account here has ended: ask an administrator")
            if not roles:
                raise Refused(403, "no_role", "you have no role here: ask whoever runs Throng")
            if found is not None:
                if (found.who.roles, found.who.sites) != (roles, sites):
                    people.change(found.who.account, roles, sites, "issuer")
                return people.get(found.who.account)
            login = str(claims.get("email") or claims.get("preferred_username") or claims["sub"])[:60]
            if people.find(login):
                login = f"{login} at {urlsplit(self._settings.address).hostname} {secrets.token_hex(3)}"[:100]
            made = people.add(login, str(claims.get("name") or login)[:100], roles, sites, "issuer")
            database.execute("INSERT INTO elsewhere VALUES (?, ?)", (subject, made.who.account))
            return made

    def _document(self, older: float = _FRESH) -> tuple[dict[str, Any], KeySet]:
        """The issuer's document and keys, not older than that."""
        with self._lock:
            known, now = self._known, time.monotonic()
        if known is None or now - known[0] > older:
            address = self._settings.address
            document = _asked("GET", f"{address.rstrip('/')}/.well-known/openid-configuration")
            if document.get("issuer") != address:
                raise Misconfigured("accounts.issuer.address", address, "what its own document calls itself")
            try:
                known = now, document, KeySet.import_key_set(_asked("GET", document["jwks_uri"]))  # type: ignore[arg-type]
            except (JoseError, ValueError, KeyError, TypeError):
                raise _FAILED from None
            with self._lock:
                self._known = known
        return known[1], known[2]


def _asked(method: str, address: str, body: str | None = None) -> dict[str, Any]:
    """The JSON at that address; goes nowhere else, whatever the answer says. Raises Refused."""
    at = urlsplit(address)
    local = at.hostname in ("127.0.0.1", "localhost", "::1")
    if at.hostname is None or not (at.scheme == "https" or (at.scheme == "http" and local)):
        raise _FAILED
    kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
    connection = kind(at.hostname, at.port, timeout=_PATIENCE)
    head = {"accept": "application/json", "user-agent": "throng"}
    if body is not None:
        head["content-type"] = "application/x-www-form-urlencoded"
    try:
        connection.request(method, at.path + (f"?{at.query}" if at.query else ""), body, head)
        answer = connection.getresponse()
        said = json.loads(answer.read(_LARGEST))
        if answer.status != 200 or not isinstance(said, dict):
            raise ValueError
    except (OSError, ValueError, http.client.HTTPException):
        raise _FAILED from None
    finally:
        connection.close()
    return said
