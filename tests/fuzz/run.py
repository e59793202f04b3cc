"""Throws bytes at parsers, led by what they reach (atheris): `make fuzz`, or a bounded run in the suite.

    python -m tests.fuzz.run tcf gpp            one after another, each until --seconds or --runs
    python -m tests.fuzz.run --together         all of them in one process, by turns

What was worth keeping lies in --keep (dist/fuzz/NAME), and the next run begins from it. A find is a file
there (crash-…, timeout-…) and the exit code 1; `python -m tests.fuzz.run NAME --again FILE` throws it again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ["consent_filter", "ingest", "warehouse.catalogue", "throng.settings", "tests.fuzz.planted"]
#: Seconds of the clock that one input may take (a busy machine is slow), and bytes that it may have: what a
#: header or a small body has.
SLOW, LONGEST = 30, 4096


def fuzz(module: str, names: Sequence[str], keep: Path, flags: list[str]) -> None:
    """Never returns: libFuzzer ends the process. Several names share it, by the first byte of the input."""
    import atheris

    with atheris.instrument_imports(include=ROOMS):
        targets = import_module(module).TARGETS
    thrown = [(targets[name].make(), targets[name].raises) for name in names]
    seeds = keep / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        for data in targets[name].corpus():
            whole = (bytes([place]) if len(names) > 1 else b"") + data
            (seeds / sha256(whole).hexdigest()[:16]).write_bytes(whole)

    def throw(data: bytes) -> None:
        which = data[0] % len(thrown) if len(thrown) > 1 and data else 0
        target, raises = thrown[which]
        with suppress(*raises):
            target(data[1:] if len(thrown) > 1 else data)

    kept = keep / "kept"
    kept.mkdir(exist_ok=True)
    limits = [f"-timeout={SLOW}", f"-max_len={LONGEST}", "-rss_limit_mb=4096", f"-artifact_prefix={keep}/"]
    # The first of two folders is the one that is written to.
    atheris.Setup([sys.argv[0], *flags, *limits, str(kept), str(seeds)], throw)
    atheris.Fuzz()


def again(module: str, name: str, file: Path) -> None:
    """Throw one input without atheris, so that a debugger can look."""
    of = import_module(module).TARGETS[name]
    try:
        of.make()(file.read_bytes())
    except of.raises as error:
        print(f"raises {type(error).__name__}, as it may")


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--targets", default="tests.fuzz.targets", help="a module with TARGETS")
    parser.add_argument("--together", action="store_true")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=-1)
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    parser.add_argument("--keep", type=Path, default=ROOT / "dist/fuzz")
    parser.add_argument("--again", type=Path)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    of = parser.parse_args()
    if of.again:
        again(of.targets, of.names[0], of.again)
        return 0
    if of.here:
        flags = [f"-max_total_time={of.seconds}", f"-runs={of.runs}", f"-seed={of.seed}", "-verbosity=0"]
        fuzz(of.targets, of.names, of.keep, flags)
    names = of.names or list(import_module(of.targets).TARGETS)
    found = []
    for group in [names] if of.together else [[name] for name in names]:
        place = of.keep / ("together" if of.together else group[0])
        command = [sys.executable, "-m", "tests.fuzz.run", *group, "--here", "--targets", of.targets]
        command += ["--seconds", str(of.seconds), "--runs", str(of.runs), "--seed", str(of.seed)]
        if subprocess.run([*command, "--keep", str(place)], cwd=ROOT, check=False).returncode:
            found.append(f"{place}: {' '.join(group)}")
    print("\n".join(f"FOUND in {one}" for one in found) or f"nothing found in {', '.join(names)}", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
