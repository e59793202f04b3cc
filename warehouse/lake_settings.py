"""What the lake may be told: the `[lake]` table, and where it is read."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.one_table import table

CATALOGS = ("sqlite", "postgresql")
PLACES = ("folder", "s3")
#: As S3 names them (x-amz-server-side-encryption); "" is whatever the bucket does.
ENCRYPTIONS = ("", "AES256", "aws:kms", "aws:kms:dsse")
_HOST = re.compile(r"[0-9A-Za-z:._-]+|/[\w./-]+", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_PREFIX = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9._-]*)(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_ENDPOINT = re.compile(r"https?://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", re.ASCII)
_WORD = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class LakeSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[lake]`: where facts are.

    catalog: "sqlite" is a file in the data folder, for one machine; "postgresql" is a database of this
    installation alone, for many. host: its name, or the folder of its socket; port, database, username;
    password_file holds the password. tls: speak TLS to it and check who it is; ca: PEM file of who signs its
    certificate. files: "folder" is in the data folder; "s3" is a bucket of any S3-compatible storage.
    endpoint: e.g. "https://s3.eu-central-1.amazonaws.com"; region, bucket; prefix: what names of files begin
    with there. access_key: the key's id; secret_file holds the secret of it. path_style: name the bucket in
    the path rather than in the host. endpoint_ca: PEM file of who signs the storage's certificate. clear:
    allow either on another machine without TLS, where the network is encrypted itself. encrypt: what the
    bucket must do with objects before they lie on its disks, or no job writes: "AES256" under its own keys,
    "aws:kms" or "aws:kms:dsse" under one of its key service; "" is whatever it does. kms_key: which one, by
    its id or ARN; "" is the bucket's. timeout_s: how long one request, or one connection, may take. Files are
    in the data folder or named by a whole path.
    """

    catalog: str = "sqlite"
    host: str = "127.0.0.1"
    port: int = 5432
    database: str = "throng"
    username: str = "throng"
    password_file: str = ""
    tls: bool = False
    ca: str = ""
    files: str = "folder"
    endpoint: str = ""
    region: str = "us-east-1"
    bucket: str = ""
    prefix: str = "lake"
    access_key: str = ""
    secret_file: str = ""
    path_style: bool = True
    endpoint_ca: str = ""
    clear: bool = False
    encrypt: str = ""
    kms_key: str = ""
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        if self.catalog not in CATALOGS:
            raise Misconfigured("lake.catalog", self.catalog, f"one of {', '.join(CATALOGS)}")
        if self.files not in PLACES:
            raise Misconfigured("lake.files", self.files, f"one of {', '.join(PLACES)}")
        if not 1 <= self.timeout_s <= 3600:
            raise Misconfigured("lake.timeout_s", self.timeout_s, "1 to 3600 seconds")
        if self.catalog == "postgresql":
            self._database()
        if self.encrypt not in ENCRYPTIONS:
            raise Misconfigured(
                "lake.encrypt", self.encrypt, f"one of {', '.join(ENCRYPTIONS[1:])}, or empty"
            )
        if self.files == "s3":
            self._storage()
        elif self.encrypt:
            raise Misconfigured(
                "lake.encrypt", self.encrypt, "empty where files are in a folder: encrypt its volume"
            )

    def _database(self) -> None:
        self._like("host", _HOST, "a host, or the folder of a socket")
        if not 1 <= self.port <= 65535:
            raise Misconfigured("lake.port", self.port, "1 to 65535")
        for name in ("database", "username"):
            self._like(name, _NAME, "letters, digits, underscores, dots, hyphens; a letter first")
        near = self.host in _LOOPBACK or self.host.startswith("/")
        if not (near or self.tls or self.clear):
            raise Misconfigured(
                "lake.tls", False, f"true, as {self.host} is another machine (or clear = true)"
            )
        if self.tls and not self.ca:
            raise Misconfigured("lake.ca", "", "a PEM file of who signs the database's certificate")
        if self.ca and not self.tls:
            raise Misconfigured("lake.tls", False, "true, as a file for TLS is named")

    def _storage(self) -> None:
        self._like("endpoint", _ENDPOINT, 'a URL of host and port alone, e.g. "https://s3.example:9000"')
        self._like("bucket", _BUCKET, "3 to 63 small letters, digits, dots, hyphens")
        self._like("prefix", _PREFIX, 'letters, digits, "._-", parts by "/"')
        self._like("region", _WORD, "a region, as the storage names it")
        self._like("access_key", _WORD, "the id of the key to the bucket")
        if not self.secret_file:
            raise Misconfigured("lake.secret_file", "", "a file that holds the secret of access_key")
        host = self.endpoint.partition("://")[2].rpartition(":")[0] or self.endpoint.partition("://")[2]
        if not (self.safe or host.strip("[]") in _LOOPBACK or self.clear):
            raise Misconfigured(
                "lake.endpoint", self.endpoint, "https, as it is another machine (or clear = true)"
            )
        if self.endpoint_ca and not self.safe:
            raise Misconfigured("lake.endpoint_ca", self.endpoint_ca, "an endpoint by https")
        if self.kms_key:
            self._like("kms_key", _WORD, "the id or ARN of a key of the storage's key service")
            if not self.encrypt.startswith("aws:kms"):
                raise Misconfigured("lake.kms_key", self.kms_key, 'encrypt = "aws:kms", which uses it')

    def _like(self, name: str, form: re.Pattern[str], allowed: str) -> None:
        if not form.fullmatch(getattr(self, name)):
            raise Misconfigured(f"lake.{name}", getattr(self, name), allowed)

    @property
    def safe(self) -> bool:
        """Whether the storage is spoken to by TLS."""
        return self.endpoint.startswith("https:")

    @property
    def shared(self) -> bool:
        """Whether jobs of several machines may write at once: pipeline.lock is of one machine."""
        return self.catalog == "postgresql"

    @property
    def local(self) -> bool:
        """Whether all of it is in the data folder."""
        return self.catalog == "sqlite" and self.files == "folder"


def settings(data: Path) -> LakeSettings:
    """The `[lake]` table of a data folder. Raises Misconfigured."""
    return table(data, "lake", LakeSettings)


def secret(data: Path, key: str, name: str) -> str:
    """What a file of `[lake]` holds, without its last line break. Raises Misconfigured; never says it."""
    file = data / name
    try:
        held = file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        held = ""
    if not held:
        raise Misconfigured(f"lake.{key}", str(file), "a file that can be read and holds it")
    return held
