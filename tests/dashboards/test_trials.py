"""The page on experiments says what the table says, and what stands against believing it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pyarrow as pa
import pytest

from consent_filter.experiment import Experiment
from consent_filter.site import Site
from tests.dashboards.asking import Asking, asking
from tests.warehouse.tables import LAST, fill, put
from warehouse import report as reports
from warehouse.released import Store
from warehouse.settings import Warehouse
from warehouse.snapshot import publish

SITES = {
    "market": Site(
        id="market",
        experiments=(
            Experiment(name="checkout", variants=("a", "b"), goals=("hired",)),
            Experiment(name="lost", variants=("a", "b"), goals=("hired",), until=LAST - timedelta(days=1)),
            Experiment(name="small", variants=("a", "b"), goals=("hired",)),
            Experiment(name="later", variants=("a", "b"), since=LAST + timedelta(days=2)),
        ),
    )
}
#: experiment, variant, kind, goal, people
ROWS = [
    ("checkout", "a", "known", "(assigned)", 4000),
    ("checkout", "a", "known", "hired", 320),
    ("checkout", "a", "known", "sign_up", 400),
    ("checkout", "b", "known", "(assigned)", 4050),
    ("checkout", "b", "known", "hired", 430),
    ("checkout", "b", "known", "sign_up", 409),
    ("checkout", "(several)", "known", "(assigned)", 17),
    ("checkout", "a", "unknown", "(assigned)", 900),
    ("lost", "a", "known", "(assigned)", 4000),
    ("lost", "a", "known", "hired", 320),
    ("lost", "b", "known", "(assigned)", 3500),
    ("lost", "b", "known", "hired", 430),
    ("small", "a", "known", "(assigned)", 40),
    ("small", "b", "known", "(assigned)", 90),
    ("small", "b", "known", "hired", 20),
    ("old", "x", "known", "(assigned)", 800),
    ("old", "x", "known", "hired", 30),
    ("old", "y", "known", "(assigned)", 810),
    ("old", "y", "known", "hired", 33),
]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    data = tmp_path_factory.mktemp("trials")
    fill(data, days=8, sites=("market", "blog"))
    rows = [
        {"site": "market", "begins": LAST, "experiment": name, "variant": variant, "kind": kind}
        | {"step": int(goal != "(assigned)"), "goal": goal, "people": people, "events": people}
        for name, variant, kind, goal, people in ROWS
    ]
    store = Store.open(data)
    put(store, reports.load()["experiments"], pa.Table.from_pylist(rows))
    publish(data, Warehouse(), store)
    store.close()
    with asking(data, sites=SITES) as one:
        yield one


def card(text: str, name: str) -> str:
    found = text.partition(f'<section class="card" id="{name}">')[2].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub("</?bdi>", "", found)).split())


@pytest.mark.requirement("M48")
def test_rates_have_intervals_and_a_difference_is_said_where_there_is_one(market: Asking) -> None:
    text = market.get("/experiments").text
    checkout = card(text, "checkout")
    assert "a: 4,000 people (meant: 50%); b: 4,050 people (meant: 50%). 17 people saw several" in checkout
    assert "a control 4,000 320 8.00% 7.19 to 8.89% –" in checkout
    assert "b 4,050 430 10.62%" in checkout
    assert "+2.62 points (+1.34 to +3.89)" in checkout
    assert "may be nothing" in checkout.partition("What else they did")[2], "sign_up hardly differs"
    assert "be trusted" not in checkout
    assert text.count('class="whisker"') == 2 * 3 + 1 + 2
    assert '<span class="good">+2.62' in text


@pytest.mark.requirement("M48")
def test_what_stands_against_it_is_said(market: Asking) -> None:
    text = market.get("/experiments").text
    assert "These numbers can’t be trusted." in card(text, "lost")
    assert 'class="good"' not in text.partition('id="lost"')[2], "no difference is praised there"
    assert "Ended on" in card(text, "lost")
    assert "a control 40 not enough people yet b 90 20" in card(text, "small")
    assert "the control is too small to say" in card(text, "small")
    assert "Not enough people yet" in card(text, "later")
    assert "Begins on" in card(text, "later")
    assert "The site declares it no more." in card(text, "old")
    assert "y 810 33" in card(text, "old")


def test_one_experiment_and_whom_are_chosen_in_the_address(market: Asking) -> None:
    text = market.get("/experiments?experiment=checkout&kind=unknown").text
    assert "a: 900 people" in card(text, "checkout")
    assert not card(text, "lost")
    assert "Who comes on five days is five here" in text
    assert "experiment=checkout" in text.partition('aria-label="Whom"')[2].partition("</div>")[0]
    assert "There is no experiment of that name." in market.get("/experiments?experiment=none").text
    assert market.get("/experiments?kind=all").status_code == 400
