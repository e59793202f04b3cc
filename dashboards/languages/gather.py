"""The words that are to be translated: those marked in templates and code, and those that are data.

Titles of lists, reports and numbers stand in tables of their own and are said by `told` or `gettext` when a
page is made; they are gathered from those tables, so that a new one needs no mark.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir

from consent_filter.counts import REASONS
from consent_filter.purpose import Purpose
from consent_filter.rights.case import GROUNDS
from dashboards import (
    advert_numbers,
    attribution,
    examples,
    explore_page,
    numbers,
    quartiles,
    rights,
    speed_page,
    sql_page,
    topics,
    trials,
    words,
)
from dashboards.administration import ROLES
from dashboards.pages import ABOUT
from dashboards.panels import BY_NAME
from dashboards.sharing import alerts, mailings, unusual
from warehouse import askable
from warehouse.enquiry import LEFT
from warehouse.meaning import RESTATED, meaning
from warehouse.pacing import WHY
from warehouse.release import method, share
from warehouse.report import load
from warehouse.settings import Warehouse

_ROOM = Path(__file__).parent.parent
#: Calls whose texts are said to people: which of their arguments those are.
_CALLS = {"gettext": (0,), "say": (0,), "say_n": (0, 1), "later": (0,), "Refused": (2,)}
#: Rooms of this package whose words are not for pages: packs are English.
_APART = ("packs", "languages")
#: Files of other rooms whose refusals are shown on pages: questions, statements, links, the officer's desk.
_SHOWN = (
    "warehouse/question.py", "warehouse/askable.py", "warehouse/statement.py", "warehouse/outward.py",
    "warehouse/apart.py", "warehouse/query.py", "warehouse/explore.py", "warehouse/funnel.py",
    "warehouse/followed.py", "warehouse/follower.py", "warehouse/reader.py",
    "consent_filter/rights/docket.py", "consent_filter/rights/office.py", "consent_filter/rights/proof.py",
    "consent_filter/rights/register.py", "consent_filter/rights/carrying.py",
)  # fmt: skip


@cache
def catalogue() -> Catalog:
    """All of them, in an order that does not change by itself. A comment says where each stands."""
    found = Catalog(project="Throng", charset="utf-8")
    for file, text in (*_marked(), *_called(), *data()):
        if text:
            found.add(text, locations=[(file, 0)])
    return found


def _marked() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """Those of templates."""
    methods = [("templates/**.html", "jinja2")]
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2)}
    for file, _, text, _, _ in sorted(extract_from_dir(_ROOM, methods, {}, keywords), key=str):
        yield f"dashboards/{file}", text


def _called() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """Those of code, and the refusals of other rooms that pages show."""
    house = _ROOM.parent
    own = [file for file in sorted(_ROOM.rglob("*.py")) if file.relative_to(_ROOM).parts[0] not in _APART]
    for file in [*own, *(house / one for one in _SHOWN)]:
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            places = _CALLS.get(call.func.id, ())
            texts = [call.args[at] for at in places if at < len(call.args)]
            said = [
                one.value for one in texts if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
            if said and len(said) == len(places):
                where = str(file.relative_to(house))
                yield where, said[0] if len(said) == 1 else (said[0], said[1])


def data() -> Iterator[tuple[str, str]]:
    """The words that stand in tables: (which table, the word)."""
    for panel in BY_NAME.values():
        for text in (panel.title, panel.note, panel.unasked, *(one.title for one in panel.rates)):
            yield "panels.py", text
        for name in (*panel.keys, *panel.sums):
            yield "words.py", words.named(name)
    for metric in (*numbers.METRICS.values(), *advert_numbers.METRICS.values()):
        yield "numbers.py", metric.title
        yield "numbers.py", metric.note
    for _, says, of in advert_numbers.STEPS:
        yield "advert_numbers.py", says
        yield "advert_numbers.py", of
    for topic in topics.TOPICS:
        yield "topics.py", topic.title
        yield "topics.py", topic.lead
    for measure in topics.MEASURES:
        yield "topics.py", measure
    for pair in attribution.MODELS.values():
        yield from (("attribution.py", text) for text in pair)
    for table, texts in _tables().items():
        yield from ((table, text) for text in texts)
    for report in load().values():
        yield "reports", report.title
        yield "reports", report.doc
        for name in (*report.keys, "people", "others", *report.sums):
            yield "words.py", words.named(name)
            yield "meanings", meaning(name)
    for name in (*askable.MEASURES, *askable.DIMENSIONS):
        yield "words.py", words.named(name)


def _tables() -> dict[str, list[str]]:
    return {
        "words.py": [*words.COLUMNS.values(), *words.VALUES.values(), *words.CONTINENTS.values()],
        "kinds": [*words.KINDS, *words.STEPS, *words.SIZES],
        "reasons": [*REASONS, *REASONS.values()],
        "grounds": [*GROUNDS.values()],
        "roles": [*ROLES.values(), *(words.named(role.value) for role in ROLES)],
        "scopes": [*rights.SCOPES.values()],
        "examples": [text for text, _ in (*examples.EXAMPLES, *explore_page.EXAMPLES)],
        "charts": [*sql_page.CHARTS.values()],
        "subjects": [one.title for one in askable.SUBJECTS],
        "alerts": [*unusual.KINDS.values(), *alerts.WATCHED],
        "mails": [*mailings.EVERY.values()],
        "pacing": [*WHY],
        "speed": [*speed_page.SAYS.values(), *speed_page.KINDS.values(), *quartiles.MARKS],
        "experiments": [*trials.KINDS.values()],
        "restatements": [*RESTATED.values()],
        "methods": [re.sub(r"\d+", "{n}", method(one, Warehouse())) for one in load().values()],
        "shares": [share(n) for n in (2, 3, 4, 10)],
        "ways": ["password", "passkey", "link", "code", "recovery", "issuer"],
        "purposes": [words.named(str(one.name).lower()) for one in Purpose],
        "left out": [*LEFT.values()],
        "suites": [*ABOUT.values()],
    }
