"""Plots for the page: SVG with classes only, so that light, dark and a strict content policy all hold."""

from __future__ import annotations

from html import escape

from markupsafe import Markup

from dashboards.charts import Scale, nice
from dashboards.packs.reading import Seen, interval
from dashboards.packs.story import Plot
from dashboards.words import short

_WIDE = 360


def svg(plot: Plot, number: int) -> Markup:
    """One plot. `number`: a word of its own for its hatching."""
    made = {"time": _time, "bars": _bars, "matrix": _matrix}[plot.kind](plot, number)
    return Markup(made)


def _open(plot: Plot, number: int, tall: float) -> str:
    hatch = (
        f'<defs><pattern id="h{number}" width="5" height="5" patternUnits="userSpaceOnUse"'
        ' patternTransform="rotate(45)"><line class="hatch" x1="0" y1="0" x2="0" y2="5"/></pattern></defs>'
    )
    return f'<svg viewBox="0 0 {_WIDE} {tall:g}" role="img" aria-label="{escape(plot.alt)}">{hatch}'


def _text(x: float, y: float, said: str, kind: str, place: str = "middle") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{place}">{escape(said)}</text>'


def _tip(label: str, seen: Seen, year: str = "") -> str:
    return f"<title>{escape(label)}{year}: {seen.n:,} ({interval(seen)})</title>"


def _time(plot: Plot, number: int) -> str:
    tall, left, floor, top = 190, 44, 166, 10
    n = max(len(plot.labels), 1)
    most = nice(max((seen.high for seen in (*plot.values, *plot.before) if seen), default=0))
    step = (_WIDE - left) / n
    out = [_open(plot, number, tall)]

    def y(v: float) -> float:
        return floor - (floor - top) * v / most

    for part in range(5):
        at = y(most * part / 4)
        out.append(f'<line class="grid" x1="{left}" x2="{_WIDE}" y1="{at:.1f}" y2="{at:.1f}"/>')
        out.append(_text(left - 6, at + 4, short(most * part / 4), "tick", "end"))
    both = any(plot.before)
    wide = min(step * (0.36 if both else 0.56), 44)
    for i, (seen, old) in enumerate(zip(plot.values, plot.before, strict=True)):
        middle = left + step * (i + 0.5)
        if old is not None:
            out.append(_bar(middle - wide - 1, wide, y, old, floor, f'old" fill="url(#h{number})',
                            _tip(plot.labels[i], old, ", a year before")))  # fmt: skip
        if seen is not None:
            at = middle + 1 if both else middle - wide / 2
            out.append(_bar(at, wide, y, seen, floor, "now", _tip(plot.labels[i], seen)))
        if i % -(-n // 6) == 0:
            out.append(_text(middle, tall - 8, plot.labels[i], "tick"))
    return "".join(out) + "</svg>"


def _bar(x: float, wide: float, y: Scale, seen: Seen, floor: float, kind: str, tip: str) -> str:
    high, middle = floor - y(seen.n), x + wide / 2
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y(seen.n):.1f}" width="{wide:.1f}" height="{high:.1f}">'
        f"{tip}</rect>"
        f'<path class="whisker" d="M{middle:.1f} {y(seen.low):.1f}V{y(seen.high):.1f}"/>'
    )


def _bars(plot: Plot, number: int) -> str:
    line, top = 24, 4
    tall = top + line * len(plot.labels) + 4
    longest = max((len(label) for label in plot.labels), default=0)
    left = min(12 + 6.2 * longest, _WIDE * 0.4)
    fit = int((left - 8) / 6.0)
    pairs = list(zip(plot.values, plot.before, strict=True))
    most = max((max(seen.high, old.high if old else 0) for seen, old in pairs if seen), default=1) or 1
    room = _WIDE - left - 62
    out = [_open(plot, number, tall)]
    for i, (seen, old) in enumerate(pairs):
        y, label = top + line * i, plot.labels[i]
        named = label if len(label) <= fit else f"{label[: fit - 1]}…"
        out.append(_text(left - 6, y + 14, named, "tick", "end"))
        if seen is None:
            continue
        long = room * seen.n / most
        out.append(
            f'<rect class="now" x="{left:.1f}" y="{y + 3}" width="{long:.1f}" height="12">'
            f"{_tip(label, seen)}</rect>"
        )
        low, high = (left + room * v / most for v in (seen.low, seen.high))
        out.append(f'<path class="whisker" d="M{low:.1f} {y + 9}H{high:.1f}"/>')
        if old is not None:
            past = room * old.n / most
            out.append(
                f'<rect class="old" fill="url(#h{number})" x="{left:.1f}" y="{y + 15}" width="{past:.1f}"'
                f' height="5">{_tip(label, old, ", a year before")}</rect>'
            )
            long = max(long, past)
        out.append(_text(max(high, left + long) + 5, y + 14, f"{seen.n:,}", "said", "start"))
    return "".join(out) + "</svg>"


def _matrix(plot: Plot, number: int) -> str:
    line, left, across = 22, 64, max(len(plot.labels), 1)
    tall = line * len(plot.rows) + 22
    most = max((seen.n for seen in plot.values if seen), default=1) or 1
    wide = (_WIDE - left) / across
    out = [_open(plot, number, tall)]
    for at, seen in enumerate(plot.values):
        if seen is None:
            continue
        x, y, share = left + wide * (at % across), line * (at // across), seen.n / most
        tip = _tip(f"{plot.rows[at // across]} in {plot.labels[at % across]}", seen)
        out.append(f'<rect class="cell" fill-opacity="{0.08 + 0.92 * share:.2f}" x="{x + 1:.1f}" y="{y + 1}"'
                   f' width="{wide - 2:.1f}" height="{line - 2}">{tip}</rect>')  # fmt: skip
        if wide > 30:
            out.append(_text(x + wide / 2, y + 15, short(seen.n), "full" if share > 0.5 else "said"))
    out += [_text(left - 6, line * i + 15, row, "tick", "end") for i, row in enumerate(plot.rows)]
    every = -(-across // 6)
    out += [
        _text(left + wide * (i + 0.5), tall - 6, label, "tick")
        for i, label in enumerate(plot.labels)
        if i % every == 0
    ]
    return "".join(out) + "</svg>"
