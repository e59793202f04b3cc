"""Where files of facts lie: a folder of the data folder, or a bucket, used in the same way.

A file is named as DuckDB names it in `filename`: by its whole path, or "s3://bucket/key". In certificates and
findings it is named from the lake on, "files/main/events/…", wherever the lake lies.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

import duckdb

from consent_filter.errors import Misconfigured
from warehouse import encryption
from warehouse.blur import blur
from warehouse.bucket import Bucket, Object, Ranges
from warehouse.encryption import Encryption
from warehouse.extensions import load, quote
from warehouse.lake_settings import LakeSettings, secret, settings

Place = Path | Object
T = TypeVar("T")
#: Files that are looked at side by side in a bucket.
_AT_ONCE = 16
_EVENTS = "main/events"
_SECRET = "lake_files"


class Depot:
    """The files of one lake."""

    def __init__(self, data: Path, told: LakeSettings) -> None:
        self._data, self._told = data, told
        self._folder = (data / "lake" / "files").resolve()
        self._bucket = Bucket(told, str(data.resolve())) if told.files == "s3" else None
        #: What DuckLake puts before a name.
        self.root = f"s3://{told.bucket}/{told.prefix}/" if self._bucket else f"{self._folder}/"

    @classmethod
    def of(cls, data: Path) -> Depot:
        """As the settings say."""
        return cls(data, settings(data))

    def at(self, file: str) -> Place:
        """The place of a file that DuckDB has named."""
        return self._object(file) if self._bucket else Path(file)

    def _object(self, file: str) -> Object:
        assert self._bucket is not None
        return Object(self._bucket, file.removeprefix(f"s3://{self._told.bucket}/"))

    def whole(self, short: str) -> str:
        """The name of a file as DuckDB has it, of one from the lake on."""
        return self.root + short.removeprefix("files/")

    def short(self, file: str) -> str:
        """The name of a file from the lake on."""
        return f"files/{file.removeprefix(self.root)}"

    def room(self) -> Place:
        """Where new files of facts go."""
        if self._bucket:
            return Object(self._bucket, f"{self._told.prefix}/{_EVENTS}")
        folder = self._folder / _EVENTS
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def files(self) -> dict[str, int]:
        """Every file that lies there, whoever knows of it, and its bytes."""
        if self._bucket:
            found = self._bucket.listed(f"{self._told.prefix}/")
            return {f"s3://{self._told.bucket}/{key}": size for key, size in found}
        there = (path for path in self._folder.rglob("*") if path.is_file())
        return {str(path): path.stat().st_size for path in there}

    def each(self, work: Callable[[str], T], files: Sequence[str]) -> list[T]:
        """What `work` makes of each file; side by side where each waits for the storage."""
        if not self._bucket:
            return [work(file) for file in files]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(work, files))

    def away(self) -> Iterator[Object]:
        """Every file that lies in a bucket; none where all of them are in the data folder."""
        if self._bucket:
            for file in sorted(self.files()):
                yield self._object(file)

    def check(self, found: Encryption | None = None) -> None:
        """Raises Misconfigured where what is deleted would stay (S2): a bucket that keeps versions; and where
        files would lie there in another way than encrypted as the settings say. `found`: what the bucket does
        by itself, where it was asked already."""
        if not self._bucket:
            return
        if kept := self._bucket.versioned():
            raise Misconfigured(
                "lake.bucket",
                self._told.bucket,
                f"a bucket that never kept versions of objects (versioning is {kept}): whoever is erased"
                " must be gone from all of them",
            )
        if self._told.encrypt:
            encryption.demand(self._told, found or self.by_itself(), "all objects, by itself")

    def by_itself(self) -> Encryption:
        """How the bucket encrypts objects that ask for nothing; a folder does not."""
        return self._bucket.encryption() if self._bucket else Encryption("")

    def unlike(self, files: Iterable[str]) -> int:
        """How many of these files are not `like` that. One request for each, where the settings say so."""
        return self.each(self.like, list(files)).count(False)

    def like(self, file: str) -> bool:
        """Whether a file lies there encrypted as the settings say, where they say so. Raises
        FileNotFoundError."""
        if not self._bucket or not self._told.encrypt:
            return True
        return self._object(file).encryption().keeps(encryption.wanted(self._told))

    def lend(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let DuckDB read and write there. Raises Misconfigured."""
        if not self._bucket:
            return
        load(connection, "httpfs")
        told = self._told
        ca = quote(self._data.resolve() / told.endpoint_ca) if told.endpoint_ca else ""
        for name, value in (
            ("enable_server_cert_verification", "true"),
            ("enable_curl_server_cert_verification", "true"),
            ("ca_cert_file", f"'{ca}'"),
            ("http_timeout", f"{told.timeout_s:.0f}"),
        ):
            connection.execute(f"SET {name} = {value}")
        held = secret(self._data, "secret_file", told.secret_file)
        lend(
            connection,
            f"{_SECRET} (TYPE s3, KEY_ID '{quote(told.access_key)}', SECRET '{quote(held)}',"
            f" REGION '{quote(told.region)}', ENDPOINT '{quote(told.endpoint.partition('://')[2])}',"
            f" URL_STYLE '{'path' if told.path_style else 'vhost'}', USE_SSL {str(told.safe).lower()},"
            f" SCOPE 's3://{told.bucket}/')",
        )


def lend(connection: duckdb.DuckDBPyConnection, secret: str) -> None:
    """Make a secret of an engine. What goes wrong is not repeated: the statement holds it."""
    try:
        connection.execute(f"CREATE OR REPLACE TEMPORARY SECRET {secret}")
    except duckdb.Error:
        raise Misconfigured("lake", "…", "settings that DuckDB can make a secret of") from None


@contextmanager
def new(place: Place) -> Iterator[BinaryIO]:
    """A new Parquet file of facts to be written; on the disk, or in the bucket, when this returns."""
    if isinstance(place, Object):
        held = io.BytesIO()
        yield held
        blur(held)
        place.put(held.getvalue())
        return
    with open(place, "x+b") as out:
        yield out
        blur(out)
        out.flush()
        # A commit may name a file only when a power cut can't take it back: the log is trimmed right after.
        os.fsync(out.fileno())


def reading(place: Place) -> BinaryIO | io.RawIOBase:
    """A file to be read. Raises FileNotFoundError."""
    return Ranges(place) if isinstance(place, Object) else open(place, "rb")


def digest(place: Place) -> str:
    """SHA-256 of a file, hex. Raises FileNotFoundError."""
    if isinstance(place, Object):
        return place.digest()
    with open(place, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
