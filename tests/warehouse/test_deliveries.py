"""The release ledger is only added to, and says who has what; recipients are who the settings say."""

from __future__ import annotations

import sqlite3
from datetime import date
from pathlib import Path

import pytest

from consent_filter.errors import Misconfigured, Refused
from consent_filter.signing import SigningKey
from warehouse import deliveries, link, recipient
from warehouse.deliveries import Delivery, Release
from warehouse.pack import Ground
from warehouse.recipient import Processor, Recipient, Schedule, Terms

GROUND = Ground("market", "workallies-2024 1", "EU", "US", "clauses", "")
TABLE = {"name": "growth", "keys": ["site", "month"], "numbers": ["people"], "rows": 3, "sha256": "ab" * 32}


def release(version: int = 1, id: str = "") -> Release:
    why = "" if version == 1 else "why"
    name = id or f"r{version}"
    return Release(name, "investors", "2026-Q3", ("market",), version, why, "ab" * 32, 1000 + version, "")


def delivery(id: str = "d1", of: str = "r1", to: str = "fund", expires: int = 5000) -> Delivery:
    return Delivery(id, of, to, 2000, "cd" * 32, "T-7", "US", (GROUND,), expires, 2, "Ada")


@pytest.mark.requirement("M54")
def test_what_was_written_stays(tmp_path: Path) -> None:
    with deliveries.ledger(tmp_path) as book:
        book.add(release(), [TABLE], {"market": ("EU", "US")})
        assert book.homes("r1") == {"market": ("EU", "US")}
        book.take("r1", "approved", by="Ada")
        book.deliver(delivery())
        book.fetch("d1")
        assert book.deliveries(recipient="fund") == [delivery()]
        assert book.tables("r1") == [TABLE]
        assert book.state("r1") == deliveries.APPROVED
        assert len(book.fetches("d1")) == 1
    with sqlite3.connect(deliveries.file(tmp_path)) as database:
        for table in ("releases", "tables", "homes", "steps", "deliveries", "fetches"):
            for verb in (f"DELETE FROM {table}", f"UPDATE {table} SET rowid = rowid"):
                with pytest.raises(sqlite3.IntegrityError, match="only added to"):
                    database.execute(verb)
    database.close()
    assert deliveries.file(tmp_path).stat().st_mode & 0o077 == 0


def test_versions_follow_each_other(tmp_path: Path) -> None:
    with deliveries.ledger(tmp_path) as book:
        for version in (1, 2, 3):
            book.add(release(version), [], {})
        assert [one.version for one in book.revisions(release(2))] == [1, 2]
        assert book.newer(release(1)) is None
        book.take("r2", "approved", by="Ada")
        book.take("r3", "approved", by="Ada")
        book.take("r3", "recalled", why="wrong")
        assert book.newer(release(1)) == release(2)
        with pytest.raises(sqlite3.IntegrityError):
            book.add(release(2, "other"), [], {})


def test_a_link_is_good_for_one_delivery_and_until_its_end() -> None:
    key, other = SigningKey.of(b"k" * 32), SigningKey.of(b"o" * 32)
    word = link.make(key, "00ff", 5000)
    assert link.read(key.public, word, 4999) == "00ff"
    with pytest.raises(Refused) as refused:
        link.read(key.public, word, 5000)
    assert refused.value.status == 410
    longer = word.replace(".5000.", ".9000.")
    for bad in (
        longer,
        f"01{word[2:]}",
        word[:-1],
        link.make(other, "00ff", 5000),
        "",
        "..",
        "a.b.c",
        "x" * 999,
    ):
        with pytest.raises(Refused, match="no link"):
            link.read(key.public, bad, 4999)


def fund(**other: object) -> Recipient:
    said = {"name": "fund", "kind": "investor", "region": "US", "until": date(2027, 1, 1)}
    return Recipient(**(said | {"terms": Terms(id="T-7", permitted_use="To assess.")} | other))  # type: ignore[arg-type]


@pytest.mark.requirement("M91")
def test_only_who_has_terms_that_are_not_over_is_given_anything() -> None:
    assert recipient.find([fund()], "fund", "investors", date(2026, 12, 31)).terms.id == "T-7"
    for name, audience, day, code in (
        ("fond", "investors", date(2026, 12, 31), "recipient"),
        ("fund", "investors", date(2027, 1, 1), "recipient_expired"),
        ("fund", "advertiser", date(2026, 12, 31), "audience"),
    ):
        with pytest.raises(Refused) as refused:
            recipient.find([fund()], name, audience, day)
        assert refused.value.code == code
    for wrong in ({"kind": "friend"}, {"region": ""}, {"region": "us"}, {"name": "A b"}, {"key": "none"}):
        with pytest.raises(Misconfigured):
            fund(**wrong)
    with pytest.raises(Misconfigured):
        Terms(id="T-7", permitted_use=" ")


@pytest.mark.requirement("M90")
def test_a_processor_says_what_it_sees_where_and_since_when() -> None:
    said = {"name": "Mailer", "does": "sends codes", "purposes": ("security",), "region": "EU",
            "since": date(2026, 1, 1)}  # fmt: skip
    assert Processor(fields=("country",), **said).since == date(2026, 1, 1)  # type: ignore[arg-type]
    for wrong in ({"fields": ("home_address",)}, {"purposes": ("fun",)}, {"region": "Mars"}, {"region": ""},
                  {"until": date(2025, 1, 1)}):  # fmt: skip
        with pytest.raises(Misconfigured):
            Processor(**({"fields": ()} | said | wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("every", "day", "last"),
    [
        ("month", date(2026, 1, 5), "2025-12"),
        ("month", date(2026, 10, 1), "2026-09"),
        ("quarter", date(2026, 10, 1), "2026-Q3"),
        ("quarter", date(2026, 3, 31), "2025-Q4"),
        ("year", date(2026, 3, 31), "2025"),
    ],
)
def test_a_schedule_knows_the_last_period(every: str, day: date, last: str) -> None:
    assert Schedule(audience="investors", every=every).last(day) == last


@pytest.mark.parametrize(
    ("every", "day", "done", "asked"),
    [
        ("month", date(2026, 10, 1), (), ["2026-09"]),
        ("month", date(2026, 10, 1), ("2026-09",), ["2026-09"]),
        ("month", date(2026, 10, 1), ("2026-06", "2026-Q2", "2025"), ["2026-07", "2026-08", "2026-09"]),
        ("month", date(2026, 10, 1), ("2024-06",), [f"2025-{n}" for n in (10, 11, 12)] + [
            f"2026-0{n}" for n in range(1, 10)]),
        ("quarter", date(2026, 10, 1), ("2025-Q4", "2026-09"), ["2026-Q1", "2026-Q2", "2026-Q3"]),
        ("year", date(2026, 3, 31), ("2020",), ["2025"]),
    ],
)  # fmt: skip
def test_what_a_schedule_has_missed_is_due_once(
    every: str, day: date, done: tuple[str, ...], asked: list[str]
) -> None:
    schedule = Schedule(audience="investors", every=every)
    assert schedule.due(day, done) == asked
    assert schedule.due(day, {*done, *asked}) == asked[-1:]
