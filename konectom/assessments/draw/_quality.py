"""When a drawing counts."""

from __future__ import annotations

import numpy as np

from konectom.assessments.base import Outcome
from konectom.assessments.draw._trace import INFINITY, Trace
from konectom.recording import STANDARD_GRAVITY_MPS2
from konectom.signals.timebase import longest_gap_s

UPRIGHT_SHARE, MOST_SIDEWAYS, MOST_OVER = 0.7, np.sin(np.radians(20)), np.sin(np.radians(10))
MOST_REMOVED, LENGTHS = 0.1, (0.8, 1.2)
SLOWEST_HZ, LONGEST_PAUSE_S = 30.0, 2.0


def judge(trace: Trace, out: Outcome) -> None:
    """Raise the flags of one drawing."""
    where, part = trace.where, trace.part
    out.flag("lifted", when=not trace.continuous, **where)
    out.flag("off_screen", when=not trace.on_screen, **where)
    out.flag("screen_unknown", when=bool(np.isnan(trace.drawn).any()), **where)
    out.flag("figure_unknown", when="target" not in part.events, **where)
    finish = part.events.get("finish")
    out.flag("incomplete", when=finish is not None and not len(finish), **where)
    longest_s = longest_gap_s(trace.t_s)
    rate_hz = (trace.t_s.size - 1) / max(float(np.ptp(trace.t_s)), 1e-9) if trace.t_s.size > 1 else np.nan
    out.flag("slow_sampling", when=rate_hz < SLOWEST_HZ, rate_hz=rate_hz, **where)
    out.flag("paused", when=longest_s > LONGEST_PAUSE_S, longest_s=longest_s, **where)
    share = _upright_share(trace)
    out.flag("not_upright", when=share < UPRIGHT_SHARE, share=share, **where)
    if trace.figure is None or not (trace.continuous and trace.on_screen):
        return
    out.flag("path_missed", when=not len(trace.kept), **where)
    x = trace.figure[:, 0]
    early = trace.drawn[: len(trace.drawn) // 4, 0]
    if trace.shape == INFINITY and early.size:
        out.flag("opposite_direction", when=np.median(early) >= (x.min() + x.max()) / 2, **where)
    if len(trace.kept):
        removed = 1.0 - len(trace.kept) / len(trace.even)
        out.flag("overshoot", when=removed >= MOST_REMOVED, share=removed, **where)
        ratio = trace.length_ratio
        out.flag("wrong_length", when=not LENGTHS[0] <= ratio <= LENGTHS[1], ratio=ratio, **where)


def judge_hands(drawings: list[Trace], out: Outcome) -> None:
    """Raise the flags of the recording as a whole."""
    out.flag("hand_missing", when=len({trace.where["hand"] for trace in drawings}) < 2)


def _upright_share(trace: Trace) -> float:
    """Return in which share of the time the phone stood or lay as one looks onto it; NaN where that is not known.

    Upright or leaning back down to lying on its back, 10 degrees over and 20 sideways. Phones differ in the sign of
    gravity; that of its two components here is taken from the one that is larger.
    """
    streams = trace.part.streams
    if len(streams.get("gravity", ())):
        x, y, z = streams["gravity"].matrix().T / STANDARD_GRAVITY_MPS2
    elif len(streams.get("accelerometer", ())):
        known = streams["accelerometer"].matrix()
        known = known[np.isfinite(known).all(axis=1)]
        if not len(known):
            return float("nan")
        x, y, z = known.mean(axis=0)[:, None] / STANDARD_GRAVITY_MPS2
    else:
        return float("nan")
    sign = -np.sign(np.where(np.abs(y) >= np.abs(z), y, z))
    return float(np.mean((np.abs(x) <= MOST_SIDEWAYS) & (sign * y <= MOST_OVER) & (sign * z <= MOST_OVER)))
