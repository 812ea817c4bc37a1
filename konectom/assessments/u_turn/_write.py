"""How the measures of turns and steps are computed."""

from __future__ import annotations

import numpy as np

from konectom.assessments.base import Outcome
from konectom.assessments.u_turn._measures import ABOUT, ALL, SOME
from konectom.recording import FloatArray
from konectom.signals.lee_steps import averaged, find_lee_steps
from konectom.signals.resample import Even
from konectom.signals.steps import find_steps
from konectom.signals.turns import Turn, rotation_between

LONGEST_STEP = 1.5  # times the usual; what lasts longer is a pause


def write_turns(turns: list[Turn], trunk_radps: FloatArray, out: Outcome) -> None:
    """Write what is measured of the turns; ``trunk_radps`` (n, 3) is the rotation, x about the vertical."""
    duration_s = [turn.duration_s for turn in turns]
    angle_rad = [abs(turn.angle_rad) for turn in turns]
    speed_radps = [turn.speed_radps for turn in turns]
    within = np.abs(np.column_stack([trunk_radps[:, 0], np.linalg.norm(trunk_radps, axis=1)]))
    stretches = [within[turn.first : turn.last + 1] for turn in turns]
    mean_radps = np.array([stretch.mean(axis=0) for stretch in stretches]).reshape(-1, 2)
    fast_radps = np.array([np.quantile(stretch, 0.95, axis=0) for stretch in stretches]).reshape(-1, 2)
    for name, counted in {ALL: slice(None), **SOME}.items():
        here = out.at(turns=name)
        here("turn_count", len(turns[counted]))
        here("turn_duration", duration_s[counted])
        here("turn_angle", angle_rad[counted])
        here("turn_speed", speed_radps[counted])
        for i, about in enumerate(ABOUT.levels):
            here("rotation", mean_radps[counted, i], about=about)
            here("fast_rotation", fast_radps[counted, i], about=about)


def write_steps(upwards: Even, out: Outcome) -> None:
    """Write what is measured of the steps, turns included."""
    steps = find_steps(upwards.values, upwards.rate_hz)
    out("step_count", steps.size)
    if steps.size > 1:
        step_s = np.diff(steps) / upwards.rate_hz
        out("cadence", 60.0 / step_s[step_s < LONGEST_STEP * np.median(step_s)].mean())


def write_lee_steps(upwards: Even, yaw: Even, out: Outcome) -> None:
    """Write what is measured of the steps by the method of Lee et al., and the rotation between them."""
    vertical_g = averaged(upwards.values)
    steps = find_lee_steps(vertical_g, upwards.rate_hz)
    if not steps.size:
        return
    out("lee_step_count", steps.size)
    out("lee_step_rate", steps.size / ((len(upwards) - 1) / upwards.rate_hz))
    out("lee_step_duration", np.diff(steps) / upwards.rate_hz)
    strength_g = np.abs(vertical_g[steps[0] : steps[-1] + 1])
    strength_g = strength_g[np.isfinite(strength_g)]
    if strength_g.size:
        out("lee_step_power", np.trapezoid((strength_g - strength_g.mean()) ** 2) / upwards.rate_hz / steps.size)
    rotated_rad = rotation_between(upwards.t_s[steps], yaw)
    out("pelvis_rotation", rotated_rad[rotated_rad > 0], sense="positive")
    out("pelvis_rotation", -rotated_rad[rotated_rad <= 0], sense="negative")
