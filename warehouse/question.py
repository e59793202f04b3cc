"""The language of questions: `people, views by country where path = '/projects' last 28 days`.

A question is read into one form and written back the same way whoever asks, so that the same question has the
same answer, and the same address. Nothing of it is ever put into SQL: names are of closed lists, and values
are compared with released rows.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Any, Literal

import msgspec
from msgspec import Struct

from consent_filter.errors import Refused
from consent_filter.fields import BY_NAME as FIELDS
from consent_filter.purpose import BY_NAME as PURPOSES_NAMED
from consent_filter.purpose import names as _purposes
from warehouse.askable import CALLED, DIMENSIONS, MEASURES, MOST_KEYS, subject

#: Stretches of time that rows can be of, besides the whole.
TIMES = ("day", "week", "month")
#: Days, conditions, values of a condition and characters that a question has at most.
MOST_DAYS, MOST_CONDITIONS, MOST_VALUES, LONGEST = 400, 4, 40, 4_000
#: Days that a question without any is of.
USUAL = 28
EXAMPLE = "people, views by country where device = 'mobile' from 2026-09-01 to 2026-09-30"
_WORD = re.compile(
    r"\s*(?:('(?:[^']|'')*'|\"[^\"]*\")|(\d{4}-\d\d-\d\d)|([A-Za-z_][\w]*|\d+)|(!=|<>|[=,()]))"
)
CLAUSES = (
    "by",
    "for",
    "where",
    "from",
    "to",
    "on",
    "last",
    "days",
    "order",
    "limit",
    "site",
    "and",
    "in",
    "not",
)


class Condition(Struct, frozen=True, order=True):
    """Of a dimension's rows those that have (or, `out`, have not) one of these values."""

    key: str
    values: tuple[str, ...]
    out: bool = False

    def lets(self, value: str) -> bool:
        return (value in self.values) != self.out

    def __str__(self) -> str:
        said = [quoted(one) for one in self.values]
        if len(said) == 1:
            return f"{self.key} {'!=' if self.out else '='} {said[0]}"
        return f"{self.key} {'not in' if self.out else 'in'} ({', '.join(said)})"


class Question(Struct, frozen=True, kw_only=True):
    """What is asked. first, last: days of the site, None where the asker leaves it to the page. by: names of
    dimensions, and of at most one stretch of time. purpose: what it is asked for; only rows that allow it are
    counted. order: a column of the answer."""

    measures: tuple[str, ...]
    by: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    purpose: str
    site: str = ""
    first: date | None = None
    last: date | None = None
    days: int = 0
    order: str = ""
    way: Literal["asc", "desc"] = "desc"
    limit: int = 0

    def __post_init__(self) -> None:
        subject(self.measures, self.keys, self.purpose)
        if len(self.keys) > MOST_KEYS:
            raise Refused(
                400, "narrow", "a question names {most} dimensions at most, to show and to filter by: a row"
                " of {n} would be of too few people", most=MOST_KEYS, n=len(self.keys),
            )  # fmt: skip
        if self.first and self.last and not 0 <= (self.last - self.first).days < MOST_DAYS:
            raise Refused(
                400, "days", "from the first day to the last, {most_days} days at most", most_days=MOST_DAYS
            )

    @property
    def keys(self) -> tuple[str, ...]:
        """Every dimension that is named, to show or to filter by."""
        named = (*(one for one in self.by if one not in TIMES), *(one.key for one in self.where))
        return tuple(dict.fromkeys(named))

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns that name a row of the answer. Of a filter that lets several values through each is a
        row: people of several rows are not added up, since somebody may be in two of them."""
        several = (one.key for one in self.where if one.out or len(one.values) > 1)
        return tuple(dict.fromkeys((*self.by, *several)))

    def __str__(self) -> str:
        """The one way to write it."""
        where = [f"site = {quoted(self.site)}"] if self.site else []
        where += map(str, self.where)
        parts = [", ".join(self.measures)]
        if self.by:
            parts.append(f"by {', '.join(self.by)}")
        parts.append(f"for {self.purpose}")
        if where:
            parts.append(f"where {' and '.join(where)}")
        if self.first and self.last:
            parts.append(f"from {self.first.isoformat()} to {self.last.isoformat()}")
        elif self.days:
            parts.append(f"last {self.days} days")
        if self.order:
            parts.append(f"order by {self.order} {self.way}")
        if self.limit:
            parts.append(f"limit {self.limit}")
        return " ".join(parts)


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def read(text: str) -> Question:
    """A question from its text. Raises Refused with what to write instead."""
    if len(text) > LONGEST:
        raise Refused(413, "too_large", "a question has {longest} characters at most", longest=LONGEST)
    return Parser(text).question()


def made(
    measures: Collection[str], by: Iterable[str], where: Iterable[Condition], purpose: str = "", **more: Any
) -> Question:
    """A question from its parts, in its one form. Without a purpose it is for what its numbers were collected
    for. Raises Refused."""
    found: dict[tuple[str, bool], set[str]] = {}
    for one in where:
        found.setdefault((one.key, one.out), set()).update(one.values)
    conditions = tuple(
        Condition(key, tuple(sorted(values)), out) for (key, out), values in sorted(found.items())
    )
    if len(conditions) > MOST_CONDITIONS or any(len(one.values) > MOST_VALUES for one in conditions):
        raise Refused(
            400, "conditions", "at most {most} conditions of {values} values each",
            most=MOST_CONDITIONS, values=MOST_VALUES,
        )  # fmt: skip
    wanted = tuple(one for one in MEASURES if one in measures) or ("people",)
    by, keys = tuple(dict.fromkeys(by)), [one.key for one in conditions]
    named = purpose or subject(wanted, [*(one for one in by if one not in TIMES), *keys]).purpose
    return Question(measures=wanted, by=by, where=conditions, purpose=named, **more)


class Parser:
    """Reads words from the left. `example`: what a question of its kind looks like."""

    example = EXAMPLE

    def __init__(self, text: str) -> None:
        self._words, at = list[tuple[str, str]](), 0
        text = text.strip().rstrip(";")
        while at < len(text):
            found = _WORD.match(text, at)
            if found is None:
                if not text[at:].strip():
                    break
                raise Refused(
                    400,
                    "bad_question",
                    "this can't be read after {at} characters; as in: {example}",
                    at=at,
                    example=self.example,
                )
            kind = ("text", "date", "word", "sign")[next(i for i, one in enumerate(found.groups()) if one)]
            self._words.append((kind, found[found.lastindex or 0]))
            at = found.end()
        self._at = 0

    def question(self) -> Question:
        measures = tuple(self._names("measure", MEASURES))
        by: tuple[str, ...] = ()
        where, more = list[Condition](), dict[str, Any]()
        while self._at < len(self._words):
            clause = self._word().lower()
            if clause == "by":
                by = tuple(self._names("dimension", (*DIMENSIONS, *TIMES)))
            elif clause == "for":
                more["purpose"] = self._purpose()
            elif clause == "where":
                where += self._conditions(more)
            elif clause == "order":
                self._expect("by")
                more["order"] = self._one("column", (*MEASURES, *DIMENSIONS, *TIMES))
                if self._peek().lower() in ("asc", "desc"):
                    more["way"] = self._word().lower()
            elif clause == "limit":
                more["limit"] = self._number("limit", 10_000)
            elif not self._span(clause, more, MOST_DAYS):
                raise self._misplaced(clause, CLAUSES)
        if sum(one in TIMES for one in by) > 1:
            raise Refused(400, "bad_question", "one of day, week and month")
        return made(measures, by, where, **more)

    def _purpose(self) -> str:
        said = self._one("purpose", (*PURPOSES_NAMED, *CALLED))
        return CALLED.get(said, said)

    def _span(self, clause: str, more: dict[str, Any], most: int) -> bool:
        """Whether that is a clause of days, of so many at most; then it is read."""
        if clause == "from":
            more["first"] = self._date()
            self._expect("to")
            more["last"] = self._date()
        elif clause == "on":
            more["first"] = more["last"] = self._date()
        elif clause == "last":
            more["days"] = self._number("days", most)
            self._expect("days")
        return clause in ("from", "on", "last")

    def _misplaced(self, clause: str, clauses: Collection[str]) -> Refused:
        near = get_close_matches(clause, clauses, 1)
        if near:
            return Refused(
                400, "bad_question", "a word does not belong where it stands; did you mean {near}?",
                near=near[0],
            )  # fmt: skip
        return Refused(
            400, "bad_question", "a word does not belong where it stands; as in: {example}",
            example=self.example,
        )  # fmt: skip

    def _conditions(self, more: dict[str, Any]) -> Iterator[Condition]:
        while True:
            key, out = self._one("dimension", (*DIMENSIONS, "site")), False
            sign = self._word().lower()
            if sign == "not":
                self._expect("in")
                sign, out = "in", True
            if sign in ("!=", "<>"):
                sign, out = "=", True
            if sign not in ("=", "in"):
                raise Refused(400, "bad_question", "a condition is =, !=, in (…) or not in (…)")
            values = [self._value()] if sign == "=" else list(self._values())
            if key == "site":
                if out or len(values) > 1 or more.get("site", values[0]) != values[0]:
                    raise Refused(400, "bad_question", "a question is of one site: site = '…'")
                more["site"] = values[0]
            else:
                yield Condition(key, tuple(values), out)
            if self._peek().lower() != "and":
                return
            self._word()

    def _values(self) -> Iterator[str]:
        self._expect("(")
        while True:
            yield self._value()
            sign = self._word()
            if sign == ")":
                return
            if sign != ",":
                raise Refused(400, "bad_question", "values stand in brackets, with commas between")

    def _names(self, what: str, names: tuple[str, ...]) -> Iterator[str]:
        yield self._one(what, names)
        while self._peek() == ",":
            self._word()
            yield self._one(what, names)

    def _one(self, what: str, names: tuple[str, ...]) -> str:
        found = self._word().lower()
        if found not in names:
            near = get_close_matches(found, names, 1)
            if found in FIELDS:  # collected, and no question's: said of the column, not of anybody
                raise Refused(
                    400, what,
                    "there is no such {what}; {column} is collected for {purposes}; there are {names}",
                    what=what, column=found, purposes=", ".join(_purposes(FIELDS[found].purposes)),
                    names=", ".join(names),
                )  # fmt: skip
            if near:
                raise Refused(
                    400, what, "there is no such {what}; did you mean {near}?", what=what, near=near[0]
                )
            raise Refused(
                400, what, "there is no such {what}; there are {names}", what=what, names=", ".join(names)
            )
        return found

    def _value(self) -> str:
        if self._at < len(self._words) and self._words[self._at][0] == "text":
            text = self._words[self._at][1]
            self._at += 1
            return text[1:-1].replace("''", "'") if text[0] == "'" else text[1:-1]
        raise Refused(400, "bad_question", "a value stands in quotes: country = 'DE'")

    def _date(self) -> date:
        try:
            return date.fromisoformat(self._word())
        except ValueError:
            raise Refused(400, "days", "a day is written 2026-09-30") from None

    def _number(self, what: str, most: int) -> int:
        found = self._word()
        if not found.isdecimal() or not 1 <= int(found[:9]) <= most:
            raise Refused(400, what, "a number from 1 to {most}", most=most)
        return int(found)

    def _expect(self, word: str) -> None:
        if self._word().lower() != word:
            raise Refused(
                400, "bad_question", "{word} is missing; as in: {example}", word=word, example=self.example
            )

    def _peek(self) -> str:
        return self._words[self._at][1] if self._at < len(self._words) else ""

    def _word(self) -> str:
        if self._at >= len(self._words):
            raise Refused(
                400, "bad_question", "the question stops too soon; as in: {example}", example=self.example
            )
        self._at += 1
        return self._words[self._at - 1][1]


def spanned(question: Question, oldest: date, newest: date) -> Question:
    """With its days, of those that can be asked about: the last 28 where it names none."""
    if question.first and question.last:
        return question
    days = question.days or USUAL
    first = max(newest - timedelta(days=days - 1), oldest)
    return msgspec.structs.replace(question, first=first, last=newest, days=0)
