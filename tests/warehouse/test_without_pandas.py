"""What a process that has just begun has not imported."""

from __future__ import annotations

import subprocess
import sys

SAYS = """
import sys
import pyarrow as pa
from warehouse import without_pandas
without_pandas.bar()
pa.array([1, None]).to_pylist()
import dashboards.app, ingest.server, pipelines.reports, warehouse.explore
begun = [vars(module) for module in list(sys.modules.values())]  # as Beam does (objsize)
late = {"pandas", "matplotlib", "great_expectations", "pymongo", "bson", "requests.api", "httplib2.auth"}
print(*sorted(late & sys.modules.keys()))
without_pandas.lift()
import requests.adapters, bson
assert requests.Session().adapters
import pandas
print(pandas.DataFrame({"a": [1]}).a.sum())
"""


def test_no_process_begins_with_what_it_does_not_need() -> None:
    """Planted: no bar; pictures that import their library at once; Beam with all that it imports; modules
    that wait and are loaded when looked at. Whoever wants them gets them."""
    done = subprocess.run(
        [sys.executable, "-c", SAYS], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split("\n") == ["", "1", ""]
