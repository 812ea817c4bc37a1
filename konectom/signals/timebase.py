"""Order in time: samples sorted, without repeats or gaps in their columns; rates, gaps, and which sample is nearest.

Phones repeat time stamps, jump back and lose samples. :func:`tidy` is the one place where that is put right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from konectom.recording import FloatArray, Stream

_NS = 1_000_000_000
_FURTHEST_S = 9e9
"""Times beyond this (285 years) would not fit into 64-bit nanoseconds."""


def tidy(t_s: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return times (n) and values (n, k) in order of time, without the rows that hold NaN and without repeats.

    Of several samples at one time the first recorded is kept. What is in order already comes back as it is.
    """
    finite = np.isfinite(values)
    if not finite.all():
        complete = finite.all(axis=1)
        t_s, values = t_s[complete], values[complete]
    if (np.diff(t_s) > 0).all():
        return t_s, values
    order = np.argsort(t_s, kind="stable")
    t_s, values = t_s[order], values[order]
    first = np.concatenate(([True], np.diff(t_s) > 0))
    return t_s[first], values[first]


def samples(stream: Stream) -> tuple[FloatArray, FloatArray]:
    """Return a motion stream's tidy times (n) and its columns x, y, z (n, 3)."""
    return tidy(stream.t_s, stream.matrix())


def first_seconds(stream: Stream, seconds: float) -> Stream:
    """Return what was recorded up to ``seconds`` after a stream's earliest sample, both ends included."""
    if not len(stream):
        return stream
    return stream.where(nanoseconds(stream.t_s) <= nanoseconds(stream.t_s.min() + seconds))


def last_seconds(stream: Stream, seconds: float) -> Stream:
    """Return what was recorded from ``seconds`` before a stream's latest sample on, both ends included."""
    if not len(stream):
        return stream
    return stream.where(nanoseconds(stream.t_s) >= nanoseconds(stream.t_s.max() - seconds))


def since(stream: Stream, start_s: float) -> Stream:
    """Return what was recorded at ``start_s`` or later."""
    return stream.where(nanoseconds(stream.t_s) >= nanoseconds(start_s))


def median_rate_hz(t_s: FloatArray) -> float:
    """Return the sampling rate, from the median interval of tidy times; NaN for fewer than two."""
    return float(1.0 / np.median(np.diff(t_s))) if t_s.size > 1 else float("nan")


def longest_gap_s(t_s: FloatArray) -> float:
    """Return the longest interval between successive tidy times, 0 for fewer than two."""
    return float(np.diff(t_s).max()) if t_s.size > 1 else 0.0


def nanoseconds(t_s: FloatArray | float) -> NDArray[np.int64]:
    """Return times as whole nanoseconds: equal times compare equal, half-way is half-way."""
    whole: NDArray[np.int64] = np.rint(np.clip(np.asarray(t_s), -_FURTHEST_S, _FURTHEST_S) * _NS).astype(np.int64)
    return whole


def nearest(t_s: FloatArray, wanted_s: FloatArray) -> NDArray[np.intp]:
    """Return, for each wanted time, the index of the nearest of the tidy times ``t_s``: the earlier of two as near."""
    held, wanted = nanoseconds(t_s), nanoseconds(wanted_s)
    after = np.searchsorted(held, wanted).clip(1, max(1, held.size - 1))
    if held.size == 1:
        return np.zeros(wanted.size, dtype=np.intp)
    before_is_nearer = wanted - held[after - 1] <= held[after] - wanted
    index: NDArray[np.intp] = after - before_is_nearer
    return index
