"""Charts as SVG made here: no script, no library, nothing from outside. Each has its numbers in a table, too."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from markupsafe import Markup

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 900, 240, 48, 26, 12


def short(number: float) -> str:
    """1234567 as 1.2M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size * 0.9995:
            text = f"{number / size:.1f}".removesuffix(".0")
            return text + letter
    return f"{number:.0f}"


def _nice(most: float) -> float:
    """The next round number at or above."""
    if most <= 0:
        return 4
    power = 1.0
    while power * 10 <= most:
        power *= 10
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= most)


def line(labels: Sequence[str], series: Sequence[tuple[str, Sequence[float | None]]], title: str) -> Markup:
    """One or two lines over days or hours. The first is filled. A gap is a gap, not a zero."""
    n = len(labels)
    top = _nice(max([v for _, values in series for v in values if v is not None], default=0))
    wide = _WIDTH - _LEFT - 12

    def x(i: int) -> float:
        return _LEFT + (wide * i / (n - 1) if n > 1 else wide / 2)

    def y(v: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - v / top)

    out = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}" class="chart">']
    for part in range(5):
        v = top * part / 4
        out.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - 12}" y1="{y(v):.1f}" y2="{y(v):.1f}"/>')
        if part % 2 == 0:
            out.append(f'<text class="tick" x="{_LEFT - 8}" y="{y(v) + 4:.1f}" text-anchor="end">{short(v)}</text>')
    every = max(1, -(-n // 8))
    for i in range(0, n, every):
        place = "start" if i == 0 and n > 1 else "end" if i == n - 1 and n > 1 else "middle"
        out.append(f'<text class="tick" x="{x(i):.1f}" y="{_HEIGHT - 6}" text-anchor="{place}">{escape(labels[i])}</text>')
    for number, (_, values) in enumerate(series):
        runs: list[list[int]] = [[]]
        for i, v in enumerate(values):
            runs[-1].append(i) if v is not None else runs.append([])
        for run in filter(None, runs):
            points = " ".join(f"{x(i):.1f},{y(values[i] or 0):.1f}" for i in run)
            if number == 0:
                out.append(f'<polygon class="area" points="{x(run[0]):.1f},{y(0):.1f} {points} {x(run[-1]):.1f},{y(0):.1f}"/>')
            out.append(f'<polyline class="line s{number}" points="{points}"/>')
            if number == 0 and (len(run) == 1 or n <= 31):
                out += [f'<circle class="dot" cx="{x(i):.1f}" cy="{y(values[i] or 0):.1f}" r="3"><title>{escape(labels[i])}: {values[i]:,.0f}</title></circle>' for i in run]
    out.append("</svg>")
    return Markup("".join(out))
