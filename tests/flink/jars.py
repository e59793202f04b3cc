"""Fetch what a Flink cluster is made of, once: jars, and Prism by Go.

    python -m tests.flink.cluster fetch

All of it lives in a cache outside of the project. The jars become one: a job server sends every jar that it
was started from to the cluster with each job: with 162 of them a trivial one took 20 seconds, with one 6.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from importlib.metadata import version
from pathlib import Path

from tests.jars import CACHE
from tests.jars import fetch as fetch_jars

FLINK, BEAM = "1.19", "2.62.0"
HERE = Path(__file__).resolve().parent
JAR = CACHE / f"beam-{BEAM}-flink-{FLINK}.jar"
#: Go's checksum database answers for its sources.
PRISM = CACHE / f"prism-{version('apache-beam')}"

_MANIFEST = "Manifest-Version: 1.0\r\nMulti-Release: true\r\n\r\n"
#: What several jars have and all are needed of: their texts follow each other.
_JOINED = ("META-INF/services/", "reference.conf")
_SIGNED = (".SF", ".DSA", ".RSA")


def flink() -> bool:
    """Java, and the jar."""
    return shutil.which("java") is not None and JAR.exists()


def prism() -> bool:
    """Beam's own runner."""
    return PRISM.exists()


def fetch() -> None:
    """Both. Raises CalledProcessError, or SystemExit where a jar is not what it was."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if not JAR.exists():
        jars = CACHE / "flink-jars"
        _join(fetch_jars(HERE, jars), JAR)
        shutil.rmtree(jars)
    if not PRISM.exists():
        folder = CACHE / "prism-new"
        wanted = f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{version('apache-beam')}"
        subprocess.run(["go", "install", wanted], env={**os.environ, "GOBIN": str(folder)}, check=True)
        os.replace(folder / "prism", PRISM)
        shutil.rmtree(folder)


def _join(jars: list[Path], into: Path) -> None:
    """One jar of many: of two files of one name the first, as on a class path."""
    had, joined = set[str](), dict[str, bytes]()
    draft = into.with_suffix(".new")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        out.writestr("META-INF/MANIFEST.MF", _MANIFEST)
        for jar in jars:
            with zipfile.ZipFile(jar) as one:
                for name in one.namelist():
                    if name.startswith(_JOINED) and not name.endswith("/"):
                        joined[name] = joined.get(name, b"") + one.read(name) + b"\n"
                    elif not (name.endswith(("/", *_SIGNED, "MANIFEST.MF")) or name in had):
                        had.add(name)
                        out.writestr(name, one.read(name))
        for name, text in joined.items():
            out.writestr(name, text)
    os.replace(draft, into)
