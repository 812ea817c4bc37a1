"""What is measured of one hand, and when it counts."""

from __future__ import annotations

import numpy as np

from konectom.assessments._outcome import Outcome
from konectom.assessments._tremor import write_tremor
from konectom.assessments.grip._pressure import TARGETS, TRANSITIONS, WINDOWS, Held, Pressure
from konectom.recording import FloatArray, Part
from konectom.signals.responses import BoolArray
from konectom.signals.statistics import describe

TREMOR_RATE_HZ = 20.0
CLOCKED = "middle_4_s"
"""The window of our scores."""

# The library judges nothing here; these limits are our own, set where undisturbed tests do not come.
DUE_TARGETS = 8
MOST_LIFTED_S = 1.0
MOST_OFF = 0.5


def measure(part: Part, out: Outcome) -> None:
    """Write everything that is measured of a hand, and flag what keeps it from counting."""
    pressure = Pressure.of(part)
    _judge(part, pressure, out)
    for name in WINDOWS:
        _write_window(pressure, pressure.window(name), out.at(window=name))
    _write_steadiness(pressure, out)
    _write_transitions(pressure, out)
    for side in ("x", "y"):
        out("thumb_position", part.streams["touch"][side], side=side)
    write_tremor(part.streams, out, rate_hz=TREMOR_RATE_HZ)


def _write_window(pressure: Pressure, held: Held, out: Outcome) -> None:
    inside = held.of >= 0
    asked = pressure.target[held.of] if pressure.target.size else np.full(held.of.size, np.nan)
    error, share = held.pressure - asked, held.pressure / asked
    pressed = inside & (held.pressure != 0)
    _write_samples(error, share, inside, pressed, out)
    if pressure.ranks is None:
        out.absent("applied_force_difference", "not_applicable")
        for target in TARGETS:
            out.absent("pressure_error", "not_applicable", target=target)
            out.absent("applied_force", "not_applicable", target=target)
        return
    rank = np.where(inside, pressure.ranks[held.of], -1)
    for place, target in enumerate(TARGETS):
        here = rank == place
        _write_samples(error, share, here, here & pressed, out.at(target=target))
    high, very_high = (out.at(target=name).statistic("applied_force", "mean") for name in ("high", "very_high"))
    if np.isfinite(high - very_high):
        out("applied_force_difference", abs(high - very_high))
    else:
        out.absent("applied_force_difference", "too_few_values")


def _write_samples(error: FloatArray, share: FloatArray, inside: BoolArray, pressed: BoolArray, out: Outcome) -> None:
    known = error[inside & np.isfinite(error)]
    if known.size:
        out("pressure_error", np.sqrt(np.mean(known**2)))
    else:
        out.absent("pressure_error", "too_few_values")
    out("applied_force", share[pressed])


def _write_steadiness(pressure: Pressure, out: Outcome) -> None:
    """Write how near to the targets and how steady the pressure was, from the window that the clock tells."""
    error = _relative_error(pressure)
    variation = [
        describe(pressure.values[span], ("cv",))[0] for _, span in pressure.spans(1.0, 1.0) if span.stop > span.start
    ]
    for quantity, value in (("relative_error", error), ("unsteadiness", describe(variation, ("mean",))[0])):
        if np.isfinite(value):
            out(quantity, value)
        else:
            out.absent(quantity, "too_few_values")


def _relative_error(pressure: Pressure) -> float:
    """Return the root mean square of pressure over target minus 1; NaN where nothing was held."""
    held = pressure.window(CLOCKED)
    inside = (held.of >= 0) & np.isfinite(held.pressure)
    if not inside.any():
        return float("nan")
    return float(np.sqrt(np.mean((held.pressure[inside] / pressure.target[held.of[inside]] - 1) ** 2)))


def _write_transitions(pressure: Pressure, out: Outcome) -> None:
    found = list(pressure.transitions())
    out("reaction_time", [each.reaction_s for each in found])
    out("transition_time", [each.duration_s for each in found])
    out("overshoot", [each.overshoot for each in found])
    by_change: dict[str, list[float]] = {}
    names = [] if pressure.ranks is None else [TARGETS[rank] for rank in pressure.ranks]
    for each in found if names else ():
        change = f"{names[each.number]}_to_{names[each.number + 1]}"
        by_change.setdefault(change, []).append(each.duration_s)
    for change in TRANSITIONS:
        if change in by_change:
            out("transition_time", by_change[change], change=change)
        else:
            out.absent("transition_time", "condition_not_recorded", change=change)


def _judge(part: Part, pressure: Pressure, out: Outcome) -> None:
    told = part.streams["touch"]["pressure"]
    known = told[np.isfinite(told)]
    out.flag("no_pressure", when=not known.size or (known.size > 1 and np.ptp(known) == 0))
    out.flag("too_few_targets", when=pressure.target.size < DUE_TARGETS, targets=pressure.target.size)
    lifted_s = _lifted_s(part)
    out.flag("thumb_lifted", when=lifted_s > MOST_LIFTED_S, lifted_s=round(lifted_s, 2))
    error = _relative_error(pressure)
    out.flag("off_target", when=error > MOST_OFF, relative_error=round(error, 3))


def _lifted_s(part: Part) -> float:
    """Return how long the thumb was off the screen between its first touch and its last."""
    touch = part.streams["touch"]
    if "phase" not in touch or len(touch) < 2:
        return 0.0
    order = np.argsort(touch.t_s, kind="stable")
    up = touch["phase"][order] == "up"
    return float(np.diff(touch.t_s[order])[up[:-1]].sum())
