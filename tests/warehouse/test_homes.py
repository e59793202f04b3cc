"""Of which regions facts are, also where a lake was made before any was named."""

from __future__ import annotations

from pathlib import Path

from tests.warehouse.crowd import lay
from warehouse.homes import homes
from warehouse.lake import Lake


def test_a_lake_of_an_older_version_has_no_region(tmp_path: Path) -> None:
    lay(tmp_path, [{"person": 1, "time": "2026-07-02 01:00"}])
    lake = Lake.open(tmp_path, write=True)
    assert lake is not None
    assert homes(lake) == []
    lake.connection.execute("ALTER TABLE lake.events DROP COLUMN home")
    assert homes(lake) == []
    lake.close()
