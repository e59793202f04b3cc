"""A Flink cluster with its workers, alone in a network of its own, and `throng` run beside it.

    python -m tests.flink.cluster fetch           what it is made of, once
    python -m tests.flink.cluster [COMMAND …]     the cluster; COMMAND in its network, or a shell

Beam's job servers, Flink's task managers and Prism listen on every interface, whatever they are told, and
whoever reaches them has code run. So all of them live in a network namespace that has nothing but loopback.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.flink.jars import CACHE, JAR, fetch

JOBS, WORKERS, WEB = 8099, 50_000, 8081
#: As a settings file has them.
SETTINGS = f"""\
runner = "flink"
job_server = "127.0.0.1:{JOBS}"
workers = "127.0.0.1:{WORKERS}"
"""
#: Task managers that were not started by Flink's own scripts refuse to guess memory. 64 MB of network fail at
#: two shuffles. A task manager that is gone is missed after five seconds.
_CONF = f"""\
jobmanager.rpc.address: 127.0.0.1
jobmanager.bind-host: 127.0.0.1
jobmanager.rpc.port: 6123
blob.server.port: 6124
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: {WEB}
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: 2
taskmanager.cpu.cores: 2
taskmanager.memory.framework.heap.size: 128mb
taskmanager.memory.framework.off-heap.size: 128mb
taskmanager.memory.task.heap.size: 512mb
taskmanager.memory.task.off-heap.size: 128mb
taskmanager.memory.managed.size: 128mb
taskmanager.memory.network.min: 192mb
taskmanager.memory.network.max: 192mb
taskmanager.memory.jvm-metaspace.size: 256mb
taskmanager.memory.jvm-overhead.min: 192mb
taskmanager.memory.jvm-overhead.max: 192mb
parallelism.default: 2
heartbeat.interval: 1000
heartbeat.timeout: 5000
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 3
restart-strategy.fixed-delay.delay: 1 s
classloader.resolve-order: parent-first
classloader.check-leaked-classloader: false
io.tmp.dirs: {{folder}}
"""
_OPENS = [f"--add-opens=java.base/{one}=ALL-UNNAMED" for one in (
    "java.lang", "java.lang.invoke", "java.lang.reflect", "java.util", "java.util.concurrent", "java.net",
    "java.io", "java.nio", "java.text", "java.time", "sun.nio.ch", "sun.net.util")]  # fmt: skip
_FLINK = "org.apache.flink.runtime"


class Cluster:
    """Outside: what is asked of the process that has entered the network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._said = open(folder / "inside.out", "ab")  # noqa: SIM115
        command = [sys.executable, "-m", "tests.flink.cluster", "--inside", str(folder)]
        apart = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
        self._process = subprocess.Popen(
            [*apart, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said,
            text=True, start_new_session=True,
        )  # fmt: skip

    def ask(self, what: str, *arguments: str) -> Any:
        """Have it done inside; what came of it."""
        self.begin(what, *arguments)
        return self.answer()

    def begin(self, what: str, *arguments: str) -> None:
        """The same, without waiting."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([what, *arguments]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """What came of the last that was begun."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, (self.folder / "inside.out").read_text(errors="replace")[-4000:]
        return json.loads(line)

    def stop(self) -> None:
        """All of it, at once: nothing in it is worth an orderly end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._said):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


class Inside:
    """Within the network: the cluster's processes, and commands of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.over = False
        self.begins = {
            "manager": self.manager, "tasks": self.taskmanager, "jobs": self.jobserver,
            "workers": self.workers,
        }  # fmt: skip

    def start(self) -> dict[str, int]:
        """Everything; process ids by name when two slots wait and the job server listens."""
        loopback()
        (self.folder / "config.yaml").write_text(_CONF.format(folder=self.folder))
        for begin in self.begins.values():
            begin()
        self.wait()
        threading.Thread(target=self.look_after, daemon=True).start()
        return self.ids()

    def ids(self) -> dict[str, int]:
        """Process ids by name."""
        return {name: one.pid for name, one in self.processes.items()}

    def manager(self) -> None:
        self.java("manager", f"{_FLINK}.entrypoint.StandaloneSessionClusterEntrypoint", "256m",
                  "--executionMode", "cluster")  # fmt: skip

    def jobserver(self) -> None:
        self.java(
            "jobs", "org.apache.beam.runners.flink.FlinkJobServerDriver", "768m",
            "--flink-master", f"127.0.0.1:{WEB}", "--job-host", "127.0.0.1", "--job-port", str(JOBS),
            "--artifact-port", "0", "--expansion-port", "0",
            "--artifacts-dir", str(self.folder / "artifacts"),
        )  # fmt: skip

    def workers(self) -> None:
        self.spawn("workers", [sys.executable, "-m", "throng.main", "worker", "--at", f"127.0.0.1:{WORKERS}"])

    def taskmanager(self) -> None:
        heap = ("640m", "-XX:MaxDirectMemorySize=512m", "-XX:MaxMetaspaceSize=256m")
        self.java("tasks", f"{_FLINK}.taskexecutor.TaskManagerRunner", *heap)

    def look_after(self) -> None:
        """Start another of what has died, as systemd or Kubernetes would."""
        while not self.over:
            time.sleep(0.2)
            for name, begin in self.begins.items():
                if self.processes[name].poll() is not None and not self.over:
                    begin()

    def settled(self) -> dict[str, int]:
        """Wait until everything runs again; process ids by name."""
        deadline = time.monotonic() + 120
        while not (_slots() >= 2 and _open(JOBS) and _open(WORKERS)):
            assert time.monotonic() < deadline, "the cluster did not come back"
            time.sleep(0.1)
        return self.ids()

    def end(self) -> None:
        """As an operator ends it."""
        self.over = True
        for name in ("jobs", "tasks", "manager", "workers"):
            self.processes[name].terminate()
            self.processes[name].wait()

    def java(self, name: str, main: str, heap: str, *more: str) -> None:
        options = [one for one in more if one.startswith("-XX")]
        said = [one for one in more if one not in options]
        archive = CACHE / f"{JAR.stem}-{name}.jsa"
        share = "-XX:SharedArchiveFile" if archive.exists() else "-XX:ArchiveClassesAtExit"
        where = ["--flink-conf-dir" if name == "jobs" else "--configDir", str(self.folder)]
        quiet = ["-Xlog:disable", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        begin = [
            "java",
            f"-Xmx{heap}",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            f"{share}={archive}",
            *quiet,
            *options,
        ]
        self.spawn(name, [*begin, *_OPENS, "-cp", str(JAR), main, *where, *said])

    def spawn(self, name: str, command: list[str]) -> None:
        with open(self.folder / f"{name}.out", "ab") as out:
            self.processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=_environment()
            )

    def wait(self) -> None:
        """An open port is not a cluster: it has its slots, too."""
        deadline = time.monotonic() + 120
        while not (_slots() >= 2 and _open(JOBS) and _open(WORKERS)):
            assert time.monotonic() < deadline, "the cluster did not start"
            for name, one in self.processes.items():
                assert one.poll() is None, f"{name} has ended"
            time.sleep(0.1)

    def throng(self, *arguments: str) -> dict[str, object]:
        """A command of ours: its exit code, and what it printed."""
        from throng.main import main

        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(arguments)
        return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def _environment() -> dict[str, str]:
    return {**os.environ, "JAVA_TOOL_OPTIONS": "", "PYTHONUNBUFFERED": "1"}


def loopback() -> None:
    """Begin to listen to oneself: a new network has a loopback that is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        flags = struct.unpack("16sh", fcntl.ioctl(one, 0x8913, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(one, 0x8914, struct.pack("16sh", b"lo", flags | 1))


def _open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _slots() -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{WEB}/overview", timeout=2) as answer:
            return int(json.load(answer)["slots-total"])
    except OSError:
        return 0


def inside(folder: Path) -> None:
    """Do what is asked for on standard input, a JSON line each."""
    answers, sys.stdout = sys.stdout, sys.stderr
    cluster = Inside(folder)
    asked = {"start": cluster.start, "throng": cluster.throng, "processes": cluster.ids,
             "settled": cluster.settled, "end": cluster.end}  # fmt: skip
    try:
        for line in sys.stdin:
            what, *arguments = json.loads(line)
            print(json.dumps(asked[what](*arguments)), file=answers, flush=True)
    finally:  # also where who asked was killed meanwhile: the answer finds nobody, and Java would stay
        os.killpg(0, signal.SIGKILL)


def warm() -> None:
    """One job, after which each Java process leaves an archive of the classes that it has loaded, so that the
    next one need not load and verify them."""
    with tempfile.TemporaryDirectory() as folder:
        cluster, data = Cluster(Path(folder) / "cluster"), Path(folder) / "data"
        data.mkdir()
        (data / "throng.toml").write_text(f'[[site]]\nid = "shop"\n[pipelines]\n{SETTINGS}')
        (data / "log.txt").write_text(
            '192.0.2.1 - - [01/Sep/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 7 "-" "-"\n'
        )
        try:
            cluster.ask("start")
            cluster.ask("throng", "import", "--data", str(data), "--site", "shop", str(data / "log.txt"))
            cluster.ask("throng", "facts", "--data", str(data))
            cluster.ask("end")
        finally:
            cluster.stop()


def main() -> None:
    """For people: a cluster, and a command or a shell beside it."""
    fetch()
    if not list(CACHE.glob(f"{JAR.stem}-*.jsa")):
        warm()
    if sys.argv[1:2] == ["fetch"]:
        return
    folder = CACHE / "cluster"
    if sys.argv[1:2] != ["--entered"]:
        apart = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
        os.execvp(apart[0], [*apart, sys.executable, "-m", "tests.flink.cluster", "--entered", *sys.argv[1:]])
    folder.mkdir(parents=True, exist_ok=True)
    cluster = Inside(folder)
    try:
        cluster.start()
        print(f"a Flink cluster runs in this network; its settings:\n\n[pipelines]\n{SETTINGS}", flush=True)
        command = sys.argv[2:] or [os.environ.get("SHELL", "sh")]
        sys.exit(subprocess.run(command, check=False).returncode)
    finally:
        for one in cluster.processes.values():
            one.kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(Path(sys.argv[2]))
    else:
        main()
