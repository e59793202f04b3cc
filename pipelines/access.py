"""Everything that is held about one person, with the why of each row: JSON, Parquet, and a page (M108)."""

from __future__ import annotations

import html
import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from consent_filter import fields
from consent_filter.counterpart import TYPE
from consent_filter.departed import Persons
from consent_filter.errors import Misconfigured
from consent_filter.fields import EVENT
from consent_filter.ledger import Subject
from consent_filter.policy import Pack, load
from consent_filter.purpose import names
from consent_filter.read import linked
from consent_filter.retention import ends, regime
from ingest.log.opening import opened
from warehouse import erase
from warehouse.counted import counted
from warehouse.lake import Lake

#: What a narrow row is called.
BESIDE = "an event of somebody else with you, who is not shown"


class Bundle(NamedTuple):
    """said: everything as JSON has it. table: the rows, as EVENT, and `held`: facts or log."""

    said: dict[str, Any]
    table: pa.Table

    @property
    def rows(self) -> int:
        return int(self.table.num_rows)


def bundle(data: Path, subject: Subject, now: int) -> Bundle:
    """What stands in the ledger, the facts and the log about one key, and which published figures count it
    (S24). `now`: UTC milliseconds. The caller holds pipeline.lock.

    Rows are those of the person's own pseudonyms, and no others: a row is of one person only. Of somebody
    else's event with them it is the narrow one that stands for them: nothing on it is of the other (M114).
    """
    persons = np.sort(np.array([one.person for one in subject.persons], np.uint64))
    table = pa.concat_tables([_facts(data, persons), _log(data, persons)])
    packs: dict[str, Pack | None] = {}
    rows = [_row(row, packs) for row in table.to_pylist()]
    figures = [
        figure(row) for row in counted(data, persons.tolist(), linked(data / "ledger.sqlite")).to_pylist()
    ]
    said = {
        "made": _clock(now),
        "word": {
            "granted": names(subject.word.grant),
            "denied": names(subject.word.deny),
            "erased": subject.word.erased,
            "since": _clock(subject.since) if subject.since else None,
        },
        "restricted": subject.restricted,
        "records": [{"position": position, **record} for position, record in subject.records],
        "linked": [key.hex() for key in subject.linked],
        "pseudonyms": [
            {"purpose": names(one.purpose), "pseudonym": str(one.person), "standing": one.standing}
            for one in subject.persons
        ],
        "columns": {field.name: field.doc for field in fields.FIELDS if field.keep is not None},
        "rows": rows,
        "figures": figures,
    }
    return Bundle(said, table)


def packed(one: Bundle) -> bytes:
    """The bundle as one zip: data.json, rows.parquet, index.html."""
    out, rows = io.BytesIO(), io.BytesIO()
    pq.write_table(one.table, rows)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as into:
        into.writestr("data.json", json.dumps(one.said, indent=1, ensure_ascii=False, default=str))
        into.writestr("rows.parquet", rows.getvalue())
        into.writestr("index.html", page(one.said))
    return out.getvalue()


def _facts(data: Path, persons: Persons) -> pa.Table:
    lake = Lake.open(data)
    batches = []
    if lake is not None:
        batches = [pa.Table.from_batches([one]).cast(EVENT) for one in erase.rows(lake, persons)]
        lake.close()
    return _from(pa.concat_tables([EVENT.empty_table(), *batches]), "facts")


def _log(data: Path, persons: Persons) -> pa.Table:
    """Events that are not facts yet."""
    lake, found = Lake.open(data), [EVENT.empty_table()]
    folded = lake.offsets() if lake is not None else {}
    if lake is not None:
        lake.close()
    log = opened(data)
    for _, record in log.read(folded):
        there = np.flatnonzero(np.isin(record.events.numbers["person"], persons))
        if len(there):
            found.append(pa.Table.from_batches([record.events.take(there).batch()]))
    log.close()
    return _from(pa.concat_tables(found), "log")


def _from(table: pa.Table, held: str) -> pa.Table:
    return table.append_column("held", pa.array([held] * table.num_rows, pa.string()))


def _row(row: dict[str, Any], packs: dict[str, Pack | None]) -> dict[str, Any]:
    """One row with what is said of it: purposes, basis, because, recipients, and until when it is kept."""
    name = (row["policy"] or "").rpartition("/")[0]
    if name not in packs:
        try:
            packs[name] = load(name)
        except Misconfigured:
            packs[name] = None
    pack = packs[name]
    days = _kept(pack, row) if pack else fields.FACTS.days
    values = {
        key: str(value) if isinstance(value, int) and key in ("person", "event_id") else value
        for key, value in row.items()
        if value is not None and key not in ("purposes", "basis", "because", "policy")
    }
    return {
        "purposes": names(row["purposes"]),
        "basis": row["basis"],
        "because": row["because"],
        "policy": row["policy"],
        "recipients": list(pack.recipients) if pack else [],
        **({"of": BESIDE} if row["type"] == TYPE else {}),
        "kept_until": _clock(round((row["received"].replace(tzinfo=UTC).timestamp() + days * 86_400) * 1000)),
        **values,
    }


def _kept(pack: Pack, row: dict[str, Any]) -> int:
    """Days after receipt until the last purpose of a row has run out (M79)."""
    where = regime(row["because"])
    known = where if where in pack.regimes else ""
    return ends(pack.retention, pack.facts_days, known, row["purposes"]).row


def figure(row: dict[str, Any]) -> dict[str, Any]:
    """A published row that counts the person, as JSON has it."""
    return {name: dict(value) if isinstance(value, list) else value for name, value in row.items()}


def _clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_FIGURE = ("report", "site", "day", "keys", "purpose", "basis", "version", "published", "own")
_STYLE = """
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:70rem;margin:2rem auto;
padding:0 1rem}
table{border-collapse:collapse;width:100%;font-size:.875rem}th,td{text-align:left;padding:.35rem .5rem;
border-bottom:1px solid #8884;vertical-align:top}.wide{overflow-x:auto}dt{font-weight:600}dd{margin:0 0 .5rem}
"""


def page(said: dict[str, Any]) -> str:
    """The bundle for whoever asked, in one file that loads nothing."""
    word, rows = said["word"], said["rows"]
    head = ("time", "site", "type", "name", "of", "path", "country", "browser", "device", "purposes", "basis",
            "because", "kept_until")  # fmt: skip
    lines = [f"<tr>{''.join(f'<td>{_cell(row.get(name))}</td>' for name in head)}</tr>" for row in rows]
    records = [f"<li>{_cell({**record, 'position': record['position']})}</li>" for record in said["records"]]
    recipients = sorted({one for row in rows for one in row["recipients"]})
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Your data</title><style>{_STYLE}</style></head><body><main>
<h1>Your data</h1>
<p>Everything that is held about you, as of {_cell(said["made"])}: {len(rows):,} events,
{len(said["records"])} records of your choices. No address, name or e-mail is stored with them.</p>
<h2>What you have chosen</h2>
<dl><dt>Agreed to</dt><dd>{_cell(word["granted"]) or "nothing"}</dd>
<dt>Refused</dt><dd>{_cell(word["denied"]) or "nothing"}</dd>
<dt>Since</dt><dd>{_cell(word["since"]) or "you have said nothing"}</dd>
<dt>Restricted</dt><dd>{"yes: no report counts you" if said["restricted"] else "no"}</dd>
<dt>Browsers and accounts joined by a login</dt><dd>{len(said["linked"])}</dd>
<dt>Who may receive it</dt><dd>{_cell(recipients) or "nobody: only counts of groups leave"}</dd></dl>
<h2>Records of your choices</h2><ul>{"".join(records) or "<li>none</li>"}</ul>
<h2>Events</h2>
<p>All columns are in <code>data.json</code> and <code>rows.parquet</code> beside this page.</p>
<div class="wide" role="region" aria-label="Events" tabindex="0"><table>
<thead><tr>{"".join(f'<th scope="col">{name.replace("_", " ")}</th>' for name in head)}</tr></thead>
<tbody>{"".join(lines)}</tbody></table></div>
<h2>Published figures that count you</h2>
{_figures(said["figures"]) if said["figures"] else "<p>None.</p>"}
</main></body></html>
"""


def _figures(rows: list[dict[str, Any]]) -> str:
    """The published rows that count the person, as a table."""
    lines = "".join(f"<tr>{''.join(f'<td>{_cell(one[name])}</td>' for name in _FIGURE)}</tr>" for one in rows)
    return f"""<p>{len(rows):,} rows of reports. Each is about a group; what you added is beside it.</p>
<div class="wide" role="region" aria-label="Figures" tabindex="0"><table>
<thead><tr>{"".join(f'<th scope="col">{name}</th>' for name in _FIGURE)}</tr></thead>
<tbody>{lines}</tbody></table></div>"""


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        value = "; ".join(f"{key}: {_plain(one)}" for key, one in value.items())
    return html.escape(_plain(value))


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
