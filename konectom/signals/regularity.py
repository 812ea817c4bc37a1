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
FEWEST_PEAKS = 5


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
    long = np.flatnonzero(size >= reach)
    if not long.size:
        return at, found
    rows, meant = gather(norm_mps2, first[long], size[long])
    smooth = low_passed(rows, size[long], SMOOTHED_TO_HZ, 2, rate_hz)
    raw = _autocovariance(centred(rows, meant, size[long]), size[long], reach)
    guide = _autocovariance(centred(smooth, meant, size[long]), size[long], reach)
    for row, window in enumerate(long.tolist()):
        found[window] = _first_two(raw[row], guide[row], rate_hz)
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
    """Return the unbiased autocovariance of each row at lags from 1 - ``reach`` to ``reach`` - 1."""
    length = 1 << int(rows.shape[1] + reach - 1).bit_length()
    spectrum = np.fft.rfft(rows, length, axis=1)
    summed = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, length, axis=1)[:, :reach]
    positive = summed / (size[:, None] - np.arange(reach))
    return np.concatenate([positive[:, :0:-1], positive], axis=1)


def _first_two(raw: FloatArray, guide: FloatArray, rate_hz: float) -> tuple[float, float]:
    """Return the heights of the first two peaks of one window, relative to that at no lag."""
    from scipy.signal import find_peaks

    peaks, _ = find_peaks(guide, height=np.percentile(guide, HIGH_PERCENT), distance=APART_S * rate_hz)
    if peaks.size < FEWEST_PEAKS:
        return np.nan, np.nan
    zero = raw.size // 2
    if raw[zero] <= 0:
        return np.nan, np.nan
    step, stride = (
        float(raw[max(0, peak - REFINE_SAMPLES) : peak + REFINE_SAMPLES].max() / raw[zero])
        for peak in peaks[peaks.size // 2 + 1 :][:2].tolist()
    )
    return step, stride
