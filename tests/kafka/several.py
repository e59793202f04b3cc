"""Three brokers (KRaft) with three copies, TLS, certificates of clients and SCRAM, on one machine.

A collector is loaded while brokers are killed; each event that it acknowledged has to be there once.

    python -m tests.kafka.several [FOLDER]    prints a JSON object; minutes

Brokers are killed (SIGKILL) and started again, one after another; then two at once, which leaves fewer than
are to be in sync, and they come back one by one; then one, and after a while the two others, so that whoever
was gone first lacks what was acknowledged since, and comes back first. What brokers say of the partitions
then is noted. Nothing is in clear but between the brokers.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from ingest.log.cluster import close_all, cluster
from ingest.log.opening import settings
from pipelines import facts
from tests import certificates
from tests.faults.stored import numbers
from tests.kafka import broker
from tests.kafka.broker import CLUSTER, JARS, PASSWORD, PROPERTIES, USER
from tests.ports import free_ports
from tests.warehouse.sample import found
from tests.whole.running import Up, up

_PROPERTIES = """\
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=1000
controller.quorum.election.timeout.ms=3000
controller.quorum.fetch.timeout.ms=5000
num.network.threads=2
num.io.threads=2
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={pem}
ssl.truststore.type=PEM
ssl.truststore.location={trusted}
"""


class Node:
    """One of three, in a folder of its own. One that ends by itself is started again, as systemd does it: a
    broker that finds no quorum of controllers for a minute ends (`initial.broker.registration.timeout.ms`),
    and of two that start one after the other the first would be gone before the second is there."""

    def __init__(self, folder: Path, node: int, ports: int, trusted: Path) -> None:
        self.folder, self.plain, self.safe = folder, ports + 3 * node, ports + 3 * node + 1
        folder.mkdir(parents=True)
        pem = folder.parent / "both.pem"
        voters = ",".join(f"{one}@127.0.0.1:{ports + 3 * one + 2}" for one in range(3))
        listeners = f"PLAINTEXT://127.0.0.1:{self.plain},SASL_SSL://localhost:{self.safe}"
        told = PROPERTIES.format(
            node=node, voters=voters, listeners=listeners, advertised=listeners,
            controller=ports + 3 * node + 2, logs=folder / "log",
        ) + _PROPERTIES.format(pem=pem, trusted=trusted)  # fmt: skip
        self._properties = folder / "server.properties"
        self._properties.write_text(told)
        user = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        asked = ["format", "--cluster-id", CLUSTER, "--config", str(self._properties), "--add-scram", user]
        _run("kafka.tools.StorageTool", *asked)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        #: How often it has given up.
        self.gave_up = 0
        threading.Thread(target=self._look_after, daemon=True).start()

    def _look_after(self) -> None:
        while True:
            time.sleep(0.5)
            with self._lock:
                if self._process is not None and self._process.poll() is not None:
                    self.gave_up += 1
                    self._start()

    def start(self) -> None:
        """Start; it serves when the others are there."""
        with self._lock:
            self._start()

    def _start(self) -> None:
        asked = broker._java("kafka.Kafka", str(self._properties), heap="256m")
        with open(self.folder / "out", "ab") as out:
            self._process = subprocess.Popen(asked, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def end(self, how: signal.Signals) -> None:
        """SIGKILL, or SIGTERM."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(60)


def _run(main: str, *arguments: str) -> None:
    subprocess.run(broker._java(main, *arguments, heap="128m"), check=True, stdout=subprocess.DEVNULL)


def told(nodes: list[Node], data: Path, **more: object) -> str:
    """The settings of a folder that holds what they name."""
    log: dict[str, Any] = {
        "kind": "kafka", "bootstrap": [f"localhost:{one.safe}" for one in nodes], "topic": "three",
        "partitions": 3, "replicas": 3, "timeout_s": 5, "tls": True, "ca": "brokers.pem",
        "certificate": "us.pem", "key": "us.key", "sasl": "SCRAM-SHA-512", "username": USER,
        "password_file": "password", **more,
    }  # fmt: skip
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in log.items())
    return f'[[site]]\nid = "shop"\n[warehouse]\nmin_group = 1\n[log]\n{lines}'


class Load:
    """Sends one event after another, and keeps which were acknowledged."""

    def __init__(self, running: Up) -> None:
        self._running, self._over = running, threading.Event()
        #: Numbers of events: of all that were begun the last, and all that were acknowledged.
        self.sent, self.acknowledged, self.refused, self.slowest = 0, list[int](), 0, 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            self.sent = n = self.sent + 1
            page: dict[str, Any] = {
                "site": "shop",
                "type": "page_view",
                "url": "https://shop.example/a",
                "id": f"e{n}",
            }
            page |= {"device_id": f"d{n}", "consent": {"measurement": True}}
            begun = time.monotonic()
            try:
                status = self._running.post(page)
            except OSError:
                status = 0
            if status == 202:
                self.acknowledged.append(n)
                self.slowest = max(self.slowest, time.monotonic() - begun)
            else:
                self.refused += 1
                time.sleep(0.1)

    def until(self, more: int, patience: float = 120.0) -> float:
        """Wait until so many more are acknowledged; seconds."""
        begun, wanted = time.monotonic(), len(self.acknowledged) + more
        while len(self.acknowledged) < wanted:
            assert time.monotonic() - begun < patience, "nothing is acknowledged any more"
            time.sleep(0.05)
        return time.monotonic() - begun

    def end(self) -> None:
        """No more."""
        self._over.set()
        self._thread.join()


def partitions(data: Path) -> list[str]:
    """Of each partition who leads it (-1: nobody), and which copies are in sync, as the brokers say."""
    try:
        with cluster(settings(data), data).admin() as admin:
            (topic,) = admin.describe_topics(["three"])
    except OSError as error:
        return [str(error)]
    told = sorted(topic["partitions"], key=lambda one: int(one["partition_index"]))
    return [
        f"{one['partition_index']}: led by {one['leader_id']}, in sync {one['isr_nodes']}" for one in told
    ]


def back(nodes: list[Node], load: Load, data: Path) -> list[dict[str, Any]]:
    """Start these again, one after another: what is acknowledged after each of them."""
    found = []
    for one in nodes:
        refused, seconds = load.refused, None
        one.start()
        with suppress(AssertionError):
            seconds = round(load.until(50, 90 if one is not nodes[-1] else 300), 1)
        found.append({"back": one.folder.name, "seconds_to_50": seconds, "refused": load.refused - refused,
                      "partitions": partitions(data)})  # fmt: skip
    return found


def stored(load: Load, data: Path) -> dict[str, int]:
    """How many that were acknowledged are not in the facts, and how many are there twice."""
    number = numbers(data, [f"e{n}" for n in range(load.sent + 1)])
    times = Counter(number.get(id, -1) for _, id, *_ in found(data).rows.elements())
    return {
        "lost": sum(times[n] == 0 for n in load.acknowledged), "twice": sum(n > 1 for n in times.values()),
        "nobody_sent": times[-1],
    }  # fmt: skip


def wrong(nodes: list[Node], data: Path) -> dict[str, str]:
    """What is said where brokers do not let us in."""
    said = {}
    for name, more in (
        ("password", {"password_file": "wrong"}), ("user", {"username": "nobody"}),
        ("certificate of a stranger", {"certificate": "stranger.pem", "key": "stranger.key"}),
        ("no certificate", {"certificate": "", "key": ""}), ("ca", {"ca": "stranger.pem"}),
    ):  # fmt: skip
        (data / "throng.toml").write_text(told(nodes, data, **more))
        try:
            cluster(settings(data), data).topic()
            said[name] = "let in"
        except Exception as error:
            said[name] = f"{type(error).__name__}: {error}"
        close_all()
    (data / "throng.toml").write_text(told(nodes, data))
    return said


def main(folder: Path) -> dict[str, Any]:
    assert (JARS / ".complete").exists(), "make kafka"
    data, ports = folder / "data", free_ports(9)
    data.mkdir(parents=True)
    certificates.make(data, "us")
    certificates.make(data, "stranger")
    certificates.make(folder)
    (folder / "both.pem").write_bytes((folder / "tls.key").read_bytes() + (folder / "tls.pem").read_bytes())
    (data / "brokers.pem").write_bytes((folder / "tls.pem").read_bytes())
    nodes = [Node(folder / str(n), n, ports, data / "us.pem") for n in range(3)]
    (data / "password").write_text(PASSWORD)
    (data / "wrong").write_text("not-it")
    (data / "throng.toml").write_text(told(nodes, data))
    done: dict[str, Any] = {}
    try:
        for one in nodes:
            one.start()
        begun = time.monotonic()
        while True:
            try:
                cluster(settings(data), data).topic("three")
            except Exception as error:
                if "UnknownTopic" in str(error) or time.monotonic() - begun > 90:
                    break
                close_all()
                time.sleep(1)
            else:
                break
        done["ready_s"] = round(time.monotonic() - begun, 1)
        text = told(nodes, data)
        with up(data, "part", "collector", settings=text) as running:
            load = Load(running)
            load.until(50)
            done["killed_one"] = []
            for one in nodes:
                refused = load.refused
                one.end(signal.SIGKILL)
                seconds = load.until(50)
                done["killed_one"].append(
                    {"seconds_to_50": round(seconds, 1), "refused": load.refused - refused}
                )
                one.start()
                time.sleep(10)
            done["two_away"] = [partitions(data)]
            for one in nodes[:2]:
                one.end(signal.SIGKILL)
            time.sleep(10)
            done["two_away"] += back(nodes[:2], load, data)
            time.sleep(10)
            nodes[2].end(signal.SIGKILL)
            load.until(50)
            time.sleep(5)
            done["stale"] = [partitions(data)]
            for one in nodes[:2]:
                one.end(signal.SIGKILL)
            time.sleep(5)
            done["stale"] += back([nodes[2], *nodes[:2]], load, data)
            load.end()
            done["said"] = sorted(
                {line for line in running.output.read_text().splitlines() if "log" in line}
            )[:6]
        done["gave_up"] = [one.gave_up for one in nodes]
        folded = facts.run(data)
        whole = found(data)
        done |= {
            "acknowledged": len(load.acknowledged), "stored": folded.stored, "duplicates": folded.duplicates,
            "refused": load.refused, "slowest_s": round(load.slowest, 1), "balance": whole.balance,
        }  # fmt: skip
        done |= stored(load, data)
        done["wrong"] = wrong(nodes, data)
    finally:
        close_all()
        for one in nodes:
            one.end(signal.SIGKILL)
    return done


if __name__ == "__main__":
    here = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="throng-brokers-"))
    try:
        print(json.dumps(main(here), indent=1))
    finally:
        if len(sys.argv) < 2:
            shutil.rmtree(here, ignore_errors=True)
    os._exit(0)  # clients of brokers that are gone
