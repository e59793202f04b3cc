"""A chart as a picture (PNG), for a slide or a mail: on white, legible without colours, with its source.

The plotting library is imported with the first picture: it takes two seconds and 30 MB, and dashboards that
draw none begin without.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dashboards.words import said

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, LINE, MAIN = "#1b2320", "#5a6660", "#d5dcd6", "#1f6f5c"
Values = Sequence[float | None]


def line(labels: Sequence[str], values: Values, title: str, source: str, unit: str = "") -> bytes:
    """A curve of days. A gap is a gap, not a zero."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    made, axes = _begun(title, source)
    places = range(len(labels))
    heights = [float("nan") if value is None else value for value in values]
    axes.fill_between(places, heights, color=MAIN, alpha=0.12, linewidth=0)
    axes.plot(
        places, heights, color=MAIN, linewidth=1.8, marker="o" if len(labels) < 40 else "", markersize=3
    )
    every = max(1, -(-len(labels) // 9))
    axes.set_xticks(range(0, len(labels), every), [labels[at] for at in range(0, len(labels), every)])
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=not unit))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: said(value, unit)))
    axes.grid(axis="y", color=LINE, linewidth=0.7)
    return _png(made)


def bars(labels: Sequence[str], values: Values, title: str, source: str) -> bytes:
    """Lying bars, the largest at the top, each with its number."""
    made, axes = _begun(title, source)
    heights = [value or 0 for value in values]
    axes.barh(range(len(labels)), heights, 0.62, color=MAIN, linewidth=0)
    for at, value in enumerate(values):
        axes.text(heights[at], at, f"  {said(value)}", size=8.5, color=INK, va="center_baseline")
    names = [name if len(name) < 34 else f"{name[:33]}…" for name in labels]
    axes.set_yticks(range(len(labels)), names, parse_math=False)  # paths are anybody's to choose
    axes.set_ylim(max(len(labels), 4) - 0.4, -0.6)
    axes.set_xlim(0, max([1.0, *heights]) * 1.12)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    return _png(made)


def _begun(title: str, source: str) -> tuple[Figure, Axes]:
    """Nothing of it comes from settings of whoever runs it. Texts are drawn as they are: no formulas."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(9.6, 4.4), dpi=125, layout="constrained", facecolor="#ffffff")
    axes = made.add_subplot()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set(color=SOFT, linewidth=0.6)
    axes.tick_params(length=0, labelsize=8.5, labelcolor=SOFT)
    axes.set_axisbelow(True)
    axes.set_title(title, loc="left", size=11, weight="bold", color=INK, parse_math=False)
    axes.set_xlabel(source, loc="left", size=7.5, color=SOFT, parse_math=False)
    return made, axes


def _png(made: Figure) -> bytes:
    out = io.BytesIO()
    made.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()
