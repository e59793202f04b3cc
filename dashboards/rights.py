"""Who may open which address: one line each. What has no line is nobody's."""

from __future__ import annotations

from typing import NamedTuple

from dashboards.who import Role, present

_NUMBERS = frozenset({Role.ANALYST})
_ADMINISTRATOR = frozenset({Role.ADMINISTRATOR})
_OFFICER = frozenset({Role.PRIVACY_OFFICER})
_OUTSIDERS = frozenset({Role.ADVERTISER, Role.INVESTOR})
#: Whoever is signed in.
_ANYONE = frozenset(Role)

#: What an API key may be for, and what that means to who makes one.
SCOPES = {
    "tables": "reports, and their files",
    "sql": "questions in SQL",
    "explore": "any question, answered as a report",
    "security": "networks that spiked",
}  # fmt: skip


class Rule(NamedTuple):
    """path: an address, or all that begin with it where it ends with `/`. roles: one of them is needed; None
    is open, or asks for a proof of its own (a signed link, a token). scope: of API keys; without one no key
    opens it. every_site: only for accounts that may see all sites, as the answer can't be cut to some.
    post: it takes forms. log: that it was read is written down."""

    path: str
    roles: frozenset[Role] | None
    scope: str = ""
    every_site: bool = False
    post: bool = False
    log: bool = True


RULES = (
    # Open, or with a proof of its own.
    Rule("/health", None, log=False),
    Rule("/favicon.ico", None, log=False),
    Rule("/static/", None, log=False),
    Rule("/sign-in", None, post=True, log=False),
    Rule("/sign-in/", None, post=True, log=False),
    Rule("/enter/", None, post=True, log=False),
    Rule("/advertiser/", None, log=False),
    Rule("/partner/", None, log=False),
    Rule("/packs/", None, log=False),
    Rule("/shared/", None, log=False),
    Rule("/unlock/", None, post=True, log=False),
    Rule("/mails/stop/", None, post=True, log=False),
    Rule("/segments/", None, log=False),
    Rule("/api/adverts", None, log=False),
    Rule("/api/adverts/", None, log=False),
    Rule("/security", None),
    # Numbers.
    Rule("/", _NUMBERS),
    Rule("/panel/", _NUMBERS),
    *(Rule(path, _NUMBERS) for path in ("/sources", "/pages", "/audience", "/events", "/deals", "/consent")),
    *(Rule(path, _NUMBERS) for path in ("/live", "/returning", "/journeys")),
    Rule("/funnels", _NUMBERS, post=True),
    Rule("/funnels/", _NUMBERS),
    *(Rule(path, _NUMBERS) for path in ("/experiments", "/speed")),
    Rule("/report/", _NUMBERS, scope="tables"),
    Rule("/csv/", _NUMBERS, scope="tables"),
    Rule("/files/", _NUMBERS, scope="tables"),
    Rule("/attribution", _NUMBERS),
    Rule("/adverts", _NUMBERS),
    Rule("/sql", _NUMBERS, scope="sql", every_site=True),
    Rule("/sql/saved", _NUMBERS, every_site=True, post=True),
    Rule("/api/sql", _NUMBERS, scope="sql", every_site=True, post=True),
    Rule("/api/sql/tables", _NUMBERS, scope="sql", every_site=True),
    Rule("/explore", _NUMBERS, scope="explore", every_site=True),
    Rule("/explore/saved", _NUMBERS, every_site=True, post=True),
    Rule("/api/explore", _NUMBERS, scope="explore", every_site=True, post=True),
    Rule("/api/explore/words", _NUMBERS, scope="explore", every_site=True),
    Rule("/api/openapi.json", None, log=False),
    Rule("/quality", _NUMBERS | _OFFICER, every_site=True),
    # What is kept of them, and passed on.
    Rule("/views", _NUMBERS, post=True),
    Rule("/views/", _NUMBERS, log=False),
    Rule("/notes", _NUMBERS, post=True),
    Rule("/shares", _NUMBERS, post=True),
    Rule("/alerts", _NUMBERS, post=True),
    Rule("/mails", _NUMBERS, post=True),
    Rule("/about", _ANYONE, log=False),
    Rule("/about-numbers", _ANYONE, log=False),
    # Requests of people about their own data.
    Rule("/console", _OFFICER),
    Rule("/console/", _OFFICER, post=True),
    Rule("/console/statistics", _OFFICER, every_site=True),
    # What is of an advertiser, or was delivered to a recipient.
    Rule("/mine", _OUTSIDERS),
    Rule("/mine/", _OUTSIDERS),
    # One's own account, and everybody's.
    Rule("/sign-out", _ANYONE, post=True, log=False),
    Rule("/account", _ANYONE, post=True, log=False),
    Rule("/account/", _ANYONE, post=True, log=False),
    Rule("/accounts", _ADMINISTRATOR, post=True),
    Rule("/accounts/", _ADMINISTRATOR, post=True),
    Rule("/log", _ADMINISTRATOR | _OFFICER),
)  # fmt: skip
_EXACT = {rule.path: rule for rule in RULES if rule.path == "/" or not rule.path.endswith("/")}
_BELOW = sorted((r for r in RULES if r.path != "/" and r.path.endswith("/")), key=lambda r: -len(r.path))


def rule(path: str) -> Rule | None:
    """The line that holds for an address: itself, else the longest beginning; None where there is none."""
    return _EXACT.get(path) or next((one for one in _BELOW if path.startswith(one.path)), None)


def may(path: str) -> bool:
    """Whether whoever asks may open it: for links."""
    one, who = rule(path), present()
    if one is None or (one.every_site and who.sites is not None):
        return False
    return one.roles is None or who.has(*one.roles)


#: Where somebody lands who has signed in and named no page: the first of these that a role opens.
_HOMES = (
    (Role.ANALYST, "/"),
    (Role.PRIVACY_OFFICER, "/console"),
    (Role.ADMINISTRATOR, "/accounts"),
    (Role.ADVERTISER, "/mine"),
    (Role.INVESTOR, "/mine"),
)  # fmt: skip


def home(roles: frozenset[Role], *, console: bool = True) -> str:
    """The page to begin with."""
    for role, path in _HOMES:
        if role in roles and (console or path != "/console"):
            return path
    return "/account"
