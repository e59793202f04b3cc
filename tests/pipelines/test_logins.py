"""A login from the request to the report: one person under every pseudonym that the filter made (M42)."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path as Folder
from typing import Any

import pytest

from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from ingest.enrich import Enrich
from ingest.log.segment import SegmentLog
from ingest.path import Path
from ingest.request import Browser, Request
from pipelines import facts
from pipelines import reports as job
from tests.ingest.protocols.cases import NOW_MS
from tests.ingest.test_path import AGENTS, PERSON, SITES, look
from warehouse.released import Store
from warehouse.settings import Warehouse


def _sent(minute: int, kind: str = "page_view", **said: Any) -> Request:
    body = {"site": "market", "type": kind, "url": "/a", "consent": {"measurement": True}} | said
    at, browser = NOW_MS + minute * 60_000, Browser((PERSON, ("", "", ""), None))
    return Request("beacon", "POST", b"", json.dumps(body).encode(), "192.0.2.2", browser, at)


def _people(data: Folder) -> list[int]:
    facts.run(data)
    job.run(data, Warehouse(min_group=1))
    with closing(Store.open(data)) as store:
        found = store.connection.execute("SELECT people FROM traffic_day ORDER BY day").fetchall()
        return [n for (n,) in found]


@pytest.mark.requirement("M42")
def test_who_logs_in_is_one_person_and_two_again_when_that_is_undone(tmp_path: Folder) -> None:
    now = [NOW_MS / 1000]
    keys = Keyring.open(tmp_path / "keys.json", lambda: now[0])
    with (
        closing(Ledger.open(tmp_path / "ledger.sqlite", keys)) as ledger,
        closing(SegmentLog(tmp_path / "log", "0")) as log,
    ):
        path = Path(SITES, Enrich(SITES, look, AGENTS), Packs(SITES), ledger, keys)

        def send(*requests: Request) -> None:
            record, _ = path.run(requests)
            ledger.flush()
            log.append(record)

        send(_sent(0, device_id="d1"), _sent(5, device_id="d1"))
        assert _people(tmp_path) == [1]
        send(_sent(9, device_id="d1", user_id="ann"), _sent(11, user_id="ann"))
        assert _people(tmp_path) == [1]
        device, account = ledger.key("market", "device", "d1"), ledger.key("market", "user", "ann")
        assert ledger.subject(account).linked == (device,)
        ledger.unlink(device, account, "officer", NOW_MS)
        assert _people(tmp_path) == [2]
        send(_sent(40, device_id="d1", user_id="ann"))
        assert _people(tmp_path) == [2], "told apart for good"
