"""Plots for paper: legible in black and white, each value with the interval that holds the exact one."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dashboards.packs.reading import Seen
from dashboards.packs.story import Plot
from dashboards.words import short

INK, SOFT, LINE, MAIN, OLD = "#1b2320", "#5a6660", "#d5dcd6", "#1f6f5c", "#6d7771"
_SMALL = 7.2


def figure(plot: Plot, width: float, height: float) -> Figure:
    """A figure of that many points. Nothing of it comes from settings of whoever runs it."""
    made = Figure(figsize=(width / 72, height / 72), dpi=72)
    {"time": _time, "bars": _bars, "matrix": _matrix}[plot.kind](made, plot, width, height)
    return made


def _axes(made: Figure, width: float, height: float, left: float, bottom: float, right: float = 8) -> Axes:
    """Axes with that much room in points around them."""
    axes = made.add_axes(
        (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + 20) / height)
    )
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set(color=SOFT, linewidth=0.6)
    axes.tick_params(length=0, labelsize=_SMALL, labelcolor=SOFT, pad=3)
    axes.set_axisbelow(True)
    return axes


def _titled(made: Figure, plot: Plot, width: float, height: float) -> None:
    made.text(0, 1 - 9 / height, plot.title, size=8.6, weight="bold", color=INK)


def _time(made: Figure, plot: Plot, width: float, height: float) -> None:
    """Standing bars, and hatched ones for the year before."""
    axes = _axes(made, width, height, 38, 18)
    _titled(made, plot, width, height)
    n, both = len(plot.labels), any(plot.before)
    wide = 0.36 if both else 0.56
    shift = wide / 2 + 0.02 if both else 0.0
    now = [(i + shift, seen) for i, seen in enumerate(plot.values) if seen]
    old = [(i - shift, seen) for i, seen in enumerate(plot.before) if seen]
    looks: tuple[tuple[list[tuple[float, Seen]], dict[str, Any]], ...] = (
        (old, {"color": "#ffffff", "edgecolor": OLD, "linewidth": 0.6, "hatch": "///"}),
        (now, {"color": MAIN, "linewidth": 0}),
    )
    for some, look in looks:
        if some:
            places, heights = [x for x, _ in some], [seen.n for _, seen in some]
            axes.bar(places, heights, wide, **look)
            _whiskers(axes, some)
    axes.set_xlim(-0.6, max(n, 3) - 0.4)
    axes.set_ylim(bottom=0)
    every = -(-n // 6)
    # The year is in the margin of the page.
    same = len({label[-4:] for label in plot.labels}) == 1
    labels = [label[:-5] if same and len(label) > 5 else label for label in plot.labels]
    axes.set_xticks(range(0, n, every), [labels[i] for i in range(0, n, every)])
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: short(v)))
    axes.grid(axis="y", color=LINE, linewidth=0.5)


def _whiskers(axes: Axes, some: list[tuple[float, Seen]]) -> None:
    """A line from the one end of each interval to the other, with a short one across at both."""
    places = [x for x, _ in some]
    axes.vlines(places, [seen.low for _, seen in some], [seen.high for _, seen in some], color=INK, lw=0.9)
    ends = [(x, end) for x, seen in some for end in (seen.low, seen.high)]
    axes.hlines(
        [y for _, y in ends], [x - 0.05 for x, _ in ends], [x + 0.05 for x, _ in ends], color=INK, lw=0.9
    )


def _bars(made: Figure, plot: Plot, width: float, height: float) -> None:
    """Lying bars, the largest at the top; under each a thin hatched one for the year before."""
    fit = int(width * 0.42 / 4.3)
    labels = [label if len(label) <= fit else f"{label[: fit - 1]}…" for label in plot.labels]
    longest = max(map(len, labels), default=0)
    axes = _axes(made, width, height, 12 + 4.3 * longest, 16, 48)
    _titled(made, plot, width, height)
    pairs = list(zip(plot.values, plot.before, strict=True))
    most = max((max(seen.high, old.high if old else 0) for seen, old in pairs if seen), default=1) or 1
    up, tall = (0.12, 0.46) if any(plot.before) else (0.0, 0.62)
    for i, (seen, old) in enumerate(pairs):
        if seen is None:
            continue
        axes.barh(i - up, seen.n, tall, color=MAIN, linewidth=0)
        axes.plot([seen.low, seen.high], [i - up, i - up], color=INK, linewidth=0.9, solid_capstyle="butt")
        if old is not None:
            axes.barh(i + 0.25, old.n, 0.22, color="#ffffff", edgecolor=OLD, linewidth=0.5, hatch="///")
        end = max(seen.high, old.n if old else 0) + most * 0.015
        axes.text(end, i, f"{seen.n:,}", size=_SMALL, color=INK, va="center_baseline")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(plot.labels) - 0.4, -0.6)
    axes.set_xlim(0, most * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: short(v)))
    axes.grid(axis="x", color=LINE, linewidth=0.5)


def _matrix(made: Figure, plot: Plot, width: float, height: float) -> None:
    """A table whose cells are the darker the more people are in them; the number stands in each."""
    axes = _axes(made, width, height, 52, 16)
    _titled(made, plot, width, height)
    across = len(plot.labels)
    most = max((seen.n for seen in plot.values if seen), default=1) or 1
    for at, seen in enumerate(plot.values):
        if seen is None:
            continue
        x, y, share = at % across, at // across, seen.n / most
        shade = tuple(1 - share * (1 - part) for part in (0.122, 0.435, 0.361))
        sides, ends = [x - 0.48, x + 0.48, x + 0.48, x - 0.48], [y - 0.45, y - 0.45, y + 0.45, y + 0.45]
        axes.fill(sides, ends, color=shade, linewidth=0)
        ink = "#ffffff" if share > 0.5 else INK
        axes.text(x, y, f"{seen.n:,}", size=_SMALL, ha="center", va="center_baseline", color=ink)
    axes.set_xticks(range(across), plot.labels)
    axes.set_yticks(range(len(plot.rows)), plot.rows)
    axes.set_xlim(-0.6, across - 0.4)
    axes.set_ylim(len(plot.rows) - 0.4, -0.6)
    axes.spines["bottom"].set_visible(False)
