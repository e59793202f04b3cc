"""decide = book, row by row; and the properties that must hold together."""

from __future__ import annotations

import json
from itertools import chain, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter import book
from consent_filter.decide import NO_WORD, Decision, Laws, Verdict, Word, decide
from consent_filter.policy import Age, Meaning, Pack, Regime, Use, load
from consent_filter.purpose import ALL, BY_NAME, names
from consent_filter.raw import Column, Raw, column
from consent_filter.signals import OWN, SIGNALS
from consent_filter.signals.choice import read
from consent_filter.signals.said import SILENCE
from consent_filter.signals.tcf import to_vendor
from tests.consent_filter import rows as make
from tests.consent_filter import strings
from tests.consent_filter.rows import DAY, PACKS, Row, batch

PURPOSES = sorted(BY_NAME)
SOME = st.sets(st.sampled_from(PURPOSES), max_size=4).map(lambda s: tuple(sorted(s)))

words = st.builds(
    lambda grant, deny, erased: Word(grant & ~deny, deny, erased),
    st.integers(0, int(ALL)),
    st.one_of(st.just(0), st.integers(0, int(ALL))),
    st.sampled_from([False, False, False, True]),
)


@st.composite
def regimes(draw: st.DrawFn) -> Regime:
    """Any regime that policy lets pass, also those that no shipped pack has."""
    kind = draw(st.sampled_from(["opt_in", "opt_out", "notice"]))
    uses = {
        name: Use(
            basis="consent" if kind == "opt_in" else draw(st.sampled_from(["notice", "legitimate_interest"])),
            default=False if kind == "opt_in" else draw(st.booleans()),
            cookieless=draw(st.sampled_from(["", "exempt"])),
        )
        for name in draw(st.sets(st.sampled_from(PURPOSES)))
    }
    signals = {
        name: Meaning(
            denies=draw(SOME),
            grants=draw(SOME),
            ends=draw(st.booleans()),
            leaves=draw(st.sampled_from(["", "count", "drop"])),
        )
        for name in SIGNALS
        if name not in OWN
    }
    return Regime(kind=kind, refusal=draw(st.sampled_from(["count", "drop"])), purposes=uses, signals=signals)


@st.composite
def packs(draw: st.DrawFn) -> Pack:
    """Any pack: one regime in Germany, another elsewhere."""
    here, there = draw(regimes()), draw(regimes())
    return Pack(
        name="any",
        version="1",
        policy="any",
        otherwise="there",
        regulated=draw(st.sampled_from(["", "here", "there"])),
        order=tuple(draw(st.permutations(["ledger", *SIGNALS]))),
        conflict=draw(st.sampled_from(["restrictive", "latest", "specific"])),
        tcf_vendor=draw(st.sampled_from([0, 7])),
        facts_days=760,
        recipients=(),
        age=draw(st.none() | st.builds(Age, minimum=st.sampled_from([13, 16, 18]), unknown_denies=SOME)),
        groups={"HERE": ("DE", "FR")},
        regimes={
            "here": Regime(
                kind=here.kind,
                countries=("HERE", "GB"),
                refusal=here.refusal,
                purposes=here.purposes,
                signals=here.signals,
            ),
            "there": there,
        },
    )


def spoken(rows: list[Row], said: list[Word]) -> Column[Word]:
    """The ledger's word for each row: silence where the row has no id."""
    return column(
        [
            word if row.user_id is not None or row.device_id is not None else NO_WORD
            for row, word in zip(rows, said, strict=True)
        ]
    )


def platforms(pack: Pack, consent: bytes | None) -> dict[str, book.Heard]:
    """What the consent platforms' strings say; that they say so is what the cases of each signal prove."""
    found = {}
    for name in ("tcf", "gpp", "usp", "consent_mode"):
        said = SIGNALS[name].read(consent)
        if pack.tcf_vendor and said.tcf:
            said = to_vendor(said, pack.tcf_vendor)
        granted, denied = frozenset(names(said.grant)), frozenset(names(said.deny))
        if said != SILENCE:
            found[name] = book.Heard(granted, denied, said.unreadable, said.regulated, said.child)
    return found


def ruling(pack: Pack, row: Row, word: Word) -> book.Ruling:
    """What the book says."""
    event = book.Event(
        row.country,
        row.type,
        row.user_id is not None or row.device_id is not None,
        row.consent,
        row.gpc,
        row.dnt,
        row.member and row.member.age,
        platforms(pack, row.consent),
    )
    ledger = book.Ledger(frozenset(names(word.grant)), frozenset(names(word.deny)), word.erased)
    return book.rule(pack, event, ledger)


def as_ruling(verdict: Verdict) -> book.Ruling:
    return book.Ruling(frozenset(names(verdict.granted)), *verdict[1:])


def verdicts(raw: Raw, said: Column[Word], laws: Laws | None = None) -> list[Verdict]:
    return decide(raw, said, laws or Laws(PACKS)).verdict.rows()


two = st.lists(st.tuples(make.rows, words), min_size=1, max_size=12)


@given(two)
def test_decide_is_what_the_book_says(both: list[tuple[Row, Word]]) -> None:
    rows = [row for row, _ in both]
    said = spoken(rows, [word for _, word in both])
    found = verdicts(batch(rows), said)
    for row, word, verdict in zip(rows, said.rows(), found, strict=True):
        assert as_ruling(verdict) == ruling(PACKS[row.site], row, word)


@given(packs(), two)
def test_decide_is_what_the_book_says_whatever_the_pack(pack: Pack, both: list[tuple[Row, Word]]) -> None:
    rows = [row for row, _ in both]
    said = spoken(rows, [word for _, word in both])
    found = verdicts(batch(rows), said, Laws({"eu": pack, "us": pack}))
    for row, word, verdict in zip(rows, said.rows(), found, strict=True):
        assert as_ruling(verdict) == ruling(pack, row, word)


def everything_at_once() -> list[Row]:
    """Each combination of what shipped packs can tell apart, once: small enough to be complete."""
    consents = [
        None,
        b'{"measurement":true}',
        b'{"measurement":false}',
        b'{"ad_measurement":true}',
        b"{",
        b'{"gcs":"G100"}',
        b'{"gcs":"G111","gdpr":1}',
        b'{"measurement":true,"gcs":"G1"}',
        b'{"measurement":false,"ad_measurement":true,"gcd":"11t1t1t1t5"}',
    ]
    # A known child, and with it an agreement: no pack need say what it takes back.
    child = {"gpp": strings.CHILD, "gpp_sid": 7}
    consents += [json.dumps(said).encode() for said in (child, {"measurement": True, **child})]
    countries, kinds = ["DE", "US", "NG"], ["page_view", "ad_click"]
    return [
        Row(site=site, country=country, type=kind, device_id=device, consent=consent, gpc=gpc, dnt=dnt)
        for site, country, kind, device, consent, gpc, dnt in product(
            make.SITES, countries, kinds, [None, "a"], consents, [None, "1"], [None, "1"]
        )
    ]


@pytest.mark.parametrize("word", [NO_WORD, Word(9, 0), Word(0, 1), Word(8, 1), Word(0, 8), Word(0, 0, True)])
def test_decide_is_what_the_book_says_for_every_combination(word: Word) -> None:
    rows = everything_at_once()
    said = spoken(rows, [word] * len(rows))
    for row, one, verdict in zip(rows, said.rows(), verdicts(batch(rows), said), strict=True):
        assert as_ruling(verdict) == ruling(PACKS[row.site], row, one)


def severe(conflict: str = "restrictive") -> Pack:
    """A pack unlike those that ship: GPC ends everything, DNT what is exempt, and adverts are exempt too.

    Google's consent mode ends visits, and leaves their number with the rule.
    """
    regime = Regime(
        kind="notice",
        refusal="drop",
        purposes={
            "measurement": Use(basis="notice", default=True, cookieless="legitimate_interest"),
            "ad_measurement": Use(basis="consent", cookieless="notice"),
            "ad_personalisation": Use(basis="consent"),
        },
        signals={
            "gpc": Meaning(denies=("measurement", "ad_measurement"), ends=True),
            "dnt": Meaning(denies=("ad_measurement",)),
            "tcf": Meaning(denies=()),
            "gpp": Meaning(denies=("ad_measurement",), ends=True),
            "usp": Meaning(denies=()),
            "consent_mode": Meaning(
                denies=("measurement",),
                grants=("ad_measurement", "ad_personalisation"),
                ends=True,
                leaves="count",
            ),
        },
    )
    return Pack(
        name="severe",
        version="1",
        policy="none",
        otherwise="all",
        conflict=conflict,
        order=("dnt", "gpc", "choice", "ledger", "tcf", "gpp", "usp", "consent_mode"),
        facts_days=1,
        recipients=(),
        regimes={"all": regime},
    )


@pytest.mark.parametrize("word", [NO_WORD, Word(9, 0), Word(0, 1), Word(8, 1), Word(0, 8)])
@pytest.mark.parametrize("conflict", ["restrictive", "latest", "specific"])
def test_decide_is_what_the_book_says_for_every_combination_of_a_severe_pack(
    word: Word, conflict: str
) -> None:
    rows, pack = everything_at_once(), severe(conflict)
    said = spoken(rows, [word] * len(rows))
    found = verdicts(batch(rows), said, Laws({"eu": pack, "us": pack}))
    for row, one, verdict in zip(rows, said.rows(), found, strict=True):
        assert as_ruling(verdict) == ruling(pack, row, one)


def test_a_signal_that_ends_leaves_a_number_where_another_leaves_the_exempt_count() -> None:
    laws = Laws({"eu": severe()})
    rows = [Row(gpc="1"), Row(dnt="1"), Row(type="ad_click", dnt="1"), Row(type="ad_click", gpc="1", dnt="1")]
    found = verdicts(batch(rows), spoken(rows, [NO_WORD] * 4), laws)
    assert [(v.treatment, v.because, v.reason) for v in found] == [
        ("drop", "severe.all.gpc", "signal"),
        ("cookieless", "severe.all.default", ""),
        ("cookieless", "severe.all.cookieless", ""),
        ("drop", "severe.all.dnt", "signal"),
    ]


@pytest.mark.parametrize(
    ("country", "gpp", "sid", "treatment", "because"),
    [
        ("DE", strings.CHILD, 7, "count", "opt_in.gpp_child"),
        ("US", strings.CHILD, 7, "count", "opt_out.gpp_child"),
        ("NG", strings.CHILD, 0, "count", "notice.gpp_child"),
        ("US", strings.CHILD, -1, "identified", "opt_out.default"),
        ("US", strings.OPTED_OUT, 8, "identified", "opt_out.default"),
        ("DE", strings.OPTED_OUT, 8, "cookieless", "opt_in.cookieless"),
        ("US", "", 2, "cookieless", "opt_in.cookieless"),
        ("US", strings.BOTH, "2,7", "identified", "opt_in.agreed"),
        ("US", strings.BOTH, 7, "identified", "opt_out.default"),
        ("US", strings.BOTH[:-1], 7, "count", "opt_out.gpp_unreadable"),
        ("DE", strings.BOTH[:-1], 7, "cookieless", "opt_in.cookieless"),
    ],
)
def test_a_gpp_string_is_heard_wherever_its_visitor_is(
    country: str, gpp: str, sid: object, treatment: str, because: str
) -> None:
    """A known child leaves a number, even where a count without an identifier is exempt."""
    consent = json.dumps({"gpp": gpp, "gpp_sid": sid}).encode()
    rows = [Row(country=country, device_id="a", consent=consent)]
    (verdict,) = verdicts(batch(rows), spoken(rows, [NO_WORD]))
    assert (verdict.treatment, verdict.because) == (treatment, f"workallies-2024.{because}")
    assert not verdict.granted & BY_NAME["ad_personalisation"] or sid == -1


@pytest.mark.requirement("M73")
@given(packs(), two)
def test_a_refusal_binds(pack: Pack, both: list[tuple[Row, Word]]) -> None:
    """Whatever was refused by the event or on record is not granted; refused measurement leaves no visit."""
    rows = [row for row, _ in both]
    said = spoken(rows, [word for _, word in both])
    found = verdicts(batch(rows), said, Laws({"eu": pack, "us": pack}))
    for row, word, verdict in zip(rows, said.rows(), found, strict=True):
        refused = word.deny | read(row.consent).deny
        assert not verdict.granted & refused
        needed = BY_NAME["ad_measurement" if row.type.startswith("ad_") else "measurement"]
        if refused & needed or word.erased:
            assert verdict.treatment in ("count", "drop")
            assert verdict.granted == 0
        if refused & BY_NAME["measurement"]:
            assert verdict.treatment != "identified"


@pytest.mark.requirement("M1", "M64")
@given(packs(), two)
def test_nothing_is_granted_that_nobody_granted(pack: Pack, both: list[tuple[Row, Word]]) -> None:
    """What is granted was agreed to, or is the regime's default, or is exempt; and the regime names it."""
    rows = [row for row, _ in both]
    said = spoken(rows, [word for _, word in both])
    found = verdicts(batch(rows), said, Laws({"eu": pack, "us": pack}))
    for row, word, verdict in zip(rows, said.rows(), found, strict=True):
        heard = platforms(pack, row.consent)
        elsewhere = pack.regulated and any(one.regulated for one in heard.values())
        regime = pack.regimes[pack.regulated if elsewhere else pack.regime(row.country)]
        uses, own = regime.purposes, names(word.grant | read(row.consent).grant)
        permitted = [set(one.granted) & set(regime.signals[name].grants) for name, one in heard.items()]
        for purpose in names(verdict.granted):
            agreed = purpose in own or any(purpose in some for some in permitted)
            assert purpose in uses
            assert (
                agreed
                or uses[purpose].default
                or (uses[purpose].cookieless and verdict.treatment == "cookieless")
            )
        if verdict.treatment == "identified":
            assert row.user_id is not None or row.device_id is not None


@given(two, st.randoms(use_true_random=False), st.integers(0, 12))
def test_order_and_batch_splits_do_not_matter(
    both: list[tuple[Row, Word]], chance: st.DataObject, cut: int
) -> None:
    rows = [row for row, _ in both]
    said = spoken(rows, [word for _, word in both]).rows()
    whole = verdicts(batch(rows), column(said))
    order = list(range(len(rows)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    mixed = verdicts(batch([rows[i] for i in order]), column([said[i] for i in order]))
    assert [mixed[order.index(i)] for i in range(len(rows))] == whole
    parts = [
        verdicts(batch(rows[a:b]), column(said[a:b])) for a, b in ((0, cut), (cut, len(rows))) if rows[a:b]
    ]
    assert list(chain.from_iterable(parts)) == whole


def test_a_verdict_is_remembered_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consent_filter.decide._REMEMBERED", 2)
    laws = Laws(PACKS)
    rows = everything_at_once()
    said = spoken(rows, [NO_WORD] * len(rows))
    assert verdicts(batch(rows), said, laws) == verdicts(batch(rows), said)
    assert max(len(laws.of("eu", country, DAY).judged) for country in ("DE", "US", "NG")) <= 2


def test_two_packs_of_one_name_do_not_mix() -> None:
    shipped = load("workallies-2024")
    other = load("worktasker-2014")
    renamed = Pack(**{**{f: getattr(other, f) for f in other.__struct_fields__}, "name": shipped.name})
    laws = Laws({"eu": shipped, "us": renamed})
    assert laws.of("eu", "US", DAY) is not laws.of("us", "US", DAY)


def test_a_decision_is_pure() -> None:
    rows = everything_at_once()
    raw, said, laws = batch(rows), spoken(rows, [NO_WORD] * len(rows)), Laws(PACKS)
    before = [raw.consent.codes.copy(), raw.place.codes.copy()]
    first: Decision = decide(raw, said, laws)
    assert decide(raw, said, laws).verdict.rows() == first.verdict.rows()
    for was, now in zip(before, [raw.consent.codes, raw.place.codes], strict=True):
        np.testing.assert_array_equal(was, now)


def test_the_pack_in_json_has_nothing_that_python_alone_knows() -> None:
    """A pack is data: what the catalogue prints is what decides."""
    import msgspec

    for name in ("workallies-2024", "worktasker-2014"):
        pack = load(name)
        assert msgspec.convert(json.loads(msgspec.json.encode(pack)), Pack) == pack
