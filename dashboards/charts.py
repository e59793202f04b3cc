"""Charts as SVG made here: no script, no library, nothing from outside. Each has its numbers in a table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from html import escape

from markupsafe import Markup

from dashboards.language import say
from dashboards.words import percent, said

Values = Sequence[float | None]
Scale = Callable[[float], float]
#: Width, height, room at the left and at the right, labels that fit: for wide screens, and for narrow ones.
_SHAPES = {"wide": (1120, 280, 60, 16, 9), "narrow": (400, 230, 54, 10, 4)}
_TOP, _BOTTOM = 14, 28
#: Points that still can be pointed at, one by one; each weighs 400 bytes, and the table has them all.
_TOLD, _TOLD_NARROW = 200, 60


def nice(most: float) -> float:
    """The next round number at or above, which four lines divide into whole steps."""
    if most <= 4:
        return 4
    power = 1.0
    while power * 10 <= most:
        power *= 10
    steps = (step * power for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8, 10, 12))
    return next(step for step in steps if step >= most and step % 4 == 0)


def curve(
    labels: Sequence[str], now: Values, before: Values, title: str, unit: str = "",
    parts: Collection[int] = (), *, wide: int = 1120, tall: int = 280,
) -> Markup:  # fmt: skip
    """This period as a filled line, the one before as a dashed one. A gap is a gap, not a zero. `parts`:
    points of less than a whole day, week or month, which are hollow. `wide`, `tall`: of a screen that is no
    telephone's, in which it is drawn so that its words are of one size with those around it."""
    sizes = _SHAPES | {"wide": (wide, tall, 60, 16, wide // 124)}
    return Markup("").join(
        _curve(shape, size, labels, now, before, title, unit, parts) for shape, size in sizes.items()
    )


def _curve(
    shape: str, size: tuple[int, int, int, int, int], labels: Sequence[str], now: Values, before: Values,
    title: str, unit: str, parts: Collection[int],
) -> Markup:  # fmt: skip
    width, height, left, right, fit = size
    n, floor = len(labels), height - _BOTTOM
    top = nice(max((v for v in (*now, *before) if v is not None), default=0))

    def x(i: float) -> float:
        return left + (width - left - right) * (i / (n - 1) if n > 1 else 0.5)

    def y(v: float) -> float:
        return _TOP + (floor - _TOP) * (1 - v / top)

    out = [
        f'<svg viewBox="0 0 {width} {height}" class="curve {shape}" role="img" aria-label="{escape(title)}">'
    ]
    out.append(
        f'<defs><linearGradient id="fade-{shape}" x1="0" y1="0" x2="0" y2="1">'
        '<stop class="fade0" offset="0"/><stop class="fade1" offset="1"/></linearGradient></defs>'
    )
    marks = [top * part / 4 for part in range(5)]
    whole = all(v == int(v) for v in marks)
    for v in marks:
        at = y(v)
        out.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        out.append(_tick(left - 8, at + 4, percent(v) if unit == "%" and whole else said(v, unit), "end"))
    every = max(1, -(-n // fit))
    for i in range(0, n, every):
        place = "start" if i == 0 and n > 1 else "end" if i == n - 1 else "middle"
        out.append(_tick(x(i), height - 8, labels[i], place))
    out += [f'<polyline class="before" points="{_points(run, before, x, y)}"/>' for run in _runs(before)]
    for run in _runs(now):
        points = _points(run, now, x, y)
        if len(run) > 1:
            ends = f"{x(run[0]):.1f},{floor} {points} {x(run[-1]):.1f},{floor}"
            out.append(f'<polygon fill="url(#fade-{shape})" points="{ends}"/>')
            out.append(f'<polyline class="now" points="{points}"/>')
        else:
            out.append(
                f'<circle class="dot alone" cx="{x(run[0]):.1f}" cy="{y(now[run[0]] or 0):.1f}" r="4"/>'
            )
    out += [
        f'<circle class="dot part" cx="{x(i):.1f}" cy="{y(now[i] or 0):.1f}" r="4"/>'
        for i in sorted(parts)
        if now[i] is not None
    ]
    if n > (_TOLD if shape == "wide" else _TOLD_NARROW):
        return Markup("".join(out) + "</svg>")
    step = (width - left - right) / max(n - 1, 1)
    for i, (value, old) in enumerate(zip(now, before, strict=True)):
        if value is not None or old is not None:
            out.append(_point(x(i), y, value, old, step, (left, width - right), floor, labels[i], unit))
    return Markup("".join(out) + "</svg>")


def _tick(x: float, y: float, text: str, place: str) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{place}">{escape(text)}</text>'


def _runs(values: Values) -> list[list[int]]:
    """Stretches without a gap."""
    runs: list[list[int]] = [[]]
    for i, v in enumerate(values):
        if v is None:
            runs.append([])
        else:
            runs[-1].append(i)
    return [run for run in runs if run]


def _points(run: list[int], values: Values, x: Scale, y: Scale) -> str:
    return " ".join(f"{x(i):.1f},{y(values[i] or 0):.1f}" for i in run)


def _point(
    at: float, y: Scale, v: float | None, old: float | None, step: float, ends: tuple[int, int], floor: int,
    label: str, unit: str,
) -> str:  # fmt: skip
    """What shows when the pointer is over a day: a mark, and a box with its numbers."""
    lines = [label, said(v, unit)] + ([say("before: {n}", n=said(old, unit))] if old is not None else [])
    wide = 16 + 7.2 * max(map(len, lines))
    box = min(max(at - wide / 2, ends[0]), ends[1] - wide)
    dot = f'<circle class="dot" cx="{at:.1f}" cy="{y(v):.1f}" r="4"/>' if v is not None else ""
    text = "".join(
        f'<text class="t{i}" x="{box + 8:.1f}" y="{_TOP + 17 + 18 * i}">{escape(line)}</text>'
        for i, line in enumerate(lines)
    )
    reach = f'<rect class="reach" x="{at - step / 2:.1f}" y="0" width="{step:.1f}" height="{floor}"/>'
    rule = f'<line class="rule" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{floor}"/>'
    tall = 10 + 18 * len(lines)
    frame = f'<rect class="box" x="{box:.1f}" y="{_TOP}" width="{wide:.1f}" height="{tall}" rx="6"/>'
    return f'<g class="point">{reach}<g class="tip">{rule}{dot}{frame}{text}</g></g>'


def whisker(low: float, middle: float, high: float, top: float) -> Markup:
    """An interval as a line with its middle as a dot, from nothing to `top`. Its numbers stand beside it."""
    x = lambda v: 4 + 152 * v / (top or 1)  # noqa: E731
    return Markup(
        '<svg viewBox="0 0 160 16" class="whisker" aria-hidden="true">'
        f'<line class="grid" x1="4" x2="156" y1="8" y2="8"/>'
        f'<line class="now" x1="{x(low):.1f}" x2="{x(high):.1f}" y1="8" y2="8"/>'
        f'<circle class="dot" cx="{x(middle):.1f}" cy="8" r="4.5"/></svg>'
    )


def columns(labels: Sequence[str], values: Values, title: str, *, wide: int = 520) -> Markup:
    """Standing bars, for a few weeks or months; `wide`: of a screen that is no telephone's, in which it is
    drawn so that its words are of one size with those around it."""
    shapes = (("wide", wide, wide // 74), ("narrow", 320, 4))
    return Markup("").join(_columns(*shape, labels, values, title) for shape in shapes)


def _columns(shape: str, width: int, fit: int, labels: Sequence[str], values: Values, title: str) -> Markup:
    height, n = 190, max(len(labels), 1)
    top, floor = nice(max((v for v in values if v is not None), default=0)), height - _BOTTOM
    step = (width - 56) / n
    thick = min(step * 0.72, 64)
    out = [
        f'<svg viewBox="0 0 {width} {height}" class="columns {shape}" role="img"'
        f' aria-label="{escape(title)}">'
    ]
    for part in range(3):
        at = _TOP + (floor - _TOP) * (1 - part / 2)
        out.append(f'<line class="grid" x1="52" x2="{width}" y1="{at:.1f}" y2="{at:.1f}"/>')
        out.append(_tick(46, at + 4, said(top * part / 2), "end"))
    every = max(1, -(-n // fit))
    for i, v in enumerate(values):
        tall = (floor - _TOP) * (v or 0) / top
        middle = 56 + step * (i + 0.5)
        out.append(
            f'<rect class="bar" x="{middle - thick / 2:.1f}" y="{floor - tall:.1f}" width="{thick:.1f}"'
            f' height="{tall:.1f}" rx="2"><title>{escape(labels[i])}: {said(v)}</title></rect>'
        )
        if i % every == 0:
            out.append(_tick(middle, height - 8, labels[i], "middle"))
    return Markup("".join(out) + "</svg>")


def bar(share: float, kind: str = "share") -> Markup:
    """A lying bar as long as a share of 100."""
    return Markup(
        f'<svg class="{kind}" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{max(0.0, min(share, 100.0)):.1f}" height="1"/></svg>'
    )


def stack(parts: Sequence[tuple[str, float]], title: str) -> Markup:
    """One lying bar of several parts of a whole; `parts` are (class, number)."""
    whole, at = sum(number for _, number in parts) or 1, 0.0
    out = [
        '<svg class="stack" viewBox="0 0 100 1" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(title)}">'
    ]
    for kind, number in parts:
        wide = 100 * number / whole
        out.append(f'<rect class="part {kind}" x="{at:.2f}" width="{wide:.2f}" height="1"/>')
        at += wide
    return Markup("".join(out) + "</svg>")
