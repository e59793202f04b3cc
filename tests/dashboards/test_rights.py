"""Which addresses are whose."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from consent_filter.errors import Refused
from dashboards.rights import RULES, SCOPES, home, rule
from dashboards.who import NOBODY, Role, Who, present, who


def test_the_longest_beginning_holds_and_what_has_no_line_is_nobodys() -> None:
    assert [rule(path) for path in ("/nowhere", "/sqlite", "/reports", "//", "")] == [None] * 5
    one = rule("/console/request/R-1")
    assert one is not None
    assert (one.path, one.roles) == ("/console/", frozenset({Role.PRIVACY_OFFICER}))
    assert rule("/sql") is not rule("/")
    assert len({one.path for one in RULES}) == len(RULES)
    assert {one.scope for one in RULES} - {""} <= SCOPES.keys()


def test_everyone_lands_on_a_page_that_they_may_open() -> None:
    for role in Role:
        one = rule(home(frozenset({role})))
        assert one is not None
        assert one.roles is not None
        assert role in one.roles


def test_where_nobody_asks_no_site_is_seen() -> None:
    assert present() is NOBODY
    assert not NOBODY.sees("shop")
    assert Who(account="a", name="Ann", roles=frozenset()).sees("shop")
    assert not Who(account="a", name="Ann", roles=frozenset(), sites=frozenset({"blog"})).sees("shop")
    with pytest.raises(Refused, match="sign_in"):
        who(Request({"type": "http", "headers": []}))
