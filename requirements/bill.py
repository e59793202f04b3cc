"""The bill of materials: every locked distribution with its hashes, licence and needs, as CycloneDX 1.6.

`make sbom` writes dist/throng.cdx.json. The same lock gives the same bytes: there is no time in it, and its
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


def _needs(names: Iterable[str], extras: Iterable[str] = ("",)) -> Iterator[str]:
    """What these requirements name here: of this Python and this system."""
    for one in map(Requirement, names):
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras):
            yield named(one.name)


@cache
def needs(name: str) -> list[str]:
    """What a distribution that is installed names, by Requires-Dist; nothing of one that is not."""
    try:
        return sorted(set(_needs(metadata.requires(name) or ())))
    except metadata.PackageNotFoundError:
        return []


def shipped(direct: Iterable[str]) -> set[str]:
    """All that is behind these: what runs where Throng runs."""
    found: set[str] = set()
    wait = list(direct)
    while wait:
        if (name := wait.pop()) not in found:
            found.add(name)
            wait += needs(name)
    return found


def bill(lock: Path = LOCK) -> dict[str, Any]:
    """The whole bill, ready for json.dumps."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # uvicorn[standard] and the like are not used: an extra would have to be followed here.
    direct, locked = sorted(set(_needs(project["dependencies"]))), read(lock)
    runs = shipped(direct)
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
                {"ref": ref, "dependsOn": [refs[n] for n in needs(name) if n in refs]}
                for name, ref in sorted(refs.items())
            ),
        ],
    }


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


if __name__ == "__main__":
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(bill(), indent=1) + "\n")
    print(OUT.relative_to(ROOT))
