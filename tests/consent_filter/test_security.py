"""What is kept for security: apart from all else, for the role alone, for a short time (M44)."""

from __future__ import annotations

import json
from pathlib import Path as File

import pytest

from consent_filter import security
from consent_filter.errors import Misconfigured, Refused
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Place
from consent_filter.site import Site
from consent_filter.suspicion import SPIKE
from ingest.enrich import Enrich
from ingest.path import Path
from ingest.rates import hashed, prefix
from ingest.request import Browser, Request
from ingest.settings import Sites

NOON = 1_795_435_200_000
NOW = NOON / 1000
HOUR = NOON // 3_600_000
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def spike(n: int, hour: int = HOUR, events: int = 3000) -> tuple[int, bytes, int, int]:
    return hour, bytes([n] * 8), events, events


@pytest.mark.requirement("M44")
def test_only_the_role_reads_it_and_who_has_read_is_written_down(tmp_path: File) -> None:
    with pytest.raises(Refused, match="role"):
        security.networks(tmp_path, "anything", NOW)
    security.note(tmp_path, [spike(1), spike(2)], 14, NOW)
    security.note(tmp_path, [spike(1, events=4000)], 14, NOW)
    token = security.admit(tmp_path, " Ann  Lee ", NOW)
    for wrong in ("", "anything", token[:-1], token + "x"):
        with pytest.raises(Refused, match="role"):
            security.networks(tmp_path, wrong, NOW)
    assert security.networks(tmp_path, token, NOW) == [
        (HOUR * 3600, "01" * 8, 7000, 4000), (HOUR * 3600, "02" * 8, 3000, 3000)
    ]  # fmt: skip
    with security.opened(tmp_path / security.FILE, "") as database:
        assert database.execute("SELECT name, rows FROM looked").fetchall() == [("Ann Lee", 2)]
        assert token.encode() not in (tmp_path / security.FILE).read_bytes()
    with pytest.raises(Refused, match="role"):
        security.networks(tmp_path, token, NOW + security.TOKEN_DAYS * 86_400)
    assert security.dismiss(tmp_path, "Ann Lee") == 1
    with pytest.raises(Refused, match="role"):
        security.networks(tmp_path, token, NOW)


@pytest.mark.requirement("M44")
def test_it_is_kept_for_days_and_then_gone_from_the_disk(tmp_path: File) -> None:
    security.note(tmp_path, [spike(7)], 14, NOW)
    file = tmp_path / security.FILE
    assert bytes([7] * 8) in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    security.note(tmp_path, [], 14, NOW + 13 * 86_400)
    assert bytes([7] * 8) in file.read_bytes()
    security.note(tmp_path, [], 14, NOW + 14 * 86_400 + 1)
    assert bytes([7] * 8) not in file.read_bytes()


def test_where_nothing_is_to_be_kept_there_is_no_file(tmp_path: File) -> None:
    security.note(tmp_path, [spike(7)], 0, NOW)
    assert not (tmp_path / security.FILE).exists()
    with pytest.raises(Misconfigured, match="keep_days"):
        security.Security(keep_days=365)


@pytest.mark.requirement("M44")
def test_no_hash_of_it_is_in_facts_or_leads_there(tmp_path: File) -> None:
    """The same flood, stored as adverts' events and noted for security: with nothing to join them by."""
    clock = [NOW]
    keys = Keyring.open(tmp_path / "keys.json", lambda: clock[0])
    sites = Sites([Site(id="market")])
    enrich = Enrich(sites, lambda address: Place("NA", "US", None, "residential"))
    path = Path(sites, enrich, Packs(sites), Ledger.memory(keys), keys)
    event = {"site": "market", "type": "ad_impression", "url": "/", "consent": {"ad_measurement": True}}
    body = json.dumps([{**event, "id": n, "ad": {"id": f"v{n}"}} for n in range(32)]).encode()
    browser = Browser((AGENT, ("", "", ""), None))
    addresses = [f"203.0.113.{n}" for n in range(64)]
    sent = [Request("beacon", "POST", b"", body, address, browser, NOON) for address in addresses]
    record, _ = path.run(sent + sent)
    assert max(record.batch["ad_rate"].to_pylist()) >= SPIKE
    spikes = path.rates.take()
    security.note(tmp_path, spikes, 14, NOW)
    (one,) = spikes
    mine = {int.from_bytes(one.network, order) for order in ("little", "big")}
    facts = {
        value
        for name in ("person", "event_id", "ad_view", "ad_order")
        for value in record.batch[name].to_pylist()
    }
    assert len(facts) > 64
    assert not mine & facts
    # Whoever has the facts' own keys makes another hash of the same network, with every one of them.
    others = [keys.day(keys.today(), purpose) for purpose in ("measurement", "advertising")]
    others += [keys.state(purpose) for purpose in ("event_id", "adverts", "identity", "ledger")]
    for state in others:
        copy = state.copy()
        copy.update(prefix("203.0.113.1").encode())
        assert copy.digest()[:8] != one.network
    held = (tmp_path / security.FILE).read_bytes()
    assert not [said for said in ("203.0.113", "market", "v1", AGENT[:20]) if said.encode() in held]
    # After 48 hours the key is gone, and with it whose hash it was.
    assert hashed(keys, prefix("203.0.113.1")) == one.network
    clock[0] += 2 * 86_400
    keys.roll()
    assert hashed(keys, prefix("203.0.113.1")) != one.network
    assert keys.day(NOON // 86_400_000, "security") is None
