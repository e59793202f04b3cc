"""A clock that steps back: through the path, the log, facts and reports, nothing is lost or twice."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.site import Site
from ingest.enrich import Enrich
from ingest.enrich.agent import Agents
from ingest.log.segment import SegmentLog
from ingest.path import Path as Way
from ingest.settings import Ingest, Sites
from pipelines import facts, publish, reports
from pipelines.settings import Pipelines
from tests.ingest.protocols.cases import NOW_MS
from tests.ingest.test_path import look, sent
from throng import balance
from warehouse.settings import Warehouse

SITES = Sites([Site(id="market", timezone="UTC")])
HOUR, DAY = 3600, 86_400
#: Seconds from the beginning at which the collector looks at its clock, one after the other.
STEPS = (0, HOUR, -HOUR, 2 * HOUR, -DAY, 0, DAY, -2 * DAY, 60)


def test_a_clock_that_steps_back(tmp_path: Path) -> None:
    begun, now, number, retried = NOW_MS / 1000, NOW_MS / 1000, 0, 0
    keys = Keyring.open(tmp_path / "keys.json", lambda: now)
    ledger = Ledger.open(tmp_path / "ledger.sqlite", keys)
    way = Way(SITES, Enrich(SITES, look, Agents(), False), Packs(SITES), ledger, keys, limits=Ingest())
    log = SegmentLog(tmp_path / "log", "collector")
    for step in STEPS:
        now = begun + step
        requests = []
        for who in range(4):
            number += 1
            one = sent({"id": f"e{number}", "device_id": f"d{who}", "consent": {"measurement": True}})
            one.received = round(now * 1000)
            requests.append(one)
        retry = sent({"id": "e1", "device_id": "d0", "consent": {"measurement": True}})
        retry.received = round(now * 1000)
        record, answers = way.run([*requests, retry])  # of an event that an earlier run has folded
        retried += 1
        assert [answer.status for answer in answers] == [202] * 5
        ledger.flush()
        log.append(record)
        assert facts.run(tmp_path, Pipelines(), now).stored == 4
    log.close()
    ledger.close()
    assert balance.whole(tmp_path) == {
        "received": number + retried,
        "stored": number,
        "refused": {"duplicate": retried},
    }
    settings = Warehouse(min_group=1)
    reports.run(tmp_path, settings)
    assert publish.run(tmp_path, settings).failures == []
    found = pq.read_table(tmp_path / "published" / "current" / "traffic_day.parquet").to_pylist()
    assert sum(row["views"] for row in found) == number
    # An identifier is the same person on each day that the clock named.
    assert {row["people"] for row in found} == {4}
