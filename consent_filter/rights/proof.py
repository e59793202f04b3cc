"""Who asks (GDPR Art. 12(6); M115): ways to prove it, how sure each makes us, and how sure a right needs us.

| way | assurance | because |
|---|---|---|
| token | substantial | the site's server says who is signed in |
| code | substantial | sent to the address on file; one that only the request names proves nothing |
| device | low | the browser's random id; others may share the browser: its own rows, and no account |
| judgement | as the officer says | with a note of the evidence |
"""

from __future__ import annotations

from msgspec import Struct

from consent_filter.errors import Refused

ASSURANCE = ("low", "substantial", "high")
#: What each right needs for an account. A browser's rows ask for no more than its id, but for a guardian.
NEEDS = {
    "access": "substantial", "rectify": "substantial", "restrict": "substantial", "lift": "substantial",
    "erase": "substantial", "object": "low", "withdraw": "low", "guardian": "substantial", "complaint": "low",
}  # fmt: skip
#: Days that a proof holds: what is not carried out by then is to be proved again.
HOLDS = 60
#: Characters of a device id that nobody guesses: the beacon's have 128 bits or more.
UNGUESSABLE = 20


class Token(Struct, frozen=True):
    """Signed by the site's server; see `token.py`."""

    text: str


class Code(Struct, frozen=True):
    """What was mailed."""

    text: str


class Device(Struct, frozen=True):
    """The browser's random id."""

    id: str


class Judgement(Struct, frozen=True):
    """An officer's: how they found out, how sure they are, a note of the evidence, and for how many days."""

    method: str
    assurance: str
    note: str
    officer: str
    days: int = HOLDS

    def __post_init__(self) -> None:
        if self.assurance not in ASSURANCE:
            raise Refused(400, "assurance", "assurance is one of {assurance}", assurance=", ".join(ASSURANCE))
        if not self.method.strip() or not self.note.strip() or not self.officer.strip():
            raise Refused(400, "evidence", "say how you know, with a note of the evidence, and who you are")
        if not 1 <= self.days <= 365:
            raise Refused(400, "days", "a proof holds from 1 to 365 days")


Proof = Token | Code | Device | Judgement


def enough(right: str, kind: str, assurance: str) -> bool:
    """Whether that is sure enough for that right."""
    needs = NEEDS[right] if kind == "user" or right == "guardian" else "low"
    return ASSURANCE.index(assurance) >= ASSURANCE.index(needs)


def ways(right: str, kind: str, *, mailed: bool) -> list[str]:
    """How it may be proved who asks; the same whether or not anything is held about them."""
    if right == "guardian":  # nobody's token or mailbox says whose parent they are (M88)
        return ["judgement"]
    return ["token", *(["code"] if mailed else []), *(["device"] if kind == "device" else []), "judgement"]
