"""Figures to trace, as points (n, 2) in the order in which they are drawn, y downwards.

Those of Konectom 1 stand at fixed places, in points, on a screen of 375 by 812 points.
Source: the published definitions of Konectom (DISPEL 0.0.3, generic/tasks/draw/shapes.py), written afresh.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from konectom.recording import FloatArray

WIDTH_PT, HEIGHT_PT = 375.0, 812.0


def infinity() -> FloatArray:
    """Return a lemniscate of Bernoulli, upright, 560 pt high, from the top and back to it: 1000 points."""
    angle = np.linspace(0.0, 2 * np.pi, 1000)
    radius = 280.0 * np.cos(angle) / (1.0 + np.sin(angle) ** 2)
    return np.column_stack([WIDTH_PT / 2 - radius * np.sin(angle), HEIGHT_PT / 2 - radius])


def rectangle(*, clockwise: bool) -> FloatArray:
    """Return a rectangle of 263 by 566 pt: along the top, down, back along the bottom and up: 1038 points.

    The way up ends 50 pt above the height at which the top was drawn, which begins 50 pt inside.
    """
    left, right, top, bottom, end = 56.0, 319.0, 173.0, 689.0, 123.0
    corners = [(left + 50.0, top), (right, top), (right, bottom), (left, bottom), (left, end)]
    sides = []
    for (x0, y0), (x1, y1) in pairwise(corners):
        count = int((abs(x1 - x0) + abs(y1 - y0)) / 1.5)
        sides.append(np.column_stack([np.linspace(x0, x1, count), np.linspace(y0, y1, count)]))
    points = np.concatenate(sides)
    return points if clockwise else np.column_stack([WIDTH_PT - points[:, 0], points[:, 1]])


def spiral() -> FloatArray:
    """Return four turns of an Archimedean spiral outwards, 8 pt a radian, less its begin and its end: 779 points."""
    step = 0.2359 * 1.7 * (8 * np.pi) ** 2 / 400
    angle = np.sqrt(step * np.arange(int((8 * np.pi) ** 2 / step) + 2))
    angle = angle[: int(np.argmax(angle >= 8 * np.pi)) + 1][30:-190]
    x = WIDTH_PT / 2 - 10.0 + 8.0 * angle * np.sin(angle)
    return np.column_stack([x, HEIGHT_PT / 2 + 8.0 * angle * np.cos(angle)])
