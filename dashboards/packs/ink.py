"""Matplotlib's figures drawn straight onto a page of reportlab: sharp at any size, text as text, no clock.

Only what `plots.py` draws is understood: paths, dashes, hatching and plain text.
"""

from __future__ import annotations

from typing import Any

from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path as Line
from matplotlib.transforms import Transform
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

#: Points between two lines of a hatch.
_HATCH = 3.2


class Drawn(Flowable):
    """A figure in the flow of a page. Its size is that of the figure, which must have 72 dots per inch."""

    def __init__(self, figure: Figure, plain: str, bold: str) -> None:
        super().__init__()
        self._figure, self._fonts = figure, (plain, bold)
        self.width, self.height = figure.get_figwidth() * 72, figure.get_figheight() * 72

    def wrap(self, *room: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        self._figure.draw(_Ink(self.canv, self.width, self.height, self._fonts))


class _Ink(RendererBase):
    def __init__(self, canvas: Canvas, width: float, height: float, fonts: tuple[str, str]) -> None:
        super().__init__()
        self._canvas, self._size, self._fonts = canvas, (width, height), fonts

    def flipy(self) -> bool:
        return False

    def get_canvas_width_height(self) -> tuple[float, float]:
        return self._size

    def points_to_pixels(self, points: Any) -> Any:
        return points

    def draw_path(
        self, gc: GraphicsContextBase, path: Line, transform: Transform, rgbFace: Any = None
    ) -> None:
        canvas = self._canvas
        canvas.saveState()
        bounds = gc.get_clip_rectangle()
        if bounds is not None:
            clip = canvas.beginPath()
            clip.rect(*bounds.bounds)
            canvas.clipPath(clip, stroke=0, fill=0)
        width, colour = gc.get_linewidth(), gc.get_rgb()
        stroke = width > 0 and colour[3] > 0
        filled = rgbFace is not None and (len(rgbFace) < 4 or rgbFace[3] > 0)
        canvas.setLineWidth(width)
        canvas.setStrokeColorRGB(*colour[:3])
        dashes: Any
        offset, dashes = gc.get_dashes()
        if dashes is not None:
            canvas.setDash([float(one) for one in dashes], float(offset or 0))
        if filled:
            canvas.setFillColorRGB(*rgbFace[:3])
        whole = self._path(path, transform)
        canvas.drawPath(whole, stroke=int(stroke and not gc.get_hatch()), fill=int(filled))
        if gc.get_hatch():
            self._hatch(path, transform, stroke, colour)
        canvas.restoreState()

    def _hatch(self, path: Line, transform: Transform, stroke: bool, colour: Any) -> None:
        """Slanted lines within the path, and its outline."""
        canvas, box = self._canvas, path.get_extents(transform)
        canvas.saveState()
        canvas.clipPath(self._path(path, transform), stroke=0, fill=0)
        canvas.setLineWidth(0.5)
        at = box.x0 - box.height - (box.x0 - box.height) % _HATCH
        while at < box.x1:
            canvas.line(at, box.y0, at + box.height, box.y1)
            at += _HATCH
        canvas.restoreState()
        if stroke:
            canvas.setStrokeColorRGB(*colour[:3])
            canvas.drawPath(self._path(path, transform), stroke=1, fill=0)

    def _path(self, path: Line, transform: Transform) -> Any:
        made = self._canvas.beginPath()
        for points, code in path.iter_segments(transform, simplify=False, curves=True):
            numbers: Any = points
            at = [round(float(one), 3) for one in numbers]
            if code == Line.MOVETO:
                made.moveTo(*at)
            elif code == Line.LINETO:
                made.lineTo(*at)
            elif code == Line.CURVE4:
                made.curveTo(*at)
            elif code == Line.CLOSEPOLY:
                made.close()
        return made

    def draw_text(
        self, gc: GraphicsContextBase, x: float, y: float, s: str, prop: FontProperties, angle: float,
        ismath: Any = False, mtext: Any = None,
    ) -> None:  # fmt: skip
        canvas = self._canvas
        canvas.saveState()
        canvas.translate(round(float(x), 3), round(float(y), 3))
        canvas.rotate(angle)
        canvas.setFillColorRGB(*gc.get_rgb()[:3])
        canvas.setFont(self._font(prop), prop.get_size_in_points())
        canvas.drawString(0, 0, s)
        canvas.restoreState()

    def get_text_width_height_descent(
        self, s: str, prop: FontProperties, ismath: Any
    ) -> tuple[float, float, float]:
        name, size = self._font(prop), prop.get_size_in_points()
        ascent, descent = pdfmetrics.getAscentDescent(name, size)
        return pdfmetrics.stringWidth(s, name, size), 0.78 * (ascent - descent), -0.78 * descent

    def _font(self, prop: FontProperties) -> str:
        return self._fonts[prop.get_weight() in ("bold", "semibold")]
