"""Sway: a point wandering in the horizontal plane, here by its acceleration, (n, 2) in any unit.

Prieto et al. 1996 (doi 10.1109/10.532130) for centre of pressure; the same maths on acceleration as in
Martinez-Mendez et al. 2012 (doi 10.1080/10255842.2011.565753).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray

MEDIAN_WINDOW = 151
"""Samples over which brief excess is voted down: 3 s at 50 Hz."""


def path_length(plane: FloatArray) -> float:
    """Return the length of the way (Prieto's TOTEX, equation 8)."""
    return float(np.linalg.norm(np.diff(plane, axis=0), axis=1).sum())


def rms(plane: FloatArray) -> float:
    """Return the root mean square of the distance from zero."""
    return float(np.sqrt(np.einsum("ij,ij->", plane, plane) / len(plane)))


def circle_area(plane: FloatArray) -> float:
    """Return the area of the circle that holds 95 % of the distances from zero, were they normal (equation 12).

    As published it takes 1.645, the one-sided 95 % point.
    """
    mean_distance = float(np.linalg.norm(plane, axis=1).mean())
    spread = np.sqrt(max(0.0, rms(plane) ** 2 - mean_distance**2))
    return float(np.pi * (mean_distance + 1.645 * spread) ** 2)


def ellipse_area(plane: FloatArray) -> float:
    """Return the area of the ellipse whose axes are the 5 % to 95 % ranges along the principal directions.

    After Schubert & Kirchner 2014 (doi 10.1016/j.gaitpost.2013.09.001), with ranges in place of their quantile of a
    chi-square distribution. It holds 90 % of the values along each axis, so less than that of the points.
    """
    centred = plane - plane.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    low, high = np.quantile(centred @ directions, (0.05, 0.95), axis=0)
    return float(np.pi / 4 * np.prod(high - low))


def prediction_area(plane: FloatArray) -> float:
    """Return the area of the ellipse in which the next point lies with 95 % probability, were they normal.

    Schubert & Kirchner 2014: 2 (n² - 1) / (n (n - 2)) F(2, n - 2) pi sqrt(det C). NaN for fewer than three points.
    """
    n = len(plane)
    if n < 3:
        return float("nan")
    centred = plane - plane.mean(axis=0)
    covariance = centred.T @ centred / (n - 1)
    spread = np.sqrt(max(0.0, covariance[0, 0] * covariance[1, 1] - covariance[0, 1] ** 2))
    quantile_f = (n - 2) / 2 * (0.05 ** (-2 / (n - 2)) - 1)  # closed form of F's 95 % point for 2 and n - 2 degrees
    return float(np.pi * spread * 2 * (n * n - 1) / (n * (n - 2)) * quantile_f)


def mean_frequency_hz(plane: FloatArray, rate_hz: float) -> float:
    """Return how often a second a circle of the mean radius would have to be run to make the same way (Prieto, 14)."""
    mean_distance = float(np.linalg.norm(plane, axis=1).mean())
    duration_s = (len(plane) - 1) / rate_hz
    if mean_distance == 0 or duration_s == 0:
        return float("nan")
    return path_length(plane) / (2 * np.pi * mean_distance * duration_s)


def jerk(plane: FloatArray, rate_hz: float) -> float:
    """Return half the squared time derivative, integrated over time (Mancini et al. 2012, Table 2), in unit²/s."""
    steps = np.diff(plane, axis=0)
    return float(0.5 * rate_hz * np.einsum("ij,ij->", steps, steps))


def restless(plane_g: FloatArray, rate_hz: float) -> NDArray[np.bool_]:
    """Return, for each sample (n), whether the jerk was far above that of quiet stance for a second or more.

    Far above is the median and 2.5 times the interquartile range of the jerk's norm where that is at most 0.1 g/s; the
    mask is smoothed by a running median over 151 samples, and stretches shorter than 1 s are turned over. (Konectom
    leaves out the median, and so takes an even, strong sway for something else.)
    """
    jerk_gps = np.concatenate([[0.0], np.linalg.norm(np.diff(plane_g, axis=0), axis=1) * rate_hz])
    quiet = jerk_gps[jerk_gps <= 0.1]
    low, median, high = np.quantile(quiet, (0.25, 0.5, 0.75))
    excess = jerk_gps > median + 2.5 * (high - low)
    votes = np.convolve(excess, np.ones(MEDIAN_WINDOW), "full")[MEDIAN_WINDOW // 2 :][: excess.size]
    smoothed = votes > MEDIAN_WINDOW / 2
    starts = np.flatnonzero(np.diff(smoothed, prepend=~smoothed[0]))
    lengths = np.diff(starts, append=smoothed.size)
    short = (lengths - 1) / rate_hz < 1.0
    return smoothed ^ np.repeat(short, lengths)
