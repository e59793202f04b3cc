"""What another tool has counted before: its exports, read into the reports that they answer to.

A module is a tool's export: it yields tables of (day, keys, numbers) for a report, named as that report names
them, and no row of anybody. To add a tool: a module with READS and `read`, a line in READERS, a folder of
cases in tests/ingest/counted/cases.
"""

from __future__ import annotations

from ingest.counted import bigquery, ga4, matomo, plausible
from ingest.counted.table import Export

READERS: dict[str, Export] = {
    one.NAME: Export(one.NAME, one.SAYS, one.read) for one in (plausible, matomo, ga4, bigquery)
}
