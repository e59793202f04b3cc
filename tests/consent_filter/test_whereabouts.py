"""Of a declared place, a time zone and an address nothing is kept but whether they agree (M29)."""

from __future__ import annotations

from itertools import product
from zoneinfo import available_timezones

import msgspec
import pytest

from consent_filter import policy
from consent_filter.apply import apply
from consent_filter.decide import Laws, decide
from consent_filter.events import TEXTS
from consent_filter.ledger import Ledger
from consent_filter.policy import Use
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import Purpose
from consent_filter.whereabouts import Declared, agreement, countries
from tests.consent_filter.rows import NOON, SITES, Row, batch

#: Countries, or where there is none; zones with the countries that keep them.
COUNTRIES = ("DE", "NO", "US", None)
ZONES = {
    "Europe/Berlin": {"DE", "DK", "NO", "SE", "SJ"},
    "Europe/Oslo": {"NO", "DE", "DK", "SE", "SJ"},
    "US/Eastern": {"US"},
    "Mars/Olympus": set(),
    "UTC": set(),
    None: set(),
}


@pytest.mark.requirement("M29")
@pytest.mark.parametrize(("declared", "zone", "address"), list(product(COUNTRIES, ZONES, COUNTRIES)))
def test_every_declared_country_by_every_zone_by_every_address(
    declared: str | None, zone: str | None, address: str | None
) -> None:
    """Said out: each pair of the three that both say something must have a country in common."""
    three = [{declared} - {None}, ZONES[zone], {address} - {None}]
    said = [one for one in three if one]
    found = agreement(Declared(declared, zone), address or "ZZ")
    if len(said) < 2:
        assert found == "unknown"
    else:
        fits = all(one & other for one in said for other in said)
        assert found == ("match" if fits else "mismatch")
    assert agreement(None, address or "ZZ") is None


@pytest.mark.requirement("M29")
def test_the_names_that_browsers_still_send_are_known() -> None:
    """Chromium says Asia/Calcutta where the database has said Kolkata since 2008."""
    assert countries("Asia/Calcutta") == countries("Asia/Kolkata") == {"IN"}
    assert "UA" in countries("Europe/Kiev")
    assert countries("Europe/Oslo") >= {"NO"}
    places = [zone for zone in available_timezones() if zone.split("/")[0] in ("Europe", "America", "Asia")]
    assert [zone for zone in places if not countries(zone)] == []


@pytest.mark.requirement("M29")
@pytest.mark.parametrize("granted", [True, False])
@pytest.mark.parametrize("user", ["u1", None])
def test_only_the_word_is_kept_and_only_for_security(granted: bool, user: str | None) -> None:
    """Without an identifier it is not kept at all: it would help to tell visitors apart."""
    shipped = policy.load("worktasker-2014")
    use = Use(basis="consent", default=False)
    regimes = {
        name: msgspec.structs.replace(regime, purposes={**regime.purposes, "security": use})
        for name, regime in shipped.regimes.items()
    }
    pack = msgspec.structs.replace(shipped, regimes=regimes) if granted else shipped
    keys = Keyring.memory(lambda: NOON / 1000)
    ledger = Ledger.memory(keys)
    said = Declared("US", "Asia/Calcutta")
    row = Row(
        site="us",
        country="US",
        user_id=user,
        consent=b'{"measurement": true, "security": true}',
        declared=said,
    )
    raw = batch([row])
    found = apply(raw, decide(raw, ledger.words(raw), Laws({"us": pack})), keys, ledger, SITES)
    (stored,) = found.batch.to_pylist()
    assert bool(stored["purposes"] & Purpose.SECURITY) is granted
    assert stored["place"] == ("mismatch" if granted and user else None)
    assert not {"Asia/Calcutta", "declared"} & set(map(str, stored.values()))
    assert "place" in TEXTS
