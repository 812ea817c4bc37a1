"""Pressure of the finger on the screen, which some phones do not sense: one rule for all tests that look at it.

A phone senses pressure if any touch of the recording has some. Then a touch of 0 is a light one; otherwise there is no
pressure, whether the phone sends nothing or 0 throughout.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from konectom.assessments.base import Outcome, Rule, clinician, noted, technical
from konectom.recording import Part, Recording

NO_PRESSURE = Rule("no_pressure", technical, noted, "The phone does not sense how hard it is pressed.", to=clinician)


def with_sensed_pressure(recording: Recording, out: Outcome) -> Recording:
    """Return the recording; its touches without pressure where the phone senses none, and that noted."""
    touches = [part.streams["touch"] for part in recording.parts if len(part.streams.get("touch") or ())]
    if not touches or any("pressure" in touch and np.any(touch["pressure"] > 0) for touch in touches):
        return recording
    out.flag("no_pressure")
    return replace(recording, parts=tuple(map(_without_pressure, recording.parts)))


def _without_pressure(part: Part) -> Part:
    touch = part.streams.get("touch")
    if touch is None or "pressure" not in touch:
        return part
    columns = {name: values for name, values in touch.columns.items() if name != "pressure"}
    return replace(part, streams={**part.streams, "touch": replace(touch, columns=columns)})
