"""How alike successive steps and strides are: peaks of the acceleration's autocorrelation.

Moe-Nilssen & Helbostad 2004, J Biomech 37:121 (doi 10.1016/S0021-9290(03)00233-1), over windows of fourteen steps as
in Angelini et al. 2020 (doi 10.3390/s20010079). The lags are sought in the autocorrelation of the smoothed signal.
"""

from __future__ import annotations

import numpy as np

from konectom.recording import FloatArray
from konectom.signals.contacts import Contacts, IntArray
from konectom.signals.stretches import centred, gather, low_passed

STEPS, EVERY = 14, 7
SMOOTHED_TO_HZ = 3.0
WITHIN_S, APART_S = 4.0, 0.3
HIGH_PERCENT = 80.0
REFINE_SAMPLES = 5


def regularity(
    contacts: Contacts, norm_mps2: FloatArray, rate_hz: float, *, whole: bool = False
) -> tuple[IntArray, FloatArray]:
    """Return contacts with which windows begin (k), and step and stride regularity in each (k, 2); NaN if unclear.

    ``norm_mps2`` is the norm of the acceleration, free of trend. A window spans fourteen steps of one bout, and every
    seventh step of a bout begins one. As in the published definition the last bout has none that begins within its
    last 28 steps, unless the recording is taken as a ``whole``.
    """
    at = _begins(contacts, STEPS if whole else 2 * STEPS)
    found = np.full((at.size, 2), np.nan)
    first, size = contacts.initial[at], contacts.initial[at + STEPS] - contacts.initial[at] + 1
    reach = int(WITHIN_S * rate_hz)
    long = size >= reach
    if long.any():
        rows, meant = gather(norm_mps2, first[long], size[long])
        smooth = low_passed(rows, size[long], SMOOTHED_TO_HZ, 2, rate_hz)
        raw = _autocovariance(centred(rows, meant, size[long]), size[long], reach)
        guide = _autocovariance(centred(smooth, meant, size[long]), size[long], reach)
        found[long] = _heights(raw, _peaks(guide, rate_hz))
    return at, found


def _begins(contacts: Contacts, spared: int) -> IntArray:
    """Return the contacts that begin a window, none of them among the last ``spared``."""
    whole = contacts.followed(STEPS)
    whole[max(0, len(contacts) - spared) :] = False
    at = np.flatnonzero(whole)
    _, start, number = np.unique(contacts.bout[at], return_index=True, return_inverse=True)
    turn = np.arange(at.size) - start[number]
    begins: IntArray = at[turn % EVERY == 0]
    return begins


def _autocovariance(rows: FloatArray, size: IntArray, reach: int) -> FloatArray:
    """Return the unbiased autocovariance of each row at lags from 0 to ``reach`` - 1."""
    from scipy.fft import irfft, next_fast_len, rfft

    length = next_fast_len(rows.shape[1] + reach - 1, real=True)
    spectrum = rfft(rows, length, axis=1)
    summed = irfft(spectrum.real**2 + spectrum.imag**2, length, axis=1)[:, :reach]
    covariance: FloatArray = summed / (size[:, None] - np.arange(reach))
    return covariance


def _peaks(guide: FloatArray, rate_hz: float) -> IntArray:
    """Return the lags of the first two peaks of each row (k, 2), 0 where there are not two.

    A peak is among the highest fifth of the values at all lags, negative ones included, and of two peaks that are not
    0.3 s apart the higher one counts; the peak at no lag is one of them.
    """
    from scipy.signal import find_peaks

    mirrored = np.concatenate([guide[:, :0:-1], guide], axis=1)
    high = np.percentile(mirrored, HIGH_PERCENT, axis=1)
    peak = np.zeros(guide.shape, dtype=np.bool_)
    inner = guide[:, 1:-1]
    peak[:, 1:-1] = (inner > guide[:, :-2]) & (inner > guide[:, 2:]) & (inner >= high[:, None])
    peak[:, 0] = True
    row, lag = np.nonzero(peak)
    close = (np.diff(lag) < APART_S * rate_hz) & (np.diff(row) == 0)
    for crowded in np.unique(row[1:][close]).tolist():
        kept, _ = find_peaks(mirrored[crowded], height=high[crowded], distance=APART_S * rate_hz)
        peak[crowded] = False
        peak[crowded, np.abs(kept - (guide.shape[1] - 1))] = True
    peak[:, 0] = False
    first = peak.argmax(axis=1)
    rows = np.arange(len(guide))
    peak[rows, first] = False
    second = peak.argmax(axis=1)
    lags: IntArray = np.column_stack([first, second]) * (second > 0)[:, None]
    return lags


def _heights(raw: FloatArray, lags: IntArray) -> FloatArray:
    """Return the largest values about the lags (k, 2) of each row, relative to that at no lag."""
    about = (lags[:, :, None] + np.arange(-REFINE_SAMPLES, REFINE_SAMPLES)).clip(0, raw.shape[1] - 1)
    highest = raw[np.arange(len(raw))[:, None, None], about].max(axis=2)
    clear = (lags > 0) & (raw[:, :1] > 0)
    relative: FloatArray = np.divide(highest, raw[:, :1], out=np.full(highest.shape, np.nan), where=clear)
    return relative
