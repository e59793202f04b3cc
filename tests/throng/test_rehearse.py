"""`throng rehearse`: what a change of policy does to a stream; a stricter policy stores a part of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from consent_filter.ledger import Ledger
from consent_filter.policy import Pack, load
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Place
from consent_filter.site import Site
from ingest.enrich.agent import Agents
from ingest.settings import Sites
from tests.consent_filter.test_decide import packs
from tests.consent_filter.test_policy_change import without_the_significant
from tests.throng.conftest import Throng
from throng import year
from throng.difference import compare
from throng.rehearsal import Run, run, step

HERE = Path(__file__).parent
AGENTS = Agents()
SITES = Sites([Site(id=year.SITE, props=("plan",))])
YEAR = [step(said, "it") for said in year.stream(7, 8, visits=2)]


def under(pack: Pack, steps: Any = YEAR) -> Run:
    def nowhere(address: str) -> Place:
        return Place(None, "ZZ", None, "unknown")

    return run(steps, SITES, {year.SITE: pack}, Keyring.memory, Ledger.memory, nowhere, AGENTS)


@pytest.mark.requirement("M123", "M124", "S5")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(packs(), packs())
def test_a_stricter_policy_stores_a_part_of_what_the_laxer_does(old: Pack, other: Pack) -> None:
    new = msgspec.structs.replace(without_the_significant(old, other), age=old.age)
    before, after = under(old), under(new)
    for was, now in zip(before.fates, after.fates, strict=True):
        assert {*now.stored} <= {*was.stored}
        assert all(was.stored[name] == now.stored[name] for name in {*now.stored} - {"event_id"})
    assert after.bytes <= before.bytes
    found = compare(YEAR, before, after)
    assert not any(gained for *_, gained in found.fields.values())
    assert not found.reset
    assert not found.again


def test_a_policy_does_not_differ_from_itself() -> None:
    pack = load("workallies-2024")
    found = compare(YEAR, under(pack), under(pack))
    assert (found.fates, found.fields, found.purposes, found.changes) == ({}, {}, {}, [])
    assert sum(found.kept[0].values()) == found.received == len(under(pack).fates)


def test_a_column_that_nobody_may_read_is_lost() -> None:
    old = load("workallies-2024")
    regime = old.regimes["opt_out"]
    uses = {name: use for name, use in regime.purposes.items() if name != "measurement"}
    stricter = msgspec.structs.replace(regime, purposes=uses)
    new = msgspec.structs.replace(old, version="2", regimes={**old.regimes, "opt_out": stricter})
    found = compare(YEAR, under(old), under(new))
    # Visits end; adverts go on, and without measurement nobody has a lasting pseudonym.
    assert {key[1] for key in found.fates} == {"refused: consent", "cookieless"}
    assert {country for country, *_ in found.by_country} <= {"US", "CA"}
    assert found.fields["path"][2] > 0
    assert "event_id" not in found.fields  # no event of the year has an id


@pytest.mark.requirement("M123", "S5")
def test_the_golden_year(throng: Throng) -> None:
    """worktasker-2014 against workallies-2024: what a lawyer would look at before the change."""
    said = throng("rehearse", "worktasker-2014", "workallies-2024", "--people", "25")
    golden = HERE / "cases" / "rehearsal.txt"
    assert said.code == 0
    assert said.out == golden.read_text(), "if that is right: write what is printed to the file"


REQUESTS = [
    {"time": 1_790_000_000_000, "site": "shop", "type": "page_view", "url": "https://shop.example/canary",
     "country": "US", "device_id": "canary-1", "headers": {"DNT": "1"}, "address": "203.0.113.77"},
    {"time": 1_790_000_100_000, "site": "shop", "device_id": "canary-1", "choice": {"measurement": False}},
    {"time": 1_790_000_200_000, "event": {"site": "shop", "type": "page_view", "url": "/b",
     "device_id": "canary-1"}, "country": "US"},
]  # fmt: skip
GIVEN = b"\n".join(json.dumps(one).encode() for one in reversed(REQUESTS))


def test_requests_are_given_and_nothing_of_them_is_kept(throng: Throng, tmp_path: Path) -> None:
    said = throng(
        "rehearse", "worktasker-2014", "workallies-2024", "--requests", "-", "--format", "json", given=GIVEN
    )
    found = json.loads(said.out)
    assert (said.code, found["received"]) == (0, 2)
    assert found["kept"] == [{"identified": 1, "refused: consent": 1}] * 2
    assert found["purposes"]["research"] == [1, 0], "the newer text has no research"
    assert found["tell"] == 1
    assert "canary" not in said.out + said.err
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"canary", "malformed"),
        (b"[1]", "malformed"),
        (b'{"site": "canary"}', "time"),
        (b'{"time": 1, "type": "canary"}', "site"),
        (b'{"time": 1, "site": "shop", "choice": "canary"}', "choice"),
    ],
)
def test_what_is_no_request_is_named_by_its_line(throng: Throng, line: bytes, code: str) -> None:
    said = throng("rehearse", "worktasker-2014", "workallies-2024", "--requests", "-", given=b"\n" + line)
    assert said.code == 1
    assert f"({code})" in said.err
    assert "line 2" in said.err
    assert "canary" not in said.err


def test_nothing_to_run_is_said(throng: Throng) -> None:
    assert throng("rehearse", "worktasker-2014", "workallies-2024", "--requests", "-").code == 2
    assert throng("rehearse", "worktasker-2014", "workallies-2024", "--requests", "nowhere").code == 2
    assert throng("rehearse", "worktasker-2014", "nowhere").code == 2
