"""Places: every address of the reference data, every damaged file, and the file that ships."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytz
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.errors import Misconfigured
from ingest.enrich.continent import CONTINENT
from ingest.enrich.place import NOWHERE, SHIPPED, Places

CONTINENTS = {"AF", "AN", "AS", "EU", "NA", "OC", "SA"}
NETWORKS = {"hosting", "mobile", "business", "residential", "unknown"}


@pytest.fixture(scope="module")
def shipped() -> Iterator[Places]:
    places = Places.open()
    yield places
    places.close()


def expected(data: Path, database: str) -> list[dict[str, Any]]:
    with gzip.open(data / "geo" / "expected.jsonl.gz", "rt") as lines:
        return [row for row in map(json.loads, lines) if row["db"] == database]


@pytest.mark.needs("data")
def test_the_reference_data_is_whole(data: Path) -> None:
    with gzip.open(data / "geo" / "expected.jsonl.gz") as lines:
        assert sum(1 for _ in lines) == 11_849


@pytest.mark.requirement("M27")
@pytest.mark.needs("data")
@pytest.mark.parametrize(
    "database",
    [
        "GeoIP2-City-Test",
        "GeoIP2-Country-Test",
        "GeoIP2-Enterprise-Test",
        "GeoLite2-City-Test",
        "GeoLite2-Country-Test",
    ],
)
def test_every_country_continent_and_region_is_the_reference_one(data: Path, database: str) -> None:
    places = Places.open(data / "geo" / "mmdb" / f"{database}.mmdb")
    rows = expected(data, database)
    for row in rows:
        says, found = row["expected"], places.look(row["ip"])
        country = says.get("country_iso") or says.get("registered_country_iso") or "ZZ"
        assert found.country == country, row
        if "continent_code" in says:
            assert found.continent == says["continent_code"], row
            if "country_iso" in says:  # our own table agrees with the makers of the data
                assert CONTINENT[country] == says["continent_code"], row
        if "subdivisions_iso" in says:
            assert found.region == f"{country}-{says['subdivisions_iso'][0]}", row
    assert rows


CONNECTIONS = {
    "Cable/DSL": "residential", "Cellular": "mobile", "Corporate": "business", "Dialup": "residential",
    "Satellite": "residential",
}  # fmt: skip


@pytest.mark.needs("data")
def test_every_class_of_network_is_the_reference_one(data: Path) -> None:
    mmdb = data / "geo" / "mmdb"
    places = Places.open(networks=[mmdb / "GeoIP2-Connection-Type-Test.mmdb"])
    for row in expected(data, "GeoIP2-Connection-Type-Test"):
        assert places.look(row["ip"]).network == CONNECTIONS[row["expected"]["connection_type"]], row
    for name in ("GeoIP2-Anonymous-IP-Test", "GeoIP-Anonymous-Plus-Test"):
        places = Places.open(networks=[mmdb / f"{name}.mmdb"])
        for row in expected(data, name):
            hosting = row["expected"].get("is_hosting_provider")
            assert places.look(row["ip"]).network == ("hosting" if hosting else "unknown"), row
    places = Places.open(networks=[mmdb / "GeoIP2-ISP-Test.mmdb"])
    for row in expected(data, "GeoIP2-ISP-Test"):
        mobile = row["expected"].get("mobile_network_code")
        found = places.look(row["ip"]).network
        assert found in ({"mobile", "hosting"} if mobile else {"unknown", "hosting"}), row
    places = Places.open(networks=[mmdb / "GeoLite2-ASN-Test.mmdb"])
    assert {places.look(row["ip"]).network for row in expected(data, "GeoLite2-ASN-Test")} <= {
        "unknown",
        "hosting",
    }


@pytest.mark.needs("data")
def test_several_databases_answer_together(data: Path) -> None:
    mmdb = data / "geo" / "mmdb"
    places = Places.open(
        mmdb / "GeoIP2-Country-Test.mmdb",
        [mmdb / "GeoIP2-Connection-Type-Test.mmdb", mmdb / "GeoIP2-Anonymous-IP-Test.mmdb"],
    )
    assert places.look("2001:218::1") == ("AS", "JP", None, "unknown")
    assert places.look("71.160.223.1").network == "hosting"  # from the second
    assert places.look("2.125.160.216") == (
        "EU",
        "GB",
        None,
        "residential",
    )  # country from one, network from another


@pytest.mark.needs("data")
def test_a_named_database_alone_says_the_country(data: Path) -> None:
    """The file that ships would know 8.8.8.8; it may only add that a cloud owns an address."""
    places = Places.open(data / "geo" / "mmdb" / "GeoIP2-Country-Test.mmdb")
    assert places.look("8.8.8.8").country == "ZZ"
    assert places.look("52.95.110.1") == (None, "ZZ", None, "hosting")
    assert not places.approximate


@pytest.mark.needs("data")
def test_every_damaged_file_is_refused(data: Path) -> None:
    files = sorted((data / "geo" / "bad").glob("*.mmdb"))
    assert len(files) == 25
    for file in files:
        for key, arguments in (("ingest.geo", (file, ())), ("ingest.networks", (None, (file,)))):
            with pytest.raises(Misconfigured) as caught:
                Places.open(*arguments)
            assert caught.value.key == key
            assert caught.value.value == str(file)
            assert caught.value.__cause__ is None


@pytest.mark.parametrize("content", [b"", b"\0", b"not a database", b"\xab\xcd\xefMaxMind.com"])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "geo.mmdb"
    file.write_bytes(content)
    with pytest.raises(Misconfigured, match=r"geo\.mmdb"):
        Places.open(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"ingest\.geo = .*absent\.mmdb.*No such file"):
        Places.open(tmp_path / "absent.mmdb")
    with pytest.raises(Misconfigured, match=r"ingest\.geo"):
        Places.open(tmp_path)


def test_damage_found_later_names_no_address(tmp_path: Path) -> None:
    """A large file is only sampled when it is opened."""
    good = SHIPPED.read_bytes()
    tree, data = good[: good.index(bytes(16))], good[good.index(bytes(16)) + 16 :]
    broken = tmp_path / "geo.mmdb"
    end = data.rindex(b"\xab\xcd\xefMaxMind.com")
    broken.write_bytes(tree + bytes(16) + b"\x7f" * end + data[end:])
    with pytest.raises(Misconfigured) as caught:
        Places.open(broken)
    assert "1." not in str(caught.value).replace(str(broken), "")
    from ingest.enrich import place

    reader = place._map(broken)
    with pytest.raises(Misconfigured) as caught:
        Places([("ingest.geo", reader)], approximate=False).look("8.8.8.8")
    assert "8.8" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_shipped_file_knows_well_known_addresses(shipped: Places) -> None:
    assert shipped.approximate
    assert shipped.look("83.149.9.216") == ("EU", "RU", None, "unknown")
    assert shipped.look("193.0.6.139") == ("EU", "NL", None, "unknown")
    assert shipped.look("2001:67c:2e8::1").country == "NL"
    assert shipped.look("133.11.0.1")[:2] == ("AS", "JP")
    assert shipped.look("200.160.2.3")[:2] == ("SA", "BR")
    assert shipped.look("196.216.2.1")[0] == "AF"
    assert shipped.look("52.95.110.1").network == "hosting"
    assert shipped.look("::ffff:193.0.6.139") == shipped.look("193.0.6.139")


def test_the_shipped_file_is_sound_throughout(shipped: Places) -> None:
    """Every record of it is understood, every country has a continent, and it stays small."""
    assert SHIPPED.stat().st_size < 1 << 20
    places = Places.open(SHIPPED)  # reads it whole
    assert places.look("193.0.6.139") == shipped.look("193.0.6.139")
    from ingest.enrich import place

    reader = place._map(SHIPPED)
    records = {tuple(sorted(record.items())) for _, record in reader}
    countries = {dict(record).get("country_code") for record in records} - {None}
    assert countries <= set(CONTINENT)
    assert len(countries) > 230
    assert {dict(record).get("network") for record in records} == {None, "hosting"}


def test_an_ipv4_file_leaves_ipv6_unknown(data: Path, tmp_path: Path) -> None:
    class Four:
        def get(self, address: str) -> Any:
            if ":" in address:  # what the reader does
                raise ValueError(f"Error looking up {address}. You attempted to look up an IPv6 address")
            return {"country_code": "nl"}

    places = Places([("ingest.geo", Four())], approximate=False)
    assert places.look("2001:67c:2e8::1") == NOWHERE
    assert places.look("193.0.6.139") == ("EU", "NL", None, "unknown")


def test_one_record_is_not_taken_for_another() -> None:
    class Flat:
        def get(self, address: str) -> Any:
            return {"country_code": "US"} | {
                "8.8.8.8": {"state1": "Ohio"},
                "8.8.4.4": {"network": "mobile"},
            }.get(address, {})

    places = Places([("ingest.geo", Flat())], approximate=False)
    for _ in range(2):
        assert places.look("9.9.9.9") == ("NA", "US", None, "unknown")
        assert places.look("8.8.8.8") == ("NA", "US", "Ohio", "unknown")
        assert places.look("8.8.4.4") == ("NA", "US", None, "mobile")


@pytest.mark.parametrize(
    "address",
    ["", "-", "localhost", "unknown", "127.0.0.1", "10.1.2.3", "172.31.255.255", "192.168.0.1", "100.64.0.1",
     "169.254.1.1", "0.0.0.0", "::", "::1", "fe80::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "1.2.3",
     "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.4:80", "[2001:db8::1]", "2001:db8::1::2", "\0", "é",
     "\ud800"],
)  # fmt: skip
def test_no_place_is_made_up(address: str) -> None:
    class Everywhere:
        def get(self, address: str) -> Any:
            return {"country_code": "FR", "network": "hosting"}

    assert Places([("ingest.geo", Everywhere())], approximate=False).look(address) == NOWHERE


@given(st.one_of(st.ip_addresses().map(str), st.text(max_size=45)))
def test_any_text_has_an_answer(address: str) -> None:
    place = SHIPPED_PLACES.look(address)
    assert place.continent in CONTINENTS | {None}
    assert len(place.country) == 2
    assert place.network in NETWORKS


SHIPPED_PLACES = Places.open()


KEYS = [
    "country", "iso_code", "registered_country", "continent", "code", "country_code", "subdivisions", "names",
    "en", "traits", "user_type", "connection_type", "network", "autonomous_system_number", "state1",
]  # fmt: skip


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3), st.floats(allow_nan=False)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=2),
            st.dictionaries(
                st.sampled_from(KEYS),
                inner, max_size=4,
            ),
        ),
        max_leaves=8,
    ).filter(lambda record: isinstance(record, dict))
)  # fmt: skip
def test_any_record_has_an_answer(record: Any) -> None:
    """A database is somebody else's file: no shape of record may raise, or put anything odd in a column."""

    class One:
        def get(self, address: str) -> Any:
            return record

    place = Places([("ingest.geo", One())], approximate=False).look("8.8.8.8")
    assert len(place.country) == 2
    assert place.network in NETWORKS
    assert place.region is None or isinstance(place.region, str)


def test_continents_agree_with_time_zones() -> None:
    """A second opinion on the table: the first part of a country's zones, in another project's data."""
    areas = {
        "Africa": {"AF"}, "America": {"NA", "SA"}, "Antarctica": {"AN"}, "Arctic": {"EU"}, "Asia": {"AS"},
        "Australia": {"OC"}, "Europe": {"EU"}, "Pacific": {"OC", "NA", "SA", "AS"},
    }  # fmt: skip
    odd = {"CY": "EU", "TL": "OC", "AQ": "AN", "TR": "AS"}  # GeoNames, and the reference data, say so
    for country, zones in pytz.country_timezones.items():
        firsts = {zone.split("/")[0] for zone in zones} - {"Atlantic", "Indian"}
        allowed = set().union(*(areas[first] for first in firsts))
        assert odd.get(country) == CONTINENT[country] or not allowed or CONTINENT[country] in allowed, country
    assert set(pytz.country_names) - set(CONTINENT) <= set()
