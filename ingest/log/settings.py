"""What the log may be told: the `[log]` table."""

from __future__ import annotations

import re

from msgspec import Struct

from consent_filter.errors import Misconfigured

KINDS = ("segments", "kafka")
SASL = ("", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)
_SERVER = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}", re.ASCII)
_SKIP = re.compile(r".+-[0-9]+@[0-9]+", re.ASCII)
_LOOPBACK = ("127.0.0.1", "[::1]", "localhost")


class LogSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[log]`: where the collector makes events durable before it answers.

    kind: "segments" are files in the data folder, for one machine; "kafka" is a topic, for many. What
    segments hold when the kind changes is folded all the same; `throng import` always writes segments.
    bootstrap: the brokers, e.g. ["k1:9093", "k2:9093"]. topic: of this installation alone; another name
    begins anew. partitions, replicas: of the topic, where it is not there yet and is made.
    timeout_s: how long a commit may take; then its requests are answered 503, and may come again.
    largest_mib: bytes of one record; the topic's max.message.bytes must allow it.
    tls: speak TLS to the brokers. ca: PEM file of who signs their certificates; without it, who the system
    trusts. certificate, key: PEM files by which the brokers know us. Files are in the data folder or named by
    a whole path. clear: allow brokers on other machines without TLS, where the network is encrypted itself.
    sasl: "PLAIN", "SCRAM-SHA-256" or "SCRAM-SHA-512", with username; password_file holds the password.
    skip: records that an operator gives up, e.g. ["throng-events-0@1234"]; reading goes on behind them.
    ledger: a second topic, by which several collectors share one consent ledger; "" where there is one
    collector. All of them need the same keys.json.
    """

    kind: str = "segments"
    bootstrap: tuple[str, ...] = ()
    topic: str = "throng-events"
    partitions: int = 4
    replicas: int = 1
    timeout_s: float = 10.0
    largest_mib: float = 8.0
    tls: bool = False
    ca: str = ""
    certificate: str = ""
    key: str = ""
    clear: bool = False
    sasl: str = ""
    username: str = ""
    password_file: str = ""
    skip: tuple[str, ...] = ()
    ledger: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise Misconfigured("log.kind", self.kind, f"one of {', '.join(KINDS)}")
        if self.kind == "segments":
            if self.ledger:
                raise Misconfigured("log.ledger", self.ledger, 'a topic only where kind is "kafka"')
            return
        if not self.bootstrap:
            raise Misconfigured("log.bootstrap", self.bootstrap, 'the brokers, e.g. ["k1:9093", "k2:9093"]')
        for one in self.bootstrap:
            if not _SERVER.fullmatch(one):
                raise Misconfigured("log.bootstrap", one, 'a host and a port, e.g. "k1:9093"')
        for name, topic in (("topic", self.topic), ("ledger", self.ledger or "none")):
            if not _TOPIC.fullmatch(topic):
                raise Misconfigured(
                    f"log.{name}", topic, "1 to 200 letters, digits, dots, hyphens, underscores"
                )
        if self.ledger == self.topic:
            raise Misconfigured("log.ledger", self.ledger, "another topic than log.topic")
        for name, least in (("partitions", 1), ("replicas", 1), ("timeout_s", 1), ("largest_mib", 1)):
            if getattr(self, name) < least:
                raise Misconfigured(f"log.{name}", getattr(self, name), f"at least {least}")
        for one in self.skip:
            if not _SKIP.fullmatch(one):
                raise Misconfigured(
                    "log.skip", one, 'a partition and a position, e.g. "throng-events-0@1234"'
                )
        self._safe()

    def _safe(self) -> None:
        away = [one for one in self.bootstrap if one.rpartition(":")[0] not in _LOOPBACK]
        if away and not self.tls and not self.clear:
            raise Misconfigured("log.tls", False, f"true, as {away[0]} is another machine (or clear = true)")
        if not self.tls and (self.ca or self.certificate or self.key):
            raise Misconfigured("log.tls", False, "true, as files for TLS are named")
        if bool(self.certificate) != bool(self.key):
            raise Misconfigured("log.key", self.key, "a certificate and its key, or neither")
        if self.sasl not in SASL:
            raise Misconfigured("log.sasl", self.sasl, f"one of {', '.join(filter(None, SASL))}")
        if bool(self.sasl) != bool(self.username and self.password_file):
            raise Misconfigured("log.sasl", self.sasl, "sasl, username and password_file, or none of them")
        if self.sasl == "PLAIN" and away and not self.tls:
            raise Misconfigured("log.sasl", self.sasl, "SCRAM or TLS: PLAIN sends the password in clear")
