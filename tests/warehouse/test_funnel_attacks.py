"""Whoever may ask any funnel draws groups that differ by one person, asks often, and until it is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from consent_filter.errors import Refused
from tests.warehouse.crowd import lay
from tests.warehouse.funnels import HOW, NOW, crowd, filled, say, walk
from tests.warehouse.test_mechanism import DRAWS, given_away
from warehouse import drawn, followed, funnel, mechanism, opened
from warehouse.explore import Gate
from warehouse.followed import Followed, Told
from warehouse.funnel import Funnel, Step

RHO = HOW.funnel_rho


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("attacked"), [*crowd(120), *walk(777, ["/", "hired", "sign_up"])])


@pytest.fixture
def gate(folder: Path) -> Iterator[Gate]:
    """With an account of its own: nothing was ever asked."""
    (folder / opened.FILE).unlink(missing_ok=True)
    one = Gate(folder, HOW, NOW)
    yield one
    one.close()
    for file in folder.glob(f"{opened.FILE}*"):
        file.unlink()


def ask(gate: Gate, steps: str, days: str = "from 2026-09-01 to 2026-09-03") -> tuple[Any, dict[str, Any]]:
    said = " then ".join(f"page '{one}'" if one[0] == "/" else f"event '{one}'" for one in steps.split())
    return gate.follow(funnel.read(f"funnel {said} {days}"), spend=True)


def left(gate: Gate) -> int:
    _, said = gate.follow(funnel.read("funnel page '/' then event 'hired' within range"), spend=False)
    return int(said["accounts"][0]["left"])


def steps(names: str) -> Funnel:
    return Funnel(steps=tuple(Step("event", one) for one in names))


def draws(classes: list[int], many: int) -> NDArray[np.int64]:
    """The noisy classes of so many answers, as an attacker knows them who is shown every step."""
    sigma = mechanism.scale(1.0, RHO)
    return np.array([mechanism.add(classes, sigma) for _ in range(many)])


@pytest.mark.requirement("S9", "M98")
@pytest.mark.parametrize("at", [0, 1, 2])
def test_no_draw_tells_more_of_one_person_than_its_price(at: int) -> None:
    """Neighbours: the same crowd, and one person more who came so far; through the class in which they are,
    which is all that differs. Half of the noise is found by the same attack."""
    rho = 0.5
    without, present = [40, 30, 20], [40, 30, 20]
    present[at] += 1

    def found(sigma: float) -> float:
        alone, joined = (mechanism.add(np.full(DRAWS, classes[at]), sigma) for classes in (without, present))
        return given_away(alone, joined, without[at] + 1)

    sigma = mechanism.scale(1.0, rho)
    said = mechanism.epsilon(rho, 1e-7)
    assert mechanism.epsilon(found(sigma), 1e-7) < said
    assert mechanism.epsilon(found(sigma / 2), 1e-7) > said


@pytest.mark.requirement("S9")
def test_noise_is_drawn_once_for_each_class_and_nothing_else_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is told is made of the noisy classes alone, so that one person is one of one number that is seen.
    Planted: noise on each step by itself, in which one person is one of several; a step that is shown or not
    by how many it really has."""
    drawn_of: list[tuple[list[int], float]] = []

    def add(values: list[int], sigma: float) -> NDArray[np.int64]:
        drawn_of.append((list(values), sigma))
        return np.array([100, 30, 50], np.int64)

    monkeypatch.setattr(mechanism, "add", add)
    one, other = (drawn.draw(steps("abc"), classes, RHO, 10) for classes in ([1, 2, 3], [900, 800, 700]))
    assert one == other
    assert one["people"].to_pylist() == [180, 80, 50]
    assert drawn_of == [([1, 2, 3], mechanism.scale(1.0, RHO)), ([900, 800, 700], mechanism.scale(1.0, RHO))]


def test_an_answer_has_the_noise_that_its_price_is_of() -> None:
    """As told, all steps together: the ratio of how often anything is told of neighbours is within ε.
    Planted: half of the noise."""
    many, asked = DRAWS, steps("abc")
    rows = [
        [drawn.draw(asked, [400, 300, last], RHO, 10)["people"].to_pylist() for _ in range(many // 4)]
        for last in (200, 201)
    ]
    alone, joined = (np.array(one, float) for one in rows)
    said = mechanism.epsilon(RHO, 1e-3)
    for of in (lambda a: a[:, 2], lambda a: a[:, 0], lambda a: a.sum(axis=1)):
        values = of(alone)
        for cut in np.quantile(values, [0.2, 0.5, 0.8]):
            one, other = (values >= cut).mean(), (of(joined) >= cut).mean()
            slack = math.sqrt(math.log(2e4) / (2 * len(values)))
            assert max(other - slack, 0) <= math.exp(said) * (one + slack) + 1e-3
            assert max(one - slack, 0) <= math.exp(said) * (other + slack) + 1e-3
    assert alone[:, 2].std() == pytest.approx(1 / math.sqrt(2 * RHO), rel=0.15)
    assert drawn.price(RHO) == pytest.approx(RHO, rel=1e-6)


@pytest.mark.requirement("M98")
def test_one_funnel_less_another_does_not_tell_who_differs() -> None:
    """A, B less A, C, B, which are the same but for one target: both have noise of their own, so that the
    difference tells no more than both prices. Without noise it is the target."""

    def difference(target: int, sigma: float) -> NDArray[np.int64]:
        one = mechanism.add(np.full(DRAWS, 300), sigma)
        other = mechanism.add(np.full(DRAWS, 300 - target), sigma)
        return one - other

    sigma, said = mechanism.scale(1.0, RHO), mechanism.epsilon(2 * RHO, 1e-7)
    assert mechanism.epsilon(given_away(difference(0, sigma), difference(1, sigma), 1), 1e-7) < said
    assert mechanism.epsilon(given_away(difference(0, 0.3), difference(1, 0.3), 1), 1e-7) > said


@pytest.mark.requirement("M98")
def test_asking_again_in_whatever_words_is_one_draw(gate: Gate) -> None:
    """Planted: an answer that is not kept; a form that keeps spaces."""
    first = ask(gate, "/ sign_up post")
    again = [ask(gate, "/ sign_up post", days) for days in ("within day from 2026-09-01 to 2026-09-03",
             "for analytics last 3 days", "where site = 'shop' from 2026-09-01 to 2026-09-30")]  # fmt: skip
    assert all(one[0] == first[0] for one in again)
    assert left(gate) == 49
    fresh = Gate(gate._data, HOW, NOW)
    assert ask(fresh, "/ sign_up post")[0] == first[0]
    fresh.close()


def test_many_at_once_see_one_draw_and_pay_once(tmp_path: Path) -> None:
    """Planted: whoever is second overwrites, or pays, too."""
    account = Followed(tmp_path, RHO, HOW.funnel_rho_month)

    def one(n: int) -> Told:
        return account.keep(
            "it", "shop", ["2026-09"], Told(0.0, 1, drawn.draw(steps("ab"), [90, n], RHO, 10))
        )

    with ThreadPoolExecutor(4) as pool:
        told = [*pool.map(one, range(8))]
    assert all(each.table == told[0].table for each in told)
    assert len(followed.paid(tmp_path)) == 1


@pytest.mark.requirement("M98")
def test_whatever_differs_is_paid_for_and_at_the_end_nothing_is_drawn(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders, steps more and less, ranges that differ by a day, windows. Planted: overlapping ranges that
    are paid for once; an account by day."""
    assert left(gate) == 50
    told = [ask(gate, "/ sign_up")]
    other = ["/ sign_up post", "sign_up /", "/ post sign_up", "/ sign_up hired"]
    told += [ask(gate, one) for one in other]
    told += [
        ask(gate, "/ sign_up", f"from 2026-09-0{a} to 2026-09-0{b}") for a, b in ((1, 2), (2, 3), (1, 1))
    ]
    told += [ask(gate, "/ sign_up", "within range from 2026-09-01 to 2026-09-03")]
    assert left(gate) == 50 - len(told)
    assert len({said["question"] for _, said in told}) == len(told)
    cheap = msgspec.structs.replace(HOW, funnel_rho_month=RHO * len(told))
    poor = Gate(gate._data, cheap, NOW)
    before = mechanism.add

    def drawing(*_: Any) -> Any:
        raise AssertionError("something was drawn")

    monkeypatch.setattr(mechanism, "add", drawing)
    for one in (" ".join(each) for each in permutations(("/", "post", "hired"))):
        with pytest.raises(Refused) as caught:
            ask(poor, one)
        assert (caught.value.status, caught.value.code) == (409, "budget_spent")
        assert "days from 2026-10-01 on" in caught.value.message
    assert ask(poor, "/ sign_up")[0] == told[0][0], "what was told can be read again"
    assert len({one.id for one in followed.paid(gate._data)}) == len(told)
    monkeypatch.setattr(mechanism, "add", before)
    poor.close()


@pytest.mark.requirement("S9")
def test_each_month_that_is_asked_about_pays(tmp_path: Path) -> None:
    account = Followed(tmp_path, 0.1, 0.25)
    table = drawn.SCHEMA.empty_table()
    account.keep("a", "shop", ["2026-09", "2026-10"], Told(0.0, 1, table))
    account.keep("b", "shop", ["2026-09"], Told(0.0, 1, table))
    account.keep("b", "shop", ["2026-09"], Told(0.0, 1, table))
    assert [(one.month, one.left) for one in account.accounts("shop", ["2026-10", "2026-09"])] == [
        ("2026-09", 0), ("2026-10", 1),
    ]  # fmt: skip
    with pytest.raises(Refused, match="2026-09"):
        account.keep("c", "shop", ["2026-09", "2026-10"], Told(0.0, 1, table))
    assert account.told("c") is None
    assert account.accounts("shop", ["2026-10"])[0].left == 1, "refused wholly"
    assert account.accounts("else", ["2026-09"])[0].left == 2


@pytest.mark.requirement("M98")
def test_a_single_target_is_not_seen(gate: Gate) -> None:
    """Only 777 was hired: the step shows nothing, whatever it is asked with."""
    for one in ("/ hired", "/ hired sign_up", "hired sign_up"):
        people = ask(gate, one)[0]["people"].to_pylist()
        assert people[-1] is None or people[-1] > 40, "noise of four deviations"


@pytest.mark.requirement("M98")
def test_who_comes_or_goes_between_two_questions_is_under_the_noise_of_both(tmp_path: Path) -> None:
    """A day that somebody has left is answered as before, for what it was; a new question is another draw."""
    gate = Gate(filled(tmp_path, crowd(60)), HOW, NOW)
    first = ask(gate, "/ sign_up")
    lay(tmp_path, walk(900, ["/", "sign_up", "post"]))
    say(tmp_path)
    assert ask(gate, "/ sign_up") == first
    gate.close()


@pytest.mark.requirement("S9")
def test_an_answer_is_on_the_disk_with_its_price_or_not_at_all(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a price that is written after the answer, or before it by itself."""

    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    real: Callable[..., Any] = followed.pa.BufferOutputStream
    monkeypatch.setattr(followed.pa, "BufferOutputStream", killed)
    with pytest.raises(KeyboardInterrupt):
        ask(gate, "/ sign_up")
    monkeypatch.setattr(followed.pa, "BufferOutputStream", real)
    assert left(gate) == 50
    ask(gate, "/ sign_up")
    assert left(gate) == 49


def test_another_rule_gives_nothing_back(gate: Gate) -> None:
    """Where questions begin anew, funnels do not. Planted: all tables emptied."""
    first = ask(gate, "/ sign_up")
    opened.Opened(gate._data, "another rule").close()
    assert left(gate) == 49
    assert ask(gate, "/ sign_up") == first
