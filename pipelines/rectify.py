"""Rectification: what a person declares about themselves takes the place of what was guessed (M109).

Facts are written anew with the right value, reports of those days are made anew, and of the old value only a
salted hash stays, so that it can be shown later what was corrected and nobody can read it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from consent_filter.errors import Refused
from consent_filter.ledger import Subject
from consent_filter.member import AGES, GENDERS, OK
from pipelines.holder import Task
from pipelines.holders import Facts
from pipelines.leaving import correcting
from pipelines.settings import Pipelines
from warehouse import erase
from warehouse.extensions import quote
from warehouse.lake import Lake
from warehouse.settings import Warehouse

#: Bands of age of grown-ups: a child's data is not corrected, it is erased (M87).
_GROWN = [OK, *(band for band, (youngest, _) in AGES.items() if youngest >= 18)]
#: What can be wrong about a person, and how a right value looks. What was done cannot be corrected away.
CORRECTABLE: dict[str, re.Pattern[str]] = {
    "country": re.compile(r"[A-Z]{2}"),
    "region": re.compile(r"[A-Z0-9-]{1,10}"),
    "continent": re.compile(r"[A-Z]{2}"),
    "age": re.compile("|".join(map(re.escape, _GROWN))),
    "gender": re.compile("|".join(sorted(GENDERS))),
}
#: What is there only where the person said it, and may be kept: nobody gets one by a correction.
_SAID = ("age", "gender")
_PROPERTY = re.compile(r"props\.([a-z][a-z0-9_]{0,63})")
_LONGEST = 100


def carry(
    data: Path,
    subject: Subject,
    changes: Mapping[str, str],
    settings: Pipelines,
    now: int,
    warehouse: Warehouse = Warehouse(),  # noqa: B008
) -> dict[str, Any]:
    """Correct every fact of that person; what was done. The caller holds pipeline.lock. `warehouse`: by which
    the reports count what they leave, before it is changed (S1).

    Raises Refused for what can't be corrected, with nothing changed.
    """
    sets = sql(changes)
    persons = np.sort(np.array([one.person for one in subject.persons], np.uint64))
    lake = Lake.open(data, write=True)
    assert lake is not None
    try:
        rows = [row for batch in erase.rows(lake, persons) for row in batch.to_pylist()]
        files = erase.held(lake, persons)
        if files:
            task = Task(data, lambda some: np.isin(some, persons), settings, now / 1000)
            with correcting(data, warehouse, persons, sets, now / 1000):
                Facts().rewrite(task, lake, list(files), persons, sets)
    finally:
        lake.close()
    nonce = secrets.token_bytes(16)
    columns = sorted({name.split(".")[0] for name in changes})
    old = json.dumps([[str(row[name]) for name in columns] for row in rows]).encode()
    return {
        "corrected": sorted(changes),
        "rows": len(rows),
        "audit": blake2b(nonce + old, digest_size=32).hexdigest(),
        "at": now,
    }


def sql(changes: Mapping[str, str]) -> dict[str, str]:
    """Column → SQL of the right value. Raises Refused (400, changes)."""
    found: dict[str, str] = {}
    props: dict[str, str] = {}
    for name, value in changes.items():
        shape, prop = CORRECTABLE.get(name), _PROPERTY.fullmatch(name)
        if shape is not None and shape.fullmatch(value):
            found[name] = f"'{quote(value)}'"
            if name in _SAID:
                found[name] = f"CASE WHEN {name} IS NOT NULL THEN '{quote(value)}' END"
        elif prop is not None and len(value) <= _LONGEST:
            props[prop[1]] = value
        else:
            raise Refused(400, "changes", f"can be corrected: {', '.join(CORRECTABLE)}, props.<name>")
    if props:
        # Only where the property was sent: nobody gets one that the site does not collect.
        patch = "props"
        for name, value in sorted(props.items()):
            old = rf'("{name}":)("(?:[^"\\]|\\.)*"|[^,}}]*)'
            new = r"\1" + json.dumps(value, ensure_ascii=False).replace("\\", "\\\\")
            patch = f"regexp_replace({patch}, '{quote(old)}', '{quote(new)}')"
        found["props"] = patch
    return found
