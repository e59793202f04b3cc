"""What a page says that holds is what is done: as the decision for an event, and as who may be written to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.decide import KEPT, Laws, Word, judge
from consent_filter.ledger import Subject
from consent_filter.marketing import CHANNELS, may
from consent_filter.policy import load
from consent_filter.preferences import MOST, NOBODY, Who, history, said, together
from consent_filter.purpose import ALL, BY_NAME
from consent_filter.signals import SIGNALS
from consent_filter.signals.said import OBJECTION, SILENCE
from tests.consent_filter.rows import DAY, PACKS

REGIMES = [("worktasker-2014", country) for country in ("DE", "US", "NG")] + [
    ("workallies-2024", country) for country in ("DE", "US", "NG")
]
LAWS = Laws({name: load(name) for name in ("worktasker-2014", "workallies-2024")})
masks = st.integers(0, int(ALL))


def test_a_page_says_how_long_each_purpose_keeps_anything() -> None:
    """As facts are looked after, which is less than the longest time for most of them."""
    pack = load("workallies-2024")
    found = {
        one["purpose"]: one["days"] for one in said(pack, "opt_in", Who(True, Word(0, 0), None, False, ()))
    }
    assert (found["measurement"], found["ad_measurement"]) == (760, 395)
    assert found["marketing_email"] is None


@pytest.mark.requirement("M68", "M120")
@given(
    st.sampled_from(REGIMES),
    masks,
    masks,
    st.booleans(),
    st.booleans(),
    st.sets(st.sampled_from(["gpc", "dnt"])),
)
def test_a_page_says_what_is_done(
    where: tuple[str, str], grant: int, deny: int, erased: bool, known: bool, objecting: set[str]
) -> None:
    pack, law = load(where[0]), LAWS.of(*where, DAY)
    regime = pack.regime(where[1])
    word = Word(0, 0, True) if erased else Word(grant & ~deny, deny)
    who = Who(known, word, 7, False, ())
    signals = [OBJECTION if name in objecting else SILENCE for name in SIGNALS]
    found = {one["purpose"]: one for one in said(pack, regime, who, objecting)}
    assert [*found] == [name for name in BY_NAME if name in pack.regimes[regime].purposes]
    for name in ("measurement", "ad_measurement"):
        verdict = judge(law, word, int(BY_NAME[name]), known, *signals)
        assert found[name]["holds"] == (verdict.treatment in KEPT)
        assert found[name]["why"] == verdict.because.split(".")[2]
    for channel in CHANNELS.keys() - {"adverts"}:
        one = next((one for one in found.values() if one["channel"] == channel), None)
        assert may(word, pack.regimes[regime], channel)[0] == (one is not None and one["holds"])
    for name, one in found.items():
        bit = int(BY_NAME[name])
        chosen = None if erased or not (grant | deny) & bit else not deny & bit
        assert one["chosen"] is chosen
        assert one["since"] == (None if chosen is None else 7)
        assert one["holds"] or not one["without_id"]
        if chosen is False or erased:
            assert not one["holds"], "a refusal binds"


@given(st.lists(st.tuples(masks, masks, st.booleans()), min_size=1, max_size=2))
def test_of_two_ids_either_refuses(words: list[tuple[int, int, bool]]) -> None:
    """As the ledger joins the account and the browser of an event."""
    subjects = [
        Subject(b"", Word(grant & ~deny, deny, erased), at, False, (), ((at, {"at": at}),), ())
        for at, (grant, deny, erased) in enumerate(words)
    ]
    one, other = together(subjects), together(subjects[::-1])
    assert one == other
    assert one.word.deny == sum(bit for bit in BY_NAME.values() if any(deny & bit for _, deny, _ in words))
    assert one.word.erased == any(erased for *_, erased in words)
    assert not one.word.grant & one.word.deny
    assert (one.known, one.since) == (True, len(words) - 1)
    assert [place for place, _ in one.records] == list(range(len(words)))


def test_nobody_has_said_nothing() -> None:
    found = said(PACKS["us"], "notice", NOBODY)
    assert all(one["chosen"] is one["since"] is None for one in found)
    assert history(NOBODY) == []


def test_the_newest_word_stands_first_and_each_purpose_has_its_own_time() -> None:
    records = [
        (place, {"at": place, "granted": [name], "denied": [], "source": "site", "policy": "p/1"})
        for place, name in enumerate(["measurement", "research", "measurement"] * 100, 1)
    ]
    records.insert(0, (0, {"erased": True, "source": "site", "at": 0}))
    who = Who(True, Word(3, 0), 300, False, records)
    found = {one["purpose"]: one["since"] for one in said(PACKS["us"], "notice", who)}
    assert (found["measurement"], found["research"]) == (300, 299)
    shown = history(who, lambda position, record: position)
    assert [one["receipt"] for one in shown] == list(range(300, 300 - MOST, -1))
    assert history(who)[-1].get("receipt") is None
    assert len(history(Who(True, Word(3, 0), 3, False, records[:3]))) == 2, "being erased is no choice"


@pytest.mark.requirement("M66")
def test_an_interest_is_shown_with_the_note_that_weighs_it() -> None:
    pack = load("workallies-2024")
    found = {one["purpose"]: one for one in said(pack, "notice", NOBODY)}
    assert found["measurement"]["balancing"] == pack.regimes["notice"].purposes["measurement"].balancing
    assert found["measurement"]["balancing"].startswith("The operator's interest: ")
    assert found["marketing_email"]["balancing"] is None
