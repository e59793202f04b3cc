"""Faults of published texts: each is found where it stands, and a text that has none is let be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.policy_text import SAID, UNSAID, faults, sentences

CLEAN = """\
Market Ltd, 1 Example Street, Dublin; privacy@market.example. The site is for people aged 18 and above.

We count visits on the legal basis of your consent, and without it only in numbers that are about nobody.
Consent is asked for each purpose separately: counting visits, counting adverts, personal adverts.
You can withdraw your consent at any time, in the same banner in which you gave it.
We honour Do Not Track and Global Privacy Control: with them, nothing is stored on your device.
Visits are kept for 13 months and then deleted. Visiting the site is not taken as consent.
Marketing by e-mail is sent only with your consent, never by default, and each message has a link to stop it.
We share data with service providers. Our service providers are Host Ltd (Ireland) and Mail Ltd (France).
Transfers to the United States are under standard contractual clauses; the Privacy Shield is no longer used.
We never collect credit card data; payments are handled by Pay Ltd under its own policy.
"""
NAMES = ("Worktasker", "Work bags", "Worktop", "Worktop bags")
#: What to put into the clean text, and the fault that is then there, at the sentence itself.
WORSE = [
    ("By visiting our site you consent to cookies.", "consent_by_use"),
    ("If you go on, by continuing to browse you accept all of this.", "consent_by_use"),
    ("Data goes to America under the Privacy Shield.", "privacy_shield"),
    ("We may gather your address and credit card details.", "card_contradiction"),
    ("We do not respond to “Do Not Track”.", "dnt_refused"),
    ("Do Not Track signals are not honored.", "dnt_refused"),
    ("We don’t honour requests not to be tracked.", "dnt_refused"),
    ("Your consent covers the collection, use and disclosure of your data.", "bundled_purposes"),
    ("Promotional mail is based on our legitimate interest.", "marketing_by_default"),
    ("You receive our newsletter unless you opt out.", "marketing_by_default"),
    ("It rests on consent or other legal bases.", "basis_unclear"),
]
#: Which line of the clean text to leave out, by a word of it, and the fault that is then there.
LESS = [
    ("13 months", "no_retention_time"),
    ("legal basis", "no_legal_basis"),
    ("Our service providers are", "recipients_not_named"),
    ("withdraw", "no_withdrawal"),
    ("aged 18", "no_minor_age"),
    ("privacy@", "no_contact"),
]


def test_a_clean_text_is_let_be() -> None:
    assert faults(CLEAN) == []


@pytest.mark.requirement("M101")
@pytest.mark.parametrize(("sentence", "code"), WORSE)
def test_what_is_said_is_found_where_it_stands(sentence: str, code: str) -> None:
    lines = CLEAN.splitlines()
    found = faults("\n".join([*lines[:4], sentence, *lines[4:]]))
    assert [(one.code, one.where) for one in found] == [(code, "line 5")]
    assert found[0].says == " ".join(sentences_of(sentence))
    assert any(word in found[0].why for word in ("GDPR", "CJEU", "ePrivacy"))


def sentences_of(text: str) -> list[str]:
    return [one.text for one in sentences(text)]


@pytest.mark.parametrize(("word", "code"), LESS)
def test_what_is_not_said_is_found(word: str, code: str) -> None:
    text = CLEAN.replace("Our service providers are Host Ltd (Ireland) and Mail Ltd (France).", "")
    if word in text:
        text = CLEAN.replace(next(line for line in CLEAN.splitlines() if word in line), "")
        text += "" if code == "no_minor_age" else "For people aged 18 and above.\n"
        text += "" if code == "no_contact" else "Write to us at privacy@market.example.\n"
        text += "" if code == "no_legal_basis" else "The legal basis is consent.\n"
    assert [(one.code, one.where) for one in faults(text)] == [(code, "whole text")]


def test_each_fault_has_a_case() -> None:
    known = {one.code for one in SAID} | {one.code for one in UNSAID} | {"card_contradiction"}
    assert known == {code for _, code in WORSE} | {code for _, code in LESS}


@pytest.mark.parametrize(
    "text",
    ["We honour Do Not Track.", "Do Not Track (DNT) is honoured.", "Credit cards are handled by others."],
)
def test_what_only_sounds_like_it_is_let_be(text: str) -> None:
    assert faults(CLEAN + text) == []


@pytest.mark.needs("data")
def test_the_two_that_were_published(data: Path) -> None:
    found = {
        name: [one.code for one in faults((data.parent / "policies" / f"{name}.txt").read_text())]
        for name in ("workallies-2024", "worktasker-2014")
    }
    assert found == {
        "workallies-2024": [
            "card_contradiction",
            "marketing_by_default",
            "basis_unclear",
            "privacy_shield",
            "consent_by_use",
            "dnt_refused",
            "no_retention_time",
        ],
        "worktasker-2014": [
            "consent_by_use",
            "bundled_purposes",
            "no_retention_time",
            "no_legal_basis",
            "recipients_not_named",
            "no_withdrawal",
            "no_minor_age",
            "no_contact",
        ],
    }


@given(
    st.lists(st.sampled_from([*CLEAN.splitlines(), *(text for text, _ in WORSE), "•", "\x00"]) | st.text())
)
def test_any_text_has_findings_in_its_order(lines: list[str]) -> None:
    text = "\n".join(lines)
    found = faults(text)
    at = [int(one.where.removeprefix("line ")) for one in found if one.where.startswith("line ")]
    assert at == sorted(at)
    assert all(1 <= line <= len(text.splitlines()) for line in at)
    assert {one.where for one in found[len(at) :]} <= {"whole text"}


def test_a_long_line_is_looked_at_in_bounded_time() -> None:
    assert isinstance(faults("by using consent use and " * 100_000), list)


@pytest.mark.requirement("M4")
def test_one_operator_by_several_names_is_found_and_by_one_is_let_be() -> None:
    other = (
        "Worktop bags keeps it. Work  Bags may write to you, and so may Worktop bags. Workbagsy is not it.\n"
    )
    (found,) = faults(CLEAN + other, [NAMES, ("Host", "Workbag")])
    assert (found.code, found.severity) == ("many_names", "warning")
    assert found.says == "Worktop bags, Work bags: one operator, by 2 names"
    assert faults(CLEAN + "Worktop bags keeps it.\n", [NAMES]) == []
    assert faults(CLEAN + other, [()]) == []
