"""A data folder that an earlier version left: `layout-4.tar.xz`, and what was known of it then.

Made by commit c00238b (layout 4 of the log, no accounts, no views, half the reports): a collector, sixteen
people with an account who agreed and looked at three pages each, one page view of somebody who said nothing,
one event of no site, one of the sixteen who withdrew, one request for access; then `throng facts`, `reports`,
`publish`.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

HERE = Path(__file__).parent
FOLDED = {"received": 50, "stored": 49, "refused": {"invalid": 1}}
PEOPLE, GONE, ASKED = 16, "u15", "R-DGHF-8NXA-RR1Z"


def unpack(to: Path) -> Path:
    """The folder, as it lay."""
    with tarfile.open(HERE / "layout-4.tar.xz") as whole:
        whole.extractall(to, filter="data")
    return to
