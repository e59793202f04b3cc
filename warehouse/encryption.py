"""What a bucket must do with objects before they lie on its disks (SSE-S3, SSE-KMS): asked for, and held to.

Facts say it in each request that writes one, and the answer has to say the same. Small tables are written by
the engine, which can't say it: so what the bucket does by itself has to be the same as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from xml.etree import ElementTree

from consent_filter.errors import Misconfigured
from warehouse.lake_settings import LakeSettings

#: Headers of S3's PutObject, and of its answer and that of HeadObject.
ALGORITHM = "x-amz-server-side-encryption"
KEY = f"{ALGORITHM}-aws-kms-key-id"


class Encryption(NamedTuple):
    """How objects are encrypted: as S3 names it, "" for not at all; and the key of the key service, where
    one is named."""

    algorithm: str
    key: str = ""

    def __str__(self) -> str:
        said = self.algorithm or "not at all"
        return f"{said} under {self.key}" if self.key else said

    def keeps(self, wanted: Encryption) -> bool:
        """Whether this is what was wanted. A key is named by its id, or by a whole ARN that ends with it."""
        same = not wanted.key or self.key == wanted.key or self.key.endswith(f"/{wanted.key}")
        return self.algorithm == wanted.algorithm and same


def wanted(told: LakeSettings) -> Encryption:
    """What the settings ask for."""
    return Encryption(told.encrypt, told.kms_key)


def headers(told: LakeSettings) -> dict[str, str]:
    """What a request that writes an object says."""
    said = {ALGORITHM: told.encrypt, KEY: told.kms_key}
    return {name: value for name, value in said.items() if value}


def of(answer: Mapping[str, str]) -> Encryption:
    """What an answer says of an object. Its names are small letters."""
    return Encryption(answer.get(ALGORITHM, ""), answer.get(KEY, ""))


def by_default(body: bytes) -> Encryption:
    """What GetBucketEncryption's answer says: of objects of which nothing else was said."""
    rule = ElementTree.fromstring(body).find("{*}Rule/{*}ApplyServerSideEncryptionByDefault")
    if rule is None:
        return Encryption("")
    return Encryption(rule.findtext("{*}SSEAlgorithm", ""), rule.findtext("{*}KMSMasterKeyID", ""))


def demand(told: LakeSettings, found: Encryption, what: str) -> None:
    """Raises Misconfigured where `what` is encrypted in another way than the settings ask for."""
    if told.encrypt and not found.keeps(wanted(told)):
        allowed = f"a bucket that does so to {what} (it says: {found}): set its default encryption"
        raise Misconfigured("lake.encrypt", str(wanted(told)), allowed)
