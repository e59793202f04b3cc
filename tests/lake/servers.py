"""A PostgreSQL server and an S3-compatible one on loopback, whose own files a test can read.

    python -m tests.lake.servers fetch            build the storage's server, once
    python -m tests.lake.servers run [folder]     both in the foreground; says what to write into throng.toml

Storage is versitygw (Apache-2.0): objects are files of the same names, and it keeps versions where it is told
to. Go's own checksum database vouches for its source. It lives in a cache outside of the project.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.jars import CACHE

VERSION = "v1.8.0"
GATEWAY = CACHE / f"versitygw-{VERSION}" / "versitygw"
#: Nothing that is ever printed may hold one of these.
PASSWORD, SECRET = "a-canary-of-the-catalog", "a-canary-of-the-bucket"
USER, ACCESS = "throng", "throng-key"


def ready() -> bool:
    """Whether the storage's server is built."""
    return GATEWAY.exists()


def fetch() -> None:
    """Build it, by Go. Raises CalledProcessError."""
    if ready():
        return
    what = f"github.com/versity/versitygw/cmd/versitygw@{VERSION}"
    draft = GATEWAY.parent.with_suffix(".new")
    subprocess.run(["go", "install", what], check=True, env=os.environ | {"GOBIN": str(draft)})
    os.replace(draft, GATEWAY.parent)  # whoever waits for it finds all of it


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not listen"
            time.sleep(0.05)


class Postgres:
    """A cluster in a folder of its own. It refuses to run as root, and so runs as another there."""

    def __init__(self, port: int, pem: Path | None = None) -> None:
        self.port = port
        self.folder = Path(tempfile.mkdtemp(prefix="throng-lake-"))
        self.programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name))
        self._who = "postgres" if os.geteuid() == 0 else None
        (self.folder / "password").write_text(PASSWORD)
        for own, there in (("tls.pem", "server.crt"), ("tls.key", "server.key")) if pem else ():
            assert pem is not None
            shutil.copy(pem.with_name(own), self.folder / there)
            (self.folder / there).chmod(0o600)
        if self._who:
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, self._who)
        told = ["-D", str(self.data), "-A", "scram-sha-256", "-U", USER, "-N", "-E", "UTF8"]
        self._run("initdb", *told, "--pwfile", str(self.folder / "password"))
        options = (
            f"port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n"
        )
        if pem:
            options += f"ssl = on\nssl_cert_file = '{self.folder}/server.crt'\n"
            options += f"ssl_key_file = '{self.folder}/server.key'\n"
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(options)

    @property
    def data(self) -> Path:
        """Its files."""
        return self.folder / "data"

    def _run(self, name: str, *arguments: str, env: dict[str, str] | None = None) -> None:
        asked = [str(self.programs / name), *arguments]
        subprocess.run(asked, check=True, stdout=subprocess.DEVNULL, user=self._who, cwd="/", env=env)

    def start(self) -> None:
        asked = [str(self.programs / "postgres"), "-D", str(self.data)]
        with open(self.folder / "out", "ab") as out:
            self._process = subprocess.Popen(asked, stdout=out, stderr=out, user=self._who, cwd="/")
        _wait(self.port, self._process)
        deadline = time.monotonic() + 60
        while b"ready to accept connections" not in (self.folder / "out").read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def database(self, name: str) -> None:
        """Make a database."""
        self.say(f"CREATE DATABASE {name}", "postgres")

    def say(self, sql: str, database: str) -> None:
        """One statement."""
        self._run("psql", *self._where(database), "-v", "ON_ERROR_STOP=1", "-c", sql, env=_knowing())

    def dump(self, database: str) -> Path:
        """A copy of a database, as an operator makes one."""
        file = self.folder / f"{database}.sql"
        self._run("pg_dump", "-c", "-f", str(file), *self._where(database), env=_knowing())
        return file

    def load(self, database: str, file: Path) -> None:
        """Put a copy back."""
        self._run("psql", *self._where(database), "-f", str(file), env=_knowing())

    def _where(self, database: str) -> list[str]:
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database]

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)

    def remove(self) -> None:
        shutil.rmtree(self.folder)


def _knowing() -> dict[str, str]:
    return dict(os.environ) | {"PGPASSWORD": PASSWORD}


class Storage:
    """A storage in a folder: a bucket is a folder in `data`. `counts`: requests are."""

    def __init__(self, folder: Path, port: int, pem: Path | None = None, *, counts: bool = False) -> None:
        self.folder, self.port, self._pem = folder, port, pem
        self._log = folder / "requests" if counts else None
        self.data, self.versions = folder / "data", folder / "versions"
        self.address = f"https://localhost:{port}" if pem else f"http://127.0.0.1:{port}"
        for one in (self.data, self.versions):
            one.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        tls = ["--cert", str(self._pem), "--key", str(self._pem.with_suffix(".key"))] if self._pem else []
        log = ["--access-log", str(self._log)] if self._log else []
        asked = [str(GATEWAY), "--port", f"127.0.0.1:{self.port}", "--quiet", *tls, *log, "posix"]
        keys = {"ROOT_ACCESS_KEY_ID": ACCESS, "ROOT_SECRET_ACCESS_KEY": SECRET}
        with open(self.folder / "out", "ab") as out:
            self._process = subprocess.Popen(
                [*asked, "--versioning-dir", str(self.versions), str(self.data)],
                stdout=out, stderr=out, env=os.environ | keys,
            )  # fmt: skip
        _wait(self.port, self._process)

    def requests(self) -> Counter[str]:
        """How many there have been of each kind ("PutObject"), where they are counted."""
        assert self._log is not None
        return Counter(re.findall(r" s3_(\w+) ", self._log.read_text()))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def lake(postgres: Postgres, storage: Storage, database: str, bucket: str, **more: object) -> str:
    """The `[lake]` table of a folder that holds `pg` and `s3`, with the two secrets."""
    told = {
        "catalog": "postgresql", "host": "127.0.0.1", "port": postgres.port, "database": database,
        "username": USER, "password_file": "pg", "files": "s3", "endpoint": storage.address,
        "bucket": bucket, "access_key": ACCESS, "secret_file": "s3", "timeout_s": 10, **more,
    }  # fmt: skip
    return "[lake]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in told.items())


def main(asked: list[str]) -> None:
    if asked[:1] == ["fetch"]:
        fetch()
        return
    folder = Path(asked[1]) if len(asked) > 1 else Path(tempfile.mkdtemp(prefix="throng-lake-"))
    fetch()
    postgres, storage = Postgres(25432), Storage(folder, 25433)
    postgres.start()
    storage.start()
    name = f"throng_{secrets.token_hex(3)}"
    postgres.database(name)
    (storage.data / "facts").mkdir(exist_ok=True)
    print(f"pg holds {PASSWORD}, s3 holds {SECRET}:\n\n{lake(postgres, storage, name, 'facts')}", flush=True)
    try:
        signal.pause()
    finally:
        storage.stop()
        postgres.stop()
        postgres.remove()


if __name__ == "__main__":
    main(sys.argv[1:])
