"""Requests to S3-compatible storage, signed: AWS Signature Version 4 over headers and the body's hash.

The secret never leaves the process: a request carries a signature that is good for it alone.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import quote

_ALGORITHM = "AWS4-HMAC-SHA256"


def escaped(text: str, *, path: bool = False) -> str:
    """As a signature has it: everything but letters, digits and "-_.~", and in a path "/"."""
    return quote(text, safe="-_.~/" if path else "-_.~")


def query(values: Mapping[str, str]) -> str:
    """A query in the order that is signed."""
    return "&".join(f"{escaped(name)}={escaped(value)}" for name, value in sorted(values.items()))


def signed(
    method: str, host: str, path: str, asked: str, headers: Mapping[str, str], body: bytes,
    *, access_key: str, secret: str, region: str, now: float | None = None,
) -> dict[str, str]:  # fmt: skip
    """All headers to send: those given, and who asks. `path` and `asked` as `escaped` and `query` give them;
    `now`: UTC seconds."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    digest = hashlib.sha256(body).hexdigest()
    sent = {"host": host, "x-amz-date": moment, "x-amz-content-sha256": digest}
    sent |= {name.lower(): value for name, value in headers.items()}
    names = ";".join(sorted(sent))
    lines = "".join(f"{name}:{' '.join(sent[name].split())}\n" for name in sorted(sent))
    request = "\n".join((method, path, asked, lines, names, digest))
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    text = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for part in (moment[:8], region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    mark = hmac.digest(key, text.encode(), "sha256").hex()
    said = f"{_ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={names}, Signature={mark}"
    return sent | {"authorization": said}
