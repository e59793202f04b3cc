"""Jars by Maven, each held against the SHA-256 that is known of it, in a cache outside of the project."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

#: What is fetched or built once stays here: jars, Prism, the storage's server.
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "throng"


def fetch(named: Path, into: Path) -> list[Path]:
    """What pom.xml and jars.sha256 in the folder `named` name, sorted.

    Raises CalledProcessError, or SystemExit where one is not what it was.
    """
    asked = ["mvn", "-q", "-B", "-f", str(named / "pom.xml"), "dependency:copy-dependencies"]
    subprocess.run([*asked, "-DincludeScope=runtime", f"-DoutputDirectory={into}"], check=True)
    known = dict(reversed(line.split()) for line in (named / "jars.sha256").read_text().splitlines())
    jars = sorted(into.glob("*.jar"))
    for jar in jars:
        if known.pop(jar.name, None) != hashlib.sha256(jar.read_bytes()).hexdigest():
            raise SystemExit(f"{jar} is not the file that jars.sha256 names")
    if known:
        raise SystemExit(f"not fetched: {', '.join(known)}")
    return jars
