"""A small picture of intervals, drawn as SVG within the text of a page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lcmat.report.markup import element, text
from lcmat.report.statistics import Interval

WIDTH, ROW = 240, 7
"""Of the picture and of one interval, in pixels."""


def interval_strip(intervals: Sequence[Interval], title: str) -> str:
    """Draw intervals one below another around a line at zero, the largest mean on top.

    An interval of one seed is its mean alone. The scale is symmetric, and its ends stand below.

    Args:
        intervals: one or more.
        title: what they are; it is the picture's alternative text, with the number of intervals on each side of zero.

    >>> interval_strip([Interval(1.0, 0.5, 1.5, 3), Interval(-1.0, -2.0, 0.0, 3)], "Differences").count("<line")
    3
    """
    ordered = sorted(intervals, key=lambda interval: -interval.mean)
    reach = max(abs(end) for each in ordered for end in _ends(each)) or 1.0
    height = ROW * len(ordered)
    above = sum(each.mean > 0 for each in ordered)
    said = f"{title}: {above} of {len(ordered)} above zero; the axis reaches from {-reach:.1f} to {reach:.1f}."
    zero = _line(WIDTH / 2, 0, WIDTH / 2, height, "zero")
    rows = "".join(_row(each, ROW * (place + 0.5), reach) for place, each in enumerate(ordered))
    box = f"0 0 {WIDTH} {height}"
    picture = element("svg", zero + rows, viewBox=box, width=WIDTH, height=height, role="img", aria_label=said)
    return element("figure", picture + element("figcaption", text(said)), class_="strip")


def _row(interval: Interval, y: float, reach: float) -> str:
    low, high = (_place(end, reach) for end in _ends(interval))
    centre = element("circle", "", cx=f"{_place(interval.mean, reach):.1f}", cy=f"{y:.1f}", r=2)
    return _line(low, y, high, y, "range") + centre


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return element("line", "", **{name: f"{value:.1f}" for name, value in ends.items()}, class_=kind)


def _ends(interval: Interval) -> tuple[float, float]:
    known = math.isfinite(interval.half_width)
    return (interval.low, interval.high) if known else (interval.mean, interval.mean)


def _place(value: float, reach: float) -> float:
    return WIDTH / 2 * (1 + 0.98 * value / reach)
