"""A small issuer of our own: OpenID Connect by authorization code and PKCE, as a real one would do it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from hashlib import sha256
from typing import Any

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter.signing import to_text
from tests.ports import free_ports
from tests.whole.running import until

CLIENT, SECRET = "throng-here", "what only both know"


class _Quiet(uvicorn.Server):
    def capture_signals(self) -> Any:  # in a thread: signals are the test runner's
        return nullcontext()


class Issuing:
    """person: whom it vouches for next. change, forge: what of its token is wrong, as a test wishes."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.person: dict[str, Any] = {
            "sub": "s-1",
            "email": "ann@shop.example",
            "name": "Ann Lee",
            "groups": [],
        }
        self.change: dict[str, Any] = {}
        self.key = self.sign_with = RSAKey.generate_key(2048, {"kid": "one"})
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.forge: Callable[[dict[str, Any]], str] | None = None
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._document),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    async def _document(self, request: Request) -> Response:
        self.asked.append("document")
        return JSONResponse(
            {
                "issuer": self.address, "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token", "jwks_uri": f"{self.address}/keys",
            }
        )  # fmt: skip

    async def _keys(self, request: Request) -> Response:
        self.asked.append("keys")
        return JSONResponse(KeySet([self.key]).as_dict(private=False))

    async def _authorize(self, request: Request) -> Response:
        said = dict(request.query_params)
        assert (said["client_id"], said["response_type"], said["code_challenge_method"]) == (
            CLIENT,
            "code",
            "S256",
        )
        code = secrets.token_urlsafe(8)
        self.codes[code] = said
        return RedirectResponse(
            f"{said['redirect_uri']}?code={code}&state={said['state']}&iss={self.address}", 303
        )

    async def _token(self, request: Request) -> Response:
        said = await request.form()
        asked = self.codes.pop(str(said["code"]), None)
        verifier = str(said["code_verifier"]).encode()
        right = asked is not None and to_text(sha256(verifier).digest()) == asked["code_challenge"]
        if asked is None or not right or said["client_secret"] != SECRET or said["client_id"] != CLIENT:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= self.person | self.change
        head = {"alg": "RS256", "kid": self.sign_with.kid}
        token = self.forge(claims) if self.forge else jwt.encode(head, claims, self.sign_with)
        return JSONResponse({"id_token": token, "token_type": "Bearer"})


@contextmanager
def issuing() -> Iterator[Issuing]:
    """One that listens, until done."""
    port = free_ports()
    one = Issuing(f"http://127.0.0.1:{port}")
    server = _Quiet(uvicorn.Config(one.app, port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    try:
        yield one
    finally:
        server.should_exit = True
        thread.join()
