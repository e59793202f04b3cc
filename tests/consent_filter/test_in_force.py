"""The policy in force on the day of an event judges it; what a significant change resets is asked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter import book
from consent_filter.decide import Laws, decide
from consent_filter.errors import Misconfigured
from consent_filter.in_force import History, begins, history
from consent_filter.ledger import Ledger
from consent_filter.policy import Pack, Packs, load
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import BY_NAME
from consent_filter.site import Earlier, Site, day
from tests.consent_filter import rows as make
from tests.consent_filter.rows import NOON, Row, batch
from tests.consent_filter.test_decide import as_ruling, packs, platforms

DAY_MS = 86_400_000
TODAY = date(2026, 11, 23)
ZONES = ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/St_Johns", "Asia/Kathmandu"]


def local(zone: str, time: int) -> date:
    """The day it is there, as a calendar has it."""
    return (datetime.fromtimestamp(time / 1000, UTC).astimezone(ZoneInfo(zone))).date()


class Put(NamedTuple):
    """A choice: how long before noon (ms), by which id, and what."""

    before: int
    kind: str
    id: str
    choice: dict[str, bool]

    @property
    def at(self) -> int:
        return NOON - self.before


PURPOSES = ["measurement", "ad_measurement", "research", "remarketing", "marketing_email"]
puts = st.lists(
    st.builds(
        Put,
        st.integers(0, 6 * DAY_MS),
        st.sampled_from(["user", "device"]),
        st.sampled_from(["a", "b"]),
        st.dictionaries(st.sampled_from(PURPOSES), st.booleans(), max_size=3),
    ),
    max_size=6,
).map(lambda said: sorted(said, key=lambda put: put.at))
moments = st.integers(NOON - 6 * DAY_MS, NOON + DAY_MS)
rows = st.builds(lambda row, time: row._replace(site="eu", time=time), make.rows, moments)


@st.composite
def pasts(draw: st.DrawFn) -> list[tuple[date, Pack]]:
    """Up to three packs with their days; often two that differ in little."""
    days = draw(st.lists(st.integers(-5, 1), min_size=1, max_size=3, unique=True).map(sorted))
    shipped = st.sampled_from([load("worktasker-2014"), load("workallies-2024")])
    some = [draw(shipped) for _ in days]
    some[draw(st.integers(0, len(some) - 1))] = draw(packs())
    numbered = [msgspec.structs.replace(pack, version=f"{n}") for n, pack in enumerate(some)]
    return [(TODAY + timedelta(days=d), pack) for d, pack in zip(days, numbered, strict=True)]


def dated(past: Sequence[tuple[date, Pack]], zone: str) -> Mapping[str, History]:
    """The packs of one site, made and not loaded."""
    return {"eu": history(Site(id="eu", timezone=zone), [*reversed(past)])}


def word(said: list[Put], row: Row) -> tuple[book.Ledger, dict[str, int]]:
    """What is on record of the row's ids at its time, and when each purpose was agreed to last: plainly."""
    granted: dict[str, int] = {}
    denied: set[str] = set()
    ids = [(kind, id) for kind, id in (("user", row.user_id), ("device", row.device_id)) if id is not None]
    for who in ids:
        mine = [put for put in said if (put.kind, put.id) == who]
        agreed: dict[str, int] = {}
        refused: set[str] = set()
        for put in mine:
            for purpose, yes in put.choice.items():
                if yes and put.at <= row.time:
                    agreed[purpose] = put.at
                if not yes:
                    agreed.pop(purpose, None)
        for moment in (row.time, NOON + DAY_MS * 9):  # refused then, and refused now
            last = {p: yes for put in mine if put.at <= moment for p, yes in put.choice.items()}
            refused |= {purpose for purpose, yes in last.items() if not yes}
        denied |= refused
        for purpose, at in agreed.items():
            granted[purpose] = max(at, granted.get(purpose, 0))
    granted = {purpose: at for purpose, at in granted.items() if purpose not in denied}
    return book.Ledger(frozenset(granted), frozenset(denied)), granted


def ruling(past: list[tuple[date, Pack]], zone: str, row: Row, said: list[Put]) -> book.Ruling:
    """What the book says: one event, one calendar."""
    today = local(zone, row.time)
    pack = ([pack for since, pack in past if since <= today] or [past[0][1]])[-1]
    ids = row.user_id is not None or row.device_id is not None
    heard = platforms(pack, row.consent)
    age = row.member and row.member.age
    event = book.Event(row.country, row.type, ids, row.consent, row.gpc, row.dnt, age, heard)
    ledger, agreed = word(said, row)
    dates = {purpose: local(zone, at) for purpose, at in agreed.items()}
    return book.judged(past, today, event, ledger, dates)


def recorded(ledger: Ledger, said: list[Put]) -> Ledger:
    for put in said:
        ledger.put("eu", put.kind, put.id, put.choice, "test", put.at)
    return ledger


@pytest.mark.requirement("M123", "M124")
@settings(max_examples=30)
@given(pasts(), st.sampled_from(ZONES), puts, st.lists(rows, min_size=1, max_size=8))
def test_decide_is_what_the_book_says_whatever_was_in_force(
    past: list[tuple[date, Pack]], zone: str, said: list[Put], some: list[Row]
) -> None:
    laws = Laws(dated(past, zone))
    ledger = recorded(Ledger.memory(Keyring.memory()), said)
    raw = batch(some)
    found = decide(raw, ledger.words(raw, laws.turns), laws).verdict.rows()
    for row, verdict in zip(some, found, strict=True):
        assert as_ruling(verdict) == ruling(past, zone, row, said)


@settings(max_examples=40)
@given(puts, st.lists(rows, min_size=1, max_size=8))
def test_what_was_agreed_to_when_is_known_again_after_a_restart(said: list[Put], some: list[Row]) -> None:
    with TemporaryDirectory() as name:
        folder, keys, raw = Path(name), Keyring.memory(), batch(some)
        ledger = recorded(Ledger.open(folder / "ledger.sqlite", keys), said)
        turns = (NOON - 4 * DAY_MS, NOON - 2 * DAY_MS, NOON - DAY_MS // 2)
        before = ledger.words(raw, lambda _: turns).rows()
        ledger.close()
        again = Ledger.open(folder / "ledger.sqlite", keys, read_only=True)
        assert again.words(raw, lambda _: turns).rows() == before
        again.close()


def test_who_spoke_twice_is_known_again_after_a_restart(tmp_path: Path) -> None:
    """To have spoken of something else since is not to have agreed again."""
    keys, turns = Keyring.memory(), (NOON - DAY_MS,)
    ledger = Ledger.open(tmp_path / "ledger.sqlite", keys)
    ledger.put("eu", "device", "d", {"measurement": True}, "site", NOON - 5 * DAY_MS)
    ledger.put("eu", "device", "d", {"research": True}, "site", NOON - 1000)
    ledger.close()
    again = Ledger.open(tmp_path / "ledger.sqlite", keys, read_only=True)
    assert again.word("eu", None, "d", turns)[0].old == (BY_NAME["measurement"],)
    again.close()


OLD, NEW = load("worktasker-2014"), load("workallies-2024")
#: A newer text with one new recipient: significant for every purpose.
NEWER = msgspec.structs.replace(NEW, version="2", recipients=(*NEW.recipients, "insurers"))
PAST = [(date(2014, 1, 1), NEW), (TODAY - timedelta(days=2), NEWER)]
AGREED = {"measurement": True, "ad_measurement": True}


def because(ledger: Ledger, **event: Any) -> str:
    laws = Laws(dated(PAST, "Europe/Berlin"))
    raw = batch([Row(device_id="d", **event)])
    return decide(raw, ledger.words(raw, laws.turns), laws).verdict.rows()[0].because.partition(".")[2]


@pytest.mark.requirement("M123")
def test_who_agreed_to_the_older_policy_is_measured_without_an_id_until_they_agree_again() -> None:
    ledger = Ledger.memory(Keyring.memory())
    ledger.put("eu", "device", "d", AGREED | {"marketing_email": False}, "site", NOON - 5 * DAY_MS)
    assert because(ledger, time=NOON - 3 * DAY_MS) == "opt_in.on_record"  # under the older
    assert because(ledger) == "opt_in.cookieless"
    assert because(ledger, type="ad_click") == "opt_in.silence"
    # The choice that the browser remembers is that same one; and what needs no agreement goes on.
    assert because(ledger, consent=b'{"measurement":true}') == "opt_in.cookieless"
    assert because(ledger, country="US") == "opt_out.default"
    # To speak of something else is not to agree again.
    ledger.put("eu", "device", "d", {"research": True}, "site", NOON - DAY_MS)
    assert because(ledger) == "opt_in.cookieless"
    ledger.put("eu", "device", "d", {"measurement": True}, "site", NOON - 1000)
    assert because(ledger) == "opt_in.on_record"
    assert because(ledger, type="ad_click") == "opt_in.silence"
    # A late event is of the time before that.
    assert because(ledger, time=NOON - 2000) == "opt_in.cookieless"


@pytest.mark.requirement("M123")
def test_a_refusal_outlives_every_change() -> None:
    ledger = Ledger.memory(Keyring.memory())
    ledger.put("eu", "device", "d", {"measurement": False}, "site", NOON - 5 * DAY_MS)
    assert because(ledger) == "opt_in.withdrawn"
    assert because(ledger, country="US") == "opt_out.withdrawn"
    ledger.erase("eu", "device", "d", "right", NOON - 4 * DAY_MS)
    assert because(ledger) == "opt_in.erased"


def test_of_two_ids_what_either_has_renewed_is_new() -> None:
    ledger = Ledger.memory(Keyring.memory())
    ledger.put("eu", "device", "d", AGREED, "site", NOON - 5 * DAY_MS)
    ledger.put("eu", "user", "u", {"measurement": True}, "site", NOON - 1000)
    assert because(ledger, user_id="u") == "opt_in.on_record"
    assert because(ledger, user_id="u", type="ad_click") == "opt_in.silence"


def test_a_change_that_is_minor_resets_nothing() -> None:
    stricter = msgspec.structs.replace(NEW, version="2", recipients=())
    laws = Laws(dated([(PAST[0][0], NEW), (PAST[1][0], stricter)], "UTC"))
    ledger = Ledger.memory(Keyring.memory())
    ledger.put("eu", "device", "d", AGREED, "site", NOON - 5 * DAY_MS)
    raw = batch([Row(device_id="d")])
    (verdict,) = decide(raw, ledger.words(raw, laws.turns), laws).verdict.rows()
    assert (verdict.because, verdict.policy) == ("workallies-2024.opt_in.on_record", "workallies-2024/2")


@given(st.sampled_from([*ZONES, "America/Sao_Paulo", "Asia/Beirut"]), st.integers(10_000, 22_000))
def test_a_day_begins_when_the_site_says_so(zone: str, number: int) -> None:
    time = begins(zone, number)
    assert day(zone, time)[0] == number
    assert day(zone, time - 1)[0] < number


def site(**settings: Any) -> Site:
    return Site(id="shop", **settings)


@pytest.mark.requirement("M124")
def test_a_site_names_its_policy_and_the_earlier_ones() -> None:
    packs = Packs({"shop": site(earlier=(Earlier(pack="worktasker-2014"),))}, now=lambda: NOON / 1000)
    assert [era.pack.name for era in packs.history("shop").eras] == ["worktasker-2014", "workallies-2024"]
    assert local("UTC", packs.history("shop").turns[0]) == date(2024, 6, 7)  # as its text says
    assert packs["shop"].name == "workallies-2024"


def test_a_policy_may_be_named_before_it_is_in_force() -> None:
    tomorrow = site(since=TODAY + timedelta(days=1), earlier=(Earlier(pack="worktasker-2014"),))
    clock = [NOON / 1000]
    packs = Packs({"shop": tomorrow}, now=lambda: clock[0])
    assert packs["shop"].name == "worktasker-2014"
    clock[0] += 86_400
    assert packs["shop"].name == "workallies-2024"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"pack": "worktasker-2014", "earlier": [{"pack": "workallies-2024"}]}, "site.since"),
        ({"earlier": [{"pack": "worktasker-2014"}, {"pack": "worktasker-2014"}]}, "but for the oldest"),
        ({"earlier": [{"pack": "worktasker-2014", "since": "2024-06-07"}]}, "earlier dates"),
        ({"earlier": [{"pack": "worktasker-2014", "since": "2025-01-01"}]}, "earlier dates"),
        ({"earlier": [{"pack": "nowhere"}]}, "site.pack"),
    ],
)
def test_dates_that_do_not_fit_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(Misconfigured, match=says):
        Packs({"shop": msgspec.convert({"id": "shop"} | settings, Site)})


def test_two_texts_of_one_version_are_refused(tmp_path: Path) -> None:
    """Rows name their policy by name and version: it must say which."""
    text = (Path(book.__file__).parent / "packs" / "workallies-2024.toml").read_text()
    own = tmp_path / "own.toml"
    own.write_text(text.replace("2024-06-07", "2026-01-01").replace("facts_days = 760", "facts_days = 700"))
    with pytest.raises(Misconfigured, match="a version of its own"):
        Packs({"shop": site(pack=str(own), earlier=(Earlier(pack="workallies-2024"),))})


def test_every_purpose_of_the_examples_is_one() -> None:
    assert set(PURPOSES) < set(BY_NAME)
