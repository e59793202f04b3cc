"""A diagram of flows: columns of values, and between them bands as thick as their number."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from typing import NamedTuple

from markupsafe import Markup

from dashboards.words import short

#: Width and height of the drawing, of a block, the gap between blocks, and the height for 100 %.
_WIDE, _BLOCK, _GAP, _TALL, _TOP = 1060, 14, 12, 380, 26


class Flow(NamedTuple):
    """So many that have these values, one for each column."""

    values: tuple[str, ...]
    number: int


def drawn(flows: Sequence[Flow], titles: Sequence[str], what: str, last: Collection[str] = ()) -> Markup:
    """The diagram, for wide screens; the page has the flows as a table, too. `last`: values that stand below
    all others, whatever their number."""
    whole = sum(one.number for one in flows)
    if not whole:
        return Markup("")
    columns = [_blocks(flows, column, last) for column in range(len(titles))]
    scale = (_TALL - _GAP * (max(map(len, columns)) - 1)) / whole
    places = [_stacked(blocks, scale) for blocks in columns]
    step = (_WIDE - _BLOCK - 220) / max(len(titles) - 1, 1)
    out = [
        f'<svg class="sankey" viewBox="0 0 {_WIDE} {_TALL + _TOP + 10}" role="img"'
        f' aria-label="{escape(what)}; the table has the numbers">'
    ]
    for column in range(len(titles) - 1):
        out += _bands(flows, column, places, step, scale)
    for column, blocks in enumerate(columns):
        x = column * step
        out.append(f'<text class="head" x="{x:.0f}" y="14">{escape(titles[column])}</text>')
        for value, number in blocks:
            y, tall = places[column][value], max(number * scale, 1.5)
            says = f"{value}: {short(number)}"
            out.append(
                f'<rect class="block" x="{x:.1f}" y="{y:.1f}" width="{_BLOCK}" height="{tall:.1f}" rx="2">'
                f"<title>{escape(says)}</title></rect>"
                f'<text x="{x + _BLOCK + 6:.1f}" y="{y + min(tall / 2, 12) + 4:.1f}">{escape(_cut(value))}'
                f' <tspan class="n">{short(number)}</tspan></text>'
            )
    return Markup("".join(out) + "</svg>")


def _blocks(flows: Sequence[Flow], column: int, last: Collection[str]) -> list[tuple[str, int]]:
    """The values of a column with their numbers, the largest first."""
    found: dict[str, int] = {}
    for one in flows:
        found[one.values[column]] = found.get(one.values[column], 0) + one.number
    return sorted(found.items(), key=lambda one: (one[0] in last, -one[1], one[0]))


def _stacked(blocks: Sequence[tuple[str, int]], scale: float) -> dict[str, float]:
    """Where each block of a column begins."""
    found, y = {}, float(_TOP)
    for value, number in blocks:
        found[value] = y
        y += max(number * scale, 1.5) + _GAP
    return found


def _bands(
    flows: Sequence[Flow], column: int, places: Sequence[dict[str, float]], step: float, scale: float
) -> list[str]:
    """What goes from each block of a column to each of the next."""
    pairs: dict[tuple[str, str], int] = {}
    for one in flows:
        pair = (one.values[column], one.values[column + 1])
        pairs[pair] = pairs.get(pair, 0) + one.number
    order = sorted(pairs, key=lambda pair: (places[column][pair[0]], places[column + 1][pair[1]]))
    left, right = dict(places[column]), dict(places[column + 1])
    # Bands leave a block in the order of where they go to, and arrive in the order of where they come from.
    begins = {}
    for pair in order:
        begins[pair] = left[pair[0]]
        left[pair[0]] += pairs[pair] * scale
    ends = {}
    for pair in sorted(pairs, key=lambda pair: (places[column + 1][pair[1]], places[column][pair[0]])):
        ends[pair] = right[pair[1]]
        right[pair[1]] += pairs[pair] * scale
    a, b = column * step + _BLOCK, (column + 1) * step
    middle, found = (a + b) / 2, []
    for pair in order:
        thick = max(pairs[pair] * scale, 0.8)
        y0, y1 = begins[pair] + thick / 2, ends[pair] + thick / 2
        says = f"{pair[0]} → {pair[1]}: {short(pairs[pair])}"
        found.append(
            f'<path class="band" d="M{a:.1f} {y0:.1f}C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {b:.1f}'
            f' {y1:.1f}" stroke-width="{thick:.1f}"><title>{escape(says)}</title></path>'
        )
    return found


def _cut(text: str, most: int = 30) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
