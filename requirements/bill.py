"""The bill of materials: every locked distribution with its hashes, licence and needs, as CycloneDX 1.6.

`make sbom` writes dist/throng.cdx.json, and dist/shipped.txt: the pins of what runs, for an image. The same
lock gives the same bytes: there is no time in it, and its
serial number is made of the lock. What only development needs is in it with the scope "excluded".
"""

from __future__ import annotations

import json
import tomllib
import uuid
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from requirements.locked import LOCK, Locked, named, read

ROOT = LOCK.parent.parent
OUT = ROOT / "dist/throng.cdx.json"
PINS = ROOT / "dist/shipped.txt"
#: What classifiers and old licence fields call the licences of SPDX.
_SPDX = {
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSFL": "PSF-2.0",
    "MPL-2.0 AND MIT": "MPL-2.0 AND MIT",
    **{id: id for id in ("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "MPL-2.0")},
}
#: Read in the licence that lies in the distribution or its repository, where its metadata names none, or no
#: one of several.
_READ = {
    "altair": "BSD-3-Clause",
    "atheris": "Apache-2.0",
    "colorama": "BSD-3-Clause",
    "contourpy": "BSD-3-Clause",
    "crawler-user-agents": "MIT",
    "cycler": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "kiwisolver": "BSD-3-Clause",
    "matplotlib": "PSF-2.0",
    "pyasn1-modules": "BSD-2-Clause",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "reportlab": "BSD-3-Clause",
    "scipy": "BSD-3-Clause",
    "segno": "BSD-3-Clause",
    "uvloop": "MIT OR Apache-2.0",
}


def licence(name: str) -> str | None:
    """The SPDX expression of a distribution; None where nobody has read it."""
    if name in _READ:
        return _READ[name]
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    if expression := said.get("License-Expression"):
        return str(expression)
    words = [said.get("License") or ""]
    words += [c.split(" :: ")[-1] for c in said.get_all("Classifier") or [] if c.startswith("License")]
    return next((_SPDX[word] for word in words if word in _SPDX), None)


def _named(said: Iterable[str], extras: Iterable[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """What these requirements name, of this Python and this system, and the extras they ask of it."""
    for one in map(Requirement, said):
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras):
            yield named(one.name), frozenset(one.extras)


@cache
def _needs(name: str, extras: frozenset[str]) -> tuple[tuple[str, frozenset[str]], ...]:
    try:
        return tuple(_named(metadata.requires(name) or (), ("", *extras)))
    except metadata.PackageNotFoundError:
        return ()


def shipped(said: Iterable[str]) -> dict[str, set[str]]:
    """All that is behind these requirements, and what each needs: what runs where Throng runs."""
    found: dict[str, set[str]] = {}
    seen, wait = set[tuple[str, frozenset[str]]](), list(_named(said, ("",)))
    while wait:
        if (one := wait.pop()) in seen:
            continue
        seen.add(one)
        needs = _needs(*one)
        found.setdefault(one[0], set()).update(name for name, _ in needs)
        wait += needs
    return found


def bill(lock: Path = LOCK) -> dict[str, Any]:
    """The whole bill, ready for json.dumps."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    direct, locked = sorted({name for name, _ in _named(project["dependencies"], ("",))}), read(lock)
    runs = shipped(project["dependencies"])
    refs = {one.name: _purl(one.name, one.version) for one in locked}
    own = _purl("throng", project["version"])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=sha256(lock.read_bytes()).digest()[:16], version=4)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "throng",
                "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": [_component(one, one.name in runs) for one in locked],
        "dependencies": [
            {"ref": own, "dependsOn": [refs[name] for name in direct]},
            *(
                {"ref": ref, "dependsOn": [refs[n] for n in sorted(_all(name, runs)) if n in refs]}
                for name, ref in sorted(refs.items())
            ),
        ],
    }


def _all(name: str, runs: dict[str, set[str]]) -> set[str]:
    """What a distribution needs: with the extras that we ask of it, or, in development, without any."""
    return runs.get(name) or {other for other, _ in _needs(name, frozenset())}


def _component(one: Locked, runs: bool) -> dict[str, Any]:
    said = licence(one.name)
    # A hash is one of a file, and a version has a file for each system: so they stand with the place they are
    # fetched from, and not with the component.
    place = {
        "type": "distribution",
        "url": f"https://pypi.org/simple/{one.name}/",
        "hashes": [{"alg": "SHA-256", "content": content} for content in one.hashes],
    }
    return {
        "type": "library",
        "bom-ref": _purl(one.name, one.version),
        "name": one.name,
        "version": one.version,
        "scope": "required" if runs else "excluded",
        **({"licenses": [_licensed(said)]} if said else {}),
        "purl": _purl(one.name, one.version),
        "externalReferences": [place],
        **({"properties": [{"name": "throng:marker", "value": one.marker}]} if one.marker else {}),
    }


def _licensed(said: str) -> dict[str, Any]:
    return {"expression": said} if " " in said else {"license": {"id": said}}


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def pins(told: dict[str, Any], lock: Path = LOCK) -> str:
    """The lines of the lock that a bill calls required, with their hashes."""
    runs = {one["name"] for one in told["components"] if one["scope"] == "required"}
    lines = []
    for one in read(lock):
        if one.name in runs:
            said = f"{one.name}=={one.version}" + (f" ; {one.marker}" if one.marker else "")
            lines.append(" \\\n".join([said, *(f"    --hash=sha256:{of}" for of in one.hashes)]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    OUT.parent.mkdir(exist_ok=True)
    made = bill()
    OUT.write_text(json.dumps(made, indent=1) + "\n")
    PINS.write_text(pins(made))
    print(OUT.relative_to(ROOT))
