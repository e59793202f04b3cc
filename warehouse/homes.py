"""Of which regions the facts are, as each row says (M100)."""

from __future__ import annotations

from warehouse.lake import Lake


def homes(lake: Lake) -> list[tuple[str, str]]:
    """Each (site, region) that some fact is of, sorted. Rows from before their region was named are of none
    of them: they were taken in where the folder lay."""
    columns = lake.connection.execute("DESCRIBE lake.events").fetchall()
    if "home" not in {name for name, *_ in columns}:
        return []  # a lake of an older version, until facts are folded into it
    rows = lake.connection.execute(
        "SELECT DISTINCT site, home FROM lake.events WHERE home IS NOT NULL ORDER BY ALL"
    )
    return rows.fetchall()
