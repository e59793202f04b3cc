"""`[lake]`: what can't be is refused with the key, and nothing goes over a network in clear unsaid."""

from __future__ import annotations

from typing import Any

import pytest

from consent_filter.errors import Misconfigured
from warehouse.lake_settings import LakeSettings

S3: dict[str, Any] = {
    "files": "s3", "endpoint": "https://s3.example", "bucket": "facts", "access_key": "k", "secret_file": "s",
}  # fmt: skip
POSTGRES: dict[str, Any] = {"catalog": "postgresql"}


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ({"catalog": "mysql"}, "catalog"),
        ({"files": "ftp"}, "files"),
        ({"timeout_s": 0.0}, "timeout_s"),
        (POSTGRES | {"host": "a b"}, "host"),
        (POSTGRES | {"host": "db.example' sslmode=disable"}, "host"),
        (POSTGRES | {"port": 0}, "port"),
        (POSTGRES | {"database": "a'b"}, "database"),
        (POSTGRES | {"host": "db.example"}, "tls"),
        (POSTGRES | {"host": "db.example", "tls": True}, "ca"),
        (POSTGRES | {"ca": "ca.pem"}, "tls"),
        (S3 | {"endpoint": "s3.example"}, "endpoint"),
        (S3 | {"endpoint": "https://user:secret@s3.example"}, "endpoint"),
        (S3 | {"endpoint": "http://s3.example"}, "endpoint"),
        (S3 | {"endpoint": "http://127.0.0.1:9000", "endpoint_ca": "ca.pem"}, "endpoint_ca"),
        (S3 | {"bucket": "Facts"}, "bucket"),
        (S3 | {"prefix": "../x"}, "prefix"),
        (S3 | {"access_key": ""}, "access_key"),
        (S3 | {"secret_file": ""}, "secret_file"),
        (S3 | {"encrypt": "ROT13"}, "encrypt"),
        (S3 | {"encrypt": "AES256", "kms_key": "1234"}, "kms_key"),
        (S3 | {"encrypt": "aws:kms", "kms_key": "12 34"}, "kms_key"),
        ({"encrypt": "AES256"}, "encrypt"),
    ],
)
def test_what_can_not_be_is_refused(told: dict[str, Any], key: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        LakeSettings(**told)
    assert caught.value.key == f"lake.{key}"


def test_either_half_works_alone_and_clear_must_be_said() -> None:
    assert LakeSettings().local
    assert not LakeSettings(**S3).local
    assert not LakeSettings(**S3).shared
    assert LakeSettings(**POSTGRES).shared
    assert LakeSettings(**POSTGRES | {"host": "/var/run/postgresql"}).shared
    assert LakeSettings(**POSTGRES | {"host": "db.example", "clear": True}).shared
    assert not LakeSettings(**S3 | {"endpoint": "http://s3.example:9000", "clear": True}).safe
    assert LakeSettings(**S3).safe
