"""Row by row gives what the columns give, whatever was sent, said or forgotten before."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter.counts import HOURLY, Counts
from consent_filter.events import TEXTS
from consent_filter.experiment import Experiment
from consent_filter.in_force import Era, History
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs, Transfer, load
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import names
from consent_filter.sender import WHAT
from consent_filter.site import Earlier, Site
from consent_filter.transport import HTTPS_ONLY
from ingest import path as the_path
from ingest.enrich import Enrich
from ingest.log.record import Record, encode
from ingest.metrics import Metrics
from ingest.path import Path
from ingest.protocols import keys, parse
from ingest.request import Answer, Browser, Request
from ingest.settings import Ingest, Sites
from tests.ingest.protocols.cases import NOW, NOW_MS
from tests.ingest.protocols.test_properties import gathered
from tests.ingest.test_path import AGENTS, look

_SITES = Sites(
    [
        # Its policy changed this morning: what happened yesterday is judged by the one before.
        Site(
            id="market",
            origins=("https://market.example",),
            timezone="Europe/Berlin",
            since=NOW.date(),
            earlier=(Earlier(pack="worktasker-2014"),),
            props=("plan",),
            categories=("web", "design"),
            experiments=(Experiment(name="checkout", variants=("a", "b"), until=NOW.date()),),
        ),
        Site(
            id="strict",
            timezone="Asia/Kolkata",
            pack="worktasker-2014",
            events=("bid", "bid_placed"),
            props=("plan",),
        ),
    ]
)
_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:%s) Gecko/20100101 Firefox/140.0"
_BROWSERS = [
    Browser((_AGENT % 140, ("", "", ""), None)),
    Browser((_AGENT % 141, ("", "", ""), None), gpc="1", origin="https://market.example"),
    Browser((_AGENT % 140, ("", "", ""), None), dnt="1", origin="https://elsewhere.example"),
    Browser(("curl/8", ("", "", ""), None)),
    Browser((_AGENT % 140, ("", "", ""), "prefetch")),
    Browser((_AGENT % 140, ("", "", ""), None), encrypted=False),
]
_CHOICE = st.fixed_dictionaries(
    {},
    optional={
        "measurement": st.booleans(),
        "ad_measurement": st.booleans(),
        "research": st.booleans(),
        "precise_geo": st.booleans(),
        "gender": st.booleans(),
    },
)
_EVENT = st.fixed_dictionaries(
    {
        "site": st.sampled_from(["market", "strict"]),
        "type": st.sampled_from(
            ["page_view", "event", "engagement", "vital", "error", "ad_impression", "ad_click"]
        ),
        "url": st.sampled_from(["/a", "https://market.example/u/ann@b.example?utm_source=news&x=1", "/b"]),
    },
    optional={
        "id": st.integers(0, 3) | st.sampled_from(["", "e1"]),
        "time": st.sampled_from(
            [NOW_MS, NOW_MS - 0.5, NOW_MS - 13 * 3_600_000, NOW_MS - 40 * 3_600_000, "0"]
        ),
        "referrer": st.sampled_from(["https://www.google.com/x", "https://market.example/", "x"]),
        "name": st.sampled_from(
            [
                "bid",
                "other",
                "\u0000",
                "",
                "bid_placed",
                "first_bid",
                "transaction_completed",
                "experiment",
                "LCP",
                "promise",
            ]
        ),
        "title": st.just("T"),
        "user_id": st.sampled_from(["u1", 7, ""]),
        "device_id": st.sampled_from(["d1", "d2", ""]),
        "consent": _CHOICE | st.sampled_from([None, "yes", {"measurement": "granted"}]),
        "props": st.sampled_from(
            [
                {"plan": "pro"},
                {"plan": "ann@b.example", "x": 1},
                {"plan": "pro", "category": "web"},
                {"category": "ann"},
                {"checkout": "b", "plan": "pro"},
                {"checkout": "z"},
                {"plan": []},
                {},
                None,
            ]
        ),
        "member": st.sampled_from(
            [
                {"age_ok": True},
                {"age_ok": False},
                {"age_band": "18-24", "gender": "other", "birth_date": "1999-01-02"},
                {"age_band": "16-17", "email": "ann@b.example"},
                {"age_band": "23"},
                {},
                None,
            ]
        ),
        "referral": st.sampled_from(
            [
                {"code": "c-1", "channel": "link"},
                {"code": "c-1", "email": "ann@b.example"},
                {"code": "a@b"},
                None,
            ]
        ),
        "geo": st.sampled_from(
            [
                {"lat": 52.52, "lon": 13.405},
                {"lat": 52.52, "lon": 13.4, "accuracy": 9e5},
                {"lat": 91, "lon": 0},
                None,
            ]
        ),
        "counterpart": st.sampled_from(
            [
                {"user_id": "u2", "country": "US"},
                {"user_id": "u1"},
                {"user_id": 7, "country": "US", "email": "ann@b.example"},
                {"user_id": 2.5},
                {"country": "us"},
                {"country": "US"},
                {"user_id": ""},
                {},
                None,
            ]
        ),
        "declared": st.sampled_from(
            [
                {"country": "DE", "time_zone": "Europe/Berlin"},
                {"country": "US", "city": "x"},
                {"country": "us"},
                {"time_zone": "Mars/Olympus"},
                None,
            ]
        ),
        "ad": st.sampled_from([{"slot": "top"}, {"slot": "ann@b.example"}, {"slot": 1}, {}, None]),
        "duration": st.floats(0, 1e6),
        "scroll": st.integers(0, 100),
        "value": st.floats(allow_nan=False, allow_infinity=False),
    },
)


def _text(said: Any) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode()


_SENT = st.builds(
    Request,
    protocol=st.just("beacon"),
    method=st.just("POST"),
    query=st.just(b""),
    body=(_EVENT | st.lists(_EVENT, max_size=3)).map(
        lambda said: json.dumps(said, separators=(",", ":")).encode()
    ),
    address=st.sampled_from(["192.0.2.1", "192.0.2.2"]),
    browser=st.sampled_from(_BROWSERS),
    received=st.just(NOW_MS),
)


class Both:
    """Two paths with the same keys, ledger and clock: one as it runs, one by columns alone."""

    def __init__(self, https_only: str = "no") -> None:
        self.https_only = https_only
        self.now = NOW_MS / 1000
        self.keys = Keyring.memory(lambda: self.now)
        self.ledger = Ledger.memory(self.keys)
        self.rows, self.columns = self._path(), self._path()

    def _path(self) -> Path:
        enrich = Enrich(_SITES, look, AGENTS, hosting=True)
        return Path(
            _SITES, enrich, Packs(_SITES), self.ledger, self.keys, limits=Ingest(https_only=self.https_only)
        )

    def agree(self, waiting: list[Request]) -> None:
        record, answers = self.rows.run(waiting)
        parsed = parse(waiting, self.columns.parsing)
        assert _said(record, answers) == _said(self.columns.keep(parsed), parsed.answers)
        assert self.rows.enrich.redacted == self.columns.enrich.redacted


def _said(record: Record, answers: list[Answer]) -> tuple[Counter[str], Counts, list[Answer]]:
    encode(record)  # it can be
    rows = record.batch.to_pylist()
    # The other side stands right behind its event, wherever that stands.
    behind = [rows[i] | {"behind": rows[i - 1]} for i in range(len(rows)) if rows[i]["type"] == "counterpart"]
    return Counter(map(repr, [*rows, *behind])), record.counts, answers


@given(st.lists(st.lists(_SENT, min_size=1, max_size=4), min_size=1, max_size=4), st.sampled_from(HTTPS_ONLY))
def test_rows_agree_with_columns(batches: list[list[Request]], https_only: str) -> None:
    both = Both(https_only)
    for waiting in batches:
        both.agree(waiting)


@given(gathered, gathered)
def test_whatever_is_sent(first: list[Request], then: list[Request]) -> None:
    both = Both()
    both.agree(first)
    both.agree(then)


def _of(who: dict[str, Any], kind: str = "page_view", browser: Browser = _BROWSERS[0]) -> Request:
    said = {"site": "market", "type": kind, "url": "/a", "consent": {"measurement": True}} | who
    return Request("beacon", "POST", b"", _text(said), "192.0.2.2", browser, NOW_MS)


_USER, _DEVICE, _NOBODY = _of({"user_id": "u1"}), _of({"device_id": "d1"}), _of({"consent": None})
_SILENT = _of({"user_id": "u1", "consent": None})
_YESTERDAY = _of({"user_id": "u1", "device_id": "d1", "time": NOW_MS - 13 * 3_600_000})
_STEP = st.one_of(
    st.lists(st.sampled_from([_USER, _DEVICE, _NOBODY, _SILENT, _YESTERDAY]), min_size=1, max_size=3),
    st.builds(
        lambda who, choice, late: ("put", who, choice, late),
        st.sampled_from([("user", "u1"), ("device", "d1")]),
        _CHOICE,
        st.sampled_from([-36 * 3_600_000, -5000, 0, 5000]),
    ),
    st.builds(lambda who: ("erase", who), st.sampled_from([("user", "u1"), ("device", "d1")])),
    st.builds(lambda by: ("clock", by), st.sampled_from([-3 * 86_400, 3600, 86_400, 3 * 86_400])),
)


def _take(both: Both, step: Any) -> None:
    if isinstance(step, list):
        both.agree(step)
    elif step[0] == "clock":
        both.now += step[1]
    elif step[0] == "put":
        both.ledger.put("market", *step[1], step[2], "test", NOW_MS + step[3])
    elif step[0] == "restrict":
        both.ledger.restrict(both.ledger.key("market", *step[1]), "test", NOW_MS)
    else:
        both.ledger.erase("market", *step[1], "test", NOW_MS)


_DEAL = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["bid_placed", "first_bid", "bid_accepted", "other"]),
        "user_id": st.sampled_from(["u1", "u2", 7]),
        "counterpart": st.fixed_dictionaries(
            {"user_id": st.sampled_from(["u1", "u2", "u3", 7])}, optional={"country": st.just("US")}
        ),
    },
    optional={
        "id": st.integers(0, 9),
        "value": st.sampled_from([-1, 0, 0.5, 3, 1e6]),
        "props": st.sampled_from([{"category": "web"}, {"category": "x", "plan": "pro"}]),
        "time": st.sampled_from([NOW_MS - 5000, NOW_MS - 13 * 3_600_000]),
        "consent": st.sampled_from([{"measurement": False}, None]),
    },
)
_PEOPLE = st.sampled_from([("user", "u1"), ("user", "u2"), ("user", "u3"), ("user", "7")])
_DEALS = st.one_of(
    st.lists(_DEAL.map(lambda said: _of(said, "event")), min_size=1, max_size=6),
    st.builds(
        lambda who, choice, late: ("put", who, choice, late),
        _PEOPLE,
        st.sampled_from([{"measurement": True}, {"measurement": False}, {"research": True}]),
        st.sampled_from([-36 * 3_600_000, -5000, 0]),
    ),
    st.builds(lambda who: ("erase", who), _PEOPLE),
    st.builds(lambda who: ("restrict", who), _PEOPLE),
)


@pytest.mark.requirement("M18")
def test_of_who_has_spoken_since_an_event_nothing_is_kept_beside_it() -> None:
    both, deal = Both(), {"name": "bid_placed", "user_id": "u1", "counterpart": {"user_id": "u2"}}
    both.ledger.put("market", "user", "u2", {"measurement": True}, "test", NOW_MS - 60_000)
    found = []
    for before in (0, 60_000, 60_001):
        both.agree([waiting := _of(deal | {"time": NOW_MS - before}, "event")])
        found.append(both.rows.run([waiting])[0].events.n)
    both.ledger.restrict(both.ledger.key("market", "user", "u2"), "test", NOW_MS)
    both.agree([waiting := _of(deal, "event")])
    assert [*found, both.rows.run([waiting])[0].events.n] == [2, 2, 1, 1]


@pytest.mark.requirement("M18")
@settings(max_examples=40)
@given(st.lists(_DEALS, min_size=2, max_size=6))
def test_the_other_side_by_rows_and_by_columns(steps: list[Any]) -> None:
    both = Both()
    for step in [("put", ("user", "u3"), {"measurement": True}, -36 * 3_600_000), *steps]:
        _take(both, step)


@given(st.lists(_STEP, min_size=2, max_size=8))
def test_nothing_is_remembered_that_holds_no_longer(steps: list[Any]) -> None:
    """A choice, an erasure, a new day and a clock that steps back rule the very next event."""
    both = Both()
    for step in [[_USER, _DEVICE, _NOBODY], *steps, [_USER, _DEVICE, _NOBODY]]:
        _take(both, step)


@pytest.mark.requirement("M124")
def test_a_batch_in_which_the_policy_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same visitor, a minute before and a minute after midnight at the site."""
    midnight = NOW_MS - 13 * 3_600_000  # 00:00 in Berlin
    both = Both()
    waiting = [_of({"user_id": "u1", "time": midnight + after}) for after in (-60_000, -1, 0, 60_000)]
    both.agree(waiting)
    record, _ = both.rows.run(waiting)
    policies = record.batch.column("policy").to_pylist()
    assert policies == ["worktasker-2014/1"] * 2 + ["workallies-2024/1"] * 2
    monkeypatch.setattr("ingest.path._MANY", 0)  # by columns
    assert both.rows.run(waiting)[0].batch.column("policy").to_pylist() == policies


@pytest.mark.requirement("M102")
@pytest.mark.parametrize("https_only", HTTPS_ONLY)
def test_what_comes_in_clear_is_refused_or_taken_as_the_settings_say(https_only: str) -> None:
    both = Both(https_only)
    for encrypted, who in product((True, False), ({"user_id": "u1"}, {"device_id": 0}, {"user_id": ""}, {})):
        sent = _of(who, browser=Browser(_BROWSERS[0].said, encrypted=encrypted))
        named = who.get("user_id", "") != "" or "device_id" in who
        refused = not encrypted and (https_only == "all" or (https_only == "identified" and named))
        for _ in range(2):  # the sender is known the second time
            both.agree([sent])
            record, answers = both.rows.run([sent])
            assert [answer.status for answer in answers] == [403 if refused else 202]
            assert record.events.n == (0 if refused else 1)
            found = {(key.outcome, key.reason, key.detail): n for key, n in record.counts.items()}
            fate = ("refused", "clear", "clear") if refused else ("stored", "", "")
            assert found == {("received", "", ""): 1, fate: 1}


def test_a_program_is_not_remembered_as_a_person() -> None:
    both = Both()
    both.agree([_USER, _of({"user_id": "u1"}, browser=_BROWSERS[3]), _of({}, browser=_BROWSERS[4])])


@pytest.mark.requirement("S18")
def test_refusals_of_adverts_are_counted_by_their_hour_and_by_nothing_finer() -> None:
    both, told, ads = Both(), Counter[tuple[str, ...]](), {"slot": "top", "campaign": "autumn"}
    waiting = []
    for hours, yes, browser, kind in product(
        (0, 1, 3), (True, False), (0, 3), ("ad_impression", "ad_served")
    ):
        time = NOW_MS - hours * 3_600_000
        said = {"time": time, "ad": ads, "consent": {"ad_measurement": yes, "measurement": True}}
        waiting.append(_of(said, kind, _BROWSERS[browser]))
        reason = "robot" if browser else "" if yes else "consent"
        if reason and kind == "ad_impression":
            hour = f"{datetime.fromtimestamp(time / 1000, UTC):%Y-%m-%dT%H}"
            told["market", "", "ZZ", reason, hour, kind, "autumn"] += 1
    both.agree(waiting)
    counts = Both().rows.run(waiting)[0].counts
    found = Counter(
        {(key.site, *key[2:4], *key[5:]): n for key, n in counts.items() if key.outcome == HOURLY}
    )
    assert found == told
    assert len(found) == 6
    page = Metrics()
    page.add(counts)
    assert "hourly" not in page.text()


def test_an_origin_is_asked_for_each_browser() -> None:
    both = Both()
    both.agree([_of({}, browser=_BROWSERS[1]), _of({}, browser=_BROWSERS[2]), _of({}, "ad_click")])


def test_good_requests_are_not_left_to_the_columns() -> None:
    said = {"site": "market", "type": "page_view", "url": "/a", "id": "1", "consent": {"measurement": True}}
    request = Request("beacon", "POST", b"", _text(said), "192.0.2.2", _BROWSERS[0], NOW_MS)
    both = Both()
    assert None not in both.rows.live.run([request] * 3).answers
    assert both.rows.live.run([request]).events.n == 1


def test_names_are_counted_as_a_good_body_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many or too few, and every body of the batch would be read twice."""
    everything = {
        "site": "market", "type": "event", "url": "/a", "id": "1", "time": NOW_MS, "referrer": "x",
        "title": "T", "name": "bid", "user_id": "u", "device_id": "d", "consent": {"measurement": True},
        "props": {"plan": "pro"}, "ad": {"slot": "top"}, "member": {"age_ok": True, "dob": 1},
        "referral": {"code": "c", "channel": "link"}, "geo": {"lat": 1.5, "lon": 2},
        "declared": {"country": "DE", "time_zone": "UTC"},
        "counterpart": {"user_id": "v", "country": "US"}, "duration": 1, "scroll": 2, "value": 3,
    }  # fmt: skip
    monkeypatch.setattr(keys, "_doubled", lambda body: pytest.fail("looked at closely"))
    both = Both()
    waiting = [_of({}), _of(everything), _of({name: everything[name] for name in list(everything)[:9]})]
    assert None not in both.rows.live.run(waiting).answers


def test_nobody_is_remembered_for_longer_than_a_visit() -> None:
    clock = [0.0]
    both = Both()
    senders = both.rows.live._senders
    senders._now = lambda: clock[0]
    senders._since = 0.0
    both.agree([_USER, _NOBODY])
    clock[0] = 1800.0
    senders.fresh()
    assert len(senders.known) == 2
    clock[0] = 1801.0
    senders.fresh()
    assert not senders.known


def test_every_text_belongs_to_the_sender_or_to_the_event() -> None:
    assert set(WHAT) < set(TEXTS)


@pytest.mark.requirement("M6", "M7", "M16", "M28")
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("agreed", [False, True])
def test_of_a_member_a_referral_and_a_place_only_the_coarse_is_written(
    monkeypatch: pytest.MonkeyPatch, agreed: bool, large: bool
) -> None:
    """By rows and by columns: no byte of what was said; the coarse columns by purpose; kinds of the rest."""
    if large:
        monkeypatch.setattr(the_path, "_MANY", 0)
    said = {
        "site": "strict", "type": "page_view", "url": "/a", "device_id": "d1",
        "consent": {"measurement": True, "precise_geo": agreed, "gender": agreed},
        "member": {"age_band": "25-34", "gender": "other", "birth_date": "1999-04-01"},
        "referral": {"code": "c-1", "channel": "link", "email": "canary@b.example"},
        "geo": {"lat": 52.516312, "lon": 13.377704},
    }  # fmt: skip
    record, (answer,) = Both().rows.run([_of(said)])
    assert answer.status == 202
    data = encode(record)
    for canary in (b"1999", b"canary", b"52.51", b"13.37", b"u33db", b'birth_date":'):
        assert canary not in data
    (row,) = record.batch.to_pylist()
    assert (row["age"], row["referral_code"], row["referral_channel"]) == ("25-34", "c-1", "link")
    assert (row["gender"], row["cell"]) == (("other", "u33d") if agreed else (None, None))
    gone = {key.detail: n for key, n in record.counts.items() if key.outcome == "removed"}
    assert gone == {"birth_date": 1, "contact": 1} | ({} if agreed else {"gender": 1, "geo": 1})
    assert agreed or b"u33d" not in data


@pytest.mark.requirement("M86")
def test_of_unknown_age_nothing_is_made_to_fit_and_the_young_leave_a_number() -> None:
    everything = {"measurement": True, "personalisation": True, "ad_personalisation": True}
    found = []
    for member in (None, {"age_ok": True}, {"age_band": "18-24"}, {"age_ok": False}, {"age_band": "16-17"}):
        both = Both()
        both.ledger.put("market", "user", "u1", everything, "test", NOW_MS)
        both.agree([waiting := _of({"user_id": "u1", "consent": everything, "member": member})])
        record = both.rows.run([waiting])[0]
        (row,) = record.batch.to_pylist() or [{"purposes": None}]
        found.append(row["purposes"] if row["purposes"] is None else names(row["purposes"]))
    assert found == [["measurement"], list(everything), list(everything), None, None]


@pytest.mark.requirement("M100")
def test_what_may_not_come_here_is_refused_from_the_day_on_which_its_mechanism_ends() -> None:
    """In rows and in columns, and counted: the sender is known the second time."""
    ends = NOW.date()
    clauses = Transfer(to="US", mechanism="clauses", until=ends)
    pack = msgspec.structs.replace(load("worktasker-2014"), transfers=(clauses,))
    sites = Sites([Site(id="strict", region="EU")])
    packs = Packs(sites)
    packs._histories["strict"] = History([Era(0, pack)])
    keys = Keyring.memory(lambda: NOW_MS / 1000)
    ledger = Ledger.memory(keys)
    for here, allowed in (("US", False), ("EU", True), (None, True)):
        way = Path(sites, Enrich(sites, look, AGENTS), packs, ledger, keys, limits=Ingest(), here=here)
        for before in (0, 24 * 3_600_000):
            sent = _of({"site": "strict", "time": NOW_MS - before})
            sent = msgspec.structs.replace(sent, received=NOW_MS - before)
            for _ in range(2):
                record, answers = way.run([sent])
                fits = allowed or before > 0
                assert [answer.status for answer in answers] == [202 if fits else 403]
                found = {key.reason for key in record.counts if key.outcome == "refused"}
                assert found == (set() if fits else {"region"})
                parsed = parse([sent], way.parsing)
                assert [answer.status for answer in parsed.answers] == [202 if fits else 403]
                assert record.batch["home"].to_pylist() == ["EU"] * record.events.n
