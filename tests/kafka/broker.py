"""One Kafka broker (KRaft, no ZooKeeper) on loopback, from jars that `make kafka` has fetched.

    python -m tests.kafka.broker fetch            fetch and check the jars, once
    python -m tests.kafka.broker run [folder]     a broker in the foreground; says its address

A signal ends it.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.jars import CACHE
from tests.jars import fetch as fetch_jars

VERSION = "4.4.0"
HERE = Path(__file__).resolve().parent
JARS = CACHE / f"kafka-{VERSION}"
#: Names the storage; it never leaves this machine.
CLUSTER = "AAAAAAAAAAAAAAAAAAAAAA"
USER, PASSWORD = "throng", "a-secret-of-tests"

#: Of one that is broker and controller; what stands later in its file holds.
PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={advertised}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
log.dirs={logs}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.cleaner.backoff.ms=500
log.cleaner.dedupe.buffer.size=16777216
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
num.network.threads=2
num.io.threads=4
"""
_SAFE = """\
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={pem}
"""


def ready() -> bool:
    """Java, and every jar."""
    return shutil.which("java") is not None and (JARS / ".complete").exists()


def fetch() -> None:
    """The jars (`tests/jars.py`), and an archive that halves each start."""
    if (JARS / ".complete").exists():
        return
    fetch_jars(HERE, JARS)
    with tempfile.TemporaryDirectory() as folder:
        first = Broker(Path(folder), 19092)
        first.start()
        first.stop()
    (JARS / ".complete").touch()


def _java(main: str, *arguments: str, heap: str, options: tuple[str, ...] = ()) -> list[str]:
    quiet = ("-Xlog:disable", "-Djava.net.preferIPv4Stack=true")
    level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    start = ["java", f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *quiet, level, *options]
    return [*start, "-cp", f"{JARS}/*", main, *arguments]


class Broker:
    """A broker of `folder`. `port` speaks in clear; `safe_port` TLS with SASL, where `pem` (key and
    certificate in one file) is given. `advertised`: the port at which clients are told to come."""

    def __init__(
        self, folder: Path, port: int, *, pem: Path | None = None, advertised: int | None = None
    ) -> None:
        self.folder, self.port, self.safe_port = folder, port, port + 2
        self.address = f"127.0.0.1:{advertised or port}"
        self.logs = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        listeners = f"PLAINTEXT://127.0.0.1:{port}"
        if pem is not None:
            listeners += f",SASL_SSL://localhost:{self.safe_port}"
        told = PROPERTIES.format(
            node=1,
            voters=f"1@127.0.0.1:{port + 1}",
            controller=port + 1,
            listeners=listeners,
            logs=self.logs,
            advertised=listeners.replace(f":{port}", self.address[9:]),
        )
        if pem is not None:
            told += _SAFE.format(user=USER, password=PASSWORD, pem=pem)
        self._properties = folder / "server.properties"
        self._properties.write_text(told)
        if not self.logs.exists():
            told = ("format", "--cluster-id", CLUSTER, "--config", str(self._properties))
            asked = _java("kafka.tools.StorageTool", *told, heap="128m")
            subprocess.run(asked, check=True, stdout=subprocess.DEVNULL)

    def log(self, topic: str, **more: object) -> str:
        """The `[log]` table of a topic of two partitions here, and other keys of it."""
        told = {"kind": "kafka", "bootstrap": [self.address], "topic": topic, "partitions": 2, **more}
        return "[log]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in told.items())

    def start(self) -> None:
        """Start, and return when it serves: an open port comes earlier than that."""
        archive = JARS / "server.jsa"
        option = "-XX:SharedArchiveFile" if archive.exists() else "-XX:ArchiveClassesAtExit"
        asked = _java("kafka.Kafka", str(self._properties), heap="384m", options=(f"{option}={archive}",))
        with open(self.folder / "server.out", "ab") as out:
            self._process = subprocess.Popen(asked, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        deadline = time.monotonic() + 180  # on a machine that has twenty times as much to do as cores
        while not self._serving():
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    @property
    def pid(self) -> int | None:
        """The process, where it runs."""
        return None if self._process is None else self._process.pid

    def said(self) -> str:
        """What it printed."""
        return (self.folder / "server.out").read_text(errors="replace")[-4000:]

    def kill(self) -> None:
        """As a power cut ends it, but for what the kernel still holds."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As an operator ends it."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """It hears nothing and says nothing, and its connections stay."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def _serving(self) -> bool:
        request = struct.pack(">hhih", 18, 0, 1, -1)  # ApiVersions 0
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as one:
                one.settimeout(1)
                one.sendall(struct.pack(">i", len(request)) + request)
                return len(one.recv(10)) == 10
        except OSError:
            return False


def main() -> None:
    """`fetch`, or `run`."""
    fetch()
    if sys.argv[1:2] != ["run"]:
        return
    broker = Broker(Path(sys.argv[2] if len(sys.argv) > 2 else CACHE / "broker"), 9092)
    broker.start()
    print(broker.address, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        broker.stop()


if __name__ == "__main__":
    main()
