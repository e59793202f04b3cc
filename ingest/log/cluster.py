"""The brokers of a topic: clients by settings, what a topic must be like, and errors in our own three kinds.

`google_crc32c` does the sums: without a library in C, a record of 75 KB takes 9 ms of processor to write and
13 to read. (The one that kafka-python names is under the LGPL.) No text of an error that a client made is
passed on: it may hold what was sent.
"""

from __future__ import annotations

import atexit
import errno
import gc
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import google_crc32c
import kafka.record.default_records as _records
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, errors
from kafka.admin import ConfigResource
from kafka.net.compat import KafkaNetClient
from kafka.partitioner import Partitioner

from consent_filter.errors import Broken, Misconfigured, Refused
from ingest.log.settings import LogSettings

_records.calc_crc32c = lambda view: google_crc32c.value(bytes(view))


class _Heard(logging.Handler):
    """Why a broker did not let us in: the client tells it to its log alone, and gives up for want of time.

    Nothing of the log is printed: its lines name hosts and retries, again and again.
    """

    why = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Note the two reasons that no waiting mends."""
        said = record.getMessage()
        for why in (
            "SaslAuthenticationFailedError",
            "UnsupportedSaslMechanismError",
            "CERTIFICATE_VERIFY_FAILED",
        ):
            if why in said:
                self.why = why


_heard = _Heard(logging.WARNING)
_log = logging.getLogger("kafka")
_log.propagate = False
_log.addHandler(_heard)

_DENIED = (errors.AuthorizationError,)
_WRONG = (
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
    errors.IllegalSaslStateError,
)


def ours(error: Exception, settings: LogSettings) -> Exception:
    """The same failure as Misconfigured where a setting must change, else as OSError: it may pass."""
    if isinstance(error, Misconfigured | Broken | Refused | OSError):
        return error
    name, where = type(error).__name__, settings.bootstrap[0]
    heard, _heard.why = _heard.why, ""
    if heard and isinstance(error, errors.KafkaTimeoutError | errors.KafkaConnectionError):
        if heard == "CERTIFICATE_VERIFY_FAILED":
            return Misconfigured("log.ca", settings.ca, f"a file that vouches for the certificate of {where}")
        return Misconfigured("log.username", settings.username, f"a user that {where} lets in ({heard})")
    if isinstance(error, _WRONG):
        return Misconfigured("log.username", settings.username, f"a user that {where} lets in ({name})")
    if isinstance(error, _DENIED):
        return Misconfigured(
            "log.topic", settings.topic, f"a topic that we may read, write, describe and trim ({name})"
        )
    # A broker that refuses a password hangs up, and the client may see that before it sees why.
    hint = "; if this stays, look at log.username and log.password_file" if settings.sasl else ""
    return away(f"the Kafka brokers at {where} can't be used now ({name}){hint}")


def listens(server: str) -> bool:
    """Whether anybody listens at a broker's address."""
    host, _, port = server.rpartition(":")
    with suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), 2):
        return True
    return False


def away(said: str) -> OSError:
    """A failure that may pass by itself, with words of ours that may be shown."""
    return OSError(errno.EHOSTUNREACH, said)


class Cluster:
    """Clients of one topic's brokers. Reading clients are kept between uses: a new one takes 150-250 ms."""

    def __init__(self, settings: LogSettings, data: Path) -> None:
        self.settings, self.data = settings, data
        self._lock = threading.Lock()
        self._idle: dict[type, list[Any]] = {}
        self._age: float | None = None

    def producer(self, turns: Partitioner | None = None) -> Any:
        """A client that writes: in order, each record once, and acknowledged by every replica in sync.
        `turns` says to which partition, where a record does not."""
        most = int(self.settings.timeout_s * 1000)
        return self._made(
            KafkaProducer,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            batch_size=int(self.settings.largest_mib * (1 << 20)),
            max_request_size=int(self.settings.largest_mib * (1 << 20)) + 4096,
            max_block_ms=most,
            metrics_enabled=False,
            delivery_timeout_ms=most,
            allow_auto_create_topics=False,
            **({} if turns is None else {"partitioner": turns}),
        )

    @contextmanager
    def consumer(self) -> Iterator[Any]:
        """A client that reads, without a group: whoever reads says from where."""
        with self._lent(KafkaConsumer) as one:
            yield one

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """A client that makes, describes and trims topics."""
        with self._lent(KafkaAdminClient) as one:
            yield one

    @contextmanager
    def _lent(self, kind: type) -> Iterator[Any]:
        with self._lock:
            idle = self._idle.setdefault(kind, [])
            one = idle.pop() if idle else None
        try:
            if one is None:
                one = self._made(kind, **(_READING if kind is KafkaConsumer else {}))
            yield one
        except GeneratorExit:
            self._back(kind, one)
            raise
        except Exception as error:
            if one is not None:
                quiet(one)
            self.failed()
            raise ours(error, self.settings) from None
        else:
            self._back(kind, one)

    def _back(self, kind: type, one: Any) -> None:
        with self._lock:
            idle = self._idle.setdefault(kind, [])  # closed meanwhile, where another thread has failed
            if len(idle) < 4:
                idle.append(one)
                return
        quiet(one)

    def failed(self) -> None:
        """Keep no client that would call brokers who are away, again and again: of each call that fails it
        leaves a socket behind, which only the collector of garbage closes."""
        self.close()
        gc.collect()

    def close(self) -> None:
        """Close what is kept."""
        with self._lock:
            idle, self._idle = [one for kept in self._idle.values() for one in kept], {}
        for one in idle:
            quiet(one)

    def _made(self, kind: type, **more: Any) -> Any:
        """A new client. One that finds no broker leaves its thread and sockets behind, so we end them; and
        where nobody even listens, waiting for it tells nothing new."""
        self._listening()
        inside: list[Any] = []

        def client(**told: Any) -> Any:
            inside.append(KafkaNetClient(**told))
            return inside[-1]

        try:
            return kind(**self._connection(), kafka_client=client, **more)
        except BaseException:
            for one in inside:
                quiet(one)
            raise

    def _listening(self) -> None:
        if any(map(listens, self.settings.bootstrap)):
            return
        raise away(f"no Kafka broker listens at {', '.join(self.settings.bootstrap)}")

    def _connection(self) -> dict[str, Any]:
        told = self.settings
        found: dict[str, Any] = {
            "bootstrap_servers": list(told.bootstrap),
            "bootstrap_timeout_ms": int(told.timeout_s * 1000),
            "request_timeout_ms": int(told.timeout_s * 1000),
            "client_id": "throng",
            "retry_backoff_ms": 20,
            "reconnect_backoff_max_ms": 1000,
            "security_protocol": f"{'SASL_' if told.sasl else ''}{'SSL' if told.tls else 'PLAINTEXT'}",
        }
        for name, file in (
            ("ssl_cafile", told.ca),
            ("ssl_certfile", told.certificate),
            ("ssl_keyfile", told.key),
        ):
            if file:
                if not (self.data / file).is_file():
                    raise Misconfigured(
                        f"log.{_NAMES[name]}", file, "a PEM file, in the data folder or by a whole path"
                    )
                found[name] = str(self.data / file)
        if told.sasl:
            found |= {
                "sasl_mechanism": told.sasl,
                "sasl_plain_username": told.username,
                "sasl_plain_password": self._password(),
            }
        return found

    def _password(self) -> str:
        file = self.data / self.settings.password_file
        with suppress(OSError, UnicodeDecodeError):
            if found := file.read_text().strip():
                return found
        raise Misconfigured("log.password_file", str(file), "a file that can be read and holds the password")

    def topic(self, name: str = "") -> dict[str, str]:
        """What a topic is told, by the brokers' word; the events' where none is named."""
        name = name or self.settings.topic
        with self.admin() as admin:
            asked = [ConfigResource("TOPIC", name)]
            found = admin.describe_configs(asked, config_filter="all")["topic"][name]
        return {name: str(one["value"]) for name, one in found.items()}

    def age(self) -> float:
        """Seconds after which a segment of the topic is closed by the next message."""
        if self._age is None:
            self._age = int(self.topic()["segment.ms"]) / 1000
        return self._age


_READING = {
    "metrics_enabled": False,
    "group_id": None,
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "allow_auto_create_topics": False,
    "fetch_max_wait_ms": 50,
    "max_poll_records": 100,
    "max_partition_fetch_bytes": 8 << 20,
}
_NAMES = {"ssl_cafile": "ca", "ssl_certfile": "certificate", "ssl_keyfile": "key"}


def quiet(client: Any) -> None:
    """Close a client, whatever it says."""
    with suppress(Exception):
        client.close()


_clusters: dict[tuple[LogSettings, Path], Cluster] = {}


def cluster(settings: LogSettings, data: Path) -> Cluster:
    """The one of this process for these settings."""
    return _clusters.setdefault((settings, data), Cluster(settings, data))


def close_all() -> None:
    """Close every client that this process keeps."""
    while _clusters:
        _clusters.popitem()[1].close()


atexit.register(close_all)
