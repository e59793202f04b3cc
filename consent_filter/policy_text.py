"""Faults of a published policy's text, sentence by sentence: what is said and should not be, and what is not.

English texts, by patterns: what is found is worth a lawyer's look, and what is not found may still be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from consent_filter.policy_faults import ERROR, WARNING, Finding


class Sentence(NamedTuple):
    """One sentence in plain small letters, and its line."""

    line: int
    text: str


class Said(NamedTuple):
    """A fault where a sentence has `what` and not `unless`."""

    code: str
    severity: str
    what: str
    unless: str
    why: str


class Unsaid(NamedTuple):
    """A fault of the whole text where no sentence has `what`; asked only where one has `where`, if given."""

    code: str
    severity: str
    what: str
    where: str
    says: str
    why: str


#: A sentence is looked at as far as this: patterns take time that grows faster than it.
_LONGEST = 1000
_CARD = r"\b(credit|debit|payment)[ -]?cards?\b|\bcard (number|information|details|data)"
_GATHERS = r"\b(collect|gather|request|store|include|process)"
_DNT = r"\b(do[ -]not[ -]track|dnt|not to be tracked)\b"
_HEARD = r"(currently )?(honou?r|respond|recogni[sz]e|support|follow)(ed|d)?"
_NOT = rf"\b(not|never|cannot|don't|doesn't) {_HEARD}\b"
_REFUSES = r"\b(do not|does not|don't|doesn't|never) (collect|gather|store|process|keep)"
_DENIES = rf"{_REFUSES}\b.{{0,40}}\b(credit|card|payment)"
_RECIPIENTS = r"\b(providers|vendors|processors|recipients|partners|companies)"
_YOUNG, _AGED = r"(1[2-9]|2[01])", r"\b(under|over|below|at least|aged?|than) (the age of )?"

SAID = (
    Said(
        "consent_by_use", ERROR,
        r"\bby (continuing|visiting|using|accessing|browsing|entering|your use).*\b(consent|agree|accept)",
        r"\b(do|does|is|are) not (mean |count as |taken as )?(consent|agree|accept)",
        "agreement is an act, not a stay: GDPR Art. 4(11), CJEU C-673/17 (Planet49)",
    ),
    Said(
        "privacy_shield", ERROR, r"privacy[- ]shield", r"annulled|invalid|no longer|struck down|not rely",
        "annulled on 16 July 2020: CJEU C-311/18 (Schrems II)",
    ),
    Said(
        "dnt_refused", ERROR,
        rf"({_NOT} .*{_DNT}|{_DNT}.* {_NOT}|\bignor\w+ .*{_DNT}|{_DNT}.* ignored)",
        r"\bexcept (in|where)|\bunless the law|where the law",
        "an objection by automated means must be heard: GDPR Art. 21(5), LG Berlin 16 O 420/19",
    ),
    Said(
        "bundled_purposes", ERROR,
        r"\b(consent|agree)\b.*\b(collection|collecting|use|processing)\b.*\b(and|or)\b.*"
        r"\b(disclosure|disclosing|sharing|transfer|marketing|advertis\w+)",
        r"\bseparate|each (of|purpose)|withdraw|for each|one by one",
        "one agreement for each purpose: GDPR Art. 7(2) and recital 43, EDPB guidelines 05/2020",
    ),
    Said(
        "marketing_by_default", ERROR,
        r"\b(marketing|promotional|newsletter|special offers)\b.*"
        r"\b(legitimate (business )?interests?|by default|automatically|unless you (opt|tell|object))",
        r"\b(never|not) (sent |send )?by default|only with your consent|stop|object\b",
        "e-mail, SMS and calls are opted into: ePrivacy Directive Art. 13(1), CASL s. 6",
    ),
    Said(
        "basis_unclear", WARNING, r"\bother legal (bases|grounds)|\bconsent,? (and/)?or (our |another )",
        r"(?!)", "a purpose has the one basis that is named for it: GDPR Art. 13(1)(c)",
    ),
)  # fmt: skip
UNSAID = (
    Unsaid(
        "no_retention_time", ERROR,
        r"\b(keep|kept|retain|stored?|delete|erase|hold|held|expire)\w*\b.*"
        r"\b(\d+|one|two|three|six|twelve|thirteen|twenty-five) (day|week|month|year)s?\b",
        "", "no time after which data goes", "GDPR Art. 13(2)(a): the period, or how it is found",
    ),
    Unsaid(
        "no_legal_basis", ERROR,
        r"legitimate (business )?interest|legal obligation|legal bas[ie]s"
        r"|perform(ance of)? (a|the|our|your) contract",
        "", "purposes, and no legal basis for any", "GDPR Art. 13(1)(c)",
    ),
    Unsaid(
        "recipients_not_named", WARNING,
        rf"{_RECIPIENTS}( are|:| include|, namely| such as) \w+",
        r"\b(shar|disclos|pass(ed)? (it )?(on )?to)\w*\b.*"
        r"\b(third part|partner|affiliate|service provider|vendor)",
        "data is shared, and with whom is not said", "GDPR Art. 13(1)(e)",
    ),
    Unsaid(
        "no_withdrawal", ERROR,
        r"\b(withdraw|revoke|take back)\w*\b.*\b(consent|agreement|it)\b|consent.*\bwithdraw",
        r"\bconsent|\bagree", "agreement is relied on, and how it is withdrawn is not said", "GDPR Art. 7(3)",
    ),
    Unsaid(
        "no_minor_age", WARNING,
        rf"{_AGED}{_YOUNG}\b|\b{_YOUNG} (years|and above|or o)",
        "", "no age below which nobody is measured", "GDPR Art. 8, COPPA (16 CFR 312)",
    ),
    Unsaid(
        "no_contact", ERROR,
        r"\S@\S+\.\w|\bby (post|mail) (at|to)\b|\b(write to|call) us at|\bpostal address",
        "", "no address to which a request goes", "GDPR Art. 13(1)(a) and 12(2)",
    ),
)  # fmt: skip


def sentences(text: str) -> Iterator[Sentence]:
    """Of each line; a bullet is a sentence."""
    plain = text.replace("’", "'").replace("“", '"').replace("”", '"').lower()
    for number, line in enumerate(plain.splitlines(), 1):
        for part in re.split(r"(?<=[.!?])\s+", line.strip(" \t•*-")):
            if part.strip():
                yield Sentence(number, " ".join(part.split())[:_LONGEST])


def faults(text: str, operators: Sequence[Sequence[str]] = ()) -> list[Finding]:
    """In the order of the text; what is missing in it last. operators: of each, the names it goes by (M4)."""
    said = [*sentences(text)]
    found = [*_card(said)]
    for sentence in said:
        for one in SAID:
            if re.search(one.what, sentence.text) and not re.search(one.unless, sentence.text):
                found.append(_at(sentence, one.code, one.severity, one.why))
    found.sort(key=lambda finding: int(finding.where.removeprefix("line ")))
    for missing in UNSAID:
        asked = not missing.where or any(re.search(missing.where, sentence.text) for sentence in said)
        if asked and not any(re.search(missing.what, sentence.text) for sentence in said):
            found.append(Finding(missing.code, missing.severity, "whole text", missing.says, missing.why))
    return found + [finding for names in operators for finding in _many(said, names)]


def _many(said: list[Sentence], names: Sequence[str]) -> Iterator[Finding]:
    """One operator goes by several names in the text."""
    plain = {" ".join(name.split()).lower(): name for name in names}
    if not plain:
        return
    longest = sorted(plain, key=len, reverse=True)  # "worktop bags" is not "worktop"
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, longest))})\b")
    met = dict.fromkeys(name for one in said for name in pattern.findall(one.text))
    if len(met) > 1:
        says = f"{', '.join(plain[name] for name in met)}: one operator, by {len(met)} names"
        yield Finding("many_names", WARNING, "whole text", says, "GDPR Art. 13(1)(a) and 12(1): who it is")


def _card(said: list[Sentence]) -> Iterator[Finding]:
    """Card data is collected in one sentence and not in another."""
    denied = [one for one in said if re.search(_DENIES, one.text)]
    taken = [one for one in said if re.search(_CARD, one.text) and re.search(_GATHERS, one.text)]
    taken = [one for one in taken if one not in denied]
    if denied and taken:
        why = f"line {denied[0].line} says that none is: GDPR Art. 5(1)(a), fair and transparent"
        yield _at(taken[0], "card_contradiction", ERROR, why)


def _at(sentence: Sentence, code: str, severity: str, why: str) -> Finding:
    short = sentence.text if len(sentence.text) <= 100 else sentence.text[:97] + "…"
    return Finding(code, severity, f"line {sentence.line}", short, why)
