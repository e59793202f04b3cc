"""What withdrawing and objecting stop, by legal basis; a word is said before its request is closed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from consent_filter.errors import Refused
from consent_filter.ledger import Ledger
from consent_filter.marketing import contact
from consent_filter.policy import Pack, load
from consent_filter.purpose import BY_NAME, mask, names
from consent_filter.rights.carrying import asked, reach
from consent_filter.rights.office import Office
from consent_filter.signing import Signer
from consent_filter.site import Site
from tests.consent_filter.rights.desk import NAME, SEEN, USER, Desk, desk
from tests.consent_filter.rights.test_register import refused

PACKS = [load("workallies-2024"), load("worktasker-2014")]
WORKALLIES = PACKS[0]
#: Whatever they rest on (GDPR Art. 21(2)): profiling, and direct marketing.
ALWAYS = {"personalisation", "ad_personalisation", "remarketing", "referral"}
ALWAYS |= {name for name in BY_NAME if name.startswith(("marketing_", "affiliate_"))}


def stopped(right: str, pack: Pack, country: str | None, *purposes: str) -> set[str]:
    return set(names(reach(right, mask(purposes or BY_NAME), pack, country).stops))


@pytest.mark.requirement("M112")
@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_an_objection_reaches_legitimate_interests_and_profiling_and_nothing_else(pack: Pack) -> None:
    """Read from the pack a second time, purpose by purpose."""
    for name, regime in pack.regimes.items():
        country = (regime.countries and pack.groups.get(regime.countries[0], regime.countries)[0]) or "XX"
        assert pack.regime(country) == name
        found = reach("object", mask(BY_NAME), pack, country)
        for purpose in BY_NAME:
            use = regime.purposes.get(purpose)
            rests = use is not None and use.basis == "legitimate_interest"
            stops = purpose != "security" and (purpose in ALWAYS or rests)
            assert (purpose in names(found.stops)) == stops, (name, purpose)
            goes_on = purpose == "security" or (use is not None and not stops)
            assert (purpose in found.goes_on) == goes_on, (name, purpose)
    assert found.goes_on["security"] == ("legitimate_interest", "compelling")


@pytest.mark.requirement("M112")
def test_where_nobody_knows_where_they_live_an_objection_reaches_further() -> None:
    assert "measurement" not in stopped("object", WORKALLIES, "DE"), "consent is withdrawn"
    assert reach("object", mask(["measurement"]), WORKALLIES, "DE").goes_on["measurement"][1] == "withdraw"
    assert "measurement" in stopped("object", WORKALLIES, "JP")
    assert "measurement" in stopped("object", WORKALLIES, None)
    assert stopped("withdraw", WORKALLIES, "DE") == set(BY_NAME) - {"security"}


def test_what_is_asked_for_is_purposes_or_channels_or_all() -> None:
    assert asked({}) == mask(BY_NAME)
    assert names(asked({"channels": ["email", "adverts"]})) == [
        "ad_personalisation", "remarketing", "marketing_email",
    ]  # fmt: skip
    assert names(asked({"channels": ["email"], "purposes": ["research"]})) == ["research", "marketing_email"]
    for wrong in ({"purposes": []}, {"purposes": ["fame"]}, {"channels": "email"}, {"channels": [7]}):
        with pytest.raises(Refused):
            asked(wrong)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as found:
        yield found


def office(one: Desk) -> tuple[Office, Ledger]:
    ledger = Ledger.open(one.data / "ledger.sqlite", one.keyring, gives=False)
    sites, packs = {"shop": Site(id="shop")}, {"shop": WORKALLIES}
    signer = Signer(one.data / "receipts.key")
    return Office(one.register, ledger, one.keyring, sites, packs, signer), ledger


@pytest.mark.requirement("M112", "M70")
def test_it_is_done_when_it_is_known_who_asks_and_not_before(one: Desk) -> None:
    counter, ledger = office(one)
    case = counter.receive("shop", "object", "user", USER, detail={"purposes": ["research", "security"]})
    assert case.state == "unproved"
    assert ledger.get("shop", "user", USER) is None
    case = counter.prove(case.id, SEEN)
    assert case.state == "done"
    assert case.outcome["goes_on"] == [
        {"purpose": "security", "basis": "legitimate_interest", "because": "compelling"}
    ]
    case = counter.receive(
        "shop", "withdraw", "user", USER, detail={"channels": ["email"]}, channel="letter",
        officer="Ms Officer", received=one.now - 1000, proof=SEEN,
    )  # fmt: skip
    entry = ledger.get("shop", "user", USER)
    assert entry is not None
    assert names(entry.deny) == ["marketing_email"]
    answer = one.register.answer(case.id)
    assert answer is not None
    assert json.loads(answer[1])["receipt"]["method"]["surface"] == "officer"
    ledger.close()


@pytest.mark.requirement("M70")
def test_who_has_no_account_is_refused_by_their_address(one: Desk) -> None:
    """A letter of somebody whom a member has named: their address stands nowhere in clear."""
    counter, ledger = office(one)
    case = counter.receive(
        "shop", "withdraw", "contact", " Canary.4711@Mail.Example ", detail={"channels": ["referral"]},
        channel="letter", officer="Ms Officer", received=one.now - 1000, proof=SEEN,
    )  # fmt: skip
    assert case.state == "done"
    entry = ledger.get("shop", "contact", contact("canary.4711@mail.example"))
    assert entry is not None
    assert names(entry.deny) == ["referral"]
    ledger.close()
    for file in one.data.iterdir():
        assert b"4711@" not in file.read_bytes().lower()


def test_ended_between_the_word_and_its_request_it_is_said_again_and_changes_nothing(one: Desk) -> None:
    counter, ledger = office(one)
    case = one.receive("withdraw", detail={"purposes": ["research"]}, proof=SEEN)
    assert case.state == "verified"
    ledger.refuse(one.key(), "shop", mask(["research"]), "rights", one.now)  # and there it was killed
    before = ledger.subject(one.key()).records
    assert counter.carrying.all() == 1
    assert one.register.get(case.id).state == "done"
    assert ledger.subject(one.key()).records == before
    assert counter.carrying.all() == 0
    ledger.close()


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("site", {"site": "nowhere"}),
        ("user_id", {"id": ""}),
        ("user_id", {"id": "x" * 257}),
        ("email", {"email": "a@b"}),
        ("email", {"email": "a@b.example, c@d.example"}),
        ("email", {"email": "\u00e9@b.example"}),
        ("text", {"text": NAME * 400}),
        ("about", {"about": ["R-1"] * 11}),
        ("right", {"kind": "contact", "id": "a@b.example"}),
        ("contact", {"kind": "contact", "right": "withdraw", "id": "nobody"}),
        ("purposes", {"right": "object", "detail": {"purposes": [[]]}}),
        ("changes", {"right": "rectify"}),
        ("changes", {"right": "rectify", "detail": {"changes": {}}}),
        ("changes", {"right": "rectify", "detail": {"changes": {"a": 7}}}),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_entered(
    one: Desk, code: str, more: dict[str, object]
) -> None:
    counter, ledger = office(one)
    said = {"site": "shop", "right": "access", "kind": "user", "id": USER} | more
    with refused(code) as error:
        counter.receive(**said)  # type: ignore[arg-type]
    assert NAME not in error.value.message
    assert one.register.cases() == []
    ledger.close()
