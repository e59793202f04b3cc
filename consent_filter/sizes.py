"""Sizes of adverts as they are kept: those that the IAB lists, and classes for the rest.

A size that few adverts have would tell whose browser it was in; M30 caps what is known of anybody.
"""

from __future__ import annotations

#: IAB fixed sizes in CSS pixels, desktop and mobile (IAB New Ad Portfolio, 2017, and the sizes before it).
LISTED = frozenset((
    (88, 31), (120, 60), (120, 240), (120, 600), (125, 125), (160, 600), (180, 150), (200, 200), (234, 60),
    (250, 250), (300, 50), (300, 100), (300, 250), (300, 600), (300, 1050), (320, 50), (320, 100), (320, 240),
    (320, 480), (336, 280), (468, 60), (480, 320), (640, 360), (640, 480), (728, 90), (768, 1024), (970, 90),
    (970, 250), (970, 550), (1024, 768),
))  # fmt: skip
#: MRC: of 242,500 pixels and more (970 × 250) 30 % in view are enough.
LARGE = 242_500
#: Nobody sees so few pixels.
TINY = 100


def size(width: float, height: float) -> str:
    """`300x250`, or tiny, small, medium, large. Of CSS pixels; half a pixel is rounding."""
    exact = round(width), round(height)
    if exact in LISTED:
        return f"{exact[0]}x{exact[1]}"
    area = width * height
    return "tiny" if area < TINY else "small" if area < 30_000 else "medium" if area < LARGE else "large"
