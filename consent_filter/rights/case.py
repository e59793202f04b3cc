"""A request about somebody's own data: which rights there are, where it stands, why it may be refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Struct

#: What may be asked for (GDPR Art. 7(3), 12–22 and 77; M88, M108–M113, M121).
RIGHTS = ("access", "rectify", "restrict", "lift", "object", "withdraw", "erase", "guardian", "complaint")
#: Carried out by words in the ledger alone, as soon as it is known who asks.
AT_ONCE = ("object", "withdraw")
#: Carried out by the pipeline, where the rows are; a child's first (S23), the others as they came.
CARRIED = ("guardian", "erase", "restrict", "lift", "rectify", "access")
#: How a request may come (M70, M118). `api` is also the panel; the others are entered by an officer.
CHANNELS = ("api", "letter", "telephone", "email", "ticket", "form")
#: Whose: an account, a browser, or somebody without either whom a member has named (M71).
KINDS = ("user", "device", "contact")
#: unproved: not known who asks. verified: to be carried out. done, refused: closed. joined: another has it.
STATES = ("unproved", "verified", "done", "refused", "joined")
OPEN = ("unproved", "verified")
#: Why a request may be refused (M114), as the person is told.
GROUNDS: dict[str, str] = {
    "identity": "we could not find out that it is you who asks (GDPR Art. 12(2) and (6))",
    "repetitive": "the same was asked too often within a short time (GDPR Art. 12(5))",
    "unfounded": "the request is manifestly unfounded (GDPR Art. 12(5))",
    "disproportionate": "the request is manifestly excessive (GDPR Art. 12(5))",
    "impractical": "it can't be done without disproportionate effort (GDPR Art. 19)",
    "others": "it would harm the rights of other people (GDPR Art. 15(4))",
    "law": "a law obliges us to keep it as it is (GDPR Art. 17(3)(b), Art. 23)",
    "claims": "it is needed for legal claims (GDPR Art. 17(3)(e))",
    "compelling": "there are compelling grounds, such as security, that outweigh it (GDPR Art. 21(1))",
    "basis": "this right is not open for how the data is used here (GDPR Art. 20(1), 21(1))",
    "withdrawn": "whoever asked took the request back",
}
#: Of these, which may keep something for a time: an officer says until when (M119).
KEEPING = ("law", "claims", "compelling")
#: What is said with every refusal (GDPR Art. 12(4)).
REMEDY = (
    "You may lodge a complaint with a supervisory authority and seek a judicial remedy"
    " (GDPR Art. 12(4), 77 and 79)."
)


class Case(Struct, frozen=True, kw_only=True):
    """One request as it stands. Times are UTC milliseconds.

    key: how the ledger finds the person, None once emptied. detail: what is asked for, by right. due: the
    first moment after the last day (M117). paused: since when the clock stands. version: counts up with every
    change. method, assurance, until: how it was proved who asks, and how long that holds. about: the requests
    that a complaint is about. note: outcome in words, for the person.
    """

    id: str
    site: str
    right: str
    kind: str
    key: bytes | None
    state: str
    received: int
    due: int
    detail: Mapping[str, Any] = {}
    channel: str = "api"
    version: int = 0
    paused: int | None = None
    extended: bool = False
    method: str = ""
    assurance: str = ""
    until: int | None = None
    closed: int | None = None
    ground: str = ""
    outcome: Mapping[str, Any] = {}
    about: tuple[str, ...] = ()
    subject: str | None = None
    email: str | None = None
    vouched: bool = False
    text: str | None = None
    zone: str = "UTC"

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def child(self) -> bool:
        """Whether somebody's age is its reason: then it comes before all others (M87, S23)."""
        return self.right == "guardian" or self.detail.get("minor") is True


class Step(NamedTuple):
    """Something that was done to a request: when, by whom, what, with which code and note."""

    at: int
    who: str
    what: str
    code: str
    note: str | None
