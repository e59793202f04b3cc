"""An earlier version's data folder is read as it is: what was said holds, and each event counts once."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from consent_filter.counts import Counts
from consent_filter.errors import Broken
from consent_filter.events import NOTHING
from consent_filter.fields import LAYOUT
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import BY_NAME
from consent_filter.rights.register import Register
from ingest.log import record
from tests.throng.upgrade.before import ASKED, FOLDED, GONE, PEOPLE, unpack
from throng import balance, jobs, lock


def test_killed_at_any_line_of_it_an_upgrade_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.throng.upgrade.killed", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    said = json.loads(ran.stdout)
    assert said["wrong"] == []
    assert min(said["kills"].values()) > 5


def test_what_was_said_and_counted_before_holds(tmp_path: Path) -> None:
    data = unpack(tmp_path / "data")
    with lock.pipeline(data, quiet=True):
        jobs.facts(data)
        made = jobs.reports(data)
    assert made["days"] == 1, "its one day is made anew, with columns that there are now"
    assert {"traffic_day", "viewing"} <= set(made["changed"])
    found = balance.whole(data)
    assert found["received"] == FOLDED["received"] == found["stored"] + sum(found["refused"].values())
    keys = Keyring.open(data / "keys.json")
    with closing(Ledger.open(data / "ledger.sqlite", keys)) as ledger:
        assert ledger.verify()
        said = {f"u{n}": ledger.get("shop", "user", f"u{n}") for n in range(PEOPLE)}
        refused = {who for who, entry in said.items() if entry and entry.deny & BY_NAME["measurement"]}
        assert all(said.values()), "each of them is found again"
        assert refused == {GONE}
    with closing(Register.open(data)) as register:
        assert register.store.case(register.store.row(ASKED)).right == "access"


def test_a_record_of_another_layout_is_named_and_not_guessed_at() -> None:
    """Why the log is folded before an upgrade: docs/runbook.md."""
    data = bytearray(record.encode(record.Record(NOTHING, Counts())))
    data[0] -= 1
    with pytest.raises(Broken, match=f"layout {LAYOUT - 1}; this version reads {LAYOUT}"):
        record.decode(bytes(data))
