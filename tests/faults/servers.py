"""The servers that a run may need besides our own processes, each behind a wire, and how they fail."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Protocol

from tests.faults.plan import World
from tests.faults.proxy import FAILED, Proxy
from tests.flink.cluster import Cluster
from tests.kafka.broker import Broker
from tests.lake.servers import Postgres, Storage
from tests.ports import free_ports


class Server(Protocol):
    """What can be killed, paused, and started again."""

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def stop(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class Catalog(Postgres):
    """PostgreSQL, which is many processes; all of them die or stand still."""

    def _all(self) -> list[int]:
        told = ["ps", "-o", "pid=", "--ppid", str(self._process.pid)]
        children = subprocess.run(told, capture_output=True, text=True, check=False).stdout.split()
        return [self._process.pid, *map(int, children)]

    def _each(self, how: signal.Signals) -> None:
        for pid in self._all():
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                continue

    def start(self) -> None:
        (self.folder / "out").write_bytes(b"")  # what is read until it is ready
        super().start()

    def kill(self) -> None:
        """As a power cut ends it."""
        self._each(signal.SIGKILL)
        self._process.wait(30)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def pause(self) -> None:
        self._each(signal.SIGSTOP)

    def resume(self) -> None:
        self._each(signal.SIGCONT)


class Bucket(Storage):
    """The storage."""

    def kill(self) -> None:
        """As a power cut ends it."""
        self._process.kill()
        self._process.wait(30)

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)


class Wired:
    """A server and the wire to it."""

    def __init__(self, server: Server, wire: Proxy) -> None:
        self.server, self.wire = server, wire

    def fail(self, how: str, lasts: float) -> None:
        """Do it for some seconds; everything is as before when it returns."""
        wire = self.wire
        if how == "cut":
            wire.cut_off = True
            wire.cut()
            time.sleep(lasts)
            wire.cut_off = False
        elif how == "slow":
            wire.delay = lasts / 5
            time.sleep(lasts)
            wire.delay = 0.0
        elif how == "silent":
            wire.silence()
            time.sleep(2 * lasts)
            wire.found_out()
        elif how == "500":
            wire.answer = FAILED
            time.sleep(lasts)
            wire.answer = b""
        elif how == "paused":
            self.server.pause()
            time.sleep(3 * lasts)
            self.server.resume()
        else:
            (self.server.kill if how == "killed" else self.server.stop)()
            time.sleep(lasts)
            self.server.start()

    def end(self) -> None:
        """For good."""
        self.wire.close()
        self.server.stop()


class Servers:
    """All that a world needs, for any number of runs. `named`: by the first word of a fault's kind."""

    def __init__(self, folder: Path, world: World) -> None:
        self.named: dict[str, Wired] = {}
        self.cluster: Cluster | None = None
        self.processes: dict[str, int] = {}
        self.postgres: Catalog | None = None
        self.storage: Bucket | None = None
        self.broker: Broker | None = None
        if world.kafka:
            port = free_ports(1)
            self.broker = Broker(folder / "broker", free_ports(3), advertised=port)
            self._begin("broker", self.broker, port, self.broker.port)
        if world.lake:
            ports = free_ports(4)
            self.postgres = Catalog(ports)
            self.storage = Bucket(folder / "s3", ports + 1)
            self._begin("catalog", self.postgres, ports + 2, ports)
            self._begin("storage", self.storage, ports + 3, ports + 1)
        if world.flink:
            self.cluster = Cluster(folder / "flink")
            self.processes = self.cluster.ask("start")

    def _begin(self, name: str, server: Server, port: int, to: int) -> None:
        server.start()
        self.named[name] = Wired(server, Proxy(port, to))

    @property
    def folders(self) -> list[Path]:
        """Where they keep and say what they do."""
        found = [self.broker.folder] if self.broker else []
        found += [self.postgres.folder] if self.postgres else []
        found += [self.storage.folder] if self.storage else []
        return [*found, *([self.cluster.folder] if self.cluster else [])]

    def close(self) -> None:
        """End them."""
        for one in self.named.values():
            one.end()
        if self.cluster is not None:
            self.cluster.stop()
        if self.postgres is not None:
            self.postgres.remove()
