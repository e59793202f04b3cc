"""Experiments of a site (M48): which variant a visitor sees, said with an event in words it has declared.

`throng('experiment', {checkout: 'b'})` is a custom event of that name. Of its properties only declared
experiments with a declared variant are kept, so that nothing else of a visitor can come with them; and no
variant is chosen here: that would need something in the browser before the visitor has agreed to it.
"""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.market import WORD

#: The name of the event that says which variants somebody sees.
NAME = "experiment"
#: Labels of one event, and variants and goals of one experiment, at most: each is a row somebody may be in.
LABELS, VARIANTS, GOALS = 4, 8, 12
_DAY_ONE = date(1970, 1, 1)


class Experiment(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One `[[site.experiments]]` table. name, variants: small words; the first variant is the control, with
    which all others are compared. shares: how many of a hundred the site means to give each variant; without
    it all alike. goals: names of custom events that are looked at first. since, until: the days, of the
    site's own clock, on which labels of it are taken; without them always."""

    name: str
    variants: tuple[str, ...]
    shares: tuple[float, ...] = ()
    goals: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        for word in (self.name, *self.variants):
            if not WORD.fullmatch(word):
                raise Misconfigured("site.experiments", word, "small letters, digits, - and _; at most 32")
        if not 2 <= len(self.variants) <= VARIANTS or len(set(self.variants)) < len(self.variants):
            raise Misconfigured("site.experiments.variants", self.variants, f"2 to {VARIANTS}, all different")
        if self.shares and (len(self.shares) != len(self.variants) or min(self.shares) <= 0):
            raise Misconfigured("site.experiments.shares", self.shares, "one above 0 for each variant")
        if len(self.goals) > GOALS or NAME in self.goals:
            raise Misconfigured("site.experiments.goals", self.goals, f"at most {GOALS} names of events")
        if self.since and self.until and self.until < self.since:
            raise Misconfigured("site.experiments.until", self.until, "no day before `since`")

    def runs(self, day: int) -> bool:
        """Whether labels of it are taken on a day (days since 1970)."""
        return (self.since is None or (self.since - _DAY_ONE).days <= day) and (
            self.until is None or day <= (self.until - _DAY_ONE).days
        )

    @property
    def expected(self) -> tuple[float, ...]:
        """The share of people that each variant is meant to get; they add up to one."""
        shares = self.shares or (1.0,) * len(self.variants)
        return tuple(one / sum(shares) for one in shares)


def labelled(type: str, name: str | None) -> bool:
    """Whether an event says which variants somebody sees."""
    return type == "event" and name == NAME
