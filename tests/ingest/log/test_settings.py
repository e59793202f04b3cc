"""What the log may be told, and what it may not: nothing that would send events or a password in clear."""

from __future__ import annotations

from typing import Any

import pytest

from consent_filter.errors import Misconfigured
from ingest.log.settings import LogSettings


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"kind": "redis"}, "log.kind"),
        ({"bootstrap": ()}, "log.bootstrap"),
        ({"bootstrap": ("k1",)}, "log.bootstrap"),
        ({"bootstrap": ("k1:9092",)}, "log.tls"),
        ({"topic": "a b"}, "log.topic"),
        ({"partitions": 0}, "log.partitions"),
        ({"sasl": "PLAIN"}, "log.sasl"),
        ({"sasl": "GSSAPI", "username": "a", "password_file": "b"}, "log.sasl"),
        (
            {
                "bootstrap": ("k1:9092",),
                "clear": True,
                "sasl": "PLAIN",
                "username": "a",
                "password_file": "b",
            },
            "log.sasl",
        ),
        ({"ca": "ca.pem"}, "log.tls"),
        ({"tls": True, "certificate": "c.pem"}, "log.key"),
        ({"skip": ("7",)}, "log.skip"),
    ],
)
def test_settings_that_cannot_be_are_refused(more: dict[str, Any], key: str) -> None:
    with pytest.raises(Misconfigured) as said:
        LogSettings(**({"kind": "kafka", "bootstrap": ("127.0.0.1:9092",)} | more))
    assert said.value.key == key
