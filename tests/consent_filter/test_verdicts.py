"""Planted faults: each rule of each pack that ships, altered in turn, changes what is written down of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consent_filter.errors import Misconfigured
from consent_filter.policy import BASES, CONFLICTS, Pack, load
from consent_filter.purpose import BY_NAME
from tests.consent_filter.test_policy import SHIPPED, table
from tests.consent_filter.verdicts import SIGNALS_OF_A_PACK, lines

GOLDEN = Path(__file__).parent / "cases" / "verdicts"
Path_ = tuple[str, ...]


@pytest.mark.requirement("M66", "M106", "M107")
@pytest.mark.parametrize("name", SHIPPED)
def test_a_pack_decides_what_is_written_down(name: str) -> None:
    """If a difference is meant: `python -m tests.consent_filter.test_verdicts` writes the tables anew."""
    assert list(lines(load(name))) == (GOLDEN / f"{name}.txt").read_text().splitlines()


def toggled(some: list[str], name: str) -> list[str]:
    return [one for one in some if one != name] if name in some else [*some, name]


def faults(whole: dict[str, Any]) -> Iterator[tuple[Path_, Any]]:
    """Every rule of a pack, and something else in its place. A rule about a purpose that its regime does not
    name decides nothing."""
    order = whole["order"]
    for place in range(len(order) - 1):
        swapped = [*order]
        swapped[place : place + 2] = reversed(order[place : place + 2])
        yield ("order",), swapped
    for conflict in CONFLICTS:
        if conflict != whole["conflict"]:
            yield ("conflict",), conflict
    for regime in whole["regimes"]:
        if regime != whole["otherwise"]:
            yield ("otherwise",), regime
    yield ("regulated",), ""
    yield ("tcf_vendor",), 7
    yield ("facts_days",), whole["facts_days"] - 1
    yield ("withdrawal",), "remove"
    yield ("recipients",), whole["recipients"][1:]
    for group, countries in whole["groups"].items():
        for country in countries:
            yield ("groups", group), [one for one in countries if one != country]
    if "age" in whole:
        yield ("age", "minimum"), whole["age"].get("minimum", 18) - 2
        for purpose in whole["age"].get("unknown_denies", []):
            yield ("age", "unknown_denies"), toggled(whole["age"]["unknown_denies"], purpose)
    for name, regime in whole["regimes"].items():
        yield from _of_a_regime(("regimes", name), regime)


def _of_a_regime(path: Path_, regime: dict[str, Any]) -> Iterator[tuple[Path_, Any]]:
    yield (*path, "refusal"), "drop"
    yield (*path, "kind"), "notice" if regime["kind"] != "notice" else "opt_out"
    for word in regime.get("countries", []):
        yield (*path, "countries"), [one for one in regime["countries"] if one != word]
    for purpose in BY_NAME:
        use = regime["purposes"].get(purpose)
        if use is None:
            yield (*path, "purposes", purpose), {"basis": "consent"}
            continue
        yield (*path, "purposes"), {k: v for k, v in regime["purposes"].items() if k != purpose}
        for basis in BASES:
            if basis != use["basis"]:
                yield (*path, "purposes", purpose, "basis"), basis
        yield (*path, "purposes", purpose, "default"), not use.get("default", False)
        yield (*path, "purposes", purpose, "cookieless"), "" if use.get("cookieless") else "exempt"
    for signal in SIGNALS_OF_A_PACK:
        meaning = regime["signals"][signal]
        for key in ("denies", "grants"):
            for purpose in regime["purposes"]:
                yield (*path, "signals", signal, key), toggled(meaning.get(key, []), purpose)
        if meaning["denies"]:
            yield (*path, "signals", signal, "leaves"), "drop"
            if any(regime["purposes"].get(one, {}).get("cookieless") for one in meaning["denies"]):
                yield (*path, "signals", signal, "ends"), not meaning.get("ends", False)


def altered(whole: dict[str, Any], path: Path_, value: Any) -> dict[str, Any]:
    """The pack with one rule as it is not; nothing else is copied."""
    first, *rest = path
    inner = value if not rest else altered(whole[first], tuple(rest), value)
    return {**whole, first: inner}


@pytest.mark.requirement("M66", "M106", "M107")
@pytest.mark.parametrize("name", SHIPPED)
def test_every_rule_that_is_altered_shows(name: str) -> None:
    whole, golden = table(name), (GOLDEN / f"{name}.txt").read_text().splitlines()
    of = {regime: [one for one in golden if one.startswith((f"{regime}:", f"{regime}.", f"{regime} "))]
          for regime in whole["regimes"]}  # fmt: skip
    planted, missed = 0, []
    for path, value in faults(whole):
        planted += 1
        try:
            pack = msgspec.convert(altered(whole, path, value), Pack)
        except (Misconfigured, msgspec.ValidationError):
            continue  # no pack may say that
        only = path[1] if path[0] == "regimes" else ""
        expected = of[only] if only else golden
        if all(one == other for one, other in zip_longest(lines(pack, only), expected)):
            missed.append((".".join(path), value))
    assert missed == []
    assert planted > 500


def test_a_fault_shows_in_what_is_decided_and_not_only_in_the_key() -> None:
    """The keys of a purpose stand in the table too; without them each fault that can matter shows as well."""
    name = "workallies-2024"
    whole = table(name)
    golden = [one for one in lines(load(name)) if " · " in one]
    for path, value in (
        (("regimes", "opt_in", "purposes", "measurement", "cookieless"), ""),
        (("regimes", "opt_out", "purposes", "ad_measurement", "default"), False),
        (("regimes", "notice", "purposes", "measurement", "basis"), "notice"),
    ):
        pack = msgspec.convert(altered(whole, path, value), Pack)
        assert [one for one in lines(pack) if " · " in one] != golden, path


if __name__ == "__main__":
    for pack in SHIPPED:
        (GOLDEN / f"{pack}.txt").write_text("\n".join(lines(load(pack))) + "\n")
