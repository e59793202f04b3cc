"""Files of facts in S3-compatible storage: written whole by one request, read in ranges.

An object is there wholly or not at all: no upload in parts, whose parts would stay unseen where a writer was
killed. Objects are named once and never changed. No answer of the storage, and no secret, is in an error.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import io
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from xml.etree import ElementTree

from msgspec import Struct

from consent_filter.errors import Broken, Misconfigured
from warehouse import encryption
from warehouse.encryption import Encryption
from warehouse.lake_settings import LakeSettings, secret
from warehouse.signature import escaped, query, signed

#: What an upload says of itself, so that nobody need read it again to know: hex, as certificates have it.
DIGEST = "x-amz-meta-sha256"
_TRIES = 4
#: Seconds by which the clock of who signs may be wrong (RequestTimeTooSkewed). A request for the head of an
#: object is refused without that word, so the answer's own time is looked at.
_SKEW = 900
_open = threading.local()


class _Lines(dict[tuple[str, LakeSettings], http.client.HTTPConnection]):
    """Connections of one thread, which end with it."""

    def __del__(self) -> None:
        for line in self.values():
            line.close()


class Answer(NamedTuple):
    """What the storage answered; `status` 404 is an answer, too."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def _ahead(got: Answer) -> float:
    """Seconds that this machine's clock is ahead of the one that answered; 0 where that says no time."""
    try:
        return time.time() - parsedate_to_datetime(got.headers.get("date", "")).timestamp()
    except ValueError:
        return 0.0


class Bucket(Struct, frozen=True):
    """One bucket, and the folder whose secret opens it. It can be sent to workers: no secret is in it."""

    told: LakeSettings
    data: str

    def ask(
        self, method: str, key: str = "", asked: Mapping[str, str] | None = None, body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """One request, again where the storage is busy or away. Raises Misconfigured where the key is not
        let in, OSError where the storage is away, Broken where it answers what nobody expects."""
        told, text = self.told, query(asked or {})
        host, path = urlsplit(told.endpoint).netloc, f"/{escaped(key, path=True)}"
        if told.path_style:
            path = f"/{told.bucket}{path}"
        else:
            host = f"{told.bucket}.{host}"
        held = secret(Path(self.data), "secret_file", told.secret_file)
        for left in reversed(range(_TRIES)):
            sent = signed(
                method, host, path, text, headers or {}, body,
                access_key=told.access_key, secret=held, region=told.region,
            )  # fmt: skip
            try:
                got = self._once(host, method, f"{path}?{text}" if text else path, body, sent)
            except (OSError, http.client.HTTPException) as error:
                if not left:
                    what = f"no answer from {told.endpoint} ({type(error).__name__})"
                    raise OSError(errno.EHOSTUNREACH, what) from None
            else:
                if not left or got.status not in (429, 500, 502, 503, 504):
                    return self._judged(got, method)
            time.sleep(0.1 * 4 ** (_TRIES - 1 - left))
        raise AssertionError

    def _judged(self, got: Answer, method: str) -> Answer:
        if got.status in (200, 204, 206, 404, 501):
            return got
        if got.status in (401, 403):
            if abs(ahead := _ahead(got)) > _SKEW:
                which = "ahead of" if ahead > 0 else "behind"
                said = f"our clock is {abs(ahead) / 60:.0f} minutes {which} that of {self.told.endpoint}"
                raise OSError(errno.EPROTO, f"{said}, which takes nothing so: set it (NTP)")
            allowed = f"a key that may {method} in {self.told.bucket}, with its secret in lake.secret_file"
            raise Misconfigured("lake.access_key", self.told.access_key, allowed)
        if got.status >= 500 or got.status == 429:
            raise OSError(errno.EHOSTUNREACH, f"{self.told.endpoint} answers {got.status}")
        raise Broken(f"{self.told.endpoint} answers {got.status} to {method}")

    def _once(self, host: str, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        mine = _open.__dict__.setdefault("of", _Lines())
        line = mine.pop((host, self.told), None) or self._line(host)
        line.request(method, target, body or None, dict(headers))
        got = line.getresponse()
        answer = Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        mine[host, self.told] = line
        return answer

    def _line(self, host: str) -> http.client.HTTPConnection:
        if not self.told.safe:
            return http.client.HTTPConnection(host, timeout=self.told.timeout_s)
        ca = self.told.endpoint_ca
        trusted = ssl.create_default_context(cafile=str(Path(self.data) / ca) if ca else None)
        return http.client.HTTPSConnection(host, timeout=self.told.timeout_s, context=trusted)

    def listed(self, prefix: str) -> Iterator[tuple[str, int]]:
        """(key, bytes) of every object whose key begins so."""
        more: dict[str, str] = {}
        while True:
            got = self.ask("GET", asked={"list-type": "2", "prefix": prefix, **more})
            if got.status == 404:
                raise Misconfigured("lake.bucket", self.told.bucket, "a bucket that is there")
            page = ElementTree.fromstring(got.body)
            for one in page.iterfind("{*}Contents"):
                yield one.findtext("{*}Key", ""), int(one.findtext("{*}Size", "0"))
            token = page.findtext("{*}NextContinuationToken")
            if not token:
                return
            more = {"continuation-token": token}

    def versioned(self) -> str:
        """ "Enabled", "Suspended", or "" where deleting an object deletes its bytes."""
        got = self.ask("GET", asked={"versioning": ""})
        if got.status == 404:
            raise Misconfigured("lake.bucket", self.told.bucket, "a bucket that is there")
        if got.status == 501:  # a storage that knows no versions
            return ""
        return ElementTree.fromstring(got.body).findtext("{*}Status", "")

    def encryption(self) -> Encryption:
        """How it encrypts objects of which nothing is said."""
        got = self.ask("GET", asked={"encryption": ""})
        # 404: no such configuration; 501: a storage that has none.
        return Encryption("") if got.status in (404, 501) else encryption.by_default(got.body)


class Object(NamedTuple):
    """An object, or what names of objects begin with: used as a Path is, where files of facts are meant."""

    bucket: Bucket
    key: str

    def __truediv__(self, name: str) -> Object:
        return Object(self.bucket, f"{self.key}/{name}")

    def __str__(self) -> str:
        return f"s3://{self.bucket.told.bucket}/{self.key}"

    @property
    def name(self) -> str:
        """The last part of its key."""
        return self.key.rpartition("/")[2]

    def glob(self, pattern: str) -> Iterator[Object]:
        """Objects of this folder whose names are like that."""
        begins = pattern.partition("*")[0]
        for key, _ in self.bucket.listed(f"{self.key}/{begins}"):
            if fnmatchcase(key[len(self.key) + 1 :], pattern):
                yield Object(self.bucket, key)

    def exists(self) -> bool:
        """Whether it is there."""
        return self.bucket.ask("HEAD", self.key).status != 404

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete it. FileNotFoundError is not raised: the storage does not say."""
        self.bucket.ask("DELETE", self.key)

    def put(self, data: bytes) -> None:
        """Write it, whole; the storage has checked the hash when this returns, and encrypted it as it was
        asked to: what lies there in another way is deleted."""
        told = self.bucket.told
        said = {DIGEST: hashlib.sha256(data).hexdigest()} | encryption.headers(told)
        got = self.bucket.ask("PUT", self.key, body=data, headers=said)
        if got.status not in (200, 204):
            raise Misconfigured("lake.bucket", told.bucket, "a bucket that is there")
        try:
            encryption.demand(told, encryption.of(got.headers), "objects that ask for it")
        except Misconfigured:
            self.unlink()
            raise

    def encryption(self) -> Encryption:
        """How it is encrypted. Raises FileNotFoundError."""
        return encryption.of(self._head())

    def digest(self) -> str:
        """SHA-256 of it: as was said when it was put, or read anew."""
        return self._head().get(DIGEST) or hashlib.sha256(self.read()).hexdigest()

    def read(self, start: int = 0, stop: int | None = None) -> bytes:
        """Its bytes from `start` up to `stop`. Raises FileNotFoundError."""
        wanted = {"range": f"bytes={start}-{'' if stop is None else stop - 1}"} if start or stop else {}
        got = self.bucket.ask("GET", self.key, headers=wanted)
        if got.status == 404:
            raise FileNotFoundError(errno.ENOENT, "no such object", self.name)
        return got.body

    def size(self) -> int:
        """Its bytes. Raises FileNotFoundError."""
        return int(self._head()["content-length"])

    def _head(self) -> Mapping[str, str]:
        got = self.bucket.ask("HEAD", self.key)
        if got.status == 404:
            raise FileNotFoundError(errno.ENOENT, "no such object", self.name)
        return got.headers


class Ranges(io.RawIOBase):
    """An object as a file that is read here and there, as Parquet is."""

    def __init__(self, of: Object) -> None:
        self._of, self._at, self._size = of, 0, of.size()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        stop = self._size if size < 0 else min(self._at + size, self._size)
        if stop <= self._at:
            return b""
        found = self._of.read(self._at, stop)
        self._at += len(found)
        return found

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)
