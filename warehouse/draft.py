"""A draft of a release: tables that may leave the house, with all that is said of them, before anyone has it.

    DATA/releases/drafts/<id>/draft.json, <table>.parquet

It is made once, by the job that spends budget on it (`budget.py`); attacked, rendered, approved and delivered
are copies of it. Columns of a table: its keys, then for each number `n`: n, n_low, n_high (whole numbers; the
interval that holds the exact one with the confidence that the draft names).
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from consent_filter import keyfile
from consent_filter.errors import Refused

FILE = "draft.json"


class Number(Struct, frozen=True, kw_only=True):
    """One number of a table. most: what one person may add to it in the whole table, which is what the noise
    hides. scale: the noise's standard deviation. clipped: the share of contributions (a person in a row) that
    the cap cut; of people, the share who were in more rows than count. Told with noise, as all else is."""

    name: str
    says: str
    most: int
    scale: float
    clipped: float


class Table(Struct, frozen=True, kw_only=True):
    """One table. cells: in how many of its rows one person counts at most. least: the fewest people a row may
    be about. held_back: rows that are not shown; None where that may not be told, as nobody knows beforehand
    which there can be. rho, delta: what it cost each month of the period (zCDP, and the chance that a group
    is shown that should not be); nothing where it is made of other tables.
    made_from: that of whose numbers, as they were drawn, it is made. method: a sentence for readers."""

    name: str
    title: str
    doc: str
    method: str
    purpose: str
    keys: tuple[str, ...]
    numbers: tuple[Number, ...]
    rows: int
    held_back: int | None
    cells: int
    least: int
    rho: float
    delta: float
    sha256: str
    made_from: str = ""


class Draft(Struct, frozen=True, kw_only=True):
    """A release before it goes. audience: investors, advertiser, partner, research or public. period: as
    `period.read` takes it. policies: site → versions of the policy that judged its events. mix: site →
    what became of its events: stored (noisy), and refused by reason (requests, of which nothing is kept
    that could say whose they are: to the hundred, without a budget). transfers: mechanisms that the figures
    stand on. made_of: snapshot of the lake, versions of code, hashes of definitions (S24)."""

    id: str
    audience: str
    period: str
    sites: tuple[str, ...]
    made_at: float
    confidence: float
    tables: tuple[Table, ...]
    policies: dict[str, tuple[str, ...]] = {}
    mix: dict[str, dict[str, int]] = {}
    transfers: tuple[str, ...] = ()
    made_of: dict[str, Any] = {}


def folder(data: Path) -> Path:
    """Where drafts are."""
    return data / "releases" / "drafts"


def write(data: Path, draft: Draft) -> None:
    """Write down what is said of tables that lie there already; a draft is one when this file is there."""
    where = folder(data) / draft.id
    keyfile.write(where / FILE, msgspec.json.format(msgspec.json.encode(draft), indent=1))


def read(data: Path, name: str) -> Draft:
    """A draft by its id. Raises Refused where there is none, or a table is not the one it was made with."""
    where = folder(data) / name
    if "/" in name or not (where / FILE).exists():
        raise Refused(404, "draft", "there is no draft of that id: throng release list")
    draft = msgspec.json.decode((where / FILE).read_bytes(), type=Draft)
    for one in draft.tables:
        if hashlib.sha256((where / f"{one.name}.parquet").read_bytes()).hexdigest() != one.sha256:
            raise Refused(409, "draft", f"the table {one.name} is not the one that the draft was made with")
    return draft


def table(data: Path, name: str, of: str) -> pa.Table:
    """One table of a draft."""
    return pq.read_table(folder(data) / name / f"{of}.parquet")


def table_of(into: Path, drawn: pa.Table, **said: Any) -> Table:
    """Write a table's file into a draft's folder, its rows in the order of their keys, which tells nothing;
    what is said of it, with its rows and its hash. The file is made of the cells alone: a dictionary would
    hold words of rows that were taken out, too, and a schema's notes whatever its maker wrote."""
    plain = [column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
             for column in drawn.columns]  # fmt: skip
    drawn = pa.table(plain, names=drawn.column_names).sort_by([(key, "ascending") for key in said["keys"]])
    file = into / f"{said['name']}.parquet"
    with file.open("wb") as out:
        pq.write_table(drawn, out, compression="zstd")
        out.flush()
        os.fsync(out.fileno())
    return Table(rows=drawn.num_rows, sha256=hashlib.sha256(file.read_bytes()).hexdigest(), **said)
