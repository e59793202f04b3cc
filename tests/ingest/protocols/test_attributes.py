"""What an event says of its member, a referral and a place: known words, a cell, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.counterpart import LOST
from consent_filter.market import Counterpart
from consent_filter.member import CHANNELS, REMOVED, Member, Referral, cell, removed, standing
from consent_filter.purpose import Purpose
from ingest.protocols.attributes import Attributes
from ingest.settings import Ingest

READ = Attributes(Ingest())


@pytest.mark.requirement("M6", "M7")
@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"age_ok": True}, Member("ok", None)),
        ({"age_ok": False, "age_band": "25-34"}, Member("under", None)),
        ({"age_band": "25-34", "age_ok": True, "gender": "female"}, Member("25-34", "female")),
        ({"birth_date": "1999-04-01"}, Member(None, None, ("birth_date",))),
        (
            {"DOB": 7, "birthday": "1.4.", "email": "a@b.example"},
            Member(None, None, ("birth_date", "contact")),
        ),
        ({"age": 31}, Member(None, None, ("birth_date",))),
        ({"shoe_size": 43, "name": None}, Member(None, None, ("other",))),
        ({"age_ok": None, "gender": None}, None),
        ({}, None),
        ({"age_ok": 1}, False),
        ({"age_ok": "1999-04-01"}, False),
        ({"age_band": "1999-04-01"}, False),
        ({"age_band": ["25-34"]}, False),
        ({"gender": "f"}, False),
        ([], False),
        ("1999-04-01", False),
        ({str(n): n for n in range(1000)}, False),
    ],
)
def test_a_member(said: Any, found: Any) -> None:
    assert READ.member(json.dumps(said).encode()) == found


@pytest.mark.requirement("M16")
@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"code": "spring-26", "channel": "link"}, Referral("spring-26", "link")),
        ({"code": "x", "email": "bob@b.example", "name": "Bob"}, Referral("x", None, ("contact", "name"))),
        ({"phone": "+49 30 1234567"}, Referral(None, None, ("contact",))),
        ({}, None),
        ({"code": "bob@b.example"}, False),
        ({"code": "+49301234567"}, False),
        ({"code": "Bob Miller"}, False),
        ({"code": "x" * 33}, False),
        ({"channel": "carrier pigeon"}, False),
    ],
)
def test_a_referral_is_a_code_and_a_channel(said: Any, found: Any) -> None:
    assert READ.referral(json.dumps(said).encode()) == found


@pytest.mark.requirement("M28")
@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"lat": 57.64911, "lon": 10.40744}, "u4pr"),  # the geohash of its own article
        ({"lat": 52.52, "lon": 13.405, "accuracy": 12.5}, "u33d"),
        ({"lat": -33.87, "lon": 151.21}, "r3gx"),
        ({"lat": 78.2, "lon": 15.6}, "umg"),
        ({"lat": 52.52, "lon": 13.405, "accuracy": 30_000}, None),
        ({"lat": 52.52}, False),
        ({"lat": 90.1, "lon": 0}, False),
        ({"lat": "52.52", "lon": 13.4}, False),
        ({"lat": 52.52, "lon": 13.405, "accuracy": -1}, False),
    ],
)
def test_a_place_is_a_cell_as_soon_as_it_is_read(said: Any, found: Any) -> None:
    assert READ.geo(json.dumps(said).encode()) == found


@pytest.mark.requirement("M28")
@given(st.floats(-90, 90), st.floats(-180, 180))
def test_a_cell_is_large_wherever_it_is(lat: float, lon: float) -> None:
    """Places that share a cell: 300 km² and more of them, so that a cell says no street and no village."""
    text = cell(lat, lon)
    ends = [[-90.0, 90.0], [-180.0, 180.0]]
    for bit in (
        bool("0123456789bcdefghjkmnpqrstuvwxyz".index(c) >> n & 1) for c in text for n in (4, 3, 2, 1, 0)
    ):
        axis = ends[1]
        axis[not bit] = sum(axis) / 2
        ends.reverse()
    if len(text) * 5 % 2:
        ends.reverse()
    (south, north), (west, east) = ends
    assert south <= lat <= north
    assert west <= lon <= east
    mean = (abs(south) + abs(north)) / 2
    import math

    area = (north - south) * 111.2 * (east - west) * 111.2 * math.cos(math.radians(mean))
    assert area > 300, (text, area)


@pytest.mark.requirement("M18")
@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"user_id": "bob"}, Counterpart("bob")),
        ({"user_id": 7, "country": "US"}, Counterpart("7", "US")),
        (
            {"user_id": "bob", "email": "bob@b.example", "name": "Bob"},
            Counterpart("bob", "ZZ", ("contact", "name")),
        ),
        ({"user_id": ""}, None),
        ({}, None),
        ({"user_id": True}, False),
        ({"user_id": 2**63}, False),
        ({"user_id": "b" * 301}, False),
        ({"user_id": "bob", "country": "Germany"}, False),
        ([], False),
    ],
)
def test_the_other_side_is_an_id_and_a_country(said: object, found: object) -> None:
    assert READ.counterpart(json.dumps(said).encode()) == found


@pytest.mark.requirement("M29")
@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"country": "DE", "time_zone": "Europe/Berlin"}, ("DE", "Europe/Berlin")),
        ({"time_zone": "Europe/Berlin", "city": "Kiel"}, (None, "Europe/Berlin")),
        ({"country": None}, None),
        ({}, None),
        ({"country": "Germany"}, False),
        ({"country": "de"}, False),
        ({"country": "DE\n"}, False),
        ({"time_zone": "x" * 65}, False),
        ({"time_zone": 60}, False),
        ([], False),
    ],
)
def test_a_declared_place(said: object, found: object) -> None:
    assert READ.declared(json.dumps(said).encode()) == found


@given(
    st.binary(max_size=40)
    | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_any_bytes_are_read(data: bytes) -> None:
    for read in (READ.member, READ.referral, READ.geo, READ.counterpart, READ.declared):
        read(data)


def test_what_is_removed_is_of_a_known_kind() -> None:
    everything = Member("ok", "other", ("birth_date",)), Referral("x", "link", ("contact", "name", "other"))
    assert set(removed(0, *everything, True, (LOST,))) == REMOVED
    assert set(removed(int(Purpose.GENDER | Purpose.PRECISE_GEO), *everything, True, (LOST,))) == REMOVED - {
        "gender",
        "geo",
    }
    assert "link" in CHANNELS


@pytest.mark.requirement("M86")
@pytest.mark.parametrize(
    ("age", "minimum", "stands"),
    [
        (None, 18, "unknown"), ("ok", 18, "adult"), ("under", 18, "minor"), ("16-17", 18, "minor"),
        ("18-24", 18, "adult"), ("16-17", 16, "adult"), ("16-17", 17, "unknown"), ("under_13", 13, "minor"),
    ],
)  # fmt: skip
def test_how_old_somebody_is_held_to_be(age: str | None, minimum: int, stands: str) -> None:
    assert standing(age, minimum) == stands
